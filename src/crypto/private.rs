//! The private keys that open archives, and the files that hold them.

use std::io::{Read, Write};
#[cfg(feature = "plugins")]
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::ssh::UnsupportedKey;
use zeroize::Zeroizing;

use crate::crypto::NO_PLUGIN;
use crate::crypto::keys::{Passphrase, parse_lines};
#[cfg(feature = "plugins")]
use crate::crypto::plugin::{self, PluginUser};
use crate::crypto::preflight::{self, Stanzas};
use crate::crypto::recipient::{Recipient, of_ssh};
use crate::error::{Error, Result};

/// A secret key that opens archives; wiped from memory when dropped, and shown by no formatter.
#[derive(Clone)]
pub struct Identity(Private);

#[derive(Clone)]
enum Private {
    Native(age::x25519::Identity),
    Ssh(Box<(age::ssh::Identity, Recipient)>),
    #[cfg(feature = "plugins")]
    Plugin(Box<(plugin::Identity, Recipient)>),
}

impl Identity {
    /// Makes a fresh identity of age.
    #[must_use]
    pub fn generate() -> Self {
        Self(Private::Native(age::x25519::Identity::generate()))
    }

    /// Makes a fresh identity, writes it as a file of age, and returns its recipient; `created` is for its comment.
    ///
    /// # Errors
    ///
    /// Those of `sink`.
    ///
    /// # Security
    ///
    /// The sink is the only place that the identity goes to. What is written is whole with its last line.
    pub fn generate_file(created: &str, sink: &mut dyn Write) -> Result<Recipient> {
        let key = age::x25519::Identity::generate();
        let (recipient, line) = (Recipient::native(key.to_public()), key.to_string());
        writeln!(sink, "# created: {created}\n# public key: {recipient}")
            .and_then(|()| sink.write_all(line.expose_secret().as_bytes()))
            .and_then(|()| sink.write_all(b"\n"))
            .map_err(|error| Error::stream("write the key", error))?;
        Ok(recipient)
    }

    /// Returns the recipient that this identity opens.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        match &self.0 {
            Private::Native(key) => Recipient::native(key.to_public()),
            Private::Ssh(pair) => pair.1.clone(),
            #[cfg(feature = "plugins")]
            Private::Plugin(pair) => pair.1.clone(),
        }
    }

    /// Parses native age identities: one a line, empty lines and lines with `#` aside.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) naming the line, never showing it.
    ///
    /// # Security
    ///
    /// Lines with `AGE-PLUGIN-` are refused: they would make age run a program.
    pub fn parse_file(text: &str) -> Result<Vec<Self>> {
        parse_lines(text, "identity", |line| {
            line.parse().map(|key| Self(Private::Native(key))).map_err(|_| Error::invalid(unknown(line)))
        })
    }

    /// Parses a file as [`Identity::parse_file`] does, with lines that name identities of plugins, which are run when an
    /// archive is to be opened and then talk to `user`.
    ///
    /// # Errors
    ///
    /// As [`Identity::parse_file`]; [`Invalid`](crate::ErrorKind::Invalid) where a plugin's program is not in `PATH`.
    #[cfg(feature = "plugins")]
    pub fn parse_file_with(text: &str, user: &Arc<dyn PluginUser>) -> Result<Vec<Self>> {
        parse_lines(text, "identity", |line| match plugin::identity(line, user)? {
            Some((key, recipient)) => {
                Ok(Self(Private::Plugin(Box::new((key, Recipient::plugin(recipient))))))
            }
            None => Ok(Self::parse_file(line)?.remove(0)),
        })
    }

    fn of_ssh(key: age::ssh::Identity) -> Result<Self> {
        let recipient = age::ssh::Recipient::try_from(key.clone())
            .map_err(|error| Error::invalid(of_ssh("ssh", &error)))?;
        Ok(Self(Private::Ssh(Box::new((key, Recipient::ssh(recipient))))))
    }

    pub(super) fn as_age(&self) -> &dyn age::Identity {
        match &self.0 {
            Private::Native(key) => key,
            Private::Ssh(pair) => &pair.0,
            #[cfg(feature = "plugins")]
            Private::Plugin(pair) => &*pair.0,
        }
    }
}

/// What a file with private keys holds.
pub enum IdentityFile {
    /// Keys that are ready.
    Plain(Vec<Identity>),
    /// Keys that a passphrase protects.
    Protected(ProtectedIdentities),
}

impl IdentityFile {
    /// Parses a file of age identities, one that age encrypted with a passphrase, or a private key of SSH.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid), never showing what is in it.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.trim_ascii_start();
        if bytes.starts_with(AGE) {
            return ProtectedIdentities::of_age(bytes).map(Self::Protected);
        }
        if bytes.starts_with(ARMOR) {
            let mut binary = Vec::new();
            age::armor::ArmoredReader::new(bytes)
                .read_to_end(&mut binary)
                .map_err(|_| Error::invalid("is not an intact file of age"))?;
            return ProtectedIdentities::of_age(&binary).map(Self::Protected);
        }
        if bytes.starts_with(b"-----BEGIN ") {
            return Self::of_ssh(bytes);
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| Error::invalid("holds something else than keys"))?;
        Identity::parse_file(text).map(Self::Plain)
    }

    /// Parses the same, and plain files in which plugins are named ([`Identity::parse_file_with`]).
    ///
    /// # Errors
    ///
    /// As both.
    #[cfg(feature = "plugins")]
    pub fn parse_with(bytes: &[u8], user: &Arc<dyn PluginUser>) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.lines().any(|line| line.trim().starts_with("AGE-PLUGIN-")) => {
                Identity::parse_file_with(text, user).map(Self::Plain)
            }
            _ => Self::parse(bytes),
        }
    }

    fn of_ssh(bytes: &[u8]) -> Result<Self> {
        let key = age::ssh::Identity::from_buffer(bytes, None)
            .map_err(|_| Error::invalid("is not an intact private key of SSH"))?;
        match key {
            age::ssh::Identity::Encrypted(key) => {
                Ok(Self::Protected(ProtectedIdentities(Protected::Ssh(Box::new(key)))))
            }
            age::ssh::Identity::Unsupported(kind) => Err(Error::invalid(match kind {
                UnsupportedKey::EncryptedPem => {
                    "is a private key of SSH in an old form with weak protection".to_owned()
                }
                UnsupportedKey::EncryptedSsh(cipher) => {
                    format!("is a private key of SSH protected by `{cipher}`, which is not supported")
                }
                UnsupportedKey::Hardware(kind) => {
                    format!("is a key of the kind `{kind}` on a security key, which cannot decrypt")
                }
                UnsupportedKey::Type(kind) => format!(
                    "is a key of the kind `{kind}`, which cannot decrypt; `ssh-ed25519` and `ssh-rsa` can"
                ),
            })),
            key @ age::ssh::Identity::Unencrypted(_) => Ok(Self::Plain(vec![Identity::of_ssh(key)?])),
        }
    }
}

/// Private keys that a passphrase of their own protects.
pub struct ProtectedIdentities(Protected);

enum Protected {
    Age(Vec<u8>),
    Ssh(Box<age::ssh::EncryptedKey>),
}

impl ProtectedIdentities {
    fn of_age(bytes: &[u8]) -> Result<Self> {
        preflight::check(&mut &bytes[..], Stanzas::Scrypt { max_work_factor: u8::MAX })
            .map_err(|_| Error::invalid("is encrypted, but not with a passphrase"))?;
        Ok(Self(Protected::Age(bytes.to_vec())))
    }

    /// Takes the protection off; a work factor of scrypt over `max_work_factor` is not tried.
    ///
    /// # Errors
    ///
    /// [`WrongKey`](crate::ErrorKind::WrongKey) for another passphrase; [`LimitExceeded`](crate::ErrorKind::LimitExceeded);
    /// [`Invalid`](crate::ErrorKind::Invalid) for what is damaged or holds something else than identities.
    pub fn open(&self, passphrase: &Passphrase, max_work_factor: u8) -> Result<Vec<Identity>> {
        match &self.0 {
            Protected::Age(bytes) => open_age(bytes, passphrase, max_work_factor),
            Protected::Ssh(key) => {
                let key = key.decrypt(passphrase.secret()).map_err(|_| Error::WrongPassphrase)?;
                Ok(vec![Identity::of_ssh(key.into())?])
            }
        }
    }
}

fn open_age(bytes: &[u8], passphrase: &Passphrase, max_work_factor: u8) -> Result<Vec<Identity>> {
    preflight::check(&mut &bytes[..], Stanzas::Scrypt { max_work_factor })?;
    let damaged = || Error::invalid("is not an intact file of age");
    let decryptor = age::Decryptor::new_buffered(bytes).map_err(|_| damaged())?;
    let mut key = age::scrypt::Identity::new(passphrase.secret());
    key.set_max_work_factor(max_work_factor);
    let mut reader = match decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)) {
        Ok(reader) => reader,
        Err(age::DecryptError::InvalidHeader | age::DecryptError::InvalidMac) => return Err(damaged()),
        Err(_) => return Err(Error::WrongPassphrase),
    };
    // Of the full size from the start, since no plaintext is longer: growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    reader.read_to_end(&mut text).map_err(|_| damaged())?;
    match IdentityFile::parse(&text).map_err(|error| Error::invalid(format!("its content {error}")))? {
        IdentityFile::Plain(identities) => Ok(identities),
        IdentityFile::Protected(_) => Err(Error::invalid("is protected twice")),
    }
}

/// Says what a line is that is no identity of age.
fn unknown(line: &str) -> String {
    if let Some(rest) = line.strip_prefix("AGE-PLUGIN-") {
        let name = rest.rsplit_once("-1").map_or("", |(name, _)| name);
        // What is no name may be part of a key.
        let name = Some(name)
            .filter(|name| name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        return format!("names the plugin `{}`, and {NO_PLUGIN}", name.unwrap_or("?").to_lowercase());
    }
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        return "is a post-quantum identity, which the library of age does not know yet".to_owned();
    }
    "is not a native age identity (`AGE-SECRET-KEY-1…`)".to_owned()
}

const AGE: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

#[cfg(test)]
mod tests;
