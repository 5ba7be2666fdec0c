//! The public keys that archives are encrypted to.

use std::fmt;
#[cfg(feature = "plugins")]
use std::sync::Arc;

use age::ssh::ParseRecipientKeyError;

use crate::crypto::NO_PLUGIN;
use crate::crypto::keys::parse_lines;
#[cfg(feature = "plugins")]
use crate::crypto::plugin::{self, PluginUser};
use crate::error::{Error, Result};
use crate::path::sanitize;

/// A public key that archives can be encrypted to: age's own (`age1…`) or one of SSH (`ssh-ed25519 …`, `ssh-rsa …`).
#[derive(Clone)]
pub struct Recipient(Public);

#[derive(Clone)]
enum Public {
    Native(age::x25519::Recipient),
    // A key of RSA is large.
    Ssh(Box<age::ssh::Recipient>),
    /// With its text.
    #[cfg(feature = "plugins")]
    Plugin(plugin::Recipient, String),
}

impl Recipient {
    /// Parses one recipient.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for anything else, naming its kind where that is known.
    pub fn parse(text: &str) -> Result<Self> {
        if let Ok(key) = text.parse() {
            return Ok(Self(Public::Native(key)));
        }
        let kind = text.split_whitespace().next().unwrap_or_default();
        if ["ssh-", "sk-ssh-", "ecdsa-", "sk-ecdsa-"].iter().any(|start| kind.starts_with(start)) {
            let key = text.parse().map_err(|error| Error::invalid(of_ssh(kind, &error)))?;
            return Ok(Self(Public::Ssh(Box::new(key))));
        }
        Err(Error::invalid(unknown(text)))
    }

    /// Parses one recipient, also of a plugin, which is run when an archive is encrypted to it and then talks to `user`.
    ///
    /// # Errors
    ///
    /// As [`Recipient::parse`]; [`Invalid`](crate::ErrorKind::Invalid) where the plugin's program is not in `PATH`.
    #[cfg(feature = "plugins")]
    pub fn parse_with(text: &str, user: &Arc<dyn PluginUser>) -> Result<Self> {
        // A native one is no plugin's, whatever it begins with.
        match Self::parse(text) {
            Err(error) => match plugin::recipient(text, user)? {
                Some(key) => Ok(Self(Public::Plugin(key, text.to_owned()))),
                None => Err(error),
            },
            native => native,
        }
    }

    /// Parses a file as [`Recipient::parse_file`] does, with recipients of plugins.
    ///
    /// # Errors
    ///
    /// As [`Recipient::parse_with`].
    #[cfg(feature = "plugins")]
    pub fn parse_file_with(text: &str, user: &Arc<dyn PluginUser>) -> Result<Vec<Self>> {
        parse_lines(text, "recipient", |line| Self::parse_with(line, user))
    }

    /// Parses a file of recipients: one a line, empty lines and lines with `#` aside.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) naming the line, or where there is none.
    pub fn parse_file(text: &str) -> Result<Vec<Self>> {
        parse_lines(text, "recipient", Self::parse)
    }

    pub(super) fn native(key: age::x25519::Recipient) -> Self {
        Self(Public::Native(key))
    }

    pub(super) fn ssh(key: age::ssh::Recipient) -> Self {
        Self(Public::Ssh(Box::new(key)))
    }

    /// One of a plugin of which only the identity is known.
    #[cfg(feature = "plugins")]
    pub(super) fn plugin(key: plugin::Recipient) -> Self {
        Self(Public::Plugin(key, "a key of a plugin".to_owned()))
    }

    pub(super) fn as_age(&self) -> &dyn age::Recipient {
        match &self.0 {
            Public::Native(key) => key,
            Public::Ssh(key) => &**key,
            #[cfg(feature = "plugins")]
            Public::Plugin(key, _) => &**key,
        }
    }
}

/// The text that [`Recipient::parse`] takes.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Public::Native(key) => key.fmt(f),
            Public::Ssh(key) => key.fmt(f),
            #[cfg(feature = "plugins")]
            Public::Plugin(_, text) => text.fmt(f),
        }
    }
}

/// Says why a key of SSH cannot be encrypted to.
pub(super) fn of_ssh(kind: &str, error: &ParseRecipientKeyError) -> String {
    let kind = sanitize(kind.as_bytes());
    match error {
        ParseRecipientKeyError::RsaModulusTooSmall => {
            "an RSA key of fewer than 2,048 bits is too weak".to_owned()
        }
        ParseRecipientKeyError::RsaModulusTooLarge => {
            "an RSA key of more than 4,096 bits is too large".to_owned()
        }
        ParseRecipientKeyError::Unsupported(_) | ParseRecipientKeyError::Ignore => format!(
            "a key of the kind `{kind}` cannot be encrypted to; of the keys of SSH, `ssh-ed25519` and `ssh-rsa` can"
        ),
        _ => format!("the `{kind}` key is not intact"),
    }
}

/// Says what a text is that is no recipient.
fn unknown(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    // A secret key given by mistake must not be repeated.
    if upper.starts_with("AGE-SECRET-KEY-")
        || upper.starts_with("AGE-PLUGIN-")
        || text.starts_with("-----BEGIN")
    {
        return "a secret key was given where a recipient (`age1…`, `ssh-…`) is expected".to_owned();
    }
    // What stands before the last 1 names the kind.
    let kind = text.rsplit_once('1').and_then(|(kind, _)| kind.strip_prefix("age1"));
    let known = |kind: &&str| {
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match kind.filter(known) {
        Some("pq") => {
            "`age1pq1…` is a post-quantum recipient, which the library of age does not know yet".to_owned()
        }
        Some(kind) => {
            format!("`age1{kind}1…` is a recipient of the plugin `{kind}`, and {NO_PLUGIN}")
        }
        None => {
            let shown: String = text.chars().take(16).collect();
            let shown = sanitize(shown.as_bytes());
            format!("`{shown}…` is not a recipient of age (`age1…`) or SSH (`ssh-ed25519 …`, `ssh-rsa …`)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recipient;
    use age::secrecy::ExposeSecret;

    const ED25519: &str = include_str!("../../fixtures/keys/ssh-ed25519.pub");
    const RSA: &str = include_str!("../../fixtures/keys/ssh-rsa.pub");

    fn error(text: &str) -> String {
        Recipient::parse(text).err().unwrap().to_string()
    }

    #[test]
    fn both_kinds_are_read_and_shown_as_they_are() {
        let native = age::x25519::Identity::generate().to_public().to_string();
        let (ssh, _) = ED25519.rsplit_once(' ').unwrap();
        for text in [&native[..], ssh] {
            assert_eq!(Recipient::parse(text).unwrap().to_string(), text);
        }
        let text = format!("# alice\n{native}\n\n{ED25519}{RSA}");
        assert_eq!(Recipient::parse_file(&text).unwrap().len(), 3);
    }

    #[test]
    fn other_kinds_are_named() {
        assert!(
            error("age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt")
                .contains("plugin `yubikey`")
        );
        assert!(error("age1tagpq1qqqqqq").contains("plugin `tagpq`"));
        assert!(error("age1pq1qqqqqq").contains("post-quantum"));
        assert!(
            error("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=")
                .contains("`ecdsa-sha2-nistp256`")
        );
        assert!(error("sk-ssh-ed25519@openssh.com AAAA").contains("`sk-ssh-ed25519@openssh.com`"));
        assert!(error("ssh-ed25519 AAAA").contains("not intact"), "{}", error("ssh-ed25519 AAAA"));
        assert!(error("github:sam").contains("`github:sam…` is not a recipient"));
    }

    #[test]
    fn a_secret_key_is_not_repeated() {
        let secret = age::x25519::Identity::generate().to_string();
        let secret = secret.expose_secret();
        for text in [secret, "-----BEGIN OPENSSH PRIVATE KEY-----", "AGE-PLUGIN-YUBIKEY-1QQQ"] {
            let error = error(text);
            assert!(error.contains("a secret key was given") && !error.contains(&text[10..]), "{error}");
        }
    }
}
