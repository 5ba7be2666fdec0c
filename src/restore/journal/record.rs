//! The lines of a journal: steps of a restore, and the places that they were done at.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::path::ArchivePath;
use crate::restore::layout::{Manner, Tree};
use crate::restore::locate::as_path;
use crate::restore::stage::{Directory, Facts, Stage};

/// One line of a journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::restore) enum Record {
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
pub(in crate::restore) struct Place {
    /// Absolute, without links.
    pub(in crate::restore) directory: Bytes,
    pub(in crate::restore) name: Bytes,
}

/// A tree and its complete stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct StagedTree {
    pub(in crate::restore) target: Bytes,
    pub(in crate::restore) manner: Manner,
    pub(in crate::restore) staying: Vec<Bytes>,
    pub(in crate::restore) stage: Place,
    pub(in crate::restore) inode: u64,
    /// Mode and modification time of the directory itself, where the archive says.
    pub(in crate::restore) root: Option<(u32, i64, u32)>,
}

/// A name or path of any bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Text", into = "Text")]
pub(in crate::restore) struct Bytes(pub(in crate::restore) Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Readable(String),
    Raw(Vec<u8>),
}

impl Place {
    pub(in crate::restore) fn new(directory: &Directory, name: &[u8]) -> Self {
        Self { directory: Bytes::of(directory.place()), name: Bytes(name.to_vec()) }
    }

    /// The whole path.
    pub(in crate::restore) fn path(&self) -> PathBuf {
        self.directory.path().join(as_path(&self.name.0))
    }

    /// Opens the directory that holds the name; `None` where it is not there.
    pub(in crate::restore) fn open(&self) -> Result<Option<Directory>> {
        let name = self.name.parse()?;
        match present(Directory::open_unlinked(self.directory.path()))? {
            Some(directory) => present(directory.walk(name.parent().as_ref())),
            None => Ok(None),
        }
    }

    /// Opens the directory that holds the name; makes it where it is not there.
    pub(in crate::restore) fn open_or_make(&self) -> Result<Directory> {
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
    pub(in crate::restore) fn look(&self) -> Result<Option<Stat>> {
        self.open()?.map_or(Ok(None), |directory| directory.look(self.last()))
    }

    /// The name without the directories before it.
    pub(in crate::restore) fn last(&self) -> &[u8] {
        self.name.0.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }
}

impl StagedTree {
    pub(in crate::restore) fn new(tree: &Tree, stage: &Stage, root: Option<Facts>) -> Result<Self> {
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
    pub(in crate::restore) fn of(path: &Path) -> Self {
        Self(path.as_os_str().as_encoded_bytes().to_vec())
    }

    pub(in crate::restore) fn path(&self) -> &Path {
        as_path(&self.0)
    }

    pub(in crate::restore) fn parse(&self) -> Result<ArchivePath> {
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
pub(in crate::restore) fn present<T>(outcome: Result<T>) -> Result<Option<T>> {
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
