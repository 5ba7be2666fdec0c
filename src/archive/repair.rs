//! What the parity member of an archive can do for it (spec §18.5, §18.6).

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::archive::lossy::Lossy;
use crate::archive::parity;
use crate::archive::sealed::{Damage, Sealed, digest, holds};
use crate::archive::source::{ReadAt, Section};
use crate::error::{Error, Result};
use crate::format::block::{BLOCK, padding};
use crate::format::layout::{END, Place, member_header};
use crate::format::limits::LIMITS;
use crate::format::manifest::PARITY_NAME;
use crate::format::parity::Geometry;
use crate::format::region::Found;
use crate::observer::Observer;

/// What the parity member holds. Not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parity {
    /// Length of the member in bytes.
    pub length: u64,
    /// Blocks of 4 KiB that share what rebuilds them; 0 where the member holds nothing that this program knows.
    pub blocks: u64,
    /// How many of those can be rebuilt.
    pub rebuilt: u64,
}

/// What a repair would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prospect {
    /// Blocks of 4 KiB between the header regions that are damaged, where there is parity to tell.
    pub damaged: u64,
    /// How many of them cannot be rebuilt.
    pub lost: u64,
    /// Whether all payloads and indexes can be had again as the manifest describes them.
    pub repairable: bool,
    /// What a repair would leave as it is.
    pub left: Vec<Damage>,
}

/// What a repair came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Blocks of 4 KiB that were rebuilt.
    pub blocks: u64,
    /// What was left as it is.
    pub left: Vec<Damage>,
}

impl Sealed {
    /// Returns what the parity member holds, where there is one. Not authenticated.
    #[must_use]
    pub fn parity(&self) -> Option<Parity> {
        let length = self.manifest.parity?.length;
        let spread = self.geometry().map(|geometry| geometry.data);
        let (blocks, rebuilt) = spread.map_or((0, 0), |spread| (spread.rows, spread.recovery));
        Some(Parity { length, blocks: blocks as u64, rebuilt: rebuilt as u64 })
    }

    /// Finds what a repair of a damaged archive would come to, without any key. The observer hears of bytes read.
    ///
    /// # Errors
    ///
    /// [`Interrupted`](crate::ErrorKind::Interrupted) alone: what cannot be read counts as damaged.
    pub fn prospect(&self, observer: &dyn Observer) -> Result<Prospect> {
        let mut prospect = Prospect { left: self.left(), ..Prospect::default() };
        if let Some(geometry) = self.geometry().filter(|geometry| self.may_serve(geometry)) {
            let mut section = Section::new(self.lossy(), 0, self.layout.length);
            let loss = parity::survey(&mut section, &geometry, observer)?;
            (prospect.damaged, prospect.lost) = (loss.shards, loss.for_good);
        }
        prospect.repairable = prospect.lost == 0
            && !self.found.slots.is_empty()
            && (self.region().is_some()
                || self.keeps_header(&mut Section::new(self.lossy(), 0, self.layout.length))?)
            && (prospect.damaged > 0 || self.members_hold(observer)?);
        Ok(prospect)
    }

    /// Writes the whole archive to `sink`, damaged parts rebuilt, without any key; every member matches the manifest
    /// then. The observer hears of bytes read.
    ///
    /// # Errors
    ///
    /// [`Tampered`](crate::ErrorKind::Tampered) when it is beyond repair: what was written is of no use then;
    /// [`Io`](crate::ErrorKind::Io) of the sink; [`Interrupted`](crate::ErrorKind::Interrupted).
    ///
    /// # Security
    ///
    /// Nothing is authenticated: what comes out is as genuine as the manifest, which a key has to prove.
    pub fn repair<W: Read + Write + Seek>(&self, sink: &mut W, observer: &dyn Observer) -> Result<Repaired> {
        let geometry = self.geometry();
        if self.found.slots.is_empty() {
            return Err(Error::tampered("beyond repair: all key slots are lost"));
        }
        // A manifest may claim any length: what is not there is not even tried.
        let there = geometry.as_ref().map_or(self.length >= self.layout.tail, |one| self.may_serve(one));
        if !there {
            return Err(Error::tampered("beyond repair: most of the file is missing"));
        }
        self.copy(sink, observer)?;
        let mut repaired = Repaired { blocks: 0, left: self.left() };
        let (parity, payloads): (Vec<&Place>, _) =
            self.layout.places.iter().partition(|place| place.name == PARITY_NAME);
        if let Some(damaged) = first_damaged(sink, &payloads, observer)? {
            let Some(geometry) = &geometry else {
                let name = &damaged.name;
                return Err(Error::tampered(format!(
                    "beyond repair: `{name}` is damaged, and there is no parity to rebuild it with"
                )));
            };
            let loss = parity::mend(sink, geometry, observer)?;
            if loss.for_good > 0 {
                return Err(Error::tampered(format!(
                    "beyond repair: {} blocks of 4 KiB are damaged, and parity cannot rebuild {} of them",
                    loss.shards, loss.for_good
                )));
            }
            repaired.blocks = loss.shards;
        }
        if let (Some(geometry), Some(_)) = (&geometry, first_damaged(sink, &parity, observer)?) {
            parity::write(sink, geometry, observer)?;
        }
        // §18.6: the proof, whatever was done before.
        let all: Vec<_> = self.layout.places.iter().collect();
        if let Some(damaged) = first_damaged(sink, &all, observer)? {
            let name = &damaged.name;
            return Err(Error::tampered(format!("beyond repair: `{name}` does not match its digest")));
        }
        if self.region().is_none() && !self.keeps_header(sink)? {
            return Err(Error::tampered("beyond repair: a header region is not where it belongs"));
        }
        sink.flush().map_err(failed)?;
        Ok(repaired)
    }

    /// Copies what is there, and writes what is known.
    fn copy<W: Write + Seek>(&self, sink: &mut W, observer: &dyn Observer) -> Result<()> {
        let (layout, region) = (&self.layout, LIMITS.region as u64);
        let mut whole = Section::new(self.lossy(), 0, layout.length);
        let mut buffer = vec![0; 1 << 20];
        sink.seek(SeekFrom::Start(0)).map_err(failed)?;
        loop {
            observer.check()?;
            let count = whole.read(&mut buffer).map_err(|error| Error::stream("read the archive", error))?;
            if count == 0 {
                break;
            }
            sink.write_all(&buffer[..count]).map_err(failed)?;
            observer.advance(count as u64);
        }
        let mut put = |at: u64, bytes: &[u8]| {
            sink.seek(SeekFrom::Start(at)).and_then(|_| sink.write_all(bytes)).map_err(failed)
        };
        for Place { name, content, member } in &layout.places {
            put(content - BLOCK as u64, &member_header(name, member.length))?;
            put(content + member.length, &[0; BLOCK][..padding(member.length)])?;
        }
        put(layout.tail + region, &[0; END])?;
        if let Some(bytes) = self.region() {
            put(0, bytes)?;
            put(layout.tail, bytes)?;
        }
        Ok(())
    }

    /// Whether all that was found of the header regions is found in the new file: what a cut moved would be lost.
    fn keeps_header<S: Read + Seek>(&self, file: &mut S) -> Result<bool> {
        let mut copies = [Vec::new(), Vec::new()];
        for (bytes, at) in copies.iter_mut().zip([0, self.layout.tail]) {
            file.seek(SeekFrom::Start(at)).map_err(failed)?;
            file.by_ref().take(LIMITS.region as u64).read_to_end(bytes).map_err(failed)?;
        }
        let (old, new) = (&self.found, Found::merge(&copies[0], &copies[1]));
        Ok(old.manifests.iter().all(|one| new.manifests.contains(one))
            && old.macs.iter().all(|one| new.macs.contains(one))
            && old.slots.iter().all(|one| new.slots.contains(one)))
    }

    /// Where everything in the parity member stands, if there is one of this format.
    fn geometry(&self) -> Option<Geometry> {
        let place = self.layout.place(PARITY_NAME)?;
        Geometry::for_length(self.manifest.archive, place.content, place.member.length)
    }

    /// Whether so much of the file is there that looking at its shards is of use; a manifest may claim any length.
    fn may_serve(&self, geometry: &Geometry) -> bool {
        // A code never rebuilds more than it has.
        self.length >= geometry.end - LIMITS.region as u64
    }

    /// All that can be read, and zeros for what cannot.
    fn lossy(&self) -> Arc<dyn ReadAt> {
        Arc::new(Lossy::new(self.source.clone()))
    }

    /// Whether all payloads and indexes match their digests.
    fn members_hold(&self, observer: &dyn Observer) -> Result<bool> {
        for place in self.layout.places.iter().filter(|place| place.name != PARITY_NAME) {
            if digest(&self.source, place, observer)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns what is wrong with the header regions and cannot be put right without a key.
    #[must_use]
    pub fn left(&self) -> Vec<Damage> {
        if self.region().is_some() {
            return Vec::new();
        }
        self.found.problems.iter().map(Damage::new).collect()
    }

    /// The header region of the manifest in use, where there is no doubt of it.
    fn region(&self) -> Option<&[u8]> {
        let manifest = self.manifest.encode();
        let region = self.found.region.as_deref()?;
        region.get(512..)?.starts_with(manifest.as_bytes()).then_some(region)
    }
}

/// Finds the first member that does not match its digest.
fn first_damaged<'a, S: Read + Seek>(
    file: &mut S,
    places: &[&'a Place],
    observer: &dyn Observer,
) -> Result<Option<&'a Place>> {
    for place in places {
        file.seek(SeekFrom::Start(place.content)).map_err(failed)?;
        if !holds((&mut *file).take(place.member.length), &place.member, observer)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn failed(error: io::Error) -> Error {
    Error::stream("write the archive", error)
}
