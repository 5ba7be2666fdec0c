//! What a stage is fed with: the entries of a payload in order, with their content.

use std::io::Read;

use crate::archive::{Archive, EntryReader};
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
