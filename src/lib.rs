//! Encrypted backup archives for OpenClaw: files that open in ten years with `tar`, `age` and `zstd` alone.
//!
//! The format is decided in `spec/ocbak-v1.md`; `§` in these pages refers to it.
//!
//! * [`ArchiveBuilder`] makes an archive; [`capture()`] fills it from an [`Installation`].
//! * [`Sealed`] is an archive without its key: facts, digests, nothing authenticated.
//! * [`Archive`] exists only after its manifest was proven with the key: [`Archive::index`] lists a payload,
//!   [`Archive::read`] gets one file by seeking, [`Archive::stream`] all of them in order, [`Archive::verify`] checks everything.
//! * [`Archive::change_passphrase`] gives it another passphrase in place; [`Archive::copy_into`] writes its content into
//!   a new one.
//! * [`diff()`] tells in what an archive and an installation, or two archives, differ.
//! * [`NativeBackup`] is a backup of OpenClaw itself, which [`NativeBackup::copy_into`] brings into an archive.
//! * [`Shelf`] is the archives of a directory; a [`Retention`] says which of them to keep.
//! * [`Plan`] and [`restore()`] put things back; [`salvage()`] takes out what is intact in a damaged archive.
//!
//! ```no_run
//! use std::path::Path;
//! use ocbak::{Archive, Keys, Passphrase, Role};
//!
//! # fn main() -> ocbak::Result<()> {
//! let keys = Keys::new().passphrase(Passphrase::new("a tiger walks into a bar".to_owned()));
//! let archive = Archive::open(Path::new("openclaw.ocbak"), &keys)?;
//! for entry in &archive.index(Role::State)?.entries {
//!     println!("{}", entry.path);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The library prints nothing, keeps no global state, and forbids `unsafe` in itself. No type of a dependency stands in a public signature.

mod archive;
mod capture;
mod check;
mod crypto;
mod diff;
mod error;
mod format;
mod history;
mod import;
mod observer;
mod openclaw;
mod path;
mod pattern;
mod payload;
mod restore;

/// For `fuzz/` alone.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod promise {
    pub use crate::format::promise::{header_region, index, manifest, tar_entry};
}

/// For `benches/` alone.
#[cfg(feature = "stages")]
#[doc(hidden)]
pub mod stages {
    pub use crate::payload::stages::{Age, Frames, decode_index, encode_index, hash, tar_head};
}

pub use archive::{
    Archive, ArchiveBuilder, ArchiveWriter, Damage, EntryReader, Lossy, NewArchive, Parity, PayloadSummary,
    Prospect, ReadAt, Repaired, Sealed, SlotChange, Summary, Verifier, VerifyReport, remove_unfinished,
};
pub use capture::{
    CaptureOptions, Contents, Estimate, Forecast, Preview, capture, contents, estimate, preview,
};
pub use check::{Cause, Finding, check};
#[cfg(feature = "plugins")]
pub use crypto::PluginUser;
pub use crypto::{Identity, IdentityFile, Keys, Passphrase, ProtectedIdentities, Recipient};
pub use diff::{Aspect, Difference, Differences, Side, diff};
pub use error::{Error, ErrorKind, Lookalike, Result};
pub use format::entry::{
    Entry, Item, ItemKind, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source, Xattr,
};
pub use format::index::Index;
pub use format::manifest::{Manifest, Member, PayloadMembers};
pub use format::region::SlotKind;
pub use history::{Group, Judged, Kept, Retention, Shelf, Shelved, Verdict, Within, Zone};
pub use import::NativeBackup;
pub use observer::{Observer, Silent};
pub use openclaw::{
    AgentDir, Environment, Holder, Installation, Installed, Location, Search, Secrets, Usage, Workspace,
};
pub use path::{ArchivePath, is_hazard, sanitize};
pub use pattern::Patterns;
pub use payload::stream::PayloadStream;
pub use restore::{
    Adaptation, Owner, PastRestore, Plan, PlannedRoot, Restored, Rewritten, SalvagedPayload, Selection,
    TakenBack, Target, extract, restore, salvage,
};
