//! The journal of a restore: each step written down before it is done, so that a later run can
//! finish what was interrupted, or take it back.
//!
//! JSON Lines beside the target, private, locked while its restore runs. It holds places and no
//! content. Only a journal of this process' user is believed: it says what to rename.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{FlockOperation, Stat, flock};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::path::ArchivePath;

use super::layout::{Manner, Tree};
use super::locate::{as_path, shown};
use super::migrate::Owner;
use super::stage::{Directory, Facts, Stage, is_file};

/// One line of a journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// The first line.
    ///
    /// The journal speaks for `place` alone, and only as the file `inode`: a copy of it, or one out
    /// of an archive, speaks for nothing.
    Started { version: u32, place: Bytes, inode: u64, stamp: String, owner: Option<(u32, u32)> },
    /// A directory was missing and is made.
    Made(Place),
    /// A stage is made.
    Staged(Place),
    /// All stages are complete, checked and on the disk: from here on a restore can be finished.
    Ready(Vec<StagedTree>),
    /// A name becomes another, which is free.
    Renamed { from: Place, to: Place },
    /// Two names are given to each other's bearers, which were those inodes before.
    Exchanged { new: Place, live: Place, new_inode: u64, live_inode: u64 },
    /// A directory with permission bits `before` gets others.
    Mode { directory: Bytes, before: u32 },
    /// The restore is being taken back, after a look at whether that can be done.
    TakingBack,
    /// The last step that was not taken back yet was taken back.
    TakenBack,
    /// Everything is in its place, and what was there lies in `kept`.
    Done { kept: Vec<Bytes> },
}

/// A name below a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Absolute, without links.
    pub(super) directory: Bytes,
    pub(super) name: Bytes,
}

/// A tree and its complete stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StagedTree {
    pub(super) target: Bytes,
    pub(super) manner: Manner,
    pub(super) staying: Vec<Bytes>,
    pub(super) stage: Place,
    pub(super) inode: u64,
    /// Mode and modification time of the directory itself, where the archive says.
    pub(super) root: Option<(u32, i64, u32)>,
}

/// A name or path of any bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Text", into = "Text")]
pub(super) struct Bytes(pub(super) Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Readable(String),
    Raw(Vec<u8>),
}

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
    directory: Rc<Directory>,
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
        directory: Rc<Directory>,
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
    pub(super) fn sweep(directory: &Rc<Directory>, name: &[u8]) {
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
        directory: Rc<Directory>,
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

impl Place {
    pub(super) fn new(directory: &Directory, name: &[u8]) -> Self {
        Self { directory: Bytes::of(directory.place()), name: Bytes(name.to_vec()) }
    }

    /// The whole path.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(as_path(&self.name.0))
    }

    /// Opens the directory that holds the name; `None` where it is not there.
    pub(super) fn open(&self) -> Result<Option<Directory>> {
        let name = self.name.parse()?;
        match present(Directory::open_unlinked(self.directory.path()))? {
            Some(directory) => present(directory.walk(name.parent().as_ref())),
            None => Ok(None),
        }
    }

    /// Opens the directory that holds the name; makes it where it is not there.
    pub(super) fn open_or_make(&self) -> Result<Directory> {
        let base = self.directory.path();
        let mut directory = match (present(Directory::open_unlinked(base))?, base.parent(), base.file_name())
        {
            (Some(directory), ..) => directory,
            (None, Some(parent), Some(name)) => {
                Directory::open_unlinked(parent)?.enter_or_make(name.as_encoded_bytes())?.0
            }
            _ => Directory::open_unlinked(base)?,
        };
        for component in self.name.parse()?.parent().iter().flat_map(ArchivePath::components) {
            directory = directory.enter_or_make(component)?.0;
        }
        Ok(directory)
    }

    /// Looks at the name.
    pub(super) fn look(&self) -> Result<Option<Stat>> {
        self.open()?.map_or(Ok(None), |directory| directory.look(self.last()))
    }

    /// The name without the directories before it.
    pub(super) fn last(&self) -> &[u8] {
        self.name.0.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }
}

impl StagedTree {
    pub(super) fn new(tree: &Tree, stage: &Stage, root: Option<Facts>) -> Result<Self> {
        Ok(Self {
            target: Bytes::of(&tree.target),
            manner: tree.manner,
            staying: tree.staying.iter().map(|place| Bytes(place.as_bytes().to_vec())).collect(),
            stage: Place::new(&stage.parent, stage.name.as_bytes()),
            inode: stage.root.stat()?.st_ino,
            root: root.map(|Facts { mode, mtime }| (mode, mtime.seconds, mtime.nanoseconds)),
        })
    }
}

impl Bytes {
    pub(super) fn of(path: &Path) -> Self {
        Self(path.as_os_str().as_encoded_bytes().to_vec())
    }

    pub(super) fn path(&self) -> &Path {
        as_path(&self.0)
    }

    pub(super) fn parse(&self) -> Result<ArchivePath> {
        ArchivePath::parse(&self.0)
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        match text {
            Text::Readable(text) => Self(text.into_bytes()),
            Text::Raw(bytes) => Self(bytes),
        }
    }
}

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        String::from_utf8(bytes.0).map_or_else(|error| Self::Raw(error.into_bytes()), Self::Readable)
    }
}

/// Takes what is not there for `None`.
pub(super) fn present<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Error::Io { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

const VERSION: u32 = 1;
