//! Renames that are taken back together.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::Mode;

use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::path::ArchivePath;

use super::locate::joined;
use super::migrate::Owner;
use super::stage::{Directory, is_directory};

/// Steps done so far; dropped before [`Moves::commit`], they are taken back.
pub(super) struct Moves<'a> {
    done: Vec<Step>,
    observer: &'a dyn Observer,
    /// Whom directories that are made shall belong to.
    owner: Option<Owner>,
}

enum Step {
    Renamed { from: Rc<Directory>, place: ArchivePath, to: Rc<Directory>, to_place: ArchivePath },
    Made { directory: Rc<Directory>, place: ArchivePath },
    Mode { directory: Rc<Directory>, mode: Mode },
}

impl<'a> Moves<'a> {
    pub(super) fn new(observer: &'a dyn Observer, owner: Option<Owner>) -> Self {
        Self { done: Vec::new(), observer, owner }
    }

    /// All is well: nothing will be taken back.
    pub(super) fn commit(mut self) {
        self.done.clear();
    }

    /// Moves a name to a free one.
    pub(super) fn rename(
        &mut self,
        from: &Rc<Directory>,
        place: &ArchivePath,
        to: &Rc<Directory>,
        to_place: &ArchivePath,
    ) -> Result<()> {
        self.rename_by(from, place, to, to_place, Directory::rename)
    }

    /// Moves a directory to a name that is free or an empty directory.
    pub(super) fn rename_over_empty(
        &mut self,
        from: &Rc<Directory>,
        place: &ArchivePath,
        to: &Rc<Directory>,
        to_place: &ArchivePath,
    ) -> Result<()> {
        self.rename_by(from, place, to, to_place, Directory::rename_over_empty)
    }

    fn rename_by(
        &mut self,
        from: &Rc<Directory>,
        place: &ArchivePath,
        to: &Rc<Directory>,
        to_place: &ArchivePath,
        how: fn(&Directory, &[u8], &Directory, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let source = from.walk(place.parent().as_ref())?;
        let target = to.walk(to_place.parent().as_ref())?;
        how(&source, place.file_name(), &target, to_place.file_name())?;
        self.renamed(from, place, to, to_place);
        Ok(())
    }

    /// Makes the directories above a place, where they are missing.
    pub(super) fn make_parents(&mut self, root: &Rc<Directory>, place: &ArchivePath) -> Result<()> {
        let Some(above) = place.parent() else {
            return Ok(());
        };
        let mut directory = root.walk(None)?;
        let mut so_far = None;
        for name in above.components() {
            so_far = joined(so_far.as_ref(), name)?;
            let (next, made) = directory.enter_or_make(name)?;
            if let (true, Some(place)) = (made, &so_far) {
                self.made(root, place)?;
            }
            directory = next;
        }
        Ok(())
    }

    /// Opens a directory by its path, made with those above it where missing.
    pub(super) fn open_or_make(&mut self, path: &Path) -> Result<Rc<Directory>> {
        match Directory::open(path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            outcome => return outcome.map(Rc::new),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Directory::open(path).map(Rc::new);
        };
        let parent = self.open_or_make(parent)?;
        let name = ArchivePath::parse(name.as_encoded_bytes())?;
        parent.make(name.as_bytes())?;
        self.made(&parent, &name)?;
        parent.enter(name.as_bytes()).map(Rc::new)
    }

    /// Sets the mode of a live directory.
    pub(super) fn set_mode(&mut self, directory: &Rc<Directory>, mode: Mode) -> Result<()> {
        let before = directory.mode()?;
        directory.set_mode(mode)?;
        self.done.push(Step::Mode { directory: directory.clone(), mode: before });
        Ok(())
    }

    /// Moves everything from a staged directory into a live one.
    ///
    /// What is there goes to `keep`; without one nothing is replaced. Directories on both
    /// sides are entered; a link is never.
    pub(super) fn merge(
        &mut self,
        staged: &Rc<Directory>,
        live: &Rc<Directory>,
        mut keep: Option<&mut Keep>,
    ) -> Result<()> {
        let mut rest: Vec<Option<ArchivePath>> = vec![None];
        while let Some(at) = rest.pop() {
            self.observer.check()?;
            let staged_here = staged.walk(at.as_ref())?;
            let live_here = live.walk(at.as_ref())?;
            for name in staged_here.names()? {
                let Some(place) = joined(at.as_ref(), &name)? else {
                    continue;
                };
                let Some(new) = staged_here.look(&name)? else {
                    continue;
                };
                let old = live_here.look(&name)?;
                if is_directory(&new) && old.as_ref().is_some_and(is_directory) {
                    rest.push(Some(place));
                    continue;
                }
                if old.is_some() {
                    self.put_away(live, &place, keep.as_deref_mut())?;
                }
                for side in stale_side_files(&staged_here, &live_here, &name)? {
                    let Some(side) = joined(at.as_ref(), &side)? else {
                        continue;
                    };
                    self.put_away(live, &side, keep.as_deref_mut())?;
                }
                self.rename(staged, &place, live, &place)?;
            }
        }
        Ok(())
    }

    fn put_away(&mut self, live: &Rc<Directory>, place: &ArchivePath, keep: Option<&mut Keep>) -> Result<()> {
        let Some(keep) = keep else {
            return Err(Error::AlreadyExists { path: live.path_of(place) });
        };
        let kept = keep.make(self)?;
        self.make_parents(&kept, place)?;
        self.rename(live, place, &kept, place)
    }

    fn renamed(
        &mut self,
        from: &Rc<Directory>,
        place: &ArchivePath,
        to: &Rc<Directory>,
        to_place: &ArchivePath,
    ) {
        self.done.push(Step::Renamed {
            from: from.clone(),
            place: place.clone(),
            to: to.clone(),
            to_place: to_place.clone(),
        });
    }

    fn made(&mut self, directory: &Rc<Directory>, place: &ArchivePath) -> Result<()> {
        self.done.push(Step::Made { directory: directory.clone(), place: place.clone() });
        self.owner
            .map_or(Ok(()), |owner| directory.walk(place.parent().as_ref())?.give(place.file_name(), owner))
    }
}

impl Drop for Moves<'_> {
    fn drop(&mut self) {
        while let Some(step) = self.done.pop() {
            if let Err(error) = step.take_back() {
                self.observer.warn(&format!("could not be taken back: {error}"));
            }
        }
    }
}

impl Step {
    fn take_back(&self) -> Result<()> {
        match self {
            Self::Renamed { from, place, to, to_place } => to.walk(to_place.parent().as_ref())?.rename(
                to_place.file_name(),
                &from.walk(place.parent().as_ref())?,
                place.file_name(),
            ),
            Self::Made { directory, place } => {
                directory.walk(place.parent().as_ref())?.remove(place.file_name())
            }
            Self::Mode { directory, mode } => directory.set_mode(*mode),
        }
    }
}

/// Where replaced names are kept: a directory made when the first comes.
pub(super) struct Keep {
    home: Rc<Directory>,
    base: Vec<u8>,
    made: Option<(Rc<Directory>, ArchivePath)>,
}

impl Keep {
    /// How the name begins where the directory lies inside the live one.
    pub(super) const INSIDE: &[u8] = b".before-restore-";

    /// Will be `<name>.before-restore-<stamp>` in `home`.
    pub(super) fn new(home: Rc<Directory>, name: &[u8], stamp: &str) -> Self {
        // Leaves room for the rest in a name of 255 bytes.
        let name = &name[..name.len().min(200)];
        Self { home, base: [name, Self::INSIDE, stamp.as_bytes()].concat(), made: None }
    }

    /// Returns the first name of its kind that is free.
    pub(super) fn free_name(&self) -> Result<ArchivePath> {
        let mut name = self.base.clone();
        let mut number = 1_u32;
        while self.home.look(&name)?.is_some() {
            number += 1;
            name = [&*self.base, b"-", number.to_string().as_bytes()].concat();
        }
        ArchivePath::parse(&name)
    }

    /// Returns the directory, made where it is the first time.
    pub(super) fn make(&mut self, moves: &mut Moves<'_>) -> Result<Rc<Directory>> {
        if let Some((directory, _)) = &self.made {
            return Ok(directory.clone());
        }
        let name = self.free_name()?;
        self.home.make(name.as_bytes())?;
        moves.made(&self.home, &name)?;
        let directory = Rc::new(self.home.enter(name.as_bytes())?);
        self.made = Some((directory.clone(), name));
        Ok(directory)
    }

    /// Returns the directory if anything is kept.
    pub(super) fn directory(&self) -> Option<Rc<Directory>> {
        self.made.as_ref().map(|(directory, _)| directory.clone())
    }

    /// Returns its path if anything is kept.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.made.as_ref().map(|(_, name)| self.home.path_of(name))
    }
}

/// Finds live side files of a database that is being put beside
/// them: with a foreign one it reads garbage, or worse, writes it.
fn stale_side_files(staged: &Directory, live: &Directory, name: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for suffix in [&b"-wal"[..], b"-shm", b"-journal"] {
        let side = [name, suffix].concat();
        // A side file that is staged itself replaces the live one in its own turn.
        if side.len() <= ArchivePath::MAX_COMPONENT
            && live.look(&side)?.is_some()
            && staged.look(&side)?.is_none()
        {
            found.push(side);
        }
    }
    if !found.is_empty() && !is_database(staged.open_file(name)) {
        found.clear();
    }
    Ok(found)
}

fn is_database(file: Result<File>) -> bool {
    let mut start = [0; SQLITE.len()];
    // What cannot be opened is a link or a directory.
    file.is_ok_and(|mut file| file.read_exact(&mut start).is_ok() && start == *SQLITE)
}

const SQLITE: &[u8; 16] = b"SQLite format 3\0";
