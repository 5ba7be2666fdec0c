//! Bytes and structs of the format: no files, no encryption, no clock, no randomness.

pub mod entry;
