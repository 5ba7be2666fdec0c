//! What a payload holds: entries, and what was left out or needs a remark (spec §8, §9).

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::format::limits::LIMITS;
use crate::path::ArchivePath;

/// The part of an installation that a payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Configuration, credentials, channel logins, sessions.
    State,
    /// The agents' workspaces.
    Workspace,
}

impl Role {
    /// Every role, in the order of the archive.
    pub const ALL: [Self; 2] = [Self::State, Self::Workspace];

    /// Returns the word used in member names and indexes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Workspace => "workspace",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A modification time: seconds since 1970 (rounded down) and nanoseconds below 1,000,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtime {
    /// Whole seconds since 1970-01-01T00:00:00Z, rounded towards the past.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, always below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Mtime {
    /// Returns the time as the standard library's type, if that can hold it.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        let whole = Duration::from_secs(self.seconds.unsigned_abs());
        let base =
            if self.seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        base?.checked_add(Duration::from_nanos(u64::from(self.nanoseconds)))
    }
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Full name with its namespace: `user.comment`. UTF-8, without NUL or `=`.
    pub name: String,
    /// Value; any bytes.
    pub value: Vec<u8>,
}

/// What an entry is, with the facts that only its kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// SHA-256 of the content.
        sha256: [u8; 32],
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Target as it stands in the link; any bytes but NUL.
        target: Vec<u8>,
    },
    /// A further name of a file stored earlier in the same payload.
    Hardlink {
        /// Name of that file in the archive.
        target: ArchivePath,
    },
}

impl Node {
    /// The same as the writer of an archive takes it.
    pub(crate) fn kind(&self) -> ItemKind<'_> {
        match self {
            Self::File { size, .. } => ItemKind::File { size: *size },
            Self::Directory => ItemKind::Directory,
            Self::Symlink { target } => ItemKind::Symlink { target },
            Self::Hardlink { target } => ItemKind::Hardlink { target },
        }
    }
}

/// One stored name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name in the archive.
    pub path: ArchivePath,
    /// Permission bits with setuid, setgid and sticky: at most `0o7777`.
    pub mode: u32,
    /// Modification time.
    pub mtime: Mtime,
    /// Offset in the payload's tar of the entry's first header block.
    pub offset: u64,
    /// Kind.
    pub node: Node,
}

/// What is to be stored under one name; hash and offset are the writer's business.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Name in the archive.
    pub path: &'a ArchivePath,
    /// Permission bits with setuid, setgid and sticky: at most `0o7777`.
    pub mode: u32,
    /// Modification time.
    pub mtime: Mtime,
    /// Extended attributes, ascending by name.
    pub xattrs: &'a [Xattr],
    /// Kind.
    pub kind: ItemKind<'a>,
}

/// What an [`Item`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind<'a> {
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Target; any bytes but NUL.
        target: &'a [u8],
    },
    /// A further name of a file appended before.
    Hardlink {
        /// Name of that file.
        target: &'a ArchivePath,
    },
}

/// Something that was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Name it would have had in the archive.
    pub path: ArchivePath,
    /// Why.
    pub why: SkipReason,
    /// The rule or the system's word, for a person.
    pub detail: String,
}

/// Why something was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// The policy or a pattern of the user leaves it out.
    Policy,
    /// It is stored under another root.
    Root,
    /// A socket, FIFO or device.
    Kind,
    /// It vanished during the run.
    Vanished,
    /// It could not be read.
    Unreadable,
}

impl SkipReason {
    /// Returns the word used in indexes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Root => "root",
            Self::Kind => "kind",
            Self::Vanished => "vanished",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether something is missing that should have been in.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Unreadable)
    }
}

/// A remark about something that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Name in the archive.
    pub path: ArchivePath,
    /// What about.
    pub why: NoteReason,
    /// Explanation for a person.
    pub detail: String,
}

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteReason {
    /// The file changed while it was read; the bytes stored may mix states.
    Changed,
    /// Not all of it is there: bytes that could not be read, and are zeros; attributes; or what lies behind
    /// a symbolic link that leads out of all roots.
    Incomplete,
    /// A database that failed its integrity check, stored as it is.
    Damaged,
    /// A database that could not be checked.
    Unchecked,
    /// Has a further hard link in the other payload or outside the roots; stored again there.
    Shared,
}

impl NoteReason {
    /// Returns the word used in indexes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
            Self::Unchecked => "unchecked",
            Self::Shared => "shared",
        }
    }

    /// Whether a person should look at it.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Changed | Self::Incomplete | Self::Damaged)
    }
}

/// A logical root of a payload and the place it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Name in the archive: `state`, `workspace/main`.
    pub path: ArchivePath,
    /// Absolute path on the source machine; any bytes.
    pub source: Vec<u8>,
    /// Ids of the agents that use this root; empty where it is not a workspace or agent directory.
    pub agents: Vec<String>,
}

/// Where a payload's entries come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Roots, sorted by name.
    pub roots: Vec<Root>,
    /// Facts about the source by name (`host`, `user`, `home`, `state_dir`, `openclaw_version` …).
    pub facts: BTreeMap<String, String>,
}

/// Cuts a text to what a detail may hold.
pub(crate) fn clip(mut text: String) -> String {
    let mut ends = (0..=text.len().min(LIMITS.detail)).rev();
    text.truncate(ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0));
    text
}
