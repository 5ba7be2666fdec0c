//! Counts what a capture would store, and chooses a sample of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use crate::capture::estimate::Sampler;
use crate::capture::meta::Meta;
use crate::capture::visitor::{Found, Stored, Visitor};
use crate::capture::{sqlite, stable};
use crate::error::Result;
use crate::format::entry::{Noted, Role, Skipped, Source};
use crate::path::ArchivePath;

/// What a capture of one role would store.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Role of the payload.
    pub role: Role,
    /// Roots and facts.
    pub source: Source,
    /// Number of entries.
    pub entries: u64,
    /// Bytes of all files; a database counts without its log.
    pub bytes: u64,
    /// What would be left out.
    pub skipped: Vec<Skipped>,
    /// Remarks about what would be stored, as far as they can be told without reading it.
    pub noted: Vec<Noted>,
    /// The directories directly below the roots (a root itself for the files directly in it) with the
    /// bytes in them, largest first.
    pub largest: Vec<(ArchivePath, u64)>,
}

/// The visitor that counts.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    preview: Preview,
    sampler: &'a mut Sampler,
    sizes: BTreeMap<ArchivePath, u64>,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(role: Role, source: Source, sampler: &'a mut Sampler) -> Self {
        let (skipped, noted, largest) = (Vec::new(), Vec::new(), Vec::new());
        let preview = Preview { role, source, entries: 0, bytes: 0, skipped, noted, largest };
        Self { preview, sampler, sizes: BTreeMap::new() }
    }

    pub(crate) fn finish(mut self) -> Preview {
        self.preview.largest = self.sizes.into_iter().collect();
        // Stable: equal sizes stay in the order of their names.
        self.preview.largest.sort_by_key(|(_, size)| Reverse(*size));
        self.preview
    }
}

impl Visitor for Survey<'_> {
    fn directory(&mut self, _: &ArchivePath, _: &Meta, _: BorrowedFd<'_>) -> Result<()> {
        self.preview.entries += 1;
        self.sampler.entry();
        Ok(())
    }

    fn symlink(&mut self, _: &ArchivePath, _: &Meta, _: &[u8]) -> Result<()> {
        self.preview.entries += 1;
        self.sampler.entry();
        Ok(())
    }

    fn hardlink(&mut self, _: &ArchivePath, _: &Meta, _: &ArchivePath) -> Result<()> {
        self.preview.entries += 1;
        self.sampler.entry();
        Ok(())
    }

    fn file(&mut self, found: &Found<'_>) -> Result<Stored> {
        // Opened as a capture would, so that what is unreadable is told beforehand.
        let (file, meta) = match stable::open(found.directory, found.name, found.meta) {
            Ok(opened) => opened,
            Err((why, detail)) => {
                self.preview.skipped.push(Skipped { path: found.path.clone(), why, detail });
                return Ok(Stored::Nothing);
            }
        };
        self.preview.entries += 1;
        self.preview.bytes += meta.size;
        *self.sizes.entry(found.part()).or_default() += meta.size;
        let database = sqlite::recognise(&file).is_some();
        self.sampler.file(&found.location(), meta.size, database);
        Ok(if database { Stored::Snapshot } else { Stored::File })
    }

    fn skip(&mut self, skipped: Skipped) -> Result<()> {
        self.preview.skipped.push(skipped);
        Ok(())
    }

    fn note(&mut self, noted: Noted) -> Result<()> {
        self.preview.noted.push(noted);
        Ok(())
    }
}
