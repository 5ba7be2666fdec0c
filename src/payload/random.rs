//! Single files out of a payload by seeking: age chunk, frame, entry (spec §10 step 5).

use std::io::{Read, Seek};

use sha2::{Digest as _, Sha256};

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::{Decrypt, ReadPlain};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Xattr};
use crate::format::index::Index;
use crate::format::tar::TarEntry;
use crate::payload::codec::Decompressor;

/// Reads the tar of a payload from any place; keeps the last frame.
pub(crate) struct RandomReader<'a, P> {
    plain: P,
    index: &'a Index,
    decompressor: Decompressor,
    /// Number of the frame of which `frame` holds what is not lost.
    number: Option<u64>,
    /// Number of a frame that could not be read, which is not tried again.
    lost: Option<u64>,
    frame: Vec<u8>,
    position: u64,
}

impl<'a, R: Read + Seek> RandomReader<'a, Decrypt<R>> {
    /// Opens a payload whose member begins at the start of `file` and authenticates its end.
    ///
    /// # Errors
    ///
    /// Those of [`Decrypt`]; `Malformed` when the length is not that of the frames.
    pub(crate) fn new(identity: &ArchiveIdentity, file: R, name: &str, index: &'a Index) -> Result<Self> {
        let mut decrypt = Decrypt::new(identity, file, name)?;
        if decrypt.authenticate_end()? != index.compressed() {
            return Err(Error::malformed(format!("`{name}` has another length than its frames")));
        }
        Ok(Self::over(decrypt, index))
    }
}

impl<'a, P: ReadPlain> RandomReader<'a, P> {
    /// Reads from any plaintext.
    pub(crate) fn over(plain: P, index: &'a Index) -> Self {
        let (decompressor, frame) = (Decompressor::new(), Vec::new());
        Self { plain, index, decompressor, number: None, lost: None, frame, position: 0 }
    }

    /// Begins reading an entry; returns its extended attributes too.
    ///
    /// # Errors
    ///
    /// `Tampered` when the tar does not hold what the index says, and those of reading.
    pub(crate) fn open(&mut self, entry: &'a Entry) -> Result<(EntryContent<'a>, Vec<Xattr>)> {
        self.position = entry.offset;
        let found = TarEntry::decode(self)?;
        let Some(found) = found.filter(|found| found.agrees_with(entry)) else {
            return Err(Error::tampered(format!("entry `{}` is not as the index says", entry.path)));
        };
        let (left, sha256) = match entry.node {
            Node::File { size, sha256 } => (size, Some(sha256)),
            _ => (0, None),
        };
        Ok((EntryContent { entry, left, sha256, hash: Sha256::new() }, found.xattrs))
    }

    fn load(&mut self, number: u64) -> Result<()> {
        if self.number == Some(number) {
            return Ok(());
        }
        if self.lost == Some(number) {
            return Err(Error::tampered("a frame is damaged"));
        }
        (self.number, self.lost) = (None, Some(number));
        let Some((range, length)) = self.index.frame(number) else {
            return Err(Error::malformed("tar: an entry reaches beyond its end"));
        };
        let size = usize::try_from(range.end - range.start)
            .map_err(|_| Error::malformed("index: a frame longer than memory"))?;
        let mut compressed = vec![0; size];
        let there = self.plain.read_up_to_loss(range.start, &mut compressed)?;
        let frame_size = self.index.frame_size;
        if there == size {
            self.decompressor.decompress(&compressed, length, frame_size, &mut self.frame)?;
        } else {
            self.decompressor.decompress_part(&compressed[..there], length, frame_size, &mut self.frame)?;
        }
        (self.number, self.lost) = (Some(number), None);
        Ok(())
    }
}

impl<P: ReadPlain> Read for RandomReader<'_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.position >= self.index.tar || buffer.is_empty() {
            return Ok(0);
        }
        let size = u64::from(self.index.frame_size);
        self.load(self.position / size)?;
        // Within a frame, which is in memory.
        let start = usize::try_from(self.position % size).unwrap_or(usize::MAX);
        let rest = self.frame.get(start..).unwrap_or_default();
        if rest.is_empty() {
            return Err(Error::tampered("a frame is damaged").into());
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

/// The content of one entry; reading ends with an error unless all of it matched its hash.
pub(crate) struct EntryContent<'a> {
    entry: &'a Entry,
    left: u64,
    /// What the hash must be; `None` once it was.
    sha256: Option<[u8; 32]>,
    hash: Sha256,
}

impl EntryContent<'_> {
    /// Reads from the tar that the entry was opened in.
    pub(crate) fn read(&mut self, tar: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let hash = std::mem::take(&mut self.hash).finalize();
            return match self.sha256.take() {
                Some(expected) if expected != <[u8; 32]>::from(hash) => Err(Error::tampered(format!(
                    "`{}` does not match its hash in the index",
                    self.entry.path
                ))
                .into()),
                _ => Ok(0),
            };
        }
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = tar.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(Error::malformed("tar: ends in the middle of an entry").into());
        }
        self.hash.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}
