//! The index of a payload from the payload itself, up to the first byte that is lost (spec §10.1).
//!
//! Where bytes are lost, so may be the header of a file whose content goes on behind them; and that content may look
//! like entries, where a tar is stored in the payload. So nothing behind is taken for an entry.

use std::io::{self, Read, Seek};

use sha2::{Digest as _, Sha256};

use crate::crypto::chunks::Chunks;
use crate::error::{Error, Result};
use crate::format::block::padding;
use crate::format::entry::{Entry, Node, Role, Root};
use crate::format::index::Index;
use crate::format::order::EntryOrder;
use crate::format::tar::{TarEntry, TarKind};
use crate::observer::Observer;
use crate::payload::walk::FrameWalk;

/// Lists the entries of a payload as it has them, after those that a part of the index lists; returns too why there may
/// be more, unless the payload was read to its end.
///
/// # Errors
///
/// `Interrupted`; errors of the file.
pub(crate) fn rebuild<R: Read + Seek + Clone>(
    chunks: Chunks<R>,
    role: Role,
    part: Option<Index>,
    observer: &dyn Observer,
) -> Result<(Index, Option<Error>)> {
    let (order, frame_size) = match &part {
        Some(part) => (EntryOrder::new(&part.source.roots)?, Some(part.frame_size)),
        None => (EntryOrder::of_role(role), None),
    };
    let index = part.unwrap_or_else(|| Index::empty(role));
    let (walk, buffer) = (FrameWalk::new(chunks, frame_size), vec![0; BUFFER]);
    let mut rebuilding = Rebuilding { walk, index, position: 0, buffer, observer };
    let outcome = rebuilding.run(order);
    let Rebuilding { walk, mut index, .. } = rebuilding;
    (index.frame_size, index.frame_ends, index.tar) = walk.finish();
    match outcome {
        Ok(()) => Ok((index, None)),
        Err(error) if error.is_damage() => Ok((index, Some(error))),
        Err(error) => Err(error),
    }
}

/// A list being made.
struct Rebuilding<'a, R> {
    walk: FrameWalk<R>,
    index: Index,
    /// Position in the tar.
    position: u64,
    buffer: Vec<u8>,
    observer: &'a dyn Observer,
}

impl<R: Read + Seek + Clone> Rebuilding<'_, R> {
    fn run(&mut self, mut order: EntryOrder) -> Result<()> {
        let listed = self.index.entries.len();
        for entry in &self.index.entries {
            order.accept(&entry.path, entry.node == Node::Directory)?;
        }
        for number in 0.. {
            self.observer.check()?;
            let offset = self.position;
            let Some(found) = TarEntry::decode(&mut self.walk)? else {
                if number < listed {
                    return Err(Error::tampered("the payload ends before its index does"));
                }
                return self.walk.end();
            };
            self.position += found.head;
            if let Some(entry) = self.index.entries.get(number) {
                if entry.offset != offset || !found.agrees_with(entry) {
                    return Err(Error::tampered(format!("entry `{}` is not as the index says", found.path)));
                }
            } else {
                order.accept(&found.path, found.kind == TarKind::Directory)?;
                self.add(&found, offset, &order)?;
            }
            if let TarKind::File(size) = found.kind {
                let hash = self.content(size)?;
                if let Some(Entry { node: Node::File { sha256, .. }, .. }) =
                    self.index.entries.get_mut(number).filter(|_| number >= listed)
                {
                    *sha256 = hash;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, found: &TarEntry, offset: u64, order: &EntryOrder) -> Result<()> {
        let node = match &found.kind {
            // Until all of it was read, a hash that no content has: its name is known, but it is lost.
            TarKind::File(size) => Node::File { size: *size, sha256: [0; 32] },
            TarKind::Directory => Node::Directory,
            TarKind::Symlink(target) => Node::Symlink { target: target.clone() },
            TarKind::Hardlink(target) => {
                // §8.3
                if !matches!(self.index.find(target).map(|entry| &entry.node), Some(Node::File { .. })) {
                    return Err(Error::malformed(format!(
                        "hard link `{}` to `{target}`, which is no earlier file",
                        found.path
                    )));
                }
                Node::Hardlink { target: target.clone() }
            }
        };
        if order.is_root(&found.path) && self.index.source.roots.iter().all(|root| root.path != found.path) {
            // Where it came from, the index alone knew.
            let source = b"/".to_vec();
            self.index.source.roots.push(Root { path: found.path.clone(), source, agents: Vec::new() });
        }
        let TarEntry { path, mode, mtime, .. } = found;
        self.index.entries.push(Entry { path: path.clone(), mode: *mode, mtime: *mtime, offset, node });
        Ok(())
    }

    /// Reads a content and the zeros after it; returns its hash.
    fn content(&mut self, size: u64) -> Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let buffer = &mut self.buffer;
        let mut left = size;
        while left > 0 {
            self.observer.check()?;
            let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let count = self.walk.read(&mut buffer[..wanted]).map_err(failed)?;
            if count == 0 {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            hash.update(&buffer[..count]);
            left -= count as u64;
        }
        let padding = &mut buffer[..padding(size)];
        self.walk.read_exact(padding).map_err(failed)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(Error::malformed("tar: padding that is not zero"));
        }
        self.position += size + padding.len() as u64;
        Ok(hash.finalize().into())
    }
}

fn failed(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::malformed("tar: ends in the middle of an entry");
    }
    Error::stream("read the payload", error)
}

const BUFFER: usize = 128 * 1024;
