//! Checks everything that an archive holds (spec §10 step 6).

use std::sync::Arc;
use std::thread;

use crate::archive::open::Archive;
use crate::archive::sealed::{Damage, Sealed, digest};
use crate::archive::source::ReadAt;
use crate::crypto::identity::ArchiveIdentity;
use crate::error::{ErrorKind, Result};
use crate::format::entry::{Entry, Node, Role};
use crate::format::index::Index;
use crate::format::manifest::PARITY_NAME;
use crate::observer::Observer;
use crate::payload::crew::Crew;
use crate::payload::digest::compare;
use crate::payload::stream::PayloadStream;

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries that agree with the index and, for files, with their hash.
    pub entries: u64,
    /// Bytes of file content hashed.
    pub bytes: u64,
    /// Everything found damaged; empty for a sound archive.
    pub damage: Vec<Damage>,
}

/// Checks an archive right after it was written, without any of the keys that it was sealed for.
pub struct Verifier {
    identity: Arc<ArchiveIdentity>,
}

impl Verifier {
    pub(super) fn new(identity: Arc<ArchiveIdentity>) -> Self {
        Self { identity }
    }

    /// Reads the archive back as [`Archive::verify`] does; only the one that was written passes.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) and [`Interrupted`](ErrorKind::Interrupted) alone; damage is in the report.
    pub fn verify(
        &self,
        source: Arc<dyn ReadAt>,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<VerifyReport> {
        let opened = Sealed::from_source(source);
        match opened.and_then(|sealed| sealed.unlock_as_writer(self.identity.clone())) {
            Ok(archive) => archive.verify(threads, observer),
            Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::Interrupted) => Err(error),
            Err(error) => {
                let damage = vec![Damage::new(error.to_string())];
                Ok(VerifyReport { damage, ..VerifyReport::default() })
            }
        }
    }
}

impl Archive {
    /// Reads everything and checks it: digests, frames, entries, hashes, and every byte between the members.
    ///
    /// Goes on after damage in one payload with the next. The observer hears of bytes of file content.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> ocbak::Result<()> {
    /// # let keys = ocbak::Keys::new();
    /// let archive = ocbak::Archive::open("openclaw.ocbak".as_ref(), &keys)?;
    /// let report = archive.verify(0, &ocbak::Silent)?;
    /// for damage in &report.damage {
    ///     eprintln!("{damage}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) and [`Interrupted`](ErrorKind::Interrupted) alone; damage is in the report.
    pub fn verify(&self, threads: usize, observer: &dyn Observer) -> Result<VerifyReport> {
        let mut report = VerifyReport { damage: self.damage().to_vec(), ..VerifyReport::default() };
        for role in self.roles() {
            match self.verify_payload(role, threads, observer, &mut report) {
                Ok(()) => {}
                Err(error) if error.is_damage() => {
                    report.damage.push(Damage::new(format!("{role}: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
        // §10 step 6: what no payload covers.
        if let Some(parity) = self.layout.place(PARITY_NAME) {
            report.damage.extend(digest(&self.source, parity, observer)?);
        }
        Ok(report)
    }

    fn verify_payload(
        &self,
        role: Role,
        threads: usize,
        observer: &dyn Observer,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let index = self.index(role)?;
        let work = |small: Small<'_>| small.check(observer);
        thread::scope(|scope| {
            let mut crew = Crew::start(scope, threads, &work)?;
            let read = self.read_through(&index, threads, observer, &mut crew, report);
            let (checked, outcome) = crew.finish();
            for (entries, bytes) in checked {
                report.entries += entries;
                report.bytes += bytes;
            }
            // What the crew met came before what ended the reading.
            outcome.and(read)
        })
    }

    /// Reads a payload; checks large files here, small ones by the crew.
    fn read_through<'a>(
        &self,
        index: &'a Index,
        threads: usize,
        observer: &dyn Observer,
        crew: &mut Crew<'_, Small<'a>, (u64, u64)>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let mut stream = self.stream(index, threads)?;
        let mut buffer = vec![0; PIECE];
        let mut small = Small::default();
        let outcome = loop {
            if crew.has_failed() {
                break Ok(());
            }
            if small.content.len() >= PIECE || small.files.len() >= FILES {
                crew.give(std::mem::take(&mut small));
            }
            match stream.next_entry() {
                Ok(Some((entry, _))) => {
                    let is_small = matches!(entry.node, Node::File { size, .. } if size <= PIECE as u64);
                    let done = if is_small {
                        small.take(entry, &mut stream)
                    } else {
                        check_large(&mut stream, &mut buffer, observer, report)
                    };
                    if done.is_err() {
                        break done;
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        crew.give(small);
        outcome
    }
}

/// Reads an entry that may be too large for memory.
fn check_large(
    stream: &mut PayloadStream<'_>,
    buffer: &mut [u8],
    observer: &dyn Observer,
    report: &mut VerifyReport,
) -> Result<()> {
    loop {
        observer.check()?;
        let count = stream.read(buffer)?;
        if count == 0 {
            report.entries += 1;
            return Ok(());
        }
        report.bytes += count as u64;
        observer.advance(count as u64);
    }
}

/// Small files whose hashes are to be compared, their contents one after the other.
#[derive(Default)]
struct Small<'a> {
    content: Vec<u8>,
    files: Vec<(&'a Entry, [u8; 32], usize)>,
}

impl<'a> Small<'a> {
    fn take(&mut self, entry: &'a Entry, stream: &mut PayloadStream<'a>) -> Result<()> {
        let start = self.content.len();
        // Right after its header, there is all of it.
        if let Some(hash) = stream.read_whole(&mut self.content)? {
            self.files.push((entry, hash, self.content.len() - start));
        }
        Ok(())
    }

    /// Returns how many files and bytes are as they should be.
    fn check(&self, observer: &dyn Observer) -> Result<(u64, u64)> {
        observer.check()?;
        let mut rest = &self.content[..];
        for (entry, hash, length) in &self.files {
            let (content, after) = rest.split_at(*length);
            compare(&entry.path, content, hash)?;
            rest = after;
        }
        let bytes = (self.content.len() - rest.len()) as u64;
        observer.advance(bytes);
        Ok((self.files.len() as u64, bytes))
    }
}

/// Files up to this size are hashed from memory, this much at a time.
const PIECE: usize = 128 * 1024;
const FILES: usize = 256;
