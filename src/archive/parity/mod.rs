//! The parity member as a whole: written behind a finished archive, and used to rebuild what is damaged (spec §18).
//!
//! Memory does not grow with the archive: a few groups of shards are worked on at a time.

mod code;
mod shards;
mod sift;
mod table;
mod write;

pub(super) use sift::{mend, survey};
pub(super) use write::{append, write};

#[cfg(test)]
mod tests;
