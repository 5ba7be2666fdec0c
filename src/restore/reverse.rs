//! One step of a restore taken back, as its journal tells it; done again, it does nothing.

use std::io::ErrorKind;

use crate::error::{Error, Result};
use crate::path::ArchivePath;

use super::journal::{Place, Record, present};
use super::keep::Keep;
use super::locate::shown;
use super::moves::{SIDE_FILES, is_database};
use super::stage::{Directory, is_directory};

/// Takes a step back, if it was done; returns what is missing.
pub(super) fn reverse(step: &Record) -> Result<Option<String>> {
    match step {
        Record::Renamed { from, to } => reverse_rename(from, to),
        Record::Exchanged { new, live, new_inode, live_inode } => {
            if is_exchanged(new, live, *new_inode, *live_inode)? {
                reverse_exchange(new, live)?;
            }
            Ok(None)
        }
        Record::Mode { directory, before } => {
            if let Some(directory) = present(Directory::open_unlinked(directory.path()))? {
                directory.set_mode(rustix::fs::Mode::from_raw_mode(*before))?;
            }
            Ok(None)
        }
        Record::Made(place) => {
            let Some(directory) = place.open()? else {
                return Ok(None);
            };
            match directory.remove(place.last()) {
                Err(Error::Io { source, .. })
                    if !matches!(
                        source.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory | ErrorKind::NotFound
                    ) =>
                {
                    Err(Error::io("remove", &place.path(), source))
                }
                // What a person put there is theirs.
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn reverse_rename(from: &Place, to: &Place) -> Result<Option<String>> {
    match (from.look()?, to.look()?) {
        (_, None) if from.look()?.is_some() => Ok(None),
        (_, None) => Ok(Some(format!("`{}` is not there any more", shown(&to.path())))),
        (None, Some(_)) => {
            // Looked up a moment ago.
            let Some(place) = to.open()? else { return Ok(None) };
            // What is kept is no longer in use, and stays with what it belongs to.
            if !Keep::is_kept(to.path().as_os_str().as_encoded_bytes()) {
                put_side_files_away(to, from)?;
            }
            place.rename(to.last(), &from.open_or_make()?, from.last())?;
            Ok(None)
        }
        // It was to take the place of an empty directory, and did not yet.
        (Some(_), Some(there)) if is_directory(&there) && is_empty(to)? => Ok(None),
        (Some(_), Some(_)) => Err(Error::AlreadyExists { path: from.path() }),
    }
}

fn is_empty(place: &Place) -> Result<bool> {
    let directory = place.open()?.map_or(Ok(None), |above| present(above.enter(place.last())))?;
    directory.map_or(Ok(false), |directory| Ok(directory.names()?.is_empty()))
}

/// Puts what `new` names, which was at `live` once, in its place again; what is there goes to `new`.
fn reverse_exchange(new: &Place, live: &Place) -> Result<()> {
    let gone = |place: &Place| Error::NotFound { what: format!("`{}` is gone", shown(&place.path())) };
    let old = new.open()?.ok_or_else(|| gone(new))?;
    let place = live.open_or_make()?;
    if place.look(live.last())?.is_none() {
        return old.rename(new.last(), &place, live.last());
    }
    put_side_files_away(live, new)?;
    if place.exchange(live.last(), &old, new.last())? {
        return Ok(());
    }
    Err(Error::invalid(format!("`{}` cannot be exchanged", shown(&live.path()))))
}

/// Moves the side files of a database that came since it was restored along with it: the one that
/// returns has its own.
fn put_side_files_away(live: &Place, new: &Place) -> Result<()> {
    let Some(place) = live.open()? else { return Ok(()) };
    if !is_database(place.open_file(live.last())) {
        return Ok(());
    }
    let aside = new.open_or_make()?;
    for suffix in SIDE_FILES {
        let side = [live.last(), suffix].concat();
        if side.len() <= ArchivePath::MAX_COMPONENT
            && place.look(&side)?.is_some()
            && aside.look(&side)?.is_none()
        {
            place.rename(&side, &aside, &side)?;
        }
    }
    Ok(())
}

/// Tells whether an exchange of names was done, and not reversed.
fn is_exchanged(new: &Place, live: &Place, new_inode: u64, live_inode: u64) -> Result<bool> {
    let at_new = new.look()?.map(|stat| stat.st_ino);
    let at_live = live.look()?.map(|stat| stat.st_ino);
    if at_live == Some(live_inode) || at_new == Some(new_inode) {
        Ok(false)
    } else if at_new == Some(live_inode) || at_live == Some(new_inode) {
        Ok(true)
    } else {
        Err(Error::invalid(format!(
            "neither `{}` nor `{}` is what it was",
            shown(&live.path()),
            shown(&new.path())
        )))
    }
}
