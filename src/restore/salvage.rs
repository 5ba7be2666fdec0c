//! What can still be had of a damaged archive, into a new directory (spec §10.1).

use std::cell::Cell;
use std::collections::HashSet;
use std::path::Path;

use crate::archive::{Archive, Listing};
use crate::error::{Error, Result};
use crate::format::entry::{Node, Role};
use crate::observer::Observer;
use crate::path::ArchivePath;

use super::feed::Damaged;
use super::select::{Selection, Wanted};
use super::{Adaptation, Restored, Target, plan, run, stamp};

/// What was had of one payload. The lists have files and links; directories come with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedPayload {
    /// Its role.
    pub role: Role,
    /// Whether its index is as it was.
    pub index_intact: bool,
    /// Restored, and as the index has them: files matched their hash.
    pub whole: Vec<ArchivePath>,
    /// Restored, every byte authenticated, but in no list that could be compared.
    pub authenticated: Vec<ArchivePath>,
    /// Known to have been there, and not restored: bytes of them are lost.
    pub lost: Vec<ArchivePath>,
    /// Why there may have been more than these; `None` where that cannot be.
    pub cut: Option<String>,
}

/// Restores every intact file of a damaged archive into a directory that is new or empty.
///
/// A file of which any byte is not proven is not made. Where the source of the archive fails to be read in places, it
/// is to be wrapped in [`Lossy`](crate::Lossy).
///
/// # Errors
///
/// `Tampered` where nothing is left; for the rest, as [`restore`](super::restore) where damage is not the reason.
pub fn salvage(
    archive: &Archive,
    selection: &Selection,
    directory: &Path,
    adaptation: &Adaptation,
    observer: &dyn Observer,
) -> Result<(Restored, Vec<SalvagedPayload>)> {
    let wanted = Wanted::parse(&selection.globs)?;
    let (mut indexes, mut payloads) = (Vec::new(), Vec::new());
    let mut counts = Vec::new();
    for role in archive.roles().filter(|role| selection.roles.contains(role)) {
        let Listing { index, listed, intact, cut } = archive.listing(role, observer)?;
        let cut = cut.map(|error| error.to_string());
        let (whole, authenticated, lost) = (Vec::new(), Vec::new(), Vec::new());
        payloads.push(SalvagedPayload { role, index_intact: intact, whole, authenticated, lost, cut });
        indexes.push(index);
        counts.push(listed);
    }
    if indexes.is_empty() {
        return Err(plan::no_payload(selection));
    }
    if indexes.iter().all(|index| index.entries.is_empty())
        && let Some(cut) = payloads.iter().find_map(|payload| payload.cut.as_ref())
    {
        return Err(Error::tampered(format!("nothing of the archive is left: {cut}")));
    }
    let contents = plan::contents(&indexes);
    let target = Target::Directory(directory.to_owned());
    let layout =
        plan::lay_out(&contents, &[], &wanted, &target, adaptation).map_err(|error| match error {
            Error::NotFound { what } if payloads.iter().any(|payload| payload.cut.is_some()) => {
                Error::tampered(format!("{what} in what is left of the archive"))
            }
            other => other,
        })?;
    let bare = Cell::new(0);
    let mut restored = run(&contents, &layout, &stamp(), 0, observer, |payload| {
        let numbers = layout.picks[payload].read();
        Ok(Box::new(Damaged::new(archive, &indexes[payload], numbers, &bare)?))
    })?;
    restored.notes.splice(0..0, plan::warnings(&indexes, &layout));
    if bare.get() > 0 {
        restored.notes.push(format!(
            "{} directories or empty files are made from the index alone: extended attributes that they had are lost",
            bare.get()
        ));
    }
    let lost: HashSet<&ArchivePath> = restored.lost.iter().collect();
    for (payload, salvaged) in payloads.iter_mut().enumerate() {
        let entries = &indexes[payload].entries;
        let numbers = layout.picks[payload].numbers();
        for number in numbers.filter(|&number| entries[number].node != Node::Directory) {
            let path = &entries[number].path;
            let fate = match number {
                _ if lost.contains(path) => &mut salvaged.lost,
                listed if listed < counts[payload] => &mut salvaged.whole,
                _ => &mut salvaged.authenticated,
            };
            fate.push(path.clone());
        }
    }
    Ok((restored, payloads))
}
