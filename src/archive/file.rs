//! A new file that appears under its name only when it is whole (spec §11).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Gid, RenameFlags, Uid, flock, renameat_with};
use rustix::io::Errno;

use crate::archive::leftover;
use crate::archive::writeback::Writeback;
use crate::error::{Error, Result};

/// A file being written beside its final place, readable by its owner only.
///
/// Dropped before [`NewFile::persist`], it is removed.
pub(super) struct NewFile {
    file: File,
    writeback: Writeback,
    temporary: PathBuf,
    /// The name that the user knows, for errors.
    path: PathBuf,
    /// The file whose place it takes, locked.
    replaces: Option<File>,
}

impl NewFile {
    /// Creates the temporary file.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when something has the final name; `Io`.
    pub(super) fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists { path: path.to_owned() });
        }
        Self::beside(path, None)
    }

    /// The same for a file that takes the place of the one of `length` bytes at `path`, with its mode, and its owner
    /// where that may be. Until then a change of passphrase is kept from that one.
    ///
    /// # Errors
    ///
    /// `Invalid` when that is no such file, or is being changed; `Io`.
    pub(super) fn replacing(path: &Path, length: u64) -> Result<Self> {
        let failed = |error| Error::io("replace", path, error);
        let file = File::open(path).map_err(failed)?;
        let old = file.metadata().map_err(failed)?;
        if !old.is_file() || old.len() != length {
            return Err(Error::invalid("is not one file, which alone can be replaced").within(path));
        }
        // Some file systems have no locks: another error is no reason to stop.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(Error::invalid("is being changed by another program").within(path));
        }
        let new = Self::beside(path, Some(file))?;
        let (user, group) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        // Only root may; the mode then lets in nobody else.
        let _ = rustix::fs::fchown(&new.file, Some(user), Some(group));
        new.file.set_permissions(old.permissions()).map_err(failed)?;
        Ok(new)
    }

    fn beside(path: &Path, replaces: Option<File>) -> Result<Self> {
        let name =
            path.file_name().ok_or_else(|| Error::invalid(format!("`{}` names no file", path.display())))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Error::stream("get random bytes", error.into()))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", hex::encode(random)));
        let temporary = path.with_file_name(hidden);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| Error::io("create", path, error))?;
        leftover::claim(&file);
        Ok(Self { file, writeback: Writeback::default(), temporary, path: path.to_owned(), replaces })
    }

    /// Writes at an offset, and returns how many bytes were taken.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let count = FileExt::write_at(&self.file, bytes, offset).map_err(|error| self.named(error))?;
        self.writeback.written(&self.file, count as u64);
        Ok(count)
    }

    /// Reads back at an offset.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, buffer, offset)
    }

    /// Fills up with zeros to a length.
    pub(super) fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length).map_err(|error| self.named(error))
    }

    /// Puts everything on the disk, and has the system forget its own copy of it; false where it knows no such wish.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub(super) fn settle(&self) -> Result<bool> {
        let written = self.writeback.finish().and_then(|()| self.file.sync_all());
        written.map_err(|error| Error::io("write", &self.path, error))?;
        Ok(forget_cached(&self.file))
    }

    /// Returns another handle of the file.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub(super) fn handle(&self) -> Result<File> {
        self.file.try_clone().map_err(|error| Error::io("read back", &self.path, error))
    }

    /// Gives a file that is on the disk its name, without replacing anything but what it was made for.
    ///
    /// Where the file system has no rename that refuses to replace (FAT, some FUSE and SMB mounts), a hard link is
    /// made instead; where there are none either, the name is looked at right before a plain rename.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when something took the name meanwhile; `Io`. The temporary file is removed then.
    pub(super) fn persist(self, path: &Path) -> Result<()> {
        self.rename(path).map_err(|error| match error {
            Errno::EXIST => Error::AlreadyExists { path: path.to_owned() },
            error => Error::io("write", path, error.into()),
        })
    }

    fn rename(&self, to: &Path) -> Result<(), Errno> {
        let from = &self.temporary;
        if self.replaces.is_some() {
            return rustix::fs::rename(from, to);
        }
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {}
            result => return result,
        }
        match rustix::fs::link(from, to) {
            // The temporary name goes when `self` is dropped.
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(Errno::EXIST),
            Err(_) => {}
        }
        if to.symlink_metadata().is_ok() {
            return Err(Errno::EXIST);
        }
        rustix::fs::rename(from, to)
    }

    /// Errors of writing name the file that the user knows.
    fn named(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        Error::io("write", &self.path, error).into()
    }
}

/// Puts the names in the directory of `path` on the disk.
///
/// # Errors
///
/// `Io`.
pub(super) fn settle_names(path: &Path) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match File::open(parent).and_then(|directory| directory.sync_all()) {
        // Some file systems cannot sync a directory; the file itself is on the disk.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result.map_err(|error| Error::io("write", path, error)),
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already after a rename.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Has the system forget its copy of a file that is on the disk. One that lives in memory alone is all there is.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn forget_cached(file: &File) -> bool {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn forget_cached(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::NewFile;
    use crate::error::ErrorKind;

    #[test]
    fn the_file_is_its_owner_s_alone_and_hidden_until_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ocbak");
        let file = NewFile::create(&path).unwrap();
        assert_eq!(file.write_at(b"whole", 0).unwrap(), 5);
        assert!(!path.exists());
        assert_eq!(file.settle().unwrap(), cfg!(target_os = "linux"));
        file.persist(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = NewFile::create(&directory.path().join("a.ocbak")).unwrap();
        file.write_at(b"half", 0).unwrap();
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_ever_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ocbak");
        let file = NewFile::create(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(file.persist(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = NewFile::create(&path).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}
