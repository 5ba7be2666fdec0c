//! Checks everything that an archive holds (spec §10 step 6).

use std::sync::Arc;

use crate::archive::open::Archive;
use crate::archive::sealed::{Damage, Sealed, digest};
use crate::archive::source::ReadAt;
use crate::crypto::identity::ArchiveIdentity;
use crate::error::{ErrorKind, Result};
use crate::format::entry::Role;
use crate::format::manifest::PARITY_NAME;
use crate::observer::Observer;

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
        let mut stream = self.stream(&index, threads)?;
        let mut buffer = vec![0; 128 * 1024];
        while stream.next_entry()?.is_some() {
            loop {
                observer.check()?;
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                report.bytes += count as u64;
                observer.advance(count as u64);
            }
            report.entries += 1;
        }
        Ok(())
    }
}
