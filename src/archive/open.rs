//! An opened archive: exists only after its manifest's MAC held (spec §10 steps 4 and 5).

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use crate::archive::sealed::{Damage, Sealed};
use crate::archive::source::{ReadAt, Section};
use crate::crypto::Keys;
use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Decrypt;
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Role, Xattr};
use crate::format::frame::FrameHeader;
use crate::format::index::Index;
use crate::format::layout::{Layout, Place};
use crate::format::limits::LIMITS;
use crate::format::manifest::{Manifest, index_name, payload_name};
use crate::format::region::SlotKind;
use crate::payload::digest::DigestReader;
use crate::payload::random::{EntryContent, RandomReader};
use crate::payload::stream::PayloadStream;

/// An archive that was unlocked and whose manifest is authentic.
pub struct Archive {
    pub(super) source: Arc<dyn ReadAt>,
    pub(super) manifest: Manifest,
    pub(super) layout: Layout,
    pub(super) identity: Arc<ArchiveIdentity>,
    /// The slot that opened it.
    pub(super) slot: (SlotKind, Vec<u8>),
    damage: Vec<Damage>,
}

impl Archive {
    /// Opens a file with keys.
    ///
    /// # Errors
    ///
    /// Those of [`Sealed::open`] and [`Sealed::unlock`].
    ///
    /// # Security
    ///
    /// An archive that was opened by a recipients slot may have been made by anyone who knows the recipient
    /// (spec §14.3); see [`Archive::opened_by`].
    pub fn open(path: &Path, keys: &Keys) -> Result<Self> {
        Sealed::open(path)?.unlock(keys).map_err(|error| error.within(path))
    }

    pub(super) fn new(
        source: Arc<dyn ReadAt>,
        manifest: Manifest,
        layout: Layout,
        identity: Arc<ArchiveIdentity>,
        slot: (SlotKind, Vec<u8>),
        damage: Vec<Damage>,
    ) -> Self {
        Self { source, manifest, layout, identity, slot, damage }
    }

    /// Returns the manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the kind of the slot that opened the archive.
    #[must_use]
    pub fn opened_by(&self) -> SlotKind {
        self.slot.0
    }

    /// Returns what is wrong with the header regions, the length of the file and the bytes between the members,
    /// although the archive opened.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Iterates over the payloads' roles.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.manifest.payloads.iter().map(|members| members.role)
    }

    /// Reads the index of a payload.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such payload;
    /// [`Tampered`](crate::ErrorKind::Tampered), [`Malformed`](crate::ErrorKind::Malformed) and
    /// [`Truncated`](crate::ErrorKind::Truncated) for a damaged index; [`Io`](crate::ErrorKind::Io).
    pub fn index(&self, role: Role) -> Result<Index> {
        let place = self.place(&index_name(role), role)?;
        let mut file = DigestReader::new(self.section(place)?);
        let mut lines = self.lines(&mut file, &place.name)?;
        let index = Index::read(&mut lines, &self.manifest.archive, role)?;
        let mut rest = lines.into_inner().0.finish();
        let beyond = rest.fill_buf().map_err(failed)?.len();
        drop(rest);
        let (length, sha256) = file.finish();
        let name = &place.name;
        if beyond > 0 {
            return Err(Error::malformed(format!("`{name}` goes on after its frame")));
        }
        if length != place.member.length || sha256 != place.member.sha256 {
            return Err(Error::tampered(format!("`{name}` does not match its digest")));
        }
        Ok(index)
    }

    /// Decrypts and decompresses an index.
    pub(super) fn lines<R: Read + Seek>(
        &self,
        file: R,
        name: &str,
    ) -> Result<BufReader<Frame<BufReader<Decrypt<R>>>>> {
        let decrypt = Decrypt::new(&self.identity, file, name)?;
        let mut frame = BufReader::new(decrypt);
        // §9.1; a buffer of 8 KiB holds the frame's header.
        let header = FrameHeader::decode(frame.fill_buf().map_err(failed)?)
            .map_err(|_| Error::malformed("index: its frame has a header against the rules"))?;
        // The decompressor lets a larger one pass where the whole frame is at hand.
        if header.window > 1 << LIMITS.index_window_log {
            return Err(Error::malformed("index: its frame has a window of more than 8 MiB"));
        }
        let mut zstd = zstd::Decoder::with_buffer(frame).map_err(failed)?.single_frame();
        zstd.window_log_max(LIMITS.index_window_log).map_err(failed)?;
        Ok(BufReader::with_capacity(64 * 1024, Frame(zstd)))
    }

    /// Reads one entry by seeking to it; a file's content is proven when reading ended without an error.
    ///
    /// # Errors
    ///
    /// [`Tampered`](crate::ErrorKind::Tampered) and [`Malformed`](crate::ErrorKind::Malformed) when the payload is not
    /// as the index says; [`Io`](crate::ErrorKind::Io).
    pub fn read<'a>(&'a self, index: &'a Index, entry: &'a Entry) -> Result<EntryReader<'a>> {
        let place = self.place(&payload_name(index.role), index.role)?;
        let section = self.section(place)?;
        let mut tar = RandomReader::new(&self.identity, section, &place.name, index)?;
        let (content, xattrs) = tar.open(entry)?;
        Ok(EntryReader { tar, content, xattrs })
    }

    /// Reads a whole payload in order, decompressing with `threads` threads (0 for all cores, bounded by memory).
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such payload; [`Io`](crate::ErrorKind::Io).
    pub fn stream<'a>(&self, index: &'a Index, threads: usize) -> Result<PayloadStream<'a>> {
        let place = self.place(&payload_name(index.role), index.role)?;
        PayloadStream::new(
            self.identity.clone(),
            self.section(place)?,
            &place.name,
            place.member,
            index,
            threads,
        )
    }

    pub(super) fn place(&self, name: &str, role: Role) -> Result<&Place> {
        self.layout
            .place(name)
            .ok_or_else(|| Error::NotFound { what: format!("the archive has no {role} payload") })
    }

    /// The content of a member, which must be there to its end.
    fn section(&self, place: &Place) -> Result<Section> {
        let expected = place.member.length;
        let length = self.source.length().map_err(|error| Error::stream("read the archive", error))?;
        let found = length.saturating_sub(place.content);
        // §10 step 3
        if found < expected {
            let fault = self.source.faults(self.layout.length).into_iter().next();
            return Err(fault.unwrap_or_else(|| Error::Truncated {
                what: format!("`{}`", place.name),
                expected,
                found,
            }));
        }
        Ok(Section::new(self.source.clone(), place.content, expected))
    }
}

/// The content of one entry.
pub struct EntryReader<'a> {
    tar: RandomReader<'a, Decrypt<Section>>,
    content: EntryContent<'a>,
    xattrs: Vec<Xattr>,
}

impl EntryReader<'_> {
    /// Returns the extended attributes of the entry.
    #[must_use]
    pub fn xattrs(&self) -> &[Xattr] {
        &self.xattrs
    }
}

impl Read for EntryReader<'_> {
    /// Reads content; fails at the end unless all of it matched its hash.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(&mut self.tar, buffer)
    }
}

/// Tells a broken zstd frame from a failing medium.
pub(super) struct Frame<R: BufRead>(zstd::Decoder<'static, R>);

impl<R: BufRead> Read for Frame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let own = error.get_ref().is_some_and(|inner| inner.downcast_ref::<Error>().is_some());
            if own || error.raw_os_error().is_some() {
                error
            } else {
                Error::tampered("index: its frame does not decompress").into()
            }
        })
    }
}

fn failed(error: io::Error) -> Error {
    Error::stream("read the index", error)
}
