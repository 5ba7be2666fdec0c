//! Hashes that tell whether a file is another one.
//!
//! SQLite counts in the header of a database how often it was written, and notes its own release. A copy that it made
//! and a copy of the same file differ in that, and in nothing else.

use std::mem;

use sha2::{Digest, Sha256};

use crate::capture::sqlite::is_database;

/// Hashes content as it is, and that of a database also without what SQLite counts.
#[derive(Default)]
pub(crate) struct Fingerprint {
    whole: Sha256,
    database: Option<Sha256>,
    /// The beginning, until it is as long as the header of a database.
    head: Vec<u8>,
    started: bool,
}

impl Fingerprint {
    pub(crate) fn update(&mut self, content: &[u8]) {
        self.whole.update(content);
        let mut rest = content;
        if !self.started {
            let (head, after) = rest.split_at(rest.len().min(HEADER - self.head.len()));
            self.head.extend_from_slice(head);
            rest = after;
            if self.head.len() == HEADER {
                self.start();
            }
        }
        if let Some(database) = &mut self.database {
            database.update(rest);
        }
    }

    /// Whether it may still be that of a database.
    pub(crate) fn may_be_database(&self) -> bool {
        !self.started || self.database.is_some()
    }

    /// Returns the SHA-256 of the content, and of a database without what SQLite counts.
    pub(crate) fn finish(self) -> ([u8; 32], Option<[u8; 32]>) {
        (self.whole.finalize().into(), self.database.map(|database| database.finalize().into()))
    }

    fn start(&mut self) {
        self.started = true;
        let mut head = mem::take(&mut self.head);
        if is_database(&head) {
            for counter in COUNTERS {
                head[counter].fill(0);
            }
            self.database = Some(Sha256::new_with_prefix(head));
        }
    }
}

/// Length of the header of a database.
const HEADER: usize = 100;
/// The file change counter, the schema cookie, and the change counter and release of the last writer
/// (<https://sqlite.org/fileformat2.html#the_database_header>).
const COUNTERS: [std::ops::Range<usize>; 3] = [24..28, 40..44, 92..100];

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::Fingerprint;

    fn of(content: &[u8], piece: usize) -> ([u8; 32], Option<[u8; 32]>) {
        let mut fingerprint = Fingerprint::default();
        content.chunks(piece).for_each(|piece| fingerprint.update(piece));
        fingerprint.finish()
    }

    fn database() -> Vec<u8> {
        [b"SQLite format 3\0".as_slice(), &[7; 1000]].concat()
    }

    #[test]
    fn what_sqlite_counts_makes_no_other_database() {
        let (before, after) = (database(), database());
        for at in [24, 27, 40, 43, 92, 99] {
            let mut after = after.clone();
            after[at] ^= 1;
            let (old, new) = (of(&before, 64), of(&after, 64));
            assert!(old.0 != new.0 && old.1.is_some() && old.1 == new.1, "{at}");
        }
        for at in [16, 23, 28, 39, 44, 60, 91, 100, 1015] {
            let mut after = after.clone();
            after[at] ^= 1;
            assert_ne!(of(&before, 64).1, of(&after, 64).1, "{at}");
        }
    }

    #[test]
    fn pieces_of_any_length_have_the_same_hashes() {
        let expected = of(&database(), 2000);
        assert_eq!(expected.0, <[u8; 32]>::from(Sha256::digest(database())));
        for piece in [1, 15, 16, 99, 100, 101] {
            assert_eq!(of(&database(), piece), expected, "{piece}");
        }
    }

    #[test]
    fn other_files_are_no_databases() {
        for content in [&b""[..], b"SQLite format 3\0", &[7; 1000]] {
            assert_eq!(of(content, 64).1, None);
        }
    }
}
