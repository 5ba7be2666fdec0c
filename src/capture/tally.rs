//! Counts the bytes of a capture by what the file system says, with one system call a file.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use crate::capture::estimate::Sampler;
use crate::capture::meta::Meta;
use crate::capture::visitor::{Found, Stored, Visitor};
use crate::capture::{sqlite, stable};
use crate::error::Result;
use crate::format::entry::{Noted, Skipped};
use crate::path::ArchivePath;

/// The visitor that counts bytes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sampler: Sampler,
    /// Bytes of all files; a database counts without its log.
    pub(crate) bytes: u64,
    /// The larger databases, in the order of the archive.
    pub(crate) databases: Vec<PathBuf>,
}

impl Visitor for Tally {
    fn directory(&mut self, _: &ArchivePath, _: &Meta, _: BorrowedFd<'_>) -> Result<()> {
        self.sampler.entry();
        Ok(())
    }

    fn symlink(&mut self, _: &ArchivePath, _: &Meta, _: &[u8]) -> Result<()> {
        self.sampler.entry();
        Ok(())
    }

    fn hardlink(&mut self, _: &ArchivePath, _: &Meta, _: &ArchivePath) -> Result<()> {
        self.sampler.entry();
        Ok(())
    }

    fn file(&mut self, found: &Found<'_>) -> Result<Stored> {
        let size = found.meta.size;
        self.bytes += size;
        // Of small ones it does not matter whether they are databases: neither their copies nor their logs are large.
        let database = size >= LARGE
            && stable::open(found.directory, found.name, found.meta)
                .is_ok_and(|(file, _)| sqlite::recognise(&file).is_some());
        let location = found.location();
        self.sampler.file(&location, size, database);
        // Another name of it could be opened while it is copied.
        if database && found.meta.links == 1 {
            self.databases.push(location);
        }
        Ok(if database { Stored::Snapshot } else { Stored::File })
    }

    fn skip(&mut self, _: Skipped) -> Result<()> {
        Ok(())
    }

    fn note(&mut self, _: Noted) -> Result<()> {
        Ok(())
    }
}

/// Databases from this size on are counted, and copied ahead.
pub(crate) const LARGE: u64 = 1 << 20;
