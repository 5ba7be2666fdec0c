//! The journal of a restore: each step written down before it is done, so that a later run can
//! finish what was interrupted, or take it back.
//!
//! JSON Lines beside the target, private, locked while its restore runs. It holds places and no
//! content. Only a journal of this process' user is believed: it says what to rename.

mod record;

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::error::{Error, Result};
use crate::path::ArchivePath;

use super::locate::{as_path, shown};
use super::migrate::Owner;
use super::stage::{Directory, is_file};

pub(super) use record::{Bytes, Place, Record, StagedTree, present};

/// What a journal of an earlier run is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be looked at: nothing is written, and others may look too.
    Look,
    /// To finish its restore, or take it back.
    Change,
}

/// A journal that this process holds.
pub(super) struct Journal {
    directory: Arc<Directory>,
    name: Vec<u8>,
    file: File,
    /// Whether the file remains when the restore ends.
    stays: Cell<bool>,
}

impl Journal {
    /// How the names of journals end.
    pub(super) const SUFFIX: &[u8] = b".journal";

    /// How they end until they are locked and have their first line.
    pub(super) const UNBORN: &[u8] = b".journal.new";

    /// Begins a journal in a directory; it has its name once it is locked and its first line is written.
    pub(super) fn create(
        directory: Arc<Directory>,
        name: &ArchivePath,
        place: &Path,
        stamp: &str,
        owner: Option<Owner>,
    ) -> Result<Self> {
        let first = [name.as_bytes(), &Self::UNBORN[Self::SUFFIX.len()..]].concat();
        let file = directory.create_file(&first)?;
        let mut journal = Self { directory, name: first, file, stays: Cell::new(false) };
        journal.lock(Purpose::Change)?;
        let started = Record::Started {
            version: VERSION,
            place: Bytes::of(place),
            inode: journal.metadata()?.ino(),
            stamp: stamp.to_owned(),
            owner: owner.map(|Owner { user, group }| (user, group)),
        };
        journal.note(&started)?;
        journal.directory.rename(&journal.name, &journal.directory, name.as_bytes())?;
        journal.name = name.as_bytes().to_vec();
        Ok(journal)
    }

    /// Removes what a process left that ended before its journal had its name.
    pub(super) fn sweep(directory: &Arc<Directory>, name: &[u8]) {
        let is_ours = |file: &File| file.metadata().is_ok_and(|facts| facts.uid() == geteuid().as_raw());
        if directory.look(name).is_ok_and(|there| there.as_ref().is_some_and(is_file))
            && let Ok(file) = directory.open_to_write(name)
            && is_ours(&file)
        {
            let journal =
                Self { directory: directory.clone(), name: name.to_vec(), file, stays: Cell::new(true) };
            journal.stays.set(!journal.lock(Purpose::Change).unwrap_or(false));
        }
    }

    /// Opens the journal of an earlier run for `place`, and reads it; `None` where it is none, or not
    /// of this user.
    pub(super) fn open(
        directory: Arc<Directory>,
        name: &[u8],
        place: &Path,
        purpose: Purpose,
    ) -> Result<Option<(Self, Vec<Record>)>> {
        if !directory.look(name)?.is_some_and(|there| is_file(&there)) {
            return Ok(None);
        }
        let opened = match purpose {
            Purpose::Look => directory.open_file(name),
            Purpose::Change => directory.open_to_write(name),
        };
        let file = match opened {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => return Ok(None),
            outcome => outcome?,
        };
        let journal = Self { directory, name: name.to_vec(), file, stays: Cell::new(true) };
        let metadata = journal.metadata()?;
        let is_ours = metadata.is_file() && metadata.uid() == geteuid().as_raw() && metadata.nlink() == 1;
        if !is_ours || metadata.mode() & 0o022 != 0 {
            return Ok(None);
        }
        if !journal.lock(purpose)? {
            return Err(Error::invalid(format!(
                "another process is restoring here: it holds `{}`",
                shown(&journal.path())
            )));
        }
        let (records, length) = journal.read()?;
        if purpose == Purpose::Change {
            journal.end_at(length)?;
        }
        let speaks = matches!(
            records.first(),
            Some(Record::Started { place: of, inode, .. }) if of.path() == place && *inode == metadata.ino()
        );
        Ok(speaks.then_some((journal, records)))
    }

    /// Writes a record that may be lost when the power fails.
    pub(super) fn note(&self, record: &Record) -> Result<()> {
        self.write(std::slice::from_ref(record))
    }

    /// Writes records, which are on the disk when this returns.
    pub(super) fn append(&self, records: &[Record]) -> Result<()> {
        self.write(records)?;
        self.file.sync_data().map_err(|error| self.error("write", error))
    }

    /// Leaves the file where it is when the restore ends.
    pub(super) fn keep(&self) {
        self.stays.set(true);
    }

    /// Whether the file remains when the restore ends.
    pub(super) fn stays(&self) -> bool {
        self.stays.get()
    }

    /// Removes the file when the restore ends.
    pub(super) fn discard(&self) {
        self.stays.set(false);
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(as_path(&self.name))
    }

    /// Tells whether no other process had the lock. Where the file system has none, nobody has.
    fn lock(&self, purpose: Purpose) -> Result<bool> {
        let lock = match purpose {
            Purpose::Look => FlockOperation::NonBlockingLockShared,
            Purpose::Change => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&self.file, lock) {
            Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(self.error("lock", errno.into())),
        }
    }

    fn write(&self, records: &[Record]) -> Result<()> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).map_err(|error| self.error("write", error.into()))?;
            lines.push(b'\n');
        }
        #[cfg(test)]
        super::tests::crash::point();
        (&self.file).write_all(&lines).map_err(|error| self.error("write", error))?;
        #[cfg(test)]
        super::tests::crash::point();
        Ok(())
    }

    /// Reads the records, and how long they are together.
    fn read(&self) -> Result<(Vec<Record>, u64)> {
        let mut records = Vec::new();
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line).map_err(|error| self.error("read", error))?;
            // A line that does not end was being written, and its step not begun.
            if line.last() != Some(&b'\n') {
                break;
            }
            length += line.len() as u64;
            let record = serde_json::from_slice(&line).map_err(|error| {
                let line = records.len() + 1;
                Error::invalid(format!(
                    "journal `{}` cannot be read: line {line}: {error}",
                    shown(&self.path())
                ))
            })?;
            records.push(record);
        }
        match records.first() {
            None | Some(Record::Started { version: VERSION, .. }) => Ok((records, length)),
            _ => Err(Error::invalid(format!(
                "journal `{}` cannot be read: this version does not know its kind",
                shown(&self.path())
            ))),
        }
    }

    /// Has the next line begin where the last whole one ends.
    fn end_at(&self, length: u64) -> Result<()> {
        let ended = self.file.set_len(length).and_then(|()| (&self.file).seek(SeekFrom::Start(length)));
        ended.map(drop).map_err(|error| self.error("write", error))
    }

    fn metadata(&self) -> Result<Metadata> {
        self.file.metadata().map_err(|error| self.error("look at", error))
    }

    fn error(&self, action: &'static str, error: std::io::Error) -> Error {
        Error::io(action, &self.path(), error)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.stays.get() {
            // One that remains says that nothing is left to be done.
            let _ = self.directory.unlink(&self.name);
        }
    }
}

const VERSION: u32 = 1;
