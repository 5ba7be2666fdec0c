//! The index of a payload, read line by line (spec §9).

pub(crate) mod line;
mod plain;
mod words;

use std::io::{BufRead, Read};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Noted, Role, Skipped, Source};
use crate::format::index::line::{Head, Line, Totals};
use crate::format::layout::END;
use crate::format::limits::{LIMITS, compressed_frame};
use crate::format::order::EntryOrder;
use crate::path::ArchivePath;

/// What a payload holds, as its index lists it.
#[derive(Clone, Debug)]
pub struct Index {
    /// Role of the payload.
    pub role: Role,
    /// Where the entries come from.
    pub source: Source,
    /// Entries, ascending by name.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What needs a remark.
    pub noted: Vec<Noted>,
    /// Sum of the sizes of all files in bytes.
    pub content: u64,
    /// Tar bytes in every frame but the last.
    pub(crate) frame_size: u32,
    /// Where each compressed frame ends in the payload's plaintext.
    pub(crate) frame_ends: Vec<u64>,
    /// Length of the tar.
    pub(crate) tar: u64,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    ///
    /// `Malformed` where the lines break a rule, `Tampered` where they belong to another archive or role; errors of
    /// `lines` as they are.
    pub(crate) fn read(lines: impl BufRead, archive: &[u8; 16], role: Role) -> Result<Self> {
        let (index, end) = Self::read_part(lines, archive, role)?;
        end.map(|()| index)
    }

    /// As [`Index::read`], but returns what stands before the first line that cannot be read, and why it ends there.
    ///
    /// Without its end, an index has no length of the tar, and not all its frames.
    ///
    /// # Errors
    ///
    /// As [`Index::read`], where not even the head can be read.
    pub(crate) fn read_part(
        mut lines: impl BufRead,
        archive: &[u8; 16],
        role: Role,
    ) -> Result<(Self, Result<()>)> {
        let mut text = Vec::new();
        let Some(Line::Head(head)) = next_line(&mut lines, &mut text)? else {
            return Err(Error::malformed("index: does not begin with its head"));
        };
        if head.archive != *archive || head.role != role {
            return Err(Error::tampered("index: belongs to another archive or payload"));
        }
        let mut parser = Parser::new(head)?;
        let end = parser.read(&mut lines, &mut text);
        Ok((parser.index, end))
    }

    /// An index that knows nothing yet.
    pub(crate) fn empty(role: Role) -> Self {
        Self {
            role,
            source: Source::default(),
            entries: Vec::new(),
            skipped: Vec::new(),
            noted: Vec::new(),
            content: 0,
            frame_size: LIMITS.frame_size_least,
            frame_ends: Vec::new(),
            tar: 0,
        }
    }

    /// Finds an entry by name.
    #[must_use]
    pub fn find(&self, path: &ArchivePath) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// The part of the payload's plaintext that holds frame `number`, and the frame's length decompressed.
    pub(crate) fn frame(&self, number: u64) -> Option<(std::ops::Range<u64>, usize)> {
        let at = usize::try_from(number).ok()?;
        let end = *self.frame_ends.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.frame_ends.get(before)?,
            None => 0,
        };
        let first = number.checked_mul(u64::from(self.frame_size))?;
        let length = self.tar.checked_sub(first)?.min(u64::from(self.frame_size));
        Some((start..end, usize::try_from(length).ok()?))
    }

    /// Length of the payload's plaintext: of all compressed frames.
    pub(crate) fn compressed(&self) -> u64 {
        self.frame_ends.last().copied().unwrap_or(0)
    }

    /// Whether something should have been stored and was not, or should be looked at.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        self.skipped.iter().any(|skipped| skipped.why.needs_attention())
            || self.noted.iter().any(|noted| noted.why.needs_attention())
    }
}

/// Takes the lines between head and totals.
struct Parser {
    index: Index,
    order: EntryOrder,
    /// Least offset that the next entry can have.
    free: u64,
    /// The last frame line, when it was not full and so must be the last.
    frames_ended: bool,
}

impl Parser {
    fn new(head: Head) -> Result<Self> {
        let order = EntryOrder::new(&head.source.roots)?;
        let empty = Index::empty(head.role);
        let index = Index { source: head.source, frame_size: head.frame_size, ..empty };
        Ok(Self { index, order, free: 0, frames_ended: false })
    }

    /// Takes all lines that follow the head.
    fn read(&mut self, lines: &mut impl BufRead, text: &mut Vec<u8>) -> Result<()> {
        loop {
            match next_line(lines, text)? {
                Some(Line::Totals(totals)) => {
                    if next_line(lines, text)?.is_some() {
                        return Err(Error::malformed("index: has lines after its totals"));
                    }
                    return self.finish(totals);
                }
                Some(line) => self.take(line)?,
                None => return Err(Error::malformed("index: ends without its totals")),
            }
        }
    }

    fn take(&mut self, line: Line) -> Result<()> {
        // §9.1: frame lines come after everything but the totals.
        let late = !self.index.frame_ends.is_empty();
        match line {
            Line::Entry(entry) if !late => self.entry(entry),
            Line::Skipped(skipped) if !late => {
                self.index.skipped.push(skipped);
                Ok(())
            }
            Line::Noted(noted) if !late => {
                self.index.noted.push(noted);
                Ok(())
            }
            Line::Frames(lengths) if !self.frames_ended => self.frames(&lengths),
            _ => Err(Error::malformed("index: a line where none of its kind may stand")),
        }
    }

    fn entry(&mut self, entry: Entry) -> Result<()> {
        self.order.accept(&entry.path, entry.node == Node::Directory)?;
        let bad = |what: &str| Err(Error::malformed(format!("index: `{}` {what}", entry.path)));
        let exact = self.index.entries.is_empty();
        if entry.offset < self.free || (exact && entry.offset != 0) || !entry.offset.is_multiple_of(512) {
            return bad("has an offset against the rules");
        }
        let size = match &entry.node {
            Node::File { size, .. } => *size,
            Node::Hardlink { target } => {
                if !matches!(self.index.find(target).map(|entry| &entry.node), Some(Node::File { .. })) {
                    return bad("is a hard link to something that is not a file before it");
                }
                0
            }
            Node::Directory | Node::Symlink { .. } => 0,
        };
        let end = super::block::padded(size)
            .and_then(|padded| entry.offset.checked_add(512)?.checked_add(padded))
            .filter(|end| *end < LIMITS.length);
        let Some(end) = end else {
            return bad("ends beyond any tar");
        };
        self.free = end;
        self.index.content = self.index.content.saturating_add(size);
        self.index.entries.push(entry);
        Ok(())
    }

    fn frames(&mut self, lengths: &[u64]) -> Result<()> {
        let full = lengths.len() == LIMITS.frames_in_line;
        let most = compressed_frame(self.index.frame_size);
        let mut end = self.index.compressed();
        if lengths.is_empty() || lengths.len() > LIMITS.frames_in_line {
            return Err(Error::malformed("index: a frame line of a wrong length"));
        }
        for length in lengths {
            if *length > most {
                return Err(Error::malformed("index: a frame longer than the limit"));
            }
            end =
                end.checked_add(*length).ok_or_else(|| Error::malformed("index: frames beyond any file"))?;
            self.index.frame_ends.push(end);
        }
        self.frames_ended = !full;
        Ok(())
    }

    fn finish(&mut self, totals: Totals) -> Result<()> {
        let count = |list: usize| list as u64;
        let frames = totals.tar.div_ceil(u64::from(self.index.frame_size));
        let end = self.free.checked_add(END as u64);
        let counted = totals.entries == count(self.index.entries.len())
            && totals.skipped == count(self.index.skipped.len())
            && totals.noted == count(self.index.noted.len())
            && totals.content == self.index.content
            && end.is_some_and(|end| totals.tar >= end)
            && totals.tar < LIMITS.length
            && totals.tar.is_multiple_of(512)
            && frames == count(self.index.frame_ends.len())
            && frames < LIMITS.frames;
        if !counted {
            return Err(Error::malformed("index: totals that are not those of its lines"));
        }
        self.index.tar = totals.tar;
        Ok(())
    }
}

fn next_line(lines: &mut impl BufRead, text: &mut Vec<u8>) -> Result<Option<Line>> {
    text.clear();
    // With its line feed.
    let most = LIMITS.index_line.saturating_add(1);
    lines
        .take(most as u64)
        .read_until(b'\n', text)
        .map_err(|error| Error::stream("read the index", error))?;
    match text.pop() {
        None => Ok(None),
        Some(b'\n') => Line::decode(text).map(Some),
        Some(_) if text.len() == LIMITS.index_line => {
            Err(Error::malformed("index: a line of more than 1 MiB"))
        }
        Some(_) => Err(Error::malformed("index: ends in the middle of a line")),
    }
}

#[cfg(test)]
pub(crate) mod tests;
