//! Encrypted backup archives for OpenClaw.

mod archive;
mod crypto;
mod error;
mod format;
mod observer;
mod path;
mod payload;

pub use archive::{
    Archive, ArchiveBuilder, ArchiveWriter, Damage, EntryReader, NewFile, PayloadSummary, ReadAt,
    Sealed, Summary, VerifyReport,
};
pub use crypto::{Identity, Keys, Passphrase, Recipient};
pub use error::{Error, ErrorKind, Lookalike, Result};
pub use format::entry::{
    Entry, Item, ItemKind, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source,
    Xattr,
};
pub use format::index::Index;
pub use format::manifest::{Manifest, Member, PayloadMembers};
pub use format::region::SlotKind;
pub use observer::{Observer, Silent};
pub use path::{ArchivePath, sanitize};
pub use payload::stream::PayloadStream;
