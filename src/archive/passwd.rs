//! Another passphrase for an archive that exists: rewrites the two copies of the header region in place (spec §11.2).
//!
//! At every moment one of the two copies is intact and opens with the old or the new key.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::archive::header::read_up_to;
use crate::archive::open::Archive;
use crate::archive::parts::Parts;
use crate::archive::source::Medium;
use crate::crypto::{Passphrase, slot};
use crate::error::{Error, Result};
use crate::format::limits::LIMITS;
use crate::format::region::{Region, SlotKind};

impl Archive {
    /// Gives the archive another passphrase, its first one, or with `None` none any more; the other slot stays.
    ///
    /// `path` is the file that this archive was opened from. 64 KiB are written, whatever its size, 128 KiB where the
    /// two copies of the header differ.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for an empty passphrase, where there is none to remove or nothing else would open the archive, where the file
    /// is being changed already, or is not the one that was opened; [`Malformed`](crate::ErrorKind::Malformed) and
    /// [`Truncated`](crate::ErrorKind::Truncated) where it is damaged so that writing could lose the last slot;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) where the slots do not fit. Nothing was written then.
    /// [`Io`](crate::ErrorKind::Io): the archive opens with the old passphrase, the new one, or both.
    ///
    /// # Security
    ///
    /// Copies of the file made before still open with the old passphrase, and so does, with the old header, this file:
    /// the archive identity stays the same (spec §14.3). A work factor of less than 18 is for tests.
    pub fn change_passphrase(
        &self,
        path: &Path,
        new: Option<&Passphrase>,
        work_factor: u8,
    ) -> Result<SlotChange> {
        let file = Parts::open_for_change(path, self.layout.length)?;
        // Some file systems have no locks: another error is no reason to stop.
        if file.head().is_some_and(|head| {
            flock(head, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
        }) {
            return Err(Error::invalid("is being changed by another program").within(path));
        }
        // A repair may have put another file into its place before the lock was had.
        let facts = |facts: std::fs::Metadata| (facts.dev(), facts.ino());
        let held = file.head().and_then(|head| head.metadata().ok()).map(facts);
        if held != std::fs::metadata(path).ok().map(facts) {
            return Err(Error::invalid("has become another file since it was opened").within(path));
        }
        self.change(&file, new, work_factor).map_err(|error| error.within(path))
    }

    pub(super) fn change(
        &self,
        medium: &dyn Medium,
        new: Option<&Passphrase>,
        work_factor: u8,
    ) -> Result<SlotChange> {
        let places = [0, self.layout.tail];
        let [head, tail] = places.map(|at| read_up_to(medium, at, LIMITS.region));
        let (head, tail) = (head?, tail?);
        let base = self.base(&head, &tail)?;
        let (expected, found) = (self.layout.length, medium.length().map_err(failed)?);
        if found < expected {
            let fault = medium.faults(expected).into_iter().next();
            let cut = || Error::Truncated { what: "the archive".to_owned(), expected, found };
            return Err(fault.unwrap_or_else(cut));
        }
        let mut region = base.region;
        let replaced = region.slots.iter().any(|(kind, _)| *kind == SlotKind::Passphrase);
        if new.is_none() && !replaced {
            return Err(Error::invalid("has no passphrase"));
        }
        region.slots.retain(|(kind, _)| *kind != SlotKind::Passphrase);
        if let Some(passphrase) = new {
            if passphrase.expose().is_empty() {
                return Err(Error::invalid("the passphrase is empty"));
            }
            let slot = slot::seal_passphrase(&self.identity, passphrase, work_factor)?;
            region.slots.insert(0, (SlotKind::Passphrase, slot));
        }
        if region.slots.is_empty() {
            return Err(Error::invalid("without its passphrase nothing would open the archive"));
        }
        let bytes = region.encode()?;
        let healed = head != tail;
        // §11.2: one good copy becomes two before the first of them is given up.
        if healed {
            let (good, at) = if base.is_tail { (&tail, places[0]) } else { (&head, places[1]) };
            write(medium, good, at)?;
        }
        write(medium, &bytes, places[1])?;
        write(medium, &bytes, places[0])?;
        Ok(SlotChange { replaced, healed })
    }

    /// Finds the copy to go on from: intact, of this archive, with the slot that the user's key opened.
    fn base(&self, head: &[u8], tail: &[u8]) -> Result<Base> {
        let manifest = self.manifest.encode().into_bytes();
        let mac = self.identity.manifest_mac(&self.manifest.archive, &manifest);
        let mut other = false;
        // The tail is the newer one where a change was interrupted.
        for (is_tail, bytes) in [(true, tail), (false, head)] {
            if let Some(region) = Region::decode(bytes) {
                let same = region.manifest == manifest && region.mac == mac;
                if same && region.slots.contains(&self.slot) {
                    return Ok(Base { region, is_tail });
                }
                other |= !same;
            }
        }
        Err(if other {
            Error::invalid("has become another file since it was opened")
        } else {
            Error::malformed(
                "no intact copy of the header region holds the slot that opened it: writing to one could lose the last",
            )
        })
    }
}

/// What a change of slots found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// There was a passphrase before.
    pub replaced: bool,
    /// The two copies of the header region differed, and were made the same first.
    pub healed: bool,
}

/// The copy to go on from.
struct Base {
    region: Region,
    is_tail: bool,
}

/// Writes one copy, and reads it back from the medium.
fn write(medium: &dyn Medium, bytes: &[u8], at: u64) -> Result<()> {
    medium.write_at(bytes, at).and_then(|()| medium.settle()).map_err(failed)?;
    if read_up_to(medium, at, bytes.len())? != bytes {
        return Err(failed(io::Error::other("what was written reads back differently")));
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::stream("write the header region", error)
}
