//! What a user opens archives with.

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::crypto::private::Identity;
use crate::error::{Error, Result};
use crate::format::limits::LIMITS;

/// A passphrase; wiped from memory when dropped, and shown by no formatter.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes a passphrase as it was typed; nothing is trimmed or normalised.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Returns the text.
    ///
    /// # Security
    ///
    /// For comparing two entries and for showing a generated passphrase once, on a terminal.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(crate) fn secret(&self) -> SecretString {
        self.0.clone()
    }
}

/// What may open an archive.
#[derive(Clone)]
pub struct Keys {
    pub(crate) passphrase: Option<Passphrase>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) max_work_factor: u8,
}

impl Keys {
    /// Starts without any key.
    #[must_use]
    pub fn new() -> Self {
        Self { passphrase: None, identities: Vec::new(), max_work_factor: LIMITS.work_factor_read }
    }

    /// Adds a passphrase.
    #[must_use]
    pub fn passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// Adds identities.
    #[must_use]
    pub fn identities(mut self, identities: Vec<Identity>) -> Self {
        self.identities.extend(identities);
        self
    }

    /// Sets the largest scrypt work factor, log2(N), that is tried; 20 unless said (spec §5.2).
    ///
    /// # Security
    ///
    /// A slot made by somebody else may ask for 2^(`log_n` + 10) bytes of memory.
    #[must_use]
    pub fn max_work_factor(mut self, log_n: u8) -> Self {
        self.max_work_factor = log_n;
        self
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

/// Parses a file of keys: one a line, empty lines and lines with `#` aside.
pub(super) fn parse_lines<T>(text: &str, what: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = Zeroizing::new(line.trim().to_owned());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = parse(&line).map_err(|error| Error::invalid(format!("line {}: {error}", number + 1)))?;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(Error::invalid(format!("holds no {what}")));
    }
    Ok(keys)
}
