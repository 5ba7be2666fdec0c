//! The private directory for copies of databases.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, getpid, test_kill_process};

use crate::error::{Error, Result};

/// A directory of this process alone, removed with all that is in it when dropped.
///
/// It holds plaintext of the user's secrets for as long as a copy is needed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    copies: AtomicU64,
    /// Keeps the lock that tells other processes that the directory is in use.
    _lock: File,
}

impl Scratch {
    /// Makes the directory below `parent`, else `TMPDIR`, else `/var/tmp`, and removes those that dead
    /// processes left there.
    pub(crate) fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = match parent {
            Some(parent) => parent.to_owned(),
            // Not `/tmp`: it is often in memory, and the copies are as large as the databases.
            None => env::var_os("TMPDIR")
                .filter(|value| !value.is_empty())
                .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from),
        };
        sweep(&parent);
        let pid = getpid().as_raw_nonzero();
        let failure = |error| Error::io("create a scratch directory in", &parent, error);
        for attempt in 0_u32..1000 {
            let path = parent.join(format!("{PREFIX}{pid}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failure(error)),
            }
            let lock = File::open(&path).map_err(failure)?;
            // Where there are no locks, no sweeper gets one either, and so leaves this alone.
            let _ = flock(&lock, FlockOperation::LockExclusive);
            // A sweeper that does not know this process may have been faster than the lock.
            if path.exists() {
                return Ok(Self { path, copies: AtomicU64::new(0), _lock: lock });
            }
        }
        Err(failure(io::ErrorKind::AlreadyExists.into()))
    }

    /// A place for a copy of a database and its side files.
    pub(crate) fn copy(&self) -> Copy {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        Copy { path: self.path.join(format!("{number}.sqlite")) }
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left to tell; the next start sweeps what remains.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A copy of a database, removed with its side files when dropped.
#[derive(Debug)]
pub(crate) struct Copy {
    path: PathBuf,
}

impl Copy {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a side file: `-wal`, `-journal`.
    pub(crate) fn side(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Makes an empty file; what SQLite makes beside it has the same mode.
    pub(crate) fn create(&self, suffix: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.side(suffix))
    }

    /// Removes all files, for another try.
    pub(crate) fn clear(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // What is not there need not be removed.
            let _ = fs::remove_file(self.side(suffix));
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Removes what dead processes of this user left.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_stale(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_stale(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let pid = name
        .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next())
        .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    // In a directory that all may write to, others' directories are none of our business.
    let ours =
        fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir() && facts.uid() == geteuid().as_raw());
    let dead = pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
    if !ours || !dead {
        return false;
    }
    // A process in another container has another idea of process ids, but the lock is one.
    File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

const PREFIX: &str = "ocbak-scratch-";

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{FlockOperation, flock};

    use super::Scratch;

    /// Larger than any process id of Linux.
    const DEAD: &str = "ocbak-scratch-999999999-0";

    #[test]
    fn the_directory_is_private_and_removed() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(Some(parent.path())).unwrap();
        let other = Scratch::new(Some(parent.path())).unwrap();
        let mode = fs::metadata(scratch.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        fs::write(scratch.copy().path(), "x").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        drop(other);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_dead_processes_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let stale = parent.path().join(DEAD);
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("0.sqlite"), "secret").unwrap();
        drop(Scratch::new(Some(parent.path())).unwrap());
        assert!(!stale.exists());
    }

    #[test]
    fn what_is_locked_or_not_ours_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let live = parent.path().join(DEAD);
        fs::create_dir(&live).unwrap();
        let lock = File::open(&live).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let link = parent.path().join("ocbak-scratch-999999999-1");
        symlink(elsewhere.path(), &link).unwrap();
        fs::create_dir(parent.path().join("ocbak-scratch-x")).unwrap();
        drop(Scratch::new(Some(parent.path())).unwrap());
        assert!(live.exists() && link.is_symlink() && elsewhere.path().exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_missing_parent_is_named() {
        let error = Scratch::new(Some("/nowhere/at/all".as_ref())).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
    }
}
