//! Where what a restore replaces is kept: beside it, under a name that says when.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::path::ArchivePath;

use super::journal::Journal;
use super::moves::{Held, Moves};
use super::stage::Directory;

/// Where replaced names are kept: a directory made when the first comes.
pub(super) struct Keep {
    home: Arc<Directory>,
    base: Vec<u8>,
    made: Option<(Arc<Directory>, ArchivePath)>,
}

impl Keep {
    /// How the name begins where the directory lies inside the live one.
    pub(super) const INSIDE: &[u8] = b".before-restore-";

    /// Will be `<name>.before-restore-<stamp>` in `home`.
    pub(super) fn new(home: Arc<Directory>, name: &[u8], stamp: &str) -> Self {
        Self { home, base: Self::base(name, stamp), made: None }
    }

    /// Will be `<name>.before-undo-<stamp>` in `home`.
    pub(super) fn undone(home: Arc<Directory>, name: &[u8], stamp: &str) -> Self {
        Self { home, base: [short(name), b".before-undo-", stamp.as_bytes()].concat(), made: None }
    }

    /// Whether a path leads into what a restore kept.
    pub(super) fn is_kept(path: &[u8]) -> bool {
        path.windows(Self::INSIDE.len()).any(|part| part == Self::INSIDE)
    }

    /// Whether a name is one that a journal may have.
    pub(super) fn is_journal(name: &[u8]) -> bool {
        // Also where the file system takes the names for one.
        let name = name.to_ascii_lowercase();
        name.windows(Self::INSIDE.len()).any(|part| part == Self::INSIDE)
            && name.windows(Journal::SUFFIX.len()).any(|part| part == Journal::SUFFIX)
    }

    /// How the names begin of what a restore keeps.
    pub(super) fn base(name: &[u8], stamp: &str) -> Vec<u8> {
        [short(name), Self::INSIDE, stamp.as_bytes()].concat()
    }

    /// Returns the first name of its kind, with this ending, that is free.
    pub(super) fn free_name(&self, ending: &[u8]) -> Result<ArchivePath> {
        let mut name = [&*self.base, ending].concat();
        let mut number = 1_u32;
        while self.home.look(&name)?.is_some() {
            number += 1;
            name = [&*self.base, b"-", number.to_string().as_bytes(), ending].concat();
        }
        ArchivePath::parse(&name)
    }

    /// Returns the directory, made where it is the first time.
    pub(super) fn make(&mut self, moves: &mut Moves<'_>) -> Result<Arc<Directory>> {
        if let Some((directory, _)) = &self.made {
            return Ok(directory.clone());
        }
        let name = self.free_name(b"")?;
        moves.make(&Held::new(&self.home, &name))?;
        let directory = Arc::new(self.home.enter(name.as_bytes())?);
        self.made = Some((directory.clone(), name));
        Ok(directory)
    }

    /// Returns the directory if anything is kept.
    pub(super) fn directory(&self) -> Option<Arc<Directory>> {
        self.made.as_ref().map(|(directory, _)| directory.clone())
    }

    /// Returns its path if anything is kept.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.made.as_ref().map(|(_, name)| self.home.path_of(name))
    }
}

/// Leaves room for the rest in a name of 255 bytes.
fn short(name: &[u8]) -> &[u8] {
    &name[..name.len().min(200)]
}
