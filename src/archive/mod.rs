//! Whole archives: making one, opening one, checking one (spec §10, §11).

mod builder;
mod entries;
mod export;
mod file;
mod header;
mod leftover;
pub(crate) mod lossy;
mod open;
mod parity;
mod parts;
mod passwd;
mod rekey;
mod repair;
mod salvage;
mod sealed;
mod slots;
mod source;
mod split;
mod verify;
mod writeback;
mod writer;

pub use builder::ArchiveBuilder;
pub use leftover::remove_unfinished;
pub use lossy::Lossy;
pub use open::{Archive, EntryReader};
pub(crate) use parts::{files_of, open_at_once};
pub use passwd::SlotChange;
pub use repair::{Parity, Prospect, Repaired};
pub(crate) use salvage::{Listing, Salvager};
pub use sealed::{Damage, Sealed};
pub use source::ReadAt;
pub use split::NewArchive;
pub use verify::{Verifier, VerifyReport};
pub use writer::{ArchiveWriter, PayloadSummary, Summary};

#[cfg(test)]
mod tests;
