//! A held directory: the only way a restore takes one step into a tree.
//!
//! A step is a single name, looked up in the directory that is held, following no link. What
//! another process puts in the place of a name can therefore fail a restore, never lead it
//! out of the tree.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
    fchmod, fstat, fsync, futimens, mkdirat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::format::entry::Mtime;
use crate::path::ArchivePath;

/// An open directory and the name it has in messages.
#[derive(Debug)]
pub(in crate::restore) struct Directory {
    pub(super) fd: OwnedFd,
    path: PathBuf,
    /// Where it lies, if it has another name in messages.
    place: Option<PathBuf>,
}

impl Directory {
    /// Opens a directory by a whole path, links in it followed: for paths that a person named
    /// and that were resolved.
    pub(in crate::restore) fn open(path: &Path) -> Result<Self> {
        let fd = openat(CWD, path, DIRECTORY - OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| Error::io("open", path, errno.into()))?;
        Ok(Self { fd, path: path.to_owned(), place: None })
    }

    /// Opens a directory by a whole path in which there must be no link: for paths that were
    /// written down when none was in them.
    pub(in crate::restore) fn open_unlinked(path: &Path) -> Result<Self> {
        let open = || {
            let mut fd = openat(CWD, "/", STEP, Mode::empty())?;
            for component in path.components().skip(1) {
                fd = openat(&fd, component.as_os_str(), STEP, Mode::empty())?;
            }
            openat(&fd, ".", DIRECTORY, Mode::empty())
        };
        let fd = open().map_err(|errno| Error::io("open", path, errno.into()))?;
        Ok(Self { fd, path: path.to_owned(), place: None })
    }

    /// Gives the directory another name in messages: a stage is called by the place its
    /// content will have.
    pub(in crate::restore) fn called(mut self, path: PathBuf) -> Self {
        self.place = Some(std::mem::replace(&mut self.path, path));
        self
    }

    /// Returns where the directory lay when it was opened.
    pub(in crate::restore) fn place(&self) -> &Path {
        self.place.as_ref().unwrap_or(&self.path)
    }

    /// Returns the name in messages.
    pub(in crate::restore) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory in this one.
    pub(in crate::restore) fn enter(&self, name: &[u8]) -> Result<Self> {
        self.try_enter(name).map_err(|errno| self.error("open", name, errno))
    }

    /// Opens a directory in this one; makes it where there is none. Tells whether it did.
    pub(in crate::restore) fn enter_or_make(&self, name: &[u8]) -> Result<(Self, bool)> {
        match self.try_enter(name) {
            Ok(directory) => Ok((directory, false)),
            Err(Errno::NOENT) => {
                self.make(name)?;
                Ok((self.enter(name)?, true))
            }
            Err(errno) => Err(self.error("open", name, errno)),
        }
    }

    /// Opens the directory at `place` below this one; this one itself where that is `None`.
    pub(in crate::restore) fn walk(&self, place: Option<&ArchivePath>) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(|source| Error::io("open", &self.path, source))?;
        let start = Self { fd, path: self.path.clone(), place: self.place.clone() };
        place.map_or(Ok(start), |place| {
            let mut components = place.components();
            // A parsed name has at least one component.
            let first = components
                .next()
                .map_or_else(|| Err(Error::malformed("an empty name")), |name| self.enter(name));
            components.try_fold(first?, |directory, name| directory.enter(name))
        })
    }

    /// Makes a private directory, which must not exist.
    pub(in crate::restore) fn make(&self, name: &[u8]) -> Result<()> {
        self.try_make(name).map_err(|errno| self.error("create", name, errno))
    }

    pub(super) fn try_make(&self, name: &[u8]) -> rustix::io::Result<()> {
        mkdirat(&self.fd, name, Mode::RWXU)
    }

    /// Looks at a name, not through it.
    pub(in crate::restore) fn look(&self, name: &[u8]) -> Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error("look at", name, errno)),
        }
    }

    /// Looks at this directory.
    pub(in crate::restore) fn stat(&self) -> Result<Stat> {
        fstat(&self.fd).map_err(|errno| Error::io("look at", &self.path, errno.into()))
    }

    /// Looks at a place below this directory.
    pub(in crate::restore) fn look_below(&self, place: &ArchivePath) -> Result<Option<Stat>> {
        match self.walk(place.parent().as_ref()) {
            Ok(directory) => directory.look(place.file_name()),
            Err(Error::Io { source, .. })
                if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells whether something else is mounted here, which cannot be renamed away.
    pub(in crate::restore) fn is_mount_point(&self) -> Result<bool> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{StatxAttributes, StatxFlags, statx};
            // Also sees a directory that is mounted over one of its own file system.
            if let Ok(stat) = statx(&self.fd, "", AtFlags::EMPTY_PATH, StatxFlags::empty())
                && stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
            {
                return Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
            }
        }
        let around =
            statat(&self.fd, "..", AtFlags::empty()).map_err(|errno| self.error("look at", b"..", errno))?;
        Ok(around.st_dev != self.stat()?.st_dev)
    }

    /// Returns the permission bits of this directory.
    pub(in crate::restore) fn mode(&self) -> Result<Mode> {
        Ok(Mode::from_raw_mode(self.stat()?.st_mode))
    }

    /// Returns the modification time of this directory.
    pub(in crate::restore) fn mtime(&self) -> Result<Mtime> {
        let stat = self.stat()?;
        Ok(Mtime {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        })
    }

    /// Returns the name in messages of a place below this directory.
    pub(in crate::restore) fn path_of(&self, place: &ArchivePath) -> PathBuf {
        self.path.join(shown(place.as_bytes()))
    }

    /// Puts everything on the file system of this directory on the disk.
    pub(in crate::restore) fn sync_file_system(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(&self.fd).map_err(|errno| Error::io("sync", &self.path, errno.into()))?;
        #[cfg(not(target_os = "linux"))]
        rustix::fs::sync();
        fsync(&self.fd).map_err(|errno| Error::io("sync", &self.path, errno.into()))
    }

    /// Returns the names in this directory, sorted.
    pub(in crate::restore) fn names(&self) -> Result<Vec<Vec<u8>>> {
        let read = || -> rustix::io::Result<Vec<Vec<u8>>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(name.to_vec());
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        read().map_err(|errno| Error::io("list", &self.path, errno.into()))
    }

    /// Opens a file for reading.
    pub(in crate::restore) fn open_file(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        openat(&self.fd, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| self.error("open", name, errno))
    }

    /// Opens a file for writing.
    pub(in crate::restore) fn open_to_write(&self, name: &[u8]) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        openat(&self.fd, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| self.error("open", name, errno))
    }

    /// Creates a private file, which must not exist.
    pub(in crate::restore) fn create_file(&self, name: &[u8]) -> Result<File> {
        self.create_file_with(name, Mode::RUSR | Mode::WUSR)
    }

    /// Creates a file, which must not exist, with a mode of which bits may be masked.
    pub(super) fn create_file_with(&self, name: &[u8], mode: Mode) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.fd, name, flags, mode).map(File::from).map_err(|errno| self.error("create", name, errno))
    }

    /// Moves a name to a name that must be free.
    pub(in crate::restore) fn rename(&self, name: &[u8], to: &Self, to_name: &[u8]) -> Result<()> {
        self.rename_by(name, to, to_name, rename_to_free)
    }

    /// Moves a directory to a name that is free or an empty directory.
    pub(in crate::restore) fn rename_over_empty(&self, name: &[u8], to: &Self, to_name: &[u8]) -> Result<()> {
        self.rename_by(name, to, to_name, |from, name, to, to_name| renameat(from, name, to, to_name))
    }

    /// Gives two names to each other's bearers in one step; `false` where the file system cannot.
    pub(in crate::restore) fn exchange(&self, name: &[u8], other: &Self, other_name: &[u8]) -> Result<bool> {
        #[cfg(test)]
        if !crate::restore::tests::crash::can_exchange() {
            return Ok(false);
        }
        match renameat_with(&self.fd, name, &other.fd, other_name, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            // The last where a directory's own mode holds on to its `..`.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::ACCESS) => Ok(false),
            Err(errno) => Err(other.error("move into place", other_name, errno)),
        }
    }

    fn rename_by(&self, name: &[u8], to: &Self, to_name: &[u8], how: Rename) -> Result<()> {
        #[cfg(test)]
        crate::restore::tests::crash::point();
        let outcome = match how(&self.fd, name, &to.fd, to_name) {
            Err(Errno::ACCESS) => {
                // A directory that its owner may not write keeps its names, and its own `..`.
                let moved = self.try_enter(name).ok().map(|directory| directory.fd);
                let mut opened = Vec::new();
                for fd in [Some(&self.fd), Some(&to.fd), moved.as_ref()] {
                    opened.extend(fd.and_then(|fd| Some((fd, open_up(fd)?))));
                }
                let outcome = how(&self.fd, name, &to.fd, to_name);
                for (fd, mode) in opened {
                    // Worst case the owner may do more with a directory of his own.
                    let _ = fchmod(fd, mode);
                }
                outcome
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => {
                Err(Error::AlreadyExists { path: to.path.join(shown(to_name)) })
            }
            Err(errno) => Err(to.error("move into place", to_name, errno)),
        }
    }

    /// Removes a name that is no directory.
    pub(in crate::restore) fn unlink(&self, name: &[u8]) -> Result<()> {
        unlinkat(&self.fd, name, AtFlags::empty()).map_err(|errno| self.error("remove", name, errno))
    }

    /// Removes an empty directory.
    pub(in crate::restore) fn remove(&self, name: &[u8]) -> Result<()> {
        unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(|errno| self.error("remove", name, errno))
    }

    /// Sets the permission bits of this directory.
    pub(in crate::restore) fn set_mode(&self, mode: Mode) -> Result<()> {
        fchmod(&self.fd, mode).map_err(|errno| Error::io("set the mode of", &self.path, errno.into()))
    }

    /// Sets the modification time of this directory.
    pub(in crate::restore) fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        futimens(&self.fd, &modified(mtime))
            .map_err(|errno| Error::io("set the time of", &self.path, errno.into()))
    }

    /// An error about a name in this directory.
    pub(super) fn error(&self, action: &'static str, name: &[u8], errno: Errno) -> Error {
        Error::io(action, &self.path.join(shown(name)), errno.into())
    }

    fn try_enter(&self, name: &[u8]) -> rustix::io::Result<Self> {
        let fd = openat(&self.fd, name, DIRECTORY, Mode::empty())?;
        let place = self.place.as_ref().map(|place| place.join(shown(name)));
        Ok(Self { fd, path: self.path.join(shown(name)), place })
    }
}

/// Tells whether a name is a directory.
pub(in crate::restore) fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Tells whether a name is a regular file.
pub(in crate::restore) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Tells whether two looks saw the same thing.
pub(in crate::restore) fn is_same(one: &Stat, other: &Stat) -> bool {
    one.st_dev == other.st_dev && one.st_ino == other.st_ino
}

pub(super) fn raw_mode(mode: u32) -> Mode {
    Mode::from_raw_mode(mode as RawMode)
}

pub(super) fn modified(mtime: Mtime) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() },
    }
}

pub(super) fn shown(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

type Rename = fn(&OwnedFd, &[u8], &OwnedFd, &[u8]) -> rustix::io::Result<()>;

fn rename_to_free(from: &OwnedFd, name: &[u8], to: &OwnedFd, to_name: &[u8]) -> rustix::io::Result<()> {
    match renameat_with(from, name, to, to_name, RenameFlags::NOREPLACE) {
        // A file system that cannot promise it (FUSE, SMB): looked at just before.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match statat(to, to_name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => renameat(from, name, to, to_name),
                Err(errno) => Err(errno),
                Ok(_) => Err(Errno::EXIST),
            }
        }
        outcome => outcome,
    }
}

/// Gives the owner of a directory all rights in it; returns the mode it had.
fn open_up(fd: &OwnedFd) -> Option<Mode> {
    let mode = Mode::from_raw_mode(fstat(fd).ok()?.st_mode);
    let open = mode | Mode::RWXU;
    (open != mode && fchmod(fd, open).is_ok()).then_some(mode)
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory on the way to another, which need not be readable.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = DIRECTORY;
