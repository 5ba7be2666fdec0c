use age::secrecy::ExposeSecret;

use super::{Identity, IdentityFile};
use crate::crypto::keys::{Keys, Passphrase};
use crate::crypto::slot;
use crate::crypto::{Recipient, identity::ArchiveIdentity};
use crate::error::{Error, ErrorKind};
use crate::format::region::SlotKind;

const ED25519: &[u8] = include_bytes!("../../../fixtures/keys/ssh-ed25519");
const ED25519_PUB: &str = include_str!("../../../fixtures/keys/ssh-ed25519.pub");
const ED25519_PROTECTED: &[u8] = include_bytes!("../../../fixtures/keys/ssh-ed25519-protected");
const RSA: &[u8] = include_bytes!("../../../fixtures/keys/ssh-rsa");
const RSA_PUB: &str = include_str!("../../../fixtures/keys/ssh-rsa.pub");
const RSA_4096_PUB: &str = include_str!("../../../fixtures/keys/ssh-rsa-4096.pub");
const ECDSA: &[u8] = include_bytes!("../../../fixtures/keys/ssh-ecdsa");
/// Of a work factor of 4.
const AGE_PROTECTED: &[u8] = include_bytes!("../../../fixtures/keys/age-protected.age");

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn plain(bytes: &[u8]) -> Vec<Identity> {
    match IdentityFile::parse(bytes).unwrap() {
        IdentityFile::Plain(identities) => identities,
        IdentityFile::Protected(_) => panic!("protected"),
    }
}

fn opened(bytes: &[u8], with: &str, max_work_factor: u8) -> Result<Vec<Identity>, Error> {
    match IdentityFile::parse(bytes).unwrap() {
        IdentityFile::Plain(_) => panic!("not protected"),
        IdentityFile::Protected(file) => file.open(&passphrase(with), max_work_factor),
    }
}

fn refused(bytes: &[u8]) -> String {
    let error = IdentityFile::parse(bytes).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn keys_are_read_from_files_with_comments() {
    let identity = age::x25519::Identity::generate();
    let secret = identity.to_string();
    let text = format!("# made today\n\n{}\r\n", secret.expose_secret());
    assert_eq!(Identity::parse_file(&text).unwrap().len(), 1);
    assert_eq!(plain(text.as_bytes())[0].recipient().to_string(), identity.to_public().to_string());
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
    assert!(Identity::parse_file("# nothing\n").is_err());
}

#[test]
fn kinds_that_are_not_supported_are_named() {
    let refusal = refused(b"AGE-PLUGIN-YUBIKEY-1Q9QYQSZQGPQYQSZQ\n");
    assert!(refusal.starts_with("line 1: names the plugin `yubikey`, and "), "{refusal}");
    assert!(refused(b"AGE-PLUGIN-../../evil-1QQ\n").contains("plugin `?`"));
    assert!(refused(b"AGE-SECRET-KEY-PQ-1QQQQ\n").contains("post-quantum"));
    assert!(refused(ECDSA).contains("`ecdsa-sha2-nistp256`, which cannot decrypt"), "{}", refused(ECDSA));
    assert!(refused(b"\xff\xfe").contains("something else than keys"));
    assert!(
        refused(b"-----BEGIN OPENSSH PRIVATE KEY-----\nRkFLRQ==\n")
            .contains("not an intact private key of SSH")
    );
    let public = b"age-encryption.org/v1\n-> X25519 a\nbody\n--- mac\nrest";
    assert!(refused(public).contains("not with a passphrase"));
}

#[test]
fn keys_of_ssh_open_what_is_encrypted_to_them() {
    let archive = ArchiveIdentity::generate();
    for (private, public) in [(ED25519, ED25519_PUB), (RSA, RSA_PUB)] {
        let recipients = [Recipient::parse(public).unwrap()];
        let bytes = slot::seal_recipients(&archive, &recipients).unwrap();
        let found = |identities| {
            slot::open(SlotKind::Recipients, &bytes, &Keys::new().identities(identities)).unwrap()
        };
        let keys = plain(private);
        assert_eq!(keys[0].recipient().to_string(), recipients[0].to_string());
        let mac = archive.manifest_mac(&[0; 16], b"");
        assert!(found(keys).is_some_and(|found| found.holds(&[0; 16], b"", &mac)));
        assert!(found(vec![Identity::generate()]).is_none());
    }
}

#[test]
fn more_keys_of_rsa_than_the_header_of_age_may_hold_are_refused() {
    let recipient = Recipient::parse(RSA_4096_PUB).unwrap();
    let seal = |count| slot::seal_recipients(&ArchiveIdentity::generate(), &vec![recipient.clone(); count]);
    assert!(seal(22).is_ok());
    let error = seal(24).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().starts_with("size of the recipients slot in bytes is 1"), "{error}");
}

#[test]
fn protected_keys_open_with_their_passphrase_alone() {
    for (bytes, with) in [(ED25519_PROTECTED, "FAKE"), (AGE_PROTECTED, "FAKE passphrase")] {
        assert_eq!(opened(bytes, with, 20).unwrap().len(), 1);
        for wrong in ["", "FAKE ", "fake"] {
            assert_eq!(opened(bytes, wrong, 20).err().unwrap().kind(), ErrorKind::WrongKey, "{wrong}");
        }
    }
    assert_eq!(opened(AGE_PROTECTED, "FAKE passphrase", 3).err().unwrap().kind(), ErrorKind::LimitExceeded);
    let mut cut = AGE_PROTECTED.to_vec();
    cut.truncate(cut.len() - 60);
    assert!(refused(&cut).contains("not an intact file of age"));
}

#[test]
fn what_is_protected_is_not_of_the_armor_alone() {
    let mut binary = Vec::new();
    std::io::Read::read_to_end(&mut age::armor::ArmoredReader::new(AGE_PROTECTED), &mut binary).unwrap();
    assert_eq!(opened(&binary, "FAKE passphrase", 20).unwrap().len(), 1);
    let last = binary.len() - 1;
    binary[last] ^= 1;
    assert_eq!(opened(&binary, "FAKE passphrase", 20).err().unwrap().kind(), ErrorKind::Invalid);
}
