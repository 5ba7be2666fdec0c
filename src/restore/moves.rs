//! Renames that are taken back together, each written into the journal before it is done.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{Mode, Stat};

use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::path::ArchivePath;

use super::journal::{Bytes, Journal, Place, Record};
use super::keep::Keep;
use super::locate::{joined, shown};
use super::migrate::Owner;
use super::stage::{Directory, is_directory};

/// Steps done so far; dropped before [`Moves::commit`], they are taken back.
pub(super) struct Moves<'a> {
    done: Vec<Step>,
    observer: &'a dyn Observer,
    /// Whom directories that are made shall belong to.
    owner: Option<Owner>,
    journal: Option<Rc<Journal>>,
    /// Whether the file systems have been able to exchange two names so far.
    exchanges: bool,
}

/// A name below a held directory.
#[derive(Clone)]
pub(super) struct Held {
    directory: Arc<Directory>,
    place: ArchivePath,
}

enum Step {
    Renamed { from: Held, to: Held },
    Exchanged { new: Held, live: Held },
    Made(Held),
    Mode { directory: Arc<Directory>, mode: Mode },
}

impl<'a> Moves<'a> {
    pub(super) fn new(
        observer: &'a dyn Observer,
        owner: Option<Owner>,
        journal: Option<Rc<Journal>>,
    ) -> Self {
        Self { done: Vec::new(), observer, owner, journal, exchanges: true }
    }

    /// Fails once the work shall stop.
    pub(super) fn check(&self) -> Result<()> {
        self.observer.check()
    }

    /// All is well: nothing will be taken back.
    pub(super) fn commit(mut self) {
        self.done.clear();
    }

    /// Moves a name to a free one.
    pub(super) fn rename(&mut self, from: &Held, to: &Held) -> Result<()> {
        self.intend(&[renamed(from, to)])?;
        self.rename_by(from, to, Directory::rename)
    }

    /// Moves a directory to a name that is free or an empty directory.
    pub(super) fn rename_over_empty(&mut self, from: &Held, to: &Held) -> Result<()> {
        self.intend(&[renamed(from, to)])?;
        self.rename_by(from, to, Directory::rename_over_empty)
    }

    /// Puts `new` in the place of `live`, which becomes `kept`: in one step where that is possible.
    pub(super) fn replace(&mut self, new: &Held, live: &Held, kept: &Held) -> Result<()> {
        self.make_changes(&[Change::Replaced { new: new.clone(), live: live.clone(), kept: kept.clone() }])
    }

    fn replacement(&self, new: &Held, live: &Held, kept: &Held) -> Result<Vec<Record>> {
        if !self.exchanges {
            // Each in its own turn: what is to be moved to a name that is not free yet cannot be
            // told from what was moved.
            return Ok(Vec::new());
        }
        let inode = |held: &Held| Ok(held.look()?.map_or(0, |stat| stat.st_ino));
        let (new_inode, live_inode): (u64, u64) = (inode(new)?, inode(live)?);
        let exchanged = Record::Exchanged { new: new.written(), live: live.written(), new_inode, live_inode };
        Ok(vec![exchanged, renamed(new, kept)])
    }

    /// Does what [`Self::replacement`] told.
    fn carry_out(&mut self, new: &Held, live: &Held, kept: &Held) -> Result<()> {
        if self.exchanges {
            let (from, to) = (new.above()?, live.above()?);
            self.exchanges = from.exchange(new.place.file_name(), &to, live.place.file_name())?;
            if self.exchanges {
                self.done.push(Step::Exchanged { new: new.clone(), live: live.clone() });
                return self.rename_by(new, kept, Directory::rename);
            }
        }
        self.rename(live, kept)?;
        self.rename(new, live)
    }

    fn intend(&self, records: &[Record]) -> Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.append(records))
    }

    fn rename_by(
        &mut self,
        from: &Held,
        to: &Held,
        how: fn(&Directory, &[u8], &Directory, &[u8]) -> Result<()>,
    ) -> Result<()> {
        how(&from.above()?, from.place.file_name(), &to.above()?, to.place.file_name())?;
        self.done.push(Step::Renamed { from: from.clone(), to: to.clone() });
        Ok(())
    }

    /// Makes the directories above a place, where they are missing.
    pub(super) fn make_parents(&mut self, root: &Arc<Directory>, place: &ArchivePath) -> Result<()> {
        let Some(above) = place.parent() else {
            return Ok(());
        };
        let mut directory = root.walk(None)?;
        let mut so_far = None;
        for name in above.components() {
            so_far = joined(so_far.as_ref(), name)?;
            if let (None, Some(place)) = (directory.look(name)?, &so_far) {
                self.make(&Held::new(root, place))?;
            }
            directory = directory.enter(name)?;
        }
        Ok(())
    }

    /// Opens a directory by its path, in which there is no link, made with those above it where missing.
    pub(super) fn open_or_make(&mut self, path: &Path) -> Result<Arc<Directory>> {
        match Directory::open_unlinked(path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            outcome => return outcome.map(Arc::new),
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Directory::open_unlinked(path).map(Arc::new);
        };
        let parent = self.open_or_make(parent)?;
        let name = ArchivePath::parse(name.as_encoded_bytes())?;
        self.make(&Held::new(&parent, &name))?;
        parent.enter(name.as_bytes()).map(Arc::new)
    }

    /// Sets the mode of a live directory.
    pub(super) fn set_mode(&mut self, directory: &Arc<Directory>, mode: Mode) -> Result<()> {
        let before = directory.mode()?;
        let raw = before.as_raw_mode();
        self.intend(&[Record::Mode { directory: Bytes::of(directory.place()), before: raw }])?;
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
        staged: &Arc<Directory>,
        live: &Arc<Directory>,
        mut keep: Option<&mut Keep>,
    ) -> Result<()> {
        let mut rest: Vec<Option<ArchivePath>> = vec![None];
        while let Some(at) = rest.pop() {
            self.observer.check()?;
            let staged_here = staged.walk(at.as_ref())?;
            let live_here = live.walk(at.as_ref())?;
            let mut added = Vec::new();
            let mut replaced = Vec::new();
            let mut stale = BTreeSet::new();
            for name in staged_here.names()? {
                let (Some(place), Some(new)) = (joined(at.as_ref(), &name)?, staged_here.look(&name)?) else {
                    continue;
                };
                let old = live_here.look(&name)?;
                if is_directory(&new) && old.as_ref().is_some_and(is_directory) {
                    rest.push(Some(place));
                    continue;
                }
                for side in stale_side_files(&staged_here, &live_here, &name)? {
                    stale.extend(joined(at.as_ref(), &side)?);
                }
                if old.is_some() { replaced.push(place) } else { added.push(place) }
            }
            // What is put away first lies in the same directory as the others.
            let kept = match (stale.first().or(replaced.first()), keep.as_deref_mut()) {
                (None, _) => None,
                (Some(place), None) => return Err(Error::AlreadyExists { path: live.path_of(place) }),
                (Some(place), Some(keep)) => {
                    let kept = keep.make(self)?;
                    self.make_parents(&kept, place)?;
                    Some(kept)
                }
            };
            let mut changes = Vec::new();
            if let Some(kept) = &kept {
                let away =
                    stale.iter().map(|place| Change::Moved(Held::new(live, place), Held::new(kept, place)));
                changes.extend(away);
                let replace = |place| {
                    let new = Held::new(staged, place);
                    Change::Replaced { new, live: Held::new(live, place), kept: Held::new(kept, place) }
                };
                changes.extend(replaced.iter().map(replace));
            }
            let add = |place| Change::Moved(Held::new(staged, place), Held::new(live, place));
            changes.extend(added.iter().map(add));
            self.make_changes(&changes)?;
        }
        Ok(())
    }

    /// Makes changes that do not depend on each other, written down together.
    fn make_changes(&mut self, changes: &[Change]) -> Result<()> {
        let mut intentions = Vec::new();
        for change in changes {
            match change {
                Change::Moved(from, to) => intentions.push(renamed(from, to)),
                Change::Replaced { new, live, kept } => {
                    intentions.append(&mut self.replacement(new, live, kept)?);
                }
            }
        }
        if !intentions.is_empty() {
            self.intend(&intentions)?;
        }
        for change in changes {
            match change {
                Change::Moved(from, to) => self.rename_by(from, to, Directory::rename)?,
                Change::Replaced { new, live, kept } => self.carry_out(new, live, kept)?,
            }
        }
        Ok(())
    }

    /// Makes a directory, which must not exist.
    pub(super) fn make(&mut self, held: &Held) -> Result<()> {
        if let Some(journal) = &self.journal {
            journal.note(&Record::Made(held.written()))?;
        }
        let above = held.above()?;
        above.make(held.place.file_name())?;
        self.done.push(Step::Made(held.clone()));
        self.owner.map_or(Ok(()), |owner| above.give(held.place.file_name(), owner))
    }
}

impl Drop for Moves<'_> {
    fn drop(&mut self) {
        while let Some(step) = self.done.pop() {
            if let Err(error) = step.take_back() {
                if let Some(journal) = &self.journal {
                    journal.keep();
                }
                self.observer.warn(&format!("could not be taken back: {error}"));
            }
        }
    }
}

enum Change {
    Moved(Held, Held),
    Replaced { new: Held, live: Held, kept: Held },
}

impl Step {
    fn take_back(&self) -> Result<()> {
        match self {
            Self::Renamed { from, to } => {
                to.above()?.rename(to.place.file_name(), &from.above()?, from.place.file_name())
            }
            Self::Exchanged { new, live } => {
                let exchanged =
                    live.above()?.exchange(live.place.file_name(), &new.above()?, new.place.file_name())?;
                if exchanged {
                    return Ok(());
                }
                Err(Error::invalid(format!("`{}` cannot be exchanged again", shown(&live.path()))))
            }
            Self::Made(held) => held.above()?.remove(held.place.file_name()),
            Self::Mode { directory, mode } => directory.set_mode(*mode),
        }
    }
}

impl Held {
    pub(super) fn new(directory: &Arc<Directory>, place: &ArchivePath) -> Self {
        Self { directory: directory.clone(), place: place.clone() }
    }

    fn above(&self) -> Result<Directory> {
        self.directory.walk(self.place.parent().as_ref())
    }

    fn look(&self) -> Result<Option<Stat>> {
        self.above()?.look(self.place.file_name())
    }

    fn path(&self) -> PathBuf {
        self.directory.path_of(&self.place)
    }

    fn written(&self) -> Place {
        Place::new(&self.directory, self.place.as_bytes())
    }
}

fn renamed(from: &Held, to: &Held) -> Record {
    Record::Renamed { from: from.written(), to: to.written() }
}

/// Finds live side files of a database that is being put beside
/// them: with a foreign one it reads garbage, or worse, writes it.
fn stale_side_files(staged: &Directory, live: &Directory, name: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for suffix in SIDE_FILES {
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

pub(super) fn is_database(file: Result<File>) -> bool {
    let mut start = [0; SQLITE.len()];
    // What cannot be opened is a link or a directory.
    file.is_ok_and(|mut file| file.read_exact(&mut start).is_ok() && start == *SQLITE)
}

const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// What SQLite puts beside a database.
pub(super) const SIDE_FILES: [&[u8]; 3] = [b"-wal", b"-shm", b"-journal"];
