//! A new file that appears under its name only when it is whole (spec §11).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::archive::source::ReadAt;
use crate::error::{Error, Result};

/// A file being written beside its final place, readable by its owner only.
///
/// Dropped before [`NewFile::persist`], it is removed.
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Creates the temporary file.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when something has the final name;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists { path: path.to_owned() });
        }
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
        Ok(Self { file, temporary, path: path.to_owned() })
    }

    /// Puts everything on the disk, and has the system forget its own copy of it, so that whoever reads it then
    /// reads the medium; false where the system knows no such wish.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io).
    pub fn settle(&self) -> Result<bool> {
        self.file.sync_all().map_err(|error| Error::io("write", &self.path, error))?;
        Ok(forget_cached(&self.file))
    }

    /// Returns what was written, to be read.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io).
    pub fn reader(&self) -> Result<Arc<dyn ReadAt>> {
        let file = self.file.try_clone().map_err(|error| Error::io("read back", &self.path, error))?;
        Ok(Arc::new(file))
    }

    /// Puts everything on the disk and gives the file its name.
    ///
    /// Where the file system has no rename that refuses to replace (FAT, some FUSE and SMB mounts), a hard link is
    /// made instead; where there are none either, the name is looked at right before a plain rename.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when something took the name meanwhile;
    /// [`Io`](crate::ErrorKind::Io). The temporary file is removed then.
    pub fn persist(self) -> Result<()> {
        let failed = |error| Error::io("write", &self.path, error);
        self.file.sync_all().map_err(failed)?;
        self.rename().map_err(|error| match error {
            Errno::EXIST => Error::AlreadyExists { path: self.path.clone() },
            error => failed(error.into()),
        })?;
        let parent = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Some file systems cannot sync a directory; the file itself is on the disk.
        match File::open(parent).and_then(|directory| directory.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result.map_err(failed),
        }
    }

    fn rename(&self) -> Result<(), Errno> {
        let (from, to) = (&self.temporary, &self.path);
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
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already after a rename.
        let _ = fs::remove_file(&self.temporary);
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl NewFile {
    /// Errors of writing name the file that the user knows.
    fn named(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        Error::io("write", &self.path, error).into()
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
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::NewFile;
    use crate::error::ErrorKind;

    #[test]
    fn the_name_appears_with_the_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ocbak");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        file.persist().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_written_can_be_read_before_it_has_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&directory.path().join("a.ocbak")).unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(file.settle().unwrap(), cfg!(target_os = "linux"));
        let mut bytes = [0; 9];
        let reader = file.reader().unwrap();
        assert_eq!((reader.length().unwrap(), reader.read_at(&mut bytes, 1).unwrap()), (5, 4));
        assert_eq!(&bytes[..4], b"hole");
    }

    #[test]
    fn an_abandoned_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&directory.path().join("a.ocbak")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_ever_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ocbak");
        let file = NewFile::create(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(file.persist().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = NewFile::create(&path).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}
