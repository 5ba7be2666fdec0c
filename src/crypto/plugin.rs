//! Keys that other programs hold, such as those on security keys (feature `plugins`; <https://c2sp.org/age-plugin>).
//!
//! age runs `age-plugin-NAME` from `PATH` for the keys that the user names, and for no other: a slot cannot name one (§5.1).

use std::sync::Arc;

use age::plugin::{
    Identity as PluginIdentity, IdentityPluginV1, Recipient as PluginRecipient, RecipientPluginV1,
    ResolveError,
};
use age::secrecy::SecretString;

use crate::crypto::keys::Passphrase;
use crate::error::{Error, Result};

/// Whom a plugin talks to.
pub trait PluginUser: Send + Sync {
    /// Shows a message, such as that a key is to be touched.
    fn tell(&self, message: &str);
    /// Asks for one of two answers; `None` where nobody can be asked.
    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool>;
    /// Asks for a line that may be seen; `None` where nobody can be asked.
    fn ask(&self, question: &str) -> Option<String>;
    /// Asks for a PIN or the like; `None` where nobody can be asked.
    fn secret(&self, question: &str) -> Option<Passphrase>;
}

/// Passes the wishes of a plugin on.
#[derive(Clone)]
pub(super) struct Calls(Arc<dyn PluginUser>);

pub(super) type Recipient = Arc<RecipientPluginV1<Calls>>;
pub(super) type Identity = Arc<IdentityPluginV1<Calls>>;

/// Parses the recipient of a plugin; `None` for another kind.
pub(super) fn recipient(text: &str, user: &Arc<dyn PluginUser>) -> Result<Option<Recipient>> {
    let Ok(key) = text.parse::<PluginRecipient>() else {
        return Ok(None);
    };
    let name = key.plugin().to_owned();
    let made = RecipientPluginV1::new(&name, &[key], &[], Calls(user.clone()));
    made.map(|plugin| Some(Arc::new(plugin))).map_err(|error| missing(&error))
}

/// Parses a line that names an identity of a plugin, and tells by what to encrypt to it; `None` for another kind.
pub(super) fn identity(line: &str, user: &Arc<dyn PluginUser>) -> Result<Option<(Identity, Recipient)>> {
    let Ok(key) = line.parse::<PluginIdentity>() else {
        return Ok(None);
    };
    let (name, calls) = (key.plugin().to_owned(), || Calls(user.clone()));
    let opens =
        IdentityPluginV1::new(&name, std::slice::from_ref(&key), calls()).map_err(|error| missing(&error))?;
    let seals = RecipientPluginV1::new(&name, &[], &[key], calls()).map_err(|error| missing(&error))?;
    Ok(Some((Arc::new(opens), Arc::new(seals))))
}

impl age::Callbacks for Calls {
    fn display_message(&self, message: &str) {
        self.0.tell(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.ask(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.secret(description).map(|secret| secret.secret())
    }
}

fn missing(error: &ResolveError) -> Error {
    match error {
        ResolveError::MissingPlugin { binary_name } => {
            Error::invalid(format!("needs the program `{binary_name}`, which is not in PATH"))
        }
        _ => Error::invalid("names a plugin that cannot be one"),
    }
}
