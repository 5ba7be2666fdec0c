//! The entries of a whole payload in order, each checked against the index (spec §10 step 6).

use std::io::{Read, Seek};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::crypto::identity::ArchiveIdentity;
use crate::error::{Error, Result};
use crate::format::block::padding;
use crate::format::entry::{Entry, Node, Xattr};
use crate::format::index::Index;
use crate::format::manifest::Member;
use crate::format::tar::TarEntry;
use crate::payload::frames::FrameReader;

/// Reads a payload from its start to its end.
///
/// Everything it hands out was authenticated; a file is proven when [`PayloadStream::read`] returned 0 for it, the
/// whole payload when [`PayloadStream::next_entry`] returned `None`.
pub struct PayloadStream<'a> {
    tar: FrameReader,
    index: &'a Index,
    /// Number of the next entry.
    next: usize,
    /// Position in the tar.
    position: u64,
    /// The file whose content comes next.
    file: Option<File<'a>>,
}

/// A file being read.
struct File<'a> {
    entry: &'a Entry,
    left: u64,
    hash: Sha256,
}

impl<'a> PayloadStream<'a> {
    pub(crate) fn new<R: Read + Seek + Send + 'static>(
        identity: Arc<ArchiveIdentity>,
        file: R,
        name: &str,
        member: Member,
        index: &'a Index,
        threads: usize,
    ) -> Result<Self> {
        Ok(Self {
            tar: FrameReader::new(identity, file, name, member, index, threads)?,
            index,
            next: 0,
            position: 0,
            file: None,
        })
    }

    /// Moves to the next entry; what was not read of the one before is passed over unproven.
    ///
    /// `None` comes after the last, when tar, frames and digest of the whole payload held.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) and [`Tampered`](crate::ErrorKind::Tampered) for everything that is
    /// not as the index says; [`Io`](crate::ErrorKind::Io).
    pub fn next_entry(&mut self) -> Result<Option<(&'a Entry, Vec<Xattr>)>> {
        self.skip()?;
        let Some(found) = TarEntry::decode(&mut self.tar)? else {
            self.position += END;
            if self.next != self.index.entries.len() || self.position != self.index.tar {
                return Err(Error::tampered("the payload ends before its index does"));
            }
            self.tar.finish()?;
            return Ok(None);
        };
        let entry = self
            .index
            .entries
            .get(self.next)
            .filter(|entry| entry.offset == self.position && found.agrees_with(entry));
        let Some(entry) = entry else {
            return Err(Error::tampered(format!("entry `{}` is not as the index says", found.path)));
        };
        self.next += 1;
        self.position += found.head;
        if let Node::File { size, .. } = entry.node {
            self.file = Some(File { entry, left: size, hash: Sha256::new() });
        }
        Ok(Some((entry, found.xattrs)))
    }

    /// Reads content of the current file; 0 comes only after all of it matched its hash.
    ///
    /// # Errors
    ///
    /// [`Tampered`](crate::ErrorKind::Tampered) when the hash is another one, and those of
    /// [`PayloadStream::next_entry`].
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        let wanted = usize::try_from(file.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if file.left > 0 {
            let count = fill(&mut self.tar, &mut buffer[..wanted])?;
            file.hash.update(&buffer[..count]);
            file.left -= count as u64;
            self.position += count as u64;
            return Ok(count);
        }
        let File { entry, hash, .. } = self.file.take().ok_or_else(|| Error::malformed("no file"))?;
        self.pad(entry)?;
        let Node::File { sha256, .. } = entry.node else {
            return Ok(0);
        };
        if sha256 != <[u8; 32]>::from(hash.finalize()) {
            return Err(Error::tampered(format!("`{}` does not match its hash in the index", entry.path)));
        }
        Ok(0)
    }

    /// Reads what is left of the current file, unproven, onto the end of `content`. Where that is all of it, returns the
    /// hash that it must have.
    pub(crate) fn read_whole(&mut self, content: &mut Vec<u8>) -> Result<Option<[u8; 32]>> {
        let Some(File { entry, left, .. }) = self.file.take() else {
            return Ok(None);
        };
        self.tar.append(left, content)?;
        self.position += left;
        self.pad(entry)?;
        match entry.node {
            Node::File { size, sha256 } if size == left => Ok(Some(sha256)),
            _ => Ok(None),
        }
    }

    fn skip(&mut self) -> Result<()> {
        let Some(File { entry, left, .. }) = self.file.take() else {
            return Ok(());
        };
        let count = std::io::copy(&mut self.tar.by_ref().take(left), &mut std::io::sink())
            .map_err(|error| Error::stream("read the payload", error))?;
        if count < left {
            return Err(Error::malformed("tar: ends in the middle of an entry"));
        }
        self.position += left;
        self.pad(entry)
    }

    /// Reads the zeros after a content.
    fn pad(&mut self, entry: &Entry) -> Result<()> {
        let mut zeros = [0; 512];
        let padding = &mut zeros[..padding(self.position)];
        self.tar.read_exact(padding).map_err(|_| Error::malformed("tar: ends in the middle of an entry"))?;
        self.position += padding.len() as u64;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(Error::malformed(format!("tar: the padding of `{}` is not zero", entry.path)));
        }
        Ok(())
    }
}

fn fill(tar: &mut FrameReader, buffer: &mut [u8]) -> Result<usize> {
    match tar.read(buffer) {
        Ok(0) if !buffer.is_empty() => Err(Error::malformed("tar: ends in the middle of an entry")),
        Ok(count) => Ok(count),
        Err(error) => Err(Error::stream("read the payload", error)),
    }
}

const END: u64 = 1024;
