//! What a stage is fed with: the entries of a payload in order, with their content.

use std::cell::Cell;
use std::io::Read;

use crate::archive::{Archive, EntryReader, Salvager};
use crate::error::{Error, Result};
use crate::format::entry::{Node, Xattr};
use crate::format::index::Index;
use crate::payload::stream::PayloadStream;

/// Entries in the order of the index, and the content of the one that is current.
pub(super) trait Feed {
    /// Goes to the next entry; returns its number in the index and its extended attributes.
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>>;

    /// Reads content of the current file; `Ok(0)` only after all of it, its hash compared.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Reads the whole content of the current file, which is meant to be `size` bytes long, onto the end of `content`;
    /// returns its hash where that is still to be compared.
    fn read_whole(&mut self, size: usize, content: &mut Vec<u8>) -> Result<Option<[u8; 32]>> {
        let mut end = content.len();
        // One more than there should be: nothing to be read there says that it was compared.
        content.resize(end.saturating_add(size).saturating_add(1), 0);
        while end < content.len() {
            match self.read(&mut content[end..])? {
                0 => break,
                count => end += count,
            }
        }
        content.truncate(end);
        Ok(None)
    }

    /// Tells, after an error of reading, whether the current file alone is lost and the next entry may come.
    fn is_lost(&self) -> bool {
        false
    }
}

/// The whole payload, decoded in parallel, each entry as the index has it.
pub(super) struct Whole<'a> {
    stream: PayloadStream<'a>,
    number: usize,
}

impl<'a> Whole<'a> {
    pub(super) fn new(archive: &Archive, index: &'a Index, threads: usize) -> Result<Self> {
        Ok(Self { stream: archive.stream(index, threads)?, number: 0 })
    }
}

impl Feed for Whole<'_> {
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>> {
        let number = self.number;
        self.number += 1;
        Ok(self.stream.next_entry()?.map(|(_, xattrs)| (number, xattrs)))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.stream.read(buffer)
    }

    fn read_whole(&mut self, _size: usize, content: &mut Vec<u8>) -> Result<Option<[u8; 32]>> {
        self.stream.read_whole(content)
    }
}

/// Some entries, each file sought on its own. Attributes come with the content, so only
/// files have theirs.
pub(super) struct Chosen<'a> {
    archive: &'a Archive,
    index: &'a Index,
    numbers: std::vec::IntoIter<usize>,
    content: Option<EntryReader<'a>>,
}

impl<'a> Chosen<'a> {
    pub(super) fn new(archive: &'a Archive, index: &'a Index, numbers: Vec<usize>) -> Self {
        Self { archive, index, numbers: numbers.into_iter(), content: None }
    }
}

impl Feed for Chosen<'_> {
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>> {
        self.content = None;
        let Some(number) = self.numbers.next() else {
            return Ok(None);
        };
        let entry = &self.index.entries[number];
        let mut xattrs = Vec::new();
        if matches!(entry.node, Node::File { .. }) {
            let reader = self.archive.read(self.index, entry)?;
            xattrs = reader.xattrs().to_vec();
            self.content = Some(reader);
        }
        Ok(Some((number, xattrs)))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.content.as_mut().map_or(Ok(0), |content| {
            content.read(buffer).map_err(|source| Error::stream("read from the archive", source))
        })
    }
}

/// Some entries of a damaged payload: a file that is lost takes no other with it.
pub(super) struct Damaged<'a> {
    /// `None` where nothing of the payload can be read.
    salvager: Option<Salvager<'a>>,
    index: &'a Index,
    numbers: std::vec::IntoIter<usize>,
    /// The content is that of an entry; else `lost` says why there is none, where there should be one.
    is_open: bool,
    lost: Option<Error>,
    is_lost: bool,
    /// Counts what the payload did not give and what needs nothing of it but attributes.
    bare: &'a Cell<u64>,
}

impl<'a> Damaged<'a> {
    pub(super) fn new(
        archive: &Archive,
        index: &'a Index,
        numbers: Vec<usize>,
        bare: &'a Cell<u64>,
    ) -> Result<Self> {
        let salvager = match archive.salvage(index) {
            Err(error) if error.is_damage() => None,
            outcome => Some(outcome?),
        };
        let numbers = numbers.into_iter();
        Ok(Self { salvager, index, numbers, is_open: false, lost: None, is_lost: false, bare })
    }

    fn open(&mut self, number: usize) -> Result<Vec<Xattr>> {
        let entry = &self.index.entries[number];
        match &mut self.salvager {
            Some(salvager) => salvager.open(entry),
            None => Err(Error::tampered("nothing of the payload can be read")),
        }
    }
}

impl Feed for Damaged<'_> {
    fn next(&mut self) -> Result<Option<(usize, Vec<Xattr>)>> {
        (self.is_open, self.lost, self.is_lost) = (false, None, false);
        let Some(number) = self.numbers.next() else {
            return Ok(None);
        };
        let size = match self.index.entries[number].node {
            Node::File { size, .. } => size,
            Node::Directory => 0,
            Node::Symlink { .. } | Node::Hardlink { .. } => return Ok(Some((number, Vec::new()))),
        };
        match self.open(number) {
            Ok(xattrs) => {
                self.is_open = true;
                Ok(Some((number, xattrs)))
            }
            Err(error) if error.is_damage() => {
                if size > 0 {
                    self.lost = Some(error);
                } else {
                    self.bare.set(self.bare.get() + 1);
                }
                Ok(Some((number, Vec::new())))
            }
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let outcome = match (self.lost.take(), &mut self.salvager) {
            (Some(error), _) => Err(error),
            (None, Some(salvager)) if self.is_open => {
                salvager.read(buffer).map_err(|source| Error::stream("read from the archive", source))
            }
            (None, _) => Ok(0),
        };
        self.is_lost = outcome.as_ref().is_err_and(Error::is_damage);
        outcome
    }

    fn is_lost(&self) -> bool {
        self.is_lost
    }
}
