//! What can still be had of a damaged archive (spec §10.1).

use std::io::{BufReader, Read};

use crate::archive::open::Archive;
use crate::archive::source::Section;
use crate::crypto::chunks::Chunks;
#[cfg(test)]
use crate::crypto::stream::ReadPlain;
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Role, Xattr};
use crate::format::index::Index;
use crate::format::manifest::{index_name, payload_name};
use crate::observer::Observer;
use crate::payload::random::{EntryContent, RandomReader};
use crate::payload::rebuild::rebuild;

/// The entries of a payload, as far as they can still be known.
pub(crate) struct Listing {
    /// The entries; where the index is lost, as the payload itself has them.
    pub(crate) index: Index,
    /// How many of the entries, from the first, the index itself lists: a file among them that can be read is whole,
    /// others are authenticated only.
    pub(crate) listed: usize,
    /// Whether the index is what the manifest says.
    pub(crate) intact: bool,
    /// Why there may be more entries than these; `None` where that cannot be.
    pub(crate) cut: Option<Error>,
}

impl Archive {
    /// Lists a payload, from its index as far as that can be read, else from the payload itself.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such payload; `Io` where the source is not `Lossy`; `Interrupted`.
    pub(crate) fn listing(&self, role: Role, observer: &dyn Observer) -> Result<Listing> {
        match self.index(role) {
            Ok(index) => {
                let listed = index.entries.len();
                return Ok(Listing { index, listed, intact: true, cut: None });
            }
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
        }
        let part = match self.part_of_index(role) {
            // Every line is there: only what proves the whole is damaged.
            Ok((index, Ok(()))) => {
                let listed = index.entries.len();
                return Ok(Listing { index, listed, intact: false, cut: None });
            }
            Ok((part, Err(error))) if error.is_damage() => Some(part),
            Err(error) if error.is_damage() => None,
            Ok((_, Err(error))) | Err(error) => return Err(error),
        };
        let listed = part.as_ref().map_or(0, |part| part.entries.len());
        let (index, cut) = match self.chunks(role) {
            Ok(chunks) => rebuild(chunks, role, part, observer)?,
            Err(error) if error.is_damage() => (part.unwrap_or_else(|| Index::empty(role)), Some(error)),
            Err(error) => return Err(error),
        };
        Ok(Listing { index, listed, intact: false, cut })
    }

    /// Begins to take files out of a payload of which bytes are lost.
    ///
    /// # Errors
    ///
    /// Those of damage, where nothing of the payload can be read; else as [`Archive::listing`].
    pub(crate) fn salvage<'a>(&self, index: &'a Index) -> Result<Salvager<'a>> {
        let tar = RandomReader::over(self.chunks(index.role)?, index);
        Ok(Salvager { tar, content: None })
    }

    /// All of a payload that is whole, before it is decompressed.
    #[cfg(test)]
    pub(crate) fn plain(&self, role: Role) -> Vec<u8> {
        let mut chunks = self.chunks(role).unwrap();
        let mut plain = vec![0; usize::try_from(chunks.length()).unwrap()];
        chunks.read_plain(0, &mut plain).unwrap();
        plain
    }

    fn part_of_index(&self, role: Role) -> Result<(Index, Result<()>)> {
        let place = self.place(&index_name(role), role)?;
        let file = Section::new(self.source.clone(), place.content, place.member.length);
        let lines: BufReader<_> = self.lines(file, &place.name)?;
        Index::read_part(lines, &self.manifest().archive, role)
    }

    fn chunks(&self, role: Role) -> Result<Chunks<Section>> {
        let place = self.place(&payload_name(role), role)?;
        // As long as the manifest says, whatever the file is: what is missing is lost, not the end of it.
        let length = place.member.length;
        let file = Section::new(self.source.clone(), place.content, length);
        Chunks::new(self.identity.clone(), file, length, &place.name)
    }
}

/// Reads files of a damaged payload: one that cannot be read takes no other with it.
pub(crate) struct Salvager<'a> {
    tar: RandomReader<'a, Chunks<Section>>,
    content: Option<EntryContent<'a>>,
}

impl<'a> Salvager<'a> {
    /// Goes to an entry of the index; returns its extended attributes.
    ///
    /// # Errors
    ///
    /// Those of damage, where it is lost; `Io`.
    pub(crate) fn open(&mut self, entry: &'a Entry) -> Result<Vec<Xattr>> {
        self.content = None;
        let (content, xattrs) = self.tar.open(entry)?;
        self.content = Some(content);
        Ok(xattrs)
    }
}

impl Read for Salvager<'_> {
    /// Reads content of the entry; 0 comes only after all of it matched its hash.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.content.as_mut().map_or(Ok(0), |content| content.read(&mut self.tar, buffer))
    }
}
