//! Keys, slots, the manifest's MAC and encrypted streams. The only module that names `age`.

pub(crate) mod chunks;
pub(crate) mod identity;
mod keys;
#[cfg(feature = "plugins")]
mod plugin;
mod preflight;
mod private;
mod recipient;
pub(crate) mod slot;
pub(crate) mod stream;

pub use keys::{Keys, Passphrase};
#[cfg(feature = "plugins")]
pub use plugin::PluginUser;
pub use private::{Identity, IdentityFile, ProtectedIdentities};
pub use recipient::Recipient;

/// Why a key of a plugin is refused.
const NO_PLUGIN: &str =
    if cfg!(feature = "plugins") { "it is not intact" } else { "this build knows no plugins" };
