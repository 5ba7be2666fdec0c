//! What killed runs left of archives that never got their name (spec §11).
//!
//! Nobody was told that such a file is there, and until its very end it has no key. A run that still writes holds a lock,
//! and where machines that share a file system know nothing of each other's locks, its file is young.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::geteuid;

/// Removes what is left beside a new archive, and says what that was.
///
/// Only files of this user go that have the name of an unfinished archive, that no process holds, and that nobody wrote to
/// for an hour.
#[must_use]
pub fn remove_unfinished(archive: &Path) -> Vec<PathBuf> {
    let directory = match archive.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let own = archive.file_name().unwrap_or_default();
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    names
        .filter(|entry| is_temporary(&entry.file_name(), own))
        .map(|entry| directory.join(entry.file_name()))
        .filter(|path| abandoned(path).is_some_and(|_held| fs::remove_file(path).is_ok()))
        .collect()
}

/// Tells other processes that a temporary file is in use, for as long as it is open.
pub(super) fn claim(file: &File) {
    // Where there are no locks, age alone tells.
    let _ = flock(file, FlockOperation::NonBlockingLockExclusive);
}

/// Whether a name is `.NAME.<16 hex digits>.tmp`, and `NAME` is `own` or looks like an archive or a part of one.
fn is_temporary(name: &OsStr, own: &OsStr) -> bool {
    let parts = name.as_encoded_bytes().strip_prefix(b".").and_then(|rest| rest.strip_suffix(b".tmp"));
    let Some((name, random)) = parts.and_then(|rest| rest.split_last_chunk::<17>()) else {
        return false;
    };
    let (dot, digits) = (random[0], &random[1..]);
    let extension = b".ocbak";
    let known = name == own.as_encoded_bytes()
        || name.ends_with(extension)
        || name.windows(extension.len() + 1).any(|window| window == [extension, &b"."[..]].concat());
    dot == b'.' && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && known
}

/// Opens and locks a file that nobody uses any more.
fn abandoned(path: &Path) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).ok()?;
    let facts = file.metadata().ok()?;
    let ours = facts.is_file() && facts.uid() == geteuid().as_raw();
    let old = facts.modified().ok()?.elapsed().is_ok_and(|age| age >= PATIENCE);
    let free = ours && old && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    free.then_some(file)
}

const PATIENCE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::remove_unfinished;
    use crate::archive::file::NewFile;

    const RANDOM: &str = "0123456789abcdef";

    fn leave(path: &Path, minutes: u64) {
        let then = SystemTime::now() - Duration::from_secs(60 * minutes);
        File::create(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_killed_runs_left_goes() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("backup");
        for name in ["backup", "openclaw-default-20261122T054858Z.ocbak", "box.ocbak.002"] {
            let left = directory.path().join(format!(".{name}.{RANDOM}.tmp"));
            leave(&left, 61);
            assert_eq!(remove_unfinished(&archive), std::slice::from_ref(&left));
            assert!(!left.exists());
        }
    }

    #[test]
    fn what_could_be_of_others_stays() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "box.ocbak".to_owned(),
            format!("box.ocbak.{RANDOM}.tmp"),
            format!(".box.ocbak.{RANDOM}"),
            format!(".notes.{RANDOM}.tmp"),
            format!(".xocbak.{RANDOM}.tmp"),
            ".box.ocbak.0123456789ABCDEF.tmp".to_owned(),
            ".box.ocbak.0123456789abcde.tmp".to_owned(),
            format!(".{RANDOM}.tmp"),
        ] {
            leave(&directory.path().join(name), 100);
        }
        let link = format!(".link.ocbak.{RANDOM}.tmp");
        symlink(directory.path().join("box.ocbak"), directory.path().join(link)).unwrap();
        fs::create_dir(directory.path().join(format!(".directory.ocbak.{RANDOM}.tmp"))).unwrap();
        assert_eq!(remove_unfinished(&directory.path().join("new.ocbak")), [""; 0].map(Path::new));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 10);
    }

    #[test]
    fn what_is_young_or_in_use_stays() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("box.ocbak");
        leave(&directory.path().join(format!(".box.ocbak.{RANDOM}.tmp")), 59);
        let file = NewFile::create(&archive).unwrap();
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        for path in names.filter(|path| !path.ends_with(format!(".box.ocbak.{RANDOM}.tmp"))) {
            let then = SystemTime::now() - Duration::from_secs(7200);
            File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
        }
        assert_eq!(remove_unfinished(&archive), [""; 0].map(Path::new));
        file.persist(&archive).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
