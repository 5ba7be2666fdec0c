//! The only writer of a restore: one tree, built in a private directory, following no link.
//!
//! Every name is made exclusively below the stage's own root by steps of [`Directory`]. Files
//! get their mode and time once their content matched its hash, small ones are not even made before; links come after all files,
//! modes and times of directories last, so that nothing is ever written through a link or
//! kept out by a mode (spec §10 step 6).

mod content;
mod directory;
mod owner;
mod remove;
mod rewrite;
mod small;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Mode, XattrFlags, fchmod, fsetxattr, fstat, futimens, linkat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::format::entry::{Mtime, Xattr};
use crate::path::{ArchivePath, sanitize};

use super::feed::Feed;
use super::journal::Journal;
use super::names::Folding;

pub(super) use content::{Copier, expect_length};
pub(super) use directory::{Directory, is_directory, is_file, is_same};
pub(super) use small::SmallFile;

use content::Failure;
use directory::{modified, raw_mode, shown};

/// A tree under construction. Dropped, it is gone, unless it was moved to its place.
pub(super) struct Stage {
    /// Where the stage lies.
    pub(super) parent: Arc<Directory>,
    /// Its name there.
    pub(super) name: ArchivePath,
    /// The stage itself, called by its target in messages.
    pub(super) root: Arc<Directory>,
    /// The directories from the root to the one used last: entries come sorted.
    open: Vec<(Vec<u8>, Arc<Directory>)>,
    /// The one used last where that is deeper than may be held open.
    deep: Option<(ArchivePath, Arc<Directory>)>,
    notes: Vec<String>,
    /// Stays while stages are there where something could not be taken back: then what is
    /// here may be the user's own.
    pub(super) journal: Option<Rc<Journal>>,
}

/// What a file or a further name of it looks like from outside.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) mode: u32,
    pub(super) mtime: Mtime,
}

impl Facts {
    /// Returns what a directory keeps of its mode.
    pub(super) fn directory_mode(self) -> Mode {
        raw_mode(self.mode & DIRECTORY_BITS)
    }
}

impl Stage {
    /// What the names of all stages have.
    pub(super) const MARK: &str = ".ocbak-restore-";

    /// Chooses the name of a stage in `parent` whose content is meant for `target`.
    pub(super) fn free_name(parent: &Directory, target: &Path) -> Result<ArchivePath> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Error::stream("get random bytes", error.into()))?;
        let target_name = target.file_name().unwrap_or_default().as_encoded_bytes();
        // Leaves room for the rest in a name of 255 bytes.
        let target_name = &target_name[..target_name.len().min(200)];
        let suffix = format!("{}{}", Self::MARK, hex::encode(random));
        if parent.path() == target {
            ArchivePath::parse(suffix.as_bytes())
        } else {
            ArchivePath::parse(&[b".", target_name, suffix.as_bytes()].concat())
        }
    }

    /// Makes an empty stage in `parent`.
    pub(super) fn create(
        parent: Arc<Directory>,
        name: ArchivePath,
        target: &Path,
        journal: Option<Rc<Journal>>,
    ) -> Result<Self> {
        parent.make(name.as_bytes())?;
        let mut stage = Self::open(parent, name, target)?;
        stage.journal = journal;
        Ok(stage)
    }

    /// Opens the stage of an earlier run.
    pub(super) fn open(parent: Arc<Directory>, name: ArchivePath, target: &Path) -> Result<Self> {
        let root = parent.enter(name.as_bytes())?.called(target.to_owned());
        let (open, notes) = (Vec::new(), Vec::new());
        Ok(Self { parent, name, root: Arc::new(root), open, deep: None, notes, journal: None })
    }

    /// Makes a directory, and those above it.
    pub(super) fn directory(&mut self, place: Option<&ArchivePath>, xattrs: &[Xattr]) -> Result<()> {
        let directory = self.enter(place)?;
        let notes = set_xattrs(&directory.fd, xattrs, directory.path());
        self.notes.extend(notes);
        Ok(())
    }

    /// Makes a file of what `feed` gives.
    pub(super) fn file(
        &mut self,
        place: &ArchivePath,
        facts: Facts,
        size: u64,
        xattrs: &[Xattr],
        feed: &mut dyn Feed,
        copier: &mut Copier<'_>,
    ) -> Result<()> {
        let directory = self.enter(place.parent().as_ref())?;
        let file = directory.create_file(place.file_name())?;
        let path = directory.path().join(shown(place.file_name()));
        match copier.copy(feed, size, &file) {
            Ok(()) => {}
            Err(Failure::Sink(source)) => return Err(Error::io("write", &path, source)),
            Err(Failure::Source(error)) => {
                // Others may go into place without it.
                directory.unlink(place.file_name())?;
                return Err(error);
            }
        }
        let notes = set_xattrs(&file, xattrs, &path);
        self.notes.extend(notes);
        self.finish_file(&file, facts, &path)
    }

    /// Makes a further name of a file that was made before, here or in another stage.
    pub(super) fn hardlink(
        &mut self,
        from: &Directory,
        from_place: &ArchivePath,
        place: &ArchivePath,
        facts: Facts,
    ) -> Result<()> {
        let source = from.walk(from_place.parent().as_ref())?;
        let directory = self.enter(place.parent().as_ref())?;
        let (from_name, name) = (from_place.file_name(), place.file_name());
        match linkat(&source.fd, from_name, &directory.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            // Another file system, or one without links, or one with too many.
            Err(Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => {
                let mut content = source.open_file(from_name)?;
                let mut file = directory.create_file(name)?;
                let path = directory.path().join(shown(name));
                io::copy(&mut content, &mut file).map_err(|error| Error::io("write", &path, error))?;
                self.note(&path, "is a copy: the file system cannot link it");
                self.finish_file(&file, facts, &path)
            }
            Err(errno) => Err(directory.error("link", name, errno)),
        }
    }

    /// Makes a symbolic link; what it points to is nobody's business here.
    pub(super) fn symlink(&mut self, place: &ArchivePath, target: &[u8], mtime: Mtime) -> Result<()> {
        let directory = self.enter(place.parent().as_ref())?;
        let name = place.file_name();
        symlinkat(target, &directory.fd, name).map_err(|errno| directory.error("create", name, errno))?;
        utimensat(&directory.fd, name, &modified(mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| directory.error("set the time of", name, errno))
    }

    /// Gives a directory its mode and time: to be called for the deepest first.
    pub(super) fn finish_directory(&mut self, place: Option<&ArchivePath>, facts: Facts) -> Result<()> {
        let directory = self.enter(place)?;
        directory.set_mode(facts.directory_mode())?;
        directory.set_mtime(facts.mtime)?;
        let path = directory.path().to_owned();
        if facts.mode & !DIRECTORY_BITS != 0 {
            self.note(&path, "was setuid, which was dropped");
        }
        Ok(())
    }

    /// Puts everything on the disk.
    ///
    /// Once for the whole file system, before anything becomes visible: an fsync of each of a
    /// hundred thousand files takes minutes, and none of them is of use before all are there.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.rest();
        self.root.sync_file_system()
    }

    /// Closes what is held open for the next entry.
    pub(super) fn rest(&mut self) {
        self.open.clear();
        self.deep = None;
    }

    /// Finds out which different names this file system takes for one.
    pub(super) fn folding(&self) -> Result<Folding> {
        let takes_for_one = |made: &str, looked: &str| -> Result<bool> {
            self.root.make(made.as_bytes())?;
            let found = self.root.look(looked.as_bytes())?.is_some();
            self.root.remove(made.as_bytes())?;
            Ok(found)
        };
        Ok(Folding {
            case: takes_for_one("ocbak-probe", "OCBAK-PROBE")?,
            // A file system may refuse such a name; then it has no view on it.
            normalization: takes_for_one("probe-\u{e9}", "probe-e\u{301}").unwrap_or(false),
        })
    }

    /// Takes remarks on files that were made in directories of this stage.
    pub(super) fn add_notes(&mut self, notes: Vec<String>) {
        self.notes.extend(notes);
    }

    /// Returns the remarks so far.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn finish_file(&mut self, file: &File, facts: Facts, path: &Path) -> Result<()> {
        self.notes.extend(finish_file(file, facts, path)?);
        Ok(())
    }

    /// Removes the stage, unless it stands under another name: then it is in its place.
    fn remove(&self) -> Result<()> {
        let name = self.name.as_bytes();
        match self.parent.look(name)? {
            Some(there) if is_same(&there, &self.root.stat()?) => {
                self.root.set_mode(Mode::RWXU)?;
                remove::empty(&self.root)?;
                self.parent.remove(name)
            }
            _ => Ok(()),
        }
    }

    /// Opens a directory of the stage, made where missing.
    pub(super) fn enter(&mut self, place: Option<&ArchivePath>) -> Result<&Arc<Directory>> {
        let components: Vec<&[u8]> = place.iter().flat_map(|place| place.components()).collect();
        let held = components.len().min(OPEN_DIRECTORIES);
        let common =
            self.open.iter().zip(&components).take_while(|((open, _), component)| open == *component).count();
        self.open.truncate(common);
        for &component in &components[common..held] {
            let (directory, _) = self.top().enter_or_make(component)?;
            self.open.push((component.to_vec(), Arc::new(directory)));
        }
        match place {
            Some(place) if components.len() > held => self.enter_deep(place, &components[held..]),
            _ => Ok(self.top()),
        }
    }

    /// Goes on from the deepest directory that is held open.
    fn enter_deep(&mut self, place: &ArchivePath, below: &[&[u8]]) -> Result<&Arc<Directory>> {
        let found = match self.deep.take() {
            Some((deep, directory)) if deep == *place => directory,
            Some((deep, directory)) if place.parent().as_ref() == Some(&deep) => {
                Arc::new(directory.enter_or_make(place.file_name())?.0)
            }
            _ => {
                let mut last: Option<Directory> = None;
                for component in below {
                    let above = last.as_ref().unwrap_or_else(|| self.top());
                    last = Some(above.enter_or_make(component)?.0);
                }
                last.map(Arc::new).ok_or_else(|| Error::malformed("an empty name"))?
            }
        };
        Ok(&self.deep.insert((place.clone(), found)).1)
    }

    fn top(&self) -> &Arc<Directory> {
        self.open.last().map_or(&self.root, |(_, directory)| directory)
    }

    fn note(&mut self, path: &Path, what: &str) {
        self.notes.push(remark(path, what));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.rest();
        if self.journal.as_ref().is_some_and(|journal| journal.stays()) {
            return;
        }
        // There is nobody left to tell of a failure: the error that led here is the one to see.
        let _ = self.remove();
    }
}

/// Gives a file its mode and time; says what of the mode was dropped.
fn finish_file(file: &File, facts: Facts, path: &Path) -> Result<Option<String>> {
    let failed = |action, errno: Errno| Error::io(action, path, errno.into());
    let mode = facts.mode & FILE_BITS;
    // Looking costs a tenth of changing: it is right already where it was asked for when the file was made, unless the
    // process or the directory masks bits.
    let there = fstat(file).map_err(|errno| failed("look at", errno))?;
    if there.st_mode & ALL_BITS != mode {
        fchmod(file, raw_mode(mode)).map_err(|errno| failed("set the mode of", errno))?;
    }
    futimens(file, &modified(facts.mtime)).map_err(|errno| failed("set the time of", errno))?;
    let dropped = mode != facts.mode;
    Ok(dropped.then(|| remark(path, "was setuid, setgid or sticky, which was dropped")))
}

/// Sets the attributes that belong to users; says which could not be set.
fn set_xattrs(file: impl std::os::fd::AsFd, xattrs: &[Xattr], path: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    for Xattr { name, value } in xattrs {
        let name_shown = sanitize(name.as_bytes());
        if !name.starts_with("user.") {
            // `security.capability` and its like would give the file powers.
            notes.push(remark(
                path,
                &format!("attribute `{name_shown}` is not one of a user and was dropped"),
            ));
        } else if let Err(errno) = fsetxattr(&file, name.as_str(), value, XattrFlags::empty()) {
            let error = io::Error::from(errno);
            notes.push(remark(path, &format!("attribute `{name_shown}` was not set: {error}")));
        }
    }
    notes
}

fn remark(path: &Path, what: &str) -> String {
    let path: PathBuf = path.to_owned();
    format!("`{}` {what}", sanitize(path.as_os_str().as_encoded_bytes()))
}

/// Directories of one stage that are held open: a name may have 2,048 components.
const OPEN_DIRECTORIES: usize = 32;

/// What can be set of a mode.
const ALL_BITS: u32 = 0o7777;

/// What a file keeps of its mode.
const FILE_BITS: u32 = 0o777;

/// What a directory keeps of its mode: setgid hands the group down and sticky protects from
/// others; neither gives a power. Setuid of a directory has no meaning worth keeping.
const DIRECTORY_BITS: u32 = 0o3777;
