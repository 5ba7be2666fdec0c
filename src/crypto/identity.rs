//! The archive identity, and the MAC that it gives the manifest (spec §5.1, §5.3, §7).

use age::secrecy::{ExposeSecret, SecretString};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::format::limits::LIMITS;

/// The X25519 identity of one archive.
pub(crate) struct ArchiveIdentity {
    pub(super) key: age::x25519::Identity,
    line: SecretString,
}

impl ArchiveIdentity {
    /// Makes a fresh identity.
    pub(crate) fn generate() -> Self {
        let key = age::x25519::Identity::generate();
        let line = key.to_string();
        Self { key, line }
    }

    /// Reads the plaintext of a slot.
    ///
    /// # Errors
    ///
    /// `Malformed` unless exactly one canonical identity line stands there; nothing is handed to age before.
    pub(super) fn from_slot(plaintext: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::malformed(format!("key slot: {what}"));
        if plaintext.len() > LIMITS.slot_plaintext {
            return Err(bad("holds more than 1 KiB"));
        }
        let text = std::str::from_utf8(plaintext).map_err(|_| bad("holds something else than text"))?;
        let text = text.strip_suffix('\n').ok_or_else(|| bad("does not end with a line feed"))?;
        let mut lines = text.split('\n').filter(|line| !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(bad("does not hold exactly one identity"));
        };
        // §5.3: anything else, above all `AGE-PLUGIN-…`, never reaches age.
        let shape = line.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.len() == DATA_LENGTH
                && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        });
        if !shape {
            return Err(bad("holds something else than an archive identity"));
        }
        let key: age::x25519::Identity = line.parse().map_err(|_| bad("holds a broken identity"))?;
        let again = key.to_string();
        if again.expose_secret() != line {
            return Err(bad("holds an identity that is not in canonical form"));
        }
        Ok(Self { key, line: again })
    }

    /// The plaintext that goes into a slot.
    pub(super) fn slot_plaintext(&self) -> Zeroizing<Vec<u8>> {
        let line = self.line.expose_secret();
        let mut plaintext = Zeroizing::new(Vec::with_capacity(line.len() + 1));
        plaintext.extend_from_slice(line.as_bytes());
        plaintext.push(b'\n');
        plaintext
    }

    /// Computes the content of the MAC member for a manifest.
    pub(crate) fn manifest_mac(&self, archive: &[u8; 16], manifest: &[u8]) -> Vec<u8> {
        let mac = self.keyed(archive, manifest).finalize().into_bytes();
        let mut text = hex::encode(mac).into_bytes();
        text.push(b'\n');
        text
    }

    /// Tells in constant time whether a MAC member belongs to a manifest.
    pub(crate) fn holds(&self, archive: &[u8; 16], manifest: &[u8], member: &[u8]) -> bool {
        let mut mac = [0; 32];
        let text = member.strip_suffix(b"\n").unwrap_or_default();
        let lower = !text.iter().any(u8::is_ascii_uppercase);
        lower
            && hex::decode_to_slice(text, &mut mac).is_ok()
            && self.keyed(archive, manifest).verify_slice(&mac).is_ok()
    }

    fn keyed(&self, archive: &[u8; 16], manifest: &[u8]) -> Hmac<Sha256> {
        let extracted = Hkdf::<Sha256>::new(Some(archive), self.line.expose_secret().as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        // HKDF-SHA256 gives up to 8,160 bytes, so 32 cannot fail.
        extracted.expand(INFO, key.as_mut()).expect("32 bytes");
        // HMAC takes keys of any length.
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key.as_ref()).expect("any length");
        mac.update(manifest);
        mac
    }
}

const PREFIX: &str = "AGE-SECRET-KEY-1";
const DATA_LENGTH: usize = 58;
const INFO: &[u8] = b"ocbak.v1 manifest";

#[cfg(test)]
mod tests {
    use super::ArchiveIdentity;
    use age::secrecy::ExposeSecret;

    /// From the age specification's own examples; protects nothing.
    const LINE: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    #[test]
    fn the_mac_is_the_one_of_the_spec() {
        let identity = ArchiveIdentity::from_slot(format!("{LINE}\n").as_bytes()).unwrap();
        let mac = identity.manifest_mac(&[7; 16], b"format = \"ocbak\"\n");
        // Computed with python3: hmac and hashlib only.
        assert_eq!(
            String::from_utf8(mac.clone()).unwrap(),
            "9493d080fbc7698051bf446f0c5db90dabf87bf1a662d5b57e8c6fdf18f0c6b2\n"
        );
        assert!(identity.holds(&[7; 16], b"format = \"ocbak\"\n", &mac));
        assert!(!identity.holds(&[8; 16], b"format = \"ocbak\"\n", &mac));
        assert!(!identity.holds(&[7; 16], b"format = \"ocbaK\"\n", &mac));
        assert!(!identity.holds(&[7; 16], b"format = \"ocbak\"\n", &mac[..64]));
        assert!(!identity.holds(&[7; 16], b"format = \"ocbak\"\n", &mac.to_ascii_uppercase()));
        assert!(!ArchiveIdentity::generate().holds(&[7; 16], b"format = \"ocbak\"\n", &mac));
    }

    #[test]
    fn a_slot_holds_one_identity_line_and_comments() {
        let identity = ArchiveIdentity::generate();
        let again = ArchiveIdentity::from_slot(&identity.slot_plaintext()).unwrap();
        assert_eq!(again.line.expose_secret(), identity.line.expose_secret());
        assert!(ArchiveIdentity::from_slot(format!("# a\n{LINE}\n# b\n").as_bytes()).is_ok());
    }
}
