//! Keys, slots, the manifest's MAC and encrypted streams. The only module that names `age`.

pub(crate) mod chunks;
pub(crate) mod identity;
mod keys;
mod preflight;
pub(crate) mod slot;
pub(crate) mod stream;

pub use keys::{Identity, Keys, Passphrase, Recipient};
