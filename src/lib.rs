//! Encrypted backup archives for OpenClaw.

pub mod format;

mod error;
mod observer;
mod path;

pub use error::{Error, ErrorKind, Lookalike, Result};
pub use format::entry::{
    Entry, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source, Xattr,
};
pub use observer::{Observer, Silent};
pub use path::{ArchivePath, sanitize};
