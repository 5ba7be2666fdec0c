//! Files of age v1 (<https://age-encryption.org/v1>) with every random byte fixed, and every rule breakable.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use super::no_change;

/// One age file.
pub struct Age {
    /// Makes the fixed "random" bytes of this file differ from those of others.
    label: u8,
    /// Stanzas with their line feeds.
    pub stanzas: Vec<String>,
    /// Changes the header before its code is computed.
    pub header: fn(&mut String),
    /// Changes the chunks before they are sealed.
    pub plain: fn(&mut Vec<Chunk>),
    /// Changes the chunks when they are sealed.
    pub sealed: fn(&mut Vec<Vec<u8>>),
    /// Changes the file.
    pub file: fn(&mut Vec<u8>),
}

/// What is sealed as one chunk.
pub struct Chunk {
    pub counter: u8,
    pub last: bool,
    pub content: Vec<u8>,
}

impl Age {
    /// Starts a file that nobody can open.
    pub fn new(label: u8) -> Self {
        Self {
            label,
            stanzas: Vec::new(),
            header: no_change,
            plain: no_change,
            sealed: no_change,
            file: no_change,
        }
    }

    /// Adds a stanza for the owner of a secret.
    pub fn for_secret(mut self, secret: [u8; 32]) -> Self {
        let ephemeral = [self.label ^ 0x80; 32];
        let recipient = x25519(secret, X25519_BASEPOINT_BYTES);
        let share = x25519(ephemeral, X25519_BASEPOINT_BYTES);
        let shared = x25519(ephemeral, recipient);
        let key = expand(&[share, recipient].concat(), &shared, b"age-encryption.org/v1/X25519");
        let share = STANDARD_NO_PAD.encode(share);
        self.stanzas.push(format!("-> X25519 {share}\n{}\n", self.wrap(&key)));
        self
    }

    /// Adds a stanza for the owner of an Ed25519 key of SSH, of which both halves are given.
    pub fn for_ssh(mut self, (public, seed): ([u8; 32], [u8; 32])) -> Self {
        let label = b"age-encryption.org/v1/ssh-ed25519";
        let wire = [&11_u32.to_be_bytes(), &b"ssh-ed25519"[..], &32_u32.to_be_bytes(), &public].concat();
        let mut secret = [0; 32];
        secret.copy_from_slice(&Sha512::digest(seed)[..32]);
        let ephemeral = [self.label ^ 0x40; 32];
        let recipient = x25519(secret, X25519_BASEPOINT_BYTES);
        let share = x25519(ephemeral, X25519_BASEPOINT_BYTES);
        let shared = x25519(expand(&wire, b"", label), x25519(ephemeral, recipient));
        let key = expand(&[share, recipient].concat(), &shared, label);
        let (tag, share) =
            (STANDARD_NO_PAD.encode(&Sha256::digest(&wire)[..4]), STANDARD_NO_PAD.encode(share));
        self.stanzas.push(format!("-> ssh-ed25519 {tag} {share}\n{}\n", self.wrap(&key)));
        self
    }

    /// Adds a stanza for a passphrase; its work factor is written as `says`.
    pub fn for_passphrase(mut self, passphrase: &str, says: &str) -> Self {
        // What cannot be meant is sealed for a factor of 2.
        let log_n = says.parse().ok().filter(|log_n| *log_n <= 10).unwrap_or(1);
        let salt = [self.label; 16];
        let parameters = scrypt::Params::new(log_n, 8, 1, 32).unwrap();
        let mut key = [0; 32];
        let salted = [&b"age-encryption.org/v1/scrypt"[..], &salt].concat();
        scrypt::scrypt(passphrase.as_bytes(), &salted, &parameters, &mut key).unwrap();
        let salt = STANDARD_NO_PAD.encode(salt);
        self.stanzas.push(format!("-> scrypt {salt} {says}\n{}\n", self.wrap(&key)));
        self
    }

    /// Adds stanzas of a type that nobody knows.
    pub fn grease(mut self, kind: &str, count: usize) -> Self {
        let stanza = format!("-> {kind} FAKE\nRkFLRQ\n");
        self.stanzas.extend(std::iter::repeat_n(stanza, count));
        self
    }

    /// Encrypts.
    pub fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut header = format!("age-encryption.org/v1\n{}", self.stanzas.concat());
        (self.header)(&mut header);
        header += "---";
        let mac_key = expand(&[], &self.file_key(), b"header");
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&mac_key).unwrap();
        mac.update(header.as_bytes());
        header += &format!(" {}\n", STANDARD_NO_PAD.encode(mac.finalize().into_bytes()));

        let nonce = [self.label; 16];
        let key = expand(&nonce, &self.file_key(), b"payload");
        let mut chunks: Vec<Chunk> = (0..)
            .zip(plaintext.chunks(CHUNK))
            .map(|(counter, content)| Chunk { counter, last: false, content: content.to_vec() })
            .collect();
        if chunks.is_empty() {
            chunks.push(Chunk { counter: 0, last: false, content: Vec::new() });
        }
        chunks.last_mut().unwrap().last = true;
        (self.plain)(&mut chunks);
        let mut sealed: Vec<_> = chunks.iter().map(|chunk| chunk.seal(&key)).collect();
        (self.sealed)(&mut sealed);
        let mut file = [header.as_bytes(), &nonce, &sealed.concat()].concat();
        (self.file)(&mut file);
        file
    }

    fn file_key(&self) -> [u8; 16] {
        [self.label ^ 0x55; 16]
    }

    fn wrap(&self, key: &[u8; 32]) -> String {
        STANDARD_NO_PAD.encode(encrypt(key, [0; 12], &self.file_key()))
    }
}

impl Chunk {
    fn seal(&self, key: &[u8; 32]) -> Vec<u8> {
        let mut nonce = [0; 12];
        (nonce[10], nonce[11]) = (self.counter, u8::from(self.last));
        encrypt(key, nonce, &self.content)
    }
}

fn encrypt(key: &[u8; 32], nonce: [u8; 12], content: &[u8]) -> Vec<u8> {
    ChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), content).unwrap()
}

fn expand(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret).expand(info, &mut key).unwrap();
    key
}

/// Plaintext of a chunk.
pub const CHUNK: usize = 64 * 1024;
