//! What a capture would store, hashed instead of stored.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};

use crate::capture::fingerprint::Fingerprint;
use crate::capture::readahead::Pace;
use crate::capture::record::Sink;
use crate::capture::{CaptureOptions, record};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Item, ItemKind, Node, Noted, Role, Skipped, Source};
use crate::observer::Observer;
use crate::openclaw::Installation;
use crate::path::ArchivePath;

/// What a capture of one role would store, with the hash of every content.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Role of the payload.
    pub role: Role,
    /// Entries, ascending by name; their offsets mean nothing.
    pub entries: Vec<Entry>,
    /// What would be left out.
    pub skipped: Vec<Skipped>,
    /// Remarks about what would be stored.
    pub noted: Vec<Noted>,
    /// Hashes of the databases without what SQLite counts.
    pub(crate) databases: HashMap<ArchivePath, [u8; 32]>,
}

/// Reads an installation as [`capture`](crate::capture()) does, databases by way of a copy, and writes nothing but
/// these copies. As there, no database of the installation may be open in this process.
///
/// # Errors
///
/// As [`capture`](crate::capture()).
pub fn contents(
    installation: &Installation,
    options: &CaptureOptions,
    observer: &dyn Observer,
) -> Result<Vec<Contents>> {
    let mut reader = Reader { all: Vec::new(), buffer: vec![0; PIECE] };
    record(installation, options, &mut reader, observer, Pace::default())?;
    Ok(reader.all)
}

struct Reader {
    /// The last one is being filled.
    all: Vec<Contents>,
    buffer: Vec<u8>,
}

impl Reader {
    fn current(&mut self) -> Result<&mut Contents> {
        self.all.last_mut().ok_or_else(|| Error::invalid("no payload was begun"))
    }

    /// Hashes as many bytes as an archive would store, with zeros for those that are missing; returns how many are.
    fn hash(&mut self, content: &mut dyn Read, size: u64) -> Result<(Fingerprint, u64)> {
        let mut fingerprint = Fingerprint::default();
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            match content.read(&mut self.buffer[..wanted]) {
                Ok(0) => break,
                Ok(count) => {
                    fingerprint.update(&self.buffer[..count]);
                    left -= count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::stream("read", error)),
            }
        }
        let missing = left;
        self.buffer.fill(0);
        while left > 0 {
            let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            fingerprint.update(&self.buffer[..count]);
            left -= count as u64;
        }
        Ok((fingerprint, missing))
    }
}

impl Sink for Reader {
    fn begin(&mut self, _: Source, role: Role) -> Result<()> {
        let (entries, skipped, noted) = (Vec::new(), Vec::new(), Vec::new());
        self.all.push(Contents { role, entries, skipped, noted, databases: HashMap::new() });
        Ok(())
    }

    fn append(&mut self, item: &Item<'_>, content: &mut dyn Read) -> Result<u64> {
        let mut missing = 0;
        let node = match item.kind {
            ItemKind::Directory => Node::Directory,
            ItemKind::Symlink { target } => Node::Symlink { target: target.to_owned() },
            ItemKind::Hardlink { target } => Node::Hardlink { target: target.clone() },
            ItemKind::File { size } => {
                let (fingerprint, lost) = self.hash(content, size)?;
                missing = lost;
                let (sha256, database) = fingerprint.finish();
                if let Some(database) = database {
                    self.current()?.databases.insert(item.path.clone(), database);
                }
                Node::File { size, sha256 }
            }
        };
        let Item { path, mode, mtime, .. } = *item;
        self.current()?.entries.push(Entry { path: path.clone(), mode, mtime, offset: 0, node });
        Ok(missing)
    }

    fn skip(&mut self, skipped: Skipped) -> Result<()> {
        self.current()?.skipped.push(skipped);
        Ok(())
    }

    fn note(&mut self, noted: Noted) -> Result<()> {
        self.current()?.noted.push(noted);
        Ok(())
    }
}

const PIECE: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};

    use super::{PIECE, Reader};

    fn hash(content: &[u8], size: u64) -> ([u8; 32], u64) {
        let mut reader = Reader { all: Vec::new(), buffer: vec![0; PIECE] };
        let (fingerprint, missing) = reader.hash(&mut content.take(u64::MAX), size).unwrap();
        (fingerprint.finish().0, missing)
    }

    #[test]
    fn content_is_hashed_as_an_archive_would_store_it() {
        let long = vec![7; PIECE + 10];
        for (content, size, stored, missing) in [
            (&b"abc"[..], 3, b"abc".to_vec(), 0),
            (b"abcd", 3, b"abc".to_vec(), 0),
            (b"abc", 5, b"abc\0\0".to_vec(), 2),
            (&long, PIECE as u64 + 10, long.clone(), 0),
        ] {
            assert_eq!(hash(content, size), (Sha256::digest(stored).into(), missing));
        }
    }
}
