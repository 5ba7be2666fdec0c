//! Keys, slots, the manifest's MAC and encrypted streams. The only module that names `age`.

pub(crate) mod chunks;
pub(crate) mod identity;
mod keys;
mod preflight;
mod private;
mod recipient;
pub(crate) mod slot;
pub(crate) mod stream;

pub use keys::{Keys, Passphrase};
pub use private::{Identity, IdentityFile, ProtectedIdentities};
pub use recipient::Recipient;
