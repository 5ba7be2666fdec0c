//! The stages that a payload passes through, one by one. For `benches/` alone.

use std::io::{self, Cursor, Read, Write};

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::{Decrypt, Encrypt};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Item, Node, Role, Source};
use crate::format::index::Index;
use crate::format::index::line::{Head, Line, Totals};
use crate::format::layout::END;
use crate::format::tar;
use crate::payload::codec::{Compressor, Decompressor};
use crate::payload::digest::DigestWriter;
use crate::payload::noise::{self, is_noise};

/// SHA-256 of what passes by.
pub fn hash(bytes: &[u8]) -> Result<[u8; 32]> {
    let mut writer = DigestWriter::new(io::sink());
    writer.write_all(bytes).map_err(failed)?;
    Ok(writer.finish().2)
}

/// Frames, compressed and decompressed.
pub struct Frames(Compressor, Decompressor);

impl Frames {
    /// At a level of zstd.
    pub fn new(level: i32) -> Result<Self> {
        Ok(Self(Compressor::new(level, FRAME)?, Decompressor::new()))
    }

    /// Compresses `tar` into `frame`.
    pub fn compress(&mut self, tar: &[u8], frame: &mut Vec<u8>) -> Result<()> {
        if !is_noise(tar) {
            return self.0.compress(tar, frame);
        }
        frame.clear();
        noise::write(tar, noise::checksum(tar), frame).map(drop).map_err(failed)
    }

    /// Decompresses a full frame of `size` bytes into `tar`.
    pub fn decompress(&mut self, frame: &[u8], size: u32, tar: &mut Vec<u8>) -> Result<()> {
        self.1.decompress(frame, size as usize, size, tar)
    }
}

/// Members, encrypted and decrypted.
pub struct Age(ArchiveIdentity);

impl Age {
    /// With a fresh identity.
    #[must_use]
    pub fn generate() -> Self {
        Self(ArchiveIdentity::generate())
    }

    /// Encrypts `plain`, appending to `sealed`.
    pub fn encrypt(&self, plain: &[u8], sealed: &mut Vec<u8>) -> Result<()> {
        let mut encrypt = Encrypt::new(&self.0, sealed)?;
        encrypt.write_all(plain).map_err(failed)?;
        encrypt.finish().map(drop)
    }

    /// Decrypts `sealed` into `plain`, which has the right length.
    pub fn decrypt(&self, sealed: &[u8], plain: &mut [u8]) -> Result<()> {
        Decrypt::new(&self.0, Cursor::new(sealed), "member")?.read_exact(plain).map_err(failed)
    }
}

/// The blocks of a tar before the content of `item`.
pub fn tar_head(item: &Item<'_>) -> Result<Vec<u8>> {
    tar::encode(item)
}

/// An index of these entries, which are in the order of the archive and below a root of `source`.
pub fn encode_index(source: Source, entries: &[Entry]) -> Result<Vec<u8>> {
    let head = Head { archive: ID, role: Role::State, frame_size: FRAME, source };
    let mut text = Line::Head(head).encode()?;
    let (mut content, mut tar) = (0, END as u64);
    for entry in entries {
        text.extend(Line::Entry(entry.clone()).encode()?);
        let size = if let Node::File { size, .. } = entry.node { size } else { 0 };
        content += size;
        tar = entry.offset + 512 + size.next_multiple_of(512) + END as u64;
    }
    let frames = usize::try_from(tar.div_ceil(u64::from(FRAME))).unwrap_or_default();
    text.extend(Line::Frames(vec![1; frames]).encode()?);
    let totals = Totals { entries: entries.len() as u64, skipped: 0, noted: 0, content, tar };
    text.extend(Line::Totals(totals).encode()?);
    Ok(text)
}

/// Reads such an index.
pub fn decode_index(text: &[u8]) -> Result<Index> {
    Index::read(text, &ID, Role::State)
}

fn failed(error: io::Error) -> Error {
    Error::stream("pass a stage", error)
}

const ID: [u8; 16] = [7; 16];
const FRAME: u32 = 2 << 20;
