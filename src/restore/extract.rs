//! Takes single entries out, beside what is there already.

use std::path::Path;

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::format::index::Index;
use crate::observer::Observer;
use crate::path::ArchivePath;

use super::layout::{Contents, Layout};
use super::locate::as_path;
use super::place::Places;
use super::select::Wanted;
use super::{Restored, feed, plan, run, stamp};

/// Puts entries below a directory, under their names in the archive; a directory takes what
/// is below it.
///
/// Nothing that is there is replaced, and no link in it is followed.
///
/// # Errors
///
/// `NotFound` where the archive has no such entry, `AlreadyExists` naming a file that is in
/// the way; else as [`restore`](super::restore). After an error nothing was added.
pub fn extract(
    archive: &Archive,
    paths: &[ArchivePath],
    directory: &Path,
    observer: &dyn Observer,
) -> Result<Restored> {
    let indexes: Vec<Index> = archive.roles().map(|role| archive.index(role)).collect::<Result<_>>()?;
    let contents = plan::contents(&indexes);
    let layout = lay_out(&contents, paths, directory)?;
    run(&contents, &layout, &stamp(), 0, observer, |payload| {
        feed(archive, &indexes[payload], &layout, payload, 0)
    })
}

/// Lays out what is wanted; refuses early what is in the way, before gigabytes are read.
pub(super) fn lay_out(contents: &[Contents<'_>], paths: &[ArchivePath], directory: &Path) -> Result<Layout> {
    let wanted = Wanted::Paths(paths.to_vec());
    let layout = Layout::new(contents, &wanted, |picks, _| Places::in_directory(contents, picks, directory))?;
    for (content, picks) in contents.iter().zip(&layout.picks) {
        for number in picks.numbers() {
            let path = directory.join(as_path(content.entries[number].path.as_bytes()));
            if path.symlink_metadata().is_ok_and(|there| !there.is_dir()) {
                return Err(Error::AlreadyExists { path });
            }
        }
    }
    Ok(layout)
}
