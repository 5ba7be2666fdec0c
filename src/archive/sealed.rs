//! An archive whose grammar was read and whose key was not (spec §10 steps 1 to 3).

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::archive::header;
use crate::archive::open::Archive;
use crate::archive::parts::Parts;
use crate::archive::source::{ReadAt, Section, is_gap};
use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::{Keys, slot};
use crate::error::{Error, ErrorKind, Result};
use crate::format::block::{BLOCK, padding};
use crate::format::layout::{END, Layout, Place, member_header};
use crate::format::limits::LIMITS;
use crate::format::manifest::{Manifest, Member};
use crate::format::region::{Found, SlotKind};
use crate::observer::Observer;
use crate::payload::digest::DigestReader;

/// An archive without its key: nothing that it says is authenticated.
pub struct Sealed {
    pub(super) source: Arc<dyn ReadAt>,
    pub(super) length: u64,
    pub(super) found: Found,
    pub(super) manifest: Manifest,
    pub(super) layout: Layout,
}

/// Something that is damaged, a line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is damaged.
    pub what: String,
}

impl Sealed {
    /// Opens a file; the first of several parts stands for all of them.
    ///
    /// # Errors
    ///
    /// [`NotAnArchive`](ErrorKind::NotAnArchive), [`Unsupported`](ErrorKind::Unsupported) for a later version,
    /// [`Truncated`](ErrorKind::Truncated) and [`Malformed`](ErrorKind::Malformed) when no manifest is left,
    /// [`Io`](ErrorKind::Io); all name the file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_source(Self::find(path)?).map_err(|error| error.within(path))
    }

    /// Opens the files that an archive lies in.
    pub(super) fn find(path: &Path) -> Result<Arc<dyn ReadAt>> {
        let parts = Parts::open(path)?;
        // Files that are whole may be named like parts, too.
        if parts.is_many()
            && let Ok(first) = Parts::single(path)
        {
            let first: Arc<dyn ReadAt> = Arc::new(first);
            if Self::from_source(first.clone()).is_ok_and(|whole| whole.damage().is_empty()) {
                return Ok(first);
            }
        }
        Ok(Arc::new(parts))
    }

    /// Opens any source of bytes.
    ///
    /// # Errors
    ///
    /// As [`Sealed::open`].
    pub fn from_source(source: Arc<dyn ReadAt>) -> Result<Self> {
        let length = source.length().map_err(|error| Error::stream("read the archive", error))?;
        let found = header::read(source.as_ref(), length)?;
        let mut problem = None;
        for candidate in &found.manifests {
            match Manifest::decode(candidate) {
                Ok(manifest) => {
                    return Ok(Self { layout: Layout::new(&manifest)?, source, length, found, manifest });
                }
                // §4.3: a later version counts only where no other candidate serves.
                Err(error) if problem.is_none() || error.kind() == ErrorKind::Unsupported => {
                    problem = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(problem.unwrap_or_else(|| Error::malformed("the manifest is lost")))
    }

    /// Returns the manifest. Not authenticated.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the length of the file in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Tells whether there is a slot of a kind. Not authenticated.
    #[must_use]
    pub fn has_slot(&self, kind: SlotKind) -> bool {
        self.found.slots.iter().any(|(found, _)| *found == kind)
    }

    /// Returns what is wrong with the header regions and the length of the file.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        header_damage(&self.found, &self.layout, self.source.as_ref(), self.length)
    }

    /// Compares every member with its digest in the manifest, and every byte outside the members (spec §10 step 2).
    ///
    /// Finds rot without a key, not forgery; a member that cannot be read counts as damaged. The observer hears of
    /// ciphertext bytes.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io); [`Interrupted`](ErrorKind::Interrupted).
    pub fn verify_digests(&self, observer: &dyn Observer) -> Result<Vec<Damage>> {
        let mut damage = self.damage();
        // Where the end is missing, that is said already.
        if self.length >= self.layout.length {
            damage.extend(skeleton(&self.source, &self.layout)?);
        }
        for place in &self.layout.places {
            damage.extend(digest(&self.source, place, observer)?);
        }
        Ok(damage)
    }

    /// Opens a slot with the keys and proves the manifest with what it holds.
    ///
    /// # Errors
    ///
    /// [`WrongKey`](ErrorKind::WrongKey) when no key fits; [`Malformed`](ErrorKind::Malformed) when the slots are
    /// damaged; [`LimitExceeded`](ErrorKind::LimitExceeded) for a scrypt work factor over the keys' limit;
    /// [`Tampered`](ErrorKind::Tampered) when the manifest is not the one that was sealed.
    pub fn unlock(self, keys: &Keys) -> Result<Archive> {
        let mut opened = false;
        let mut slot_problem = None;
        let mut manifest_problem = None;
        for (number, (kind, bytes)) in self.found.slots.iter().enumerate() {
            match slot::open(*kind, bytes, keys) {
                Ok(Some(identity)) => {
                    opened = true;
                    match prove(&self.found, &identity) {
                        Ok(manifest) => {
                            let slot = (*kind, bytes.clone());
                            return self.proven(manifest, Arc::new(identity), slot);
                        }
                        Err(error) => manifest_problem = Some(error),
                    }
                }
                // A slot that only a damaged copy holds counts where no copy is intact.
                Err(error) if number < self.found.intact_slots || !self.found.some_intact => {
                    slot_problem = Some(error);
                }
                Ok(None) | Err(_) => {}
            }
        }
        if let Some(error) = manifest_problem.or(slot_problem) {
            return Err(error);
        }
        if self.found.slots.is_empty() {
            return Err(Error::malformed(
                "both copies of the header region are damaged: the key slots are lost",
            ));
        }
        let tried = keys.passphrase.is_some() || !keys.identities.is_empty();
        if tried && !opened && !self.found.some_intact {
            return Err(Error::malformed(
                "no key slot opens, and both copies of the header region are damaged: the slot may be lost, \
                 or the key may be a wrong one",
            ));
        }
        Err(Error::NoKeyFits {
            passphrase_slot: self.has_slot(SlotKind::Passphrase),
            recipients_slot: self.has_slot(SlotKind::Recipients),
            passphrase_tried: keys.passphrase.is_some(),
            identity_tried: !keys.identities.is_empty(),
        })
    }

    /// Opens with the archive identity itself, which only the writer has without a slot.
    pub(super) fn unlock_as_writer(self, identity: Arc<ArchiveIdentity>) -> Result<Archive> {
        let manifest = prove(&self.found, &identity)?;
        let slot = self.found.slots.first().cloned();
        let slot = slot.ok_or_else(|| Error::malformed("no key slot is left"))?;
        self.proven(manifest, identity, slot)
    }

    fn proven(
        self,
        manifest: Manifest,
        identity: Arc<ArchiveIdentity>,
        slot: (SlotKind, Vec<u8>),
    ) -> Result<Archive> {
        let layout = Layout::new(&manifest)?;
        let mut damage = header_damage(&self.found, &layout, self.source.as_ref(), self.length);
        // §3.3: known from here on; where the end is missing, that is said already.
        if self.length >= layout.length {
            damage.extend(skeleton(&self.source, &layout)?);
        }
        Ok(Archive::new(self.source, manifest, layout, identity, slot, damage))
    }
}

impl Damage {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Finds the manifest that holds under an identity (§4.3).
fn prove(found: &Found, identity: &ArchiveIdentity) -> Result<Manifest> {
    let mut problem = Error::tampered("the manifest does not match its authentication code");
    for bytes in &found.manifests {
        match Manifest::decode(bytes) {
            Ok(manifest) => {
                let holds = |mac: &Vec<u8>| identity.holds(&manifest.archive, bytes, mac);
                if found.macs.iter().any(holds) {
                    return Ok(manifest);
                }
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => problem = error,
            Err(_) => {}
        }
    }
    Err(problem)
}

fn header_damage(found: &Found, layout: &Layout, source: &dyn ReadAt, length: u64) -> Vec<Damage> {
    let mut damage: Vec<_> = found.problems.iter().map(Damage::new).collect();
    let faults = source.faults(layout.length);
    if !faults.is_empty() {
        damage.extend(faults.iter().map(|fault| Damage::new(fault.to_string())));
    } else if length < layout.length {
        damage.push(Damage::new(format!("the file ends early: {length} bytes of {}", layout.length)));
    } else if length > layout.length {
        damage.push(Damage::new(format!(
            "{} bytes follow after the end of the archive",
            length - layout.length
        )));
    }
    damage
}

/// Compares a member with its digest; one that cannot be read is damaged too.
pub(super) fn digest(
    source: &Arc<dyn ReadAt>,
    place: &Place,
    observer: &dyn Observer,
) -> Result<Option<Damage>> {
    let length = source.length().map_err(|error| Error::stream("read the archive", error))?;
    // A manifest may claim any length: what ends early is not even read.
    let there = place.content.saturating_add(place.member.length) <= length;
    let section = Section::new(source.clone(), place.content, place.member.length);
    let matches = if there { holds(section, &place.member, observer) } else { Ok(false) };
    let what = match matches {
        Ok(true) => return Ok(None),
        Ok(false) => "does not match its digest".to_owned(),
        Err(Error::Io { source, .. }) => format!("cannot be read: {source}"),
        Err(error) => return Err(error),
    };
    Ok(Some(Damage::new(format!("`{}` {what}", place.name))))
}

/// Tells whether a content is that of a member.
pub(super) fn holds(content: impl Read, member: &Member, observer: &dyn Observer) -> Result<bool> {
    let mut reader = DigestReader::new(content);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        observer.check()?;
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(reader.finish() == (member.length, member.sha256)),
            Ok(count) => observer.advance(count as u64),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if is_gap(&error) => return Ok(false),
            Err(error) => return Err(Error::stream("read the archive", error)),
        }
    }
}

/// Compares every byte outside members and header regions with what it must be (spec §3.3).
pub(super) fn skeleton(source: &Arc<dyn ReadAt>, layout: &Layout) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    let mut expect = |at: u64, expected: &[u8], what: String| {
        let mut found = Vec::with_capacity(expected.len());
        match Section::new(source.clone(), at, expected.len() as u64).read_to_end(&mut found) {
            Err(error) if !is_gap(&error) => return Err(Error::stream("read the archive", error)),
            _ => {}
        }
        if found != expected {
            damage.push(Damage::new(what));
        }
        Ok::<(), Error>(())
    };
    for place in &layout.places {
        let length = place.member.length;
        let header = member_header(&place.name, length);
        let name = &place.name;
        expect(place.content - BLOCK as u64, &header, format!("the tar header of `{name}` is damaged"))?;
        expect(
            place.content + length,
            &[0; BLOCK][..padding(length)],
            format!("the padding after `{name}` is damaged"),
        )?;
    }
    expect(layout.tail + LIMITS.region as u64, &[0; END], "the end of the tar is damaged".to_owned())?;
    Ok(damage)
}
