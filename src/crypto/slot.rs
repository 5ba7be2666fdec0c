//! The key slots of the header (spec §5).

use std::io::{Read, Write};

use zeroize::Zeroizing;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::keys::{Keys, Passphrase};
use crate::crypto::preflight::{self, Stanzas};
use crate::crypto::private::Identity;
use crate::crypto::recipient::Recipient;
use crate::error::{Error, Result};
use crate::format::limits::LIMITS;
use crate::format::region::SlotKind;

/// Encrypts the archive identity with a passphrase.
///
/// # Errors
///
/// `Invalid` when age refuses.
pub(crate) fn seal_passphrase(
    identity: &ArchiveIdentity,
    passphrase: &Passphrase,
    work_factor: u8,
) -> Result<Vec<u8>> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.secret());
    recipient.set_work_factor(work_factor);
    seal(identity, std::iter::once(&recipient as &dyn age::Recipient))
}

/// Encrypts the archive identity to recipients.
///
/// # Errors
///
/// `LimitExceeded` when they are too many for the header.
pub(crate) fn seal_recipients(identity: &ArchiveIdentity, recipients: &[Recipient]) -> Result<Vec<u8>> {
    // age adds a stanza of its own to keep readers honest.
    let most = LIMITS.age_stanzas - 1;
    if recipients.len() > most {
        return Err(Error::LimitExceeded {
            what: "number of recipients".to_owned(),
            limit: most as u64,
            found: recipients.len() as u64,
        });
    }
    let slot = seal(identity, recipients.iter().map(Recipient::as_age))?;
    // §5.2: keys of RSA take ten times the room of others.
    preflight::check(&mut &slot[..], Stanzas::PublicKeys).map_err(|_| Error::LimitExceeded {
        what: "size of the recipients slot in bytes".to_owned(),
        limit: LIMITS.age_header as u64,
        found: slot.len() as u64,
    })?;
    Ok(slot)
}

/// Tries the keys on a slot; `None` where none fits.
///
/// # Errors
///
/// `Malformed` for a slot against the rules; `LimitExceeded` for a work factor over the limit.
pub(crate) fn open(kind: SlotKind, slot: &[u8], keys: &Keys) -> Result<Option<ArchiveIdentity>> {
    match (kind, &keys.passphrase) {
        (SlotKind::Passphrase, None) => Ok(None),
        (SlotKind::Recipients, _) if keys.identities.is_empty() => Ok(None),
        (SlotKind::Passphrase, Some(passphrase)) => {
            let max_work_factor = keys.max_work_factor;
            preflight::check(&mut &slot[..], Stanzas::Scrypt { max_work_factor })?;
            let mut identity = age::scrypt::Identity::new(passphrase.secret());
            identity.set_max_work_factor(max_work_factor);
            unseal(slot, std::iter::once(&identity as &dyn age::Identity))
        }
        (SlotKind::Recipients, _) => {
            preflight::check(&mut &slot[..], Stanzas::PublicKeys)?;
            unseal(slot, keys.identities.iter().map(Identity::as_age))
        }
    }
}

fn seal<'a>(
    identity: &ArchiveIdentity,
    recipients: impl Iterator<Item = &'a dyn age::Recipient>,
) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::stream("encrypt a key slot", error);
    let mut slot = Vec::new();
    let encryptor = age::Encryptor::with_recipients(recipients)
        .map_err(|error| Error::invalid(format!("a key slot cannot be made: {error}")))?;
    let mut writer = encryptor.wrap_output(&mut slot).map_err(failed)?;
    writer.write_all(&identity.slot_plaintext()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(slot)
}

fn unseal<'a>(
    slot: &[u8],
    identities: impl Iterator<Item = &'a dyn age::Identity>,
) -> Result<Option<ArchiveIdentity>> {
    let damaged = || Error::malformed("key slot: is not an intact age file");
    let decryptor = age::Decryptor::new_buffered(slot).map_err(|_| damaged())?;
    let reader = match decryptor.decrypt(identities) {
        Ok(reader) => reader,
        Err(age::DecryptError::InvalidHeader | age::DecryptError::InvalidMac) => {
            return Err(damaged());
        }
        #[cfg(feature = "plugins")]
        Err(error @ age::DecryptError::Plugin(_)) => {
            return Err(Error::invalid(format!("a plugin cannot open the key slot: {error}")));
        }
        Err(_) => return Ok(None),
    };
    let mut plaintext = Zeroizing::new(Vec::with_capacity(LIMITS.slot_plaintext + 1));
    let limit = LIMITS.slot_plaintext as u64 + 1;
    reader.take(limit).read_to_end(&mut plaintext).map_err(|_| damaged())?;
    ArchiveIdentity::from_slot(&plaintext).map(Some)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::{ArchiveIdentity, open, seal_passphrase, seal_recipients};
    use crate::crypto::keys::{Keys, Passphrase};
    use crate::crypto::private::Identity;
    use crate::crypto::recipient::Recipient;
    use crate::error::ErrorKind;
    use crate::format::region::SlotKind;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned())
    }

    fn key() -> (Identity, Recipient) {
        let key = age::x25519::Identity::generate();
        let secret = key.to_string();
        let identity = Identity::parse_file(secret.expose_secret()).unwrap().remove(0);
        (identity, Recipient::parse(&key.to_public().to_string()).unwrap())
    }

    fn same(found: Option<ArchiveIdentity>, identity: &ArchiveIdentity) -> bool {
        let mac = identity.manifest_mac(&[0; 16], b"");
        found.is_some_and(|found| found.holds(&[0; 16], b"", &mac))
    }

    #[test]
    fn a_passphrase_slot_opens_with_its_passphrase_alone() {
        let identity = ArchiveIdentity::generate();
        let slot = seal_passphrase(&identity, &passphrase("correct"), 2).unwrap();
        assert!(slot.len() <= 1024);
        let keys = Keys::new().passphrase(passphrase("correct"));
        assert!(same(open(SlotKind::Passphrase, &slot, &keys).unwrap(), &identity));
        let keys = Keys::new().passphrase(passphrase("wrong"));
        assert!(open(SlotKind::Passphrase, &slot, &keys).unwrap().is_none());
        assert!(open(SlotKind::Passphrase, &slot, &Keys::new()).unwrap().is_none());
    }

    #[test]
    fn a_work_factor_over_the_limit_is_named() {
        let slot = seal_passphrase(&ArchiveIdentity::generate(), &passphrase("x"), 5).unwrap();
        let keys = Keys::new().passphrase(passphrase("x")).max_work_factor(4);
        let error = open(SlotKind::Passphrase, &slot, &keys).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn a_recipients_slot_opens_with_each_key() {
        let identity = ArchiveIdentity::generate();
        let (keys, recipients): (Vec<_>, Vec<_>) = (0..31).map(|_| key()).unzip();
        let slot = seal_recipients(&identity, &recipients).unwrap();
        for key in [&keys[0], &keys[30]] {
            let keys = Keys::new().identities(vec![key.clone()]);
            assert!(same(open(SlotKind::Recipients, &slot, &keys).unwrap(), &identity));
        }
        let keys = Keys::new().identities(vec![key().0]);
        assert!(open(SlotKind::Recipients, &slot, &keys).unwrap().is_none());
        let many: Vec<_> = (0..32).map(|_| key().1).collect();
        let error = seal_recipients(&identity, &many).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
