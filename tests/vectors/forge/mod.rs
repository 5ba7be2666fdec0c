//! Builds an archive from pieces, by the specification and without the library: every piece can be changed
//! before what depends on it is made, so that a vector has one defect and everything around it is right.
//!
//! Nothing is random: the same forge gives the same bytes.

pub mod age;
mod parity;
pub mod payload;
pub mod tar;
pub mod zstd;

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::support::age_keys::{IDENTITY, STRANGER};
use age::Age;
use payload::Payload;

/// One archive.
pub struct Forge {
    /// What the reader opens it with.
    pub key: Key,
    pub state: Payload,
    pub workspace: Option<Payload>,
    pub parity: Option<Parity>,
    /// Key slots: name and content.
    pub slots: Vec<Member>,
    /// Changes the manifest before its code is computed.
    pub manifest: fn(&mut Vec<u8>),
    /// Archive id and identity line that the code over the manifest is made with.
    pub sealed_by: ([u8; 16], &'static str),
    pub mac: fn(&mut Vec<u8>),
    /// Changes the members of the region before their digests are listed.
    pub members: fn(&mut Vec<Member>),
    /// Changes `header.sha256`.
    pub digests: fn(&mut Vec<u8>),
    /// Changes the text of RECOVERY.txt before it is padded.
    pub recovery: fn(&mut Vec<u8>),
    /// Changes both copies of the region.
    pub region: fn(&mut Vec<u8>),
    pub head: fn(&mut Vec<u8>),
    pub tail: fn(&mut Vec<u8>),
    /// Changes what stands between the copies.
    pub between: fn(&mut Vec<u8>),
    /// Changes the whole file.
    pub file: fn(&mut Vec<u8>),
}

/// The content of the parity member.
pub enum Parity {
    /// Any bytes.
    Bytes(&'static [u8]),
    /// What §18 says for a number of recovery shards, and a change of it.
    Of(usize, fn(&mut Vec<u8>)),
}

/// Name and content of a member of the archive.
pub type Member = (String, Vec<u8>);

/// What a vector is opened with.
#[derive(Clone, Copy)]
pub enum Key {
    Identity(&'static str),
    /// The content of a private key file of SSH.
    Ssh(&'static str),
    Passphrase(&'static str),
}

impl Key {
    /// The key that the slots of [`Forge::new`] open with.
    pub const RIGHT: Self = Self::Identity(IDENTITY);
    /// One that opens nothing.
    pub const WRONG: Self = Self::Identity(STRANGER);
}

impl Forge {
    /// A sound archive with one payload and a recipients slot.
    pub fn new() -> Self {
        Self {
            key: Key::RIGHT,
            state: Payload::state(),
            workspace: None,
            parity: None,
            slots: vec![recipients_slot(&Age::new(1).for_secret(USER), identity_line())],
            manifest: no_change,
            sealed_by: (ARCHIVE, IDENTITY_LINE),
            mac: no_change,
            members: no_change,
            digests: no_change,
            recovery: no_change,
            region: no_change,
            head: no_change,
            tail: no_change,
            between: no_change,
            file: no_change,
        }
    }

    /// The bytes of the archive.
    pub fn build(&self) -> Vec<u8> {
        let payloads: Vec<_> = std::iter::once(&self.state).chain(&self.workspace).collect();
        let mut outer: Vec<Member> = Vec::new();
        let mut manifest = MANIFEST.to_owned();
        for payload in payloads {
            let (content, index) = payload.build();
            let role = payload.role;
            manifest += &format!("\n[{role}]\n");
            for (prefix, kind, content) in [("", "tar", content), ("index_", "index", index)] {
                let name = format!("ocbak/{role}.{kind}.zst.age");
                manifest += &described(prefix, &name, &content);
                outer.push((name, content));
            }
        }
        let mut between = Vec::new();
        for (name, content) in &outer {
            append(&mut between, name, content);
        }
        if let Some(parity) = &self.parity {
            let content = match parity {
                Parity::Bytes(bytes) => bytes.to_vec(),
                Parity::Of(recovery, change) => {
                    let mut content = parity::content(&between, *recovery);
                    change(&mut content);
                    content
                }
            };
            manifest += &format!("\n[parity]\n{}", described("", "ocbak/parity", &content));
            append(&mut between, "ocbak/parity", &content);
        }
        let region = self.region_of(manifest.into_bytes());
        let (mut head, mut tail) = (region.clone(), region);
        (self.head)(&mut head);
        (self.tail)(&mut tail);
        (self.between)(&mut between);
        let mut file = [head, between, tail, vec![0; 1024]].concat();
        (self.file)(&mut file);
        file
    }

    fn region_of(&self, mut manifest: Vec<u8>) -> Vec<u8> {
        (self.manifest)(&mut manifest);
        let mut mac = self.mac_of(&manifest);
        (self.mac)(&mut mac);
        let mut members =
            vec![("ocbak/manifest.toml".to_owned(), manifest), ("ocbak/manifest.mac".to_owned(), mac)];
        members.extend(self.slots.iter().cloned());
        (self.members)(&mut members);
        let line = |(name, content): &Member| format!("{:x}  {name}\n", Sha256::digest(content));
        let mut digests = members.iter().map(line).collect::<String>().into_bytes();
        (self.digests)(&mut digests);
        members.push(("ocbak/header.sha256".to_owned(), digests));
        let mut region = Vec::new();
        for (name, content) in &members {
            append(&mut region, name, content);
        }
        let mut text = include_bytes!("../../../src/format/RECOVERY.txt").to_vec();
        (self.recovery)(&mut text);
        text.resize(REGION - region.len() - 512, b'\n');
        append(&mut region, "ocbak/RECOVERY.txt", &text);
        assert_eq!(region.len(), REGION);
        (self.region)(&mut region);
        region
    }

    fn mac_of(&self, manifest: &[u8]) -> Vec<u8> {
        let (archive, identity) = self.sealed_by;
        let mut key = [0; 32];
        let expanded = Hkdf::<Sha256>::new(Some(&archive), identity.as_bytes());
        expanded.expand(b"ocbak.v1 manifest", &mut key).unwrap();
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&key).unwrap();
        mac.update(manifest);
        format!("{:x}\n", mac.finalize().into_bytes()).into_bytes()
    }

    /// One copy of the header region.
    pub fn copy(&self) -> Vec<u8> {
        self.build()[..REGION].to_vec()
    }
}

/// The slot of recipients.
pub fn recipients_slot(age: &Age, plaintext: impl AsRef<[u8]>) -> Member {
    ("ocbak/recipients.key.age".to_owned(), age.seal(plaintext.as_ref()))
}

/// The slot of a passphrase; its work factor is written as `says`.
pub fn passphrase_slot(passphrase: &str, says: &str) -> Member {
    let age = Age::new(2).for_passphrase(passphrase, says);
    ("ocbak/passphrase.key.age".to_owned(), age.seal(identity_line().as_bytes()))
}

/// The content of the slots.
pub fn identity_line() -> String {
    format!("{IDENTITY_LINE}\n")
}

/// Appends a member of the outer tar.
pub fn append(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    tar.extend(tar::header(name.as_bytes(), 0o600, content.len(), 1_767_225_600, b'0', b""));
    tar.extend(content);
    tar::pad(tar);
}

/// Replaces what must occur exactly once.
pub fn replace(bytes: &mut Vec<u8>, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) {
    let from = from.as_ref();
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert_eq!(places.len(), 1, "`{}`", from.escape_ascii());
    bytes.splice(places[0]..places[0] + from.len(), to.as_ref().iter().copied());
}

/// Leaves a piece as it is.
pub fn no_change<T>(_: &mut T) {}

fn described(prefix: &str, name: &str, content: &[u8]) -> String {
    let (length, sha256) = (content.len(), Sha256::digest(content));
    format!("{prefix}member = \"{name}\"\n{prefix}length = {length}\n{prefix}sha256 = \"{sha256:x}\"\n")
}

/// Length of a header region.
pub const REGION: usize = 32 * 1024;

/// Id of every archive of the forge.
pub const ARCHIVE: [u8; 16] = [0x5a; 16];

/// FAKE: the secret half of the archive identity, the same in every archive of the forge.
pub const SECRET: [u8; 32] = [0x42; 32];

/// [`SECRET`] as text.
pub const IDENTITY_LINE: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// FAKE: [`IDENTITY`], the key of the tests, as bytes.
pub const USER: [u8; 32] = [
    0x9c, 0x05, 0x99, 0x25, 0xcb, 0x06, 0xcf, 0xd2, 0x75, 0x48, 0x6c, 0x21, 0x97, 0x4f, 0xcb, 0x6a, 0xb0,
    0xd8, 0xe9, 0x38, 0x47, 0x40, 0x1c, 0xd7, 0xf8, 0x65, 0xf5, 0x01, 0x1e, 0x34, 0xcf, 0x8f,
];

/// FAKE: the public and the secret half of `fixtures/keys/ssh-ed25519`, as bytes.
pub const SSH: ([u8; 32], [u8; 32]) = (
    [
        0x6d, 0x82, 0x97, 0x7a, 0x7f, 0xcb, 0xb8, 0x01, 0x88, 0xaa, 0xa0, 0x50, 0x04, 0x18, 0x9c, 0x0f, 0x77,
        0x6f, 0x54, 0xde, 0x20, 0x10, 0x96, 0xcc, 0x33, 0x28, 0x59, 0xce, 0xb6, 0xd5, 0xc4, 0xb8,
    ],
    [
        0x89, 0xf0, 0x6a, 0xb1, 0x67, 0x71, 0x6f, 0x63, 0x06, 0x24, 0xad, 0xcd, 0xc8, 0xfb, 0x83, 0xfe, 0x0a,
        0x45, 0x6b, 0x0e, 0xc1, 0xe0, 0xf7, 0x19, 0xd9, 0x2d, 0x3c, 0xec, 0xdf, 0x7d, 0x7a, 0x5c,
    ],
);

const MANIFEST: &str = r#"format = "ocbak"
version = 1
archive = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
created = "2026-11-22T12:00:00Z"
writer = "FAKE vectors"
features = []
"#;
