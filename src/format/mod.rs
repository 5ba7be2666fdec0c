//! Bytes and structs of the format: no files, no encryption, no clock, no randomness.
//!
//! Decoders accept exactly what the encoders write: they decode, encode again and compare.

#![warn(clippy::arithmetic_side_effects)]

pub(crate) mod block;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod limits;
pub(crate) mod manifest;
pub(crate) mod order;
pub(crate) mod parity;
#[cfg(any(test, fuzzing))]
pub(crate) mod promise;
pub(crate) mod region;
pub(crate) mod sniff;
pub(crate) mod tar;
mod text;
