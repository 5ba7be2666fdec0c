//! What a walk tells, and to whom.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use crate::capture::meta::{Id, Meta};
use crate::capture::readahead::Early;
use crate::capture::roots::PlannedRoot;
use crate::error::Result;
use crate::format::entry::{Noted, Skipped};
use crate::path::ArchivePath;

/// Receives what a walk finds.
pub(crate) trait Visitor {
    /// A directory, before what is below it.
    fn directory(&mut self, path: &ArchivePath, meta: &Meta, handle: BorrowedFd<'_>) -> Result<()>;
    /// A symbolic link.
    fn symlink(&mut self, path: &ArchivePath, meta: &Meta, target: &[u8]) -> Result<()>;
    /// A further name of a file that was stored.
    fn hardlink(&mut self, path: &ArchivePath, meta: &Meta, target: &ArchivePath) -> Result<()>;
    /// A file; says what became of it.
    fn file(&mut self, found: &Found<'_>) -> Result<Stored>;
    /// Something that is left out.
    fn skip(&mut self, skipped: Skipped) -> Result<()>;
    /// A remark about something stored.
    fn note(&mut self, noted: Noted) -> Result<()>;
}

/// A regular file as the walk sees it.
pub(crate) struct Found<'a> {
    pub(crate) path: &'a ArchivePath,
    pub(crate) meta: &'a Meta,
    pub(crate) directory: BorrowedFd<'a>,
    pub(crate) name: &'a CStr,
    /// Its content, where that was read before its turn.
    pub(crate) early: Option<&'a Early>,
    pub(super) root: &'a PlannedRoot,
    /// Identity of the directory.
    pub(super) parent: Id,
}

impl Found<'_> {
    /// Where it lies.
    pub(crate) fn location(&self) -> PathBuf {
        self.root.place_of(self.path)
    }

    /// The directory directly below the root that it lies in; the root for a file directly in it.
    pub(crate) fn part(&self) -> ArchivePath {
        let below = self.path.relative_to(&self.root.path).unwrap_or_default();
        let slash = below.iter().position(|&byte| byte == b'/');
        let part = slash.and_then(|slash| self.root.path.join(&below[..slash]).ok());
        part.unwrap_or_else(|| self.root.path.clone())
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It was left out.
    Nothing,
    /// It is in.
    File,
    /// It is a database, and in as one file with what its side files hold.
    Snapshot,
    /// It is a database, and in as plain files.
    PlainDatabase,
}
