//! The keys that a user has: passphrases, recipients, identities.

use std::fmt;
use std::io::Write;

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

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

/// A public key that archives can be encrypted to: `age1…`.
#[derive(Clone)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    /// Parses one native age recipient.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| {
            let shown: String = text.chars().take(16).collect();
            let shown = crate::path::sanitize(shown.as_bytes());
            // A secret key given by mistake must not be repeated.
            if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                Error::invalid("a secret key was given where a recipient (`age1…`) is expected")
            } else {
                Error::invalid(format!("`{shown}…` is not a native age recipient (`age1…`)"))
            }
        })
    }

    /// Parses a file of recipients: one a line, empty lines and lines with `#` aside.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) naming the line, or where there is none.
    pub fn parse_file(text: &str) -> Result<Vec<Self>> {
        parse_lines(text, "recipient", Self::parse)
    }

    pub(crate) fn as_age(&self) -> &dyn age::Recipient {
        &self.0
    }
}

/// The text that [`Recipient::parse`] takes.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A secret key that opens archives; wiped from memory when dropped, and shown by no formatter.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// Makes a fresh identity.
    #[must_use]
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
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
        let (recipient, line) = (Recipient(key.to_public()), key.to_string());
        writeln!(sink, "# created: {created}\n# public key: {recipient}")
            .and_then(|()| sink.write_all(line.expose_secret().as_bytes()))
            .and_then(|()| sink.write_all(b"\n"))
            .map_err(|error| Error::stream("write the key", error))?;
        Ok(recipient)
    }

    /// Returns the recipient that this identity opens.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// Parses a file of native age identities: one a line, empty lines and lines with `#` aside.
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
            line.parse().map(Self).map_err(|_| {
                Error::invalid(if line.starts_with("AGE-PLUGIN-") {
                    "names a plugin, which this program does not run"
                } else {
                    "is not a native age identity (`AGE-SECRET-KEY-1…`)"
                })
            })
        })
    }

    pub(crate) fn as_age(&self) -> &dyn age::Identity {
        &self.0
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

fn parse_lines<T>(text: &str, what: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
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

#[cfg(test)]
mod tests {
    use super::{Identity, Recipient};
    use age::secrecy::ExposeSecret;

    #[test]
    fn keys_are_read_from_files_with_comments() {
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string();
        let text = format!("# made today\n\n{}\r\n", secret.expose_secret());
        assert_eq!(Identity::parse_file(&text).unwrap().len(), 1);
        let text = format!("# alice\n{0}\n{0}\n", identity.to_public());
        assert_eq!(Recipient::parse_file(&text).unwrap().len(), 2);
    }

    #[test]
    fn a_generated_file_is_one_of_age() {
        let mut file = Vec::new();
        let recipient = Identity::generate_file("2026-11-22T05:48:58Z", &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let start = format!("# created: 2026-11-22T05:48:58Z\n# public key: {recipient}\nAGE-SECRET-KEY-1");
        assert!(text.starts_with(&start), "{text}");
        let identities = Identity::parse_file(&text).unwrap();
        assert_eq!(identities[0].recipient().to_string(), recipient.to_string());
        assert!(Recipient::parse(&recipient.to_string()).is_ok());
        assert_eq!(text.lines().count(), 3);
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let secret = age::x25519::Identity::generate().to_string();
        let broken = secret.expose_secret().replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2");
        let error = Identity::parse_file(&format!("#\n{broken}\n")).err().unwrap().to_string();
        assert!(error.starts_with("line 2"), "{error}");
        assert!(!error.contains(&broken[20..30]), "{error}");
        let error = Recipient::parse(secret.expose_secret()).err().unwrap().to_string();
        assert!(!error.contains(&secret.expose_secret()[16..]), "{error}");
        let plugin = Identity::parse_file("AGE-PLUGIN-YUBIKEY-1QQ\n").err().unwrap();
        assert!(plugin.to_string().contains("plugin"));
        assert!(Identity::parse_file("# nothing\n").is_err());
    }
}
