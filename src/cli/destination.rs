//! Where a new archive goes, decided and refused before any work is done.

use std::fs;
use std::path::{Path, PathBuf};

use ocbak::{Error, Estimate, Installation, NewArchive};

use super::failure::Failure;
use super::room;
use super::ui::{Ui, size};

/// Where a new archive goes.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    /// A file that does not exist, in a directory that does, and the size of its parts where it may need some.
    File {
        path: PathBuf,
        part: Option<u64>,
    },
}

impl Destination {
    /// Decides by what the user wrote after `--output`; `name` is the one in a directory.
    ///
    /// Parts have the size that the user asks for, where the drive holds such files.
    pub(crate) fn choose(
        output: &Path,
        name: &str,
        split: Option<u64>,
        installation: &Installation,
        ui: &Ui,
    ) -> Result<Self, Failure> {
        if output.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let is_directory = output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let path = if is_directory { output.join(name) } else { output.to_owned() };
        let parent = existing_parent(&path)?;
        // A dangling link is something that exists, too.
        if path.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists { path }.into());
        }
        outside(&path, parent, installation)?;
        let part = part_size(split, parent, ui);
        if part.is_some() {
            NewArchive::vacant(&path)?;
        }
        Ok(Self::File { path, part })
    }
}

/// Refuses a place for a new archive that is taken or is none; returns the size of the parts that may be needed there.
pub(crate) fn vacant(
    path: &Path,
    split: Option<u64>,
    estimate: &Estimate,
    ui: &Ui,
) -> Result<Option<u64>, Failure> {
    let directory = existing_parent(path)?;
    if path.symlink_metadata().is_ok() {
        return Err(Error::AlreadyExists { path: path.to_owned() }.into());
    }
    let part = part_size(split, directory, ui);
    if part.is_some() {
        NewArchive::vacant(path)?;
    }
    room::check(directory, estimate, ui)?;
    Ok(part)
}

/// The directory that a new file goes to.
pub(crate) fn existing_parent(path: &Path) -> Result<&Path, Failure> {
    let directory = parent(path);
    if directory.is_dir() {
        Ok(directory)
    } else {
        Err(Failure::NoDirectory { directory: directory.to_owned() })
    }
}

/// The directory that a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The size of the parts that an archive in a directory may need.
fn part_size(split: Option<u64>, directory: &Path, ui: &Ui) -> Option<u64> {
    let largest = room::largest_file(directory);
    match (split, largest) {
        (Some(wanted), Some(largest)) => {
            if wanted > largest {
                ui.note(format_args!(
                    "the file system of `{}` holds no file of 4 GiB: parts have at most {}",
                    directory.display(),
                    size(largest)
                ));
            }
            Some(wanted.min(largest))
        }
        (None, Some(largest)) => {
            ui.note(format_args!(
                "the file system of `{}` holds no file of 4 GiB: a larger archive is written in parts of {}",
                directory.display(),
                size(largest)
            ));
            Some(largest)
        }
        (split, None) => split,
    }
}

/// Refuses a place that the next backup would take in.
fn outside(path: &Path, parent: &Path, installation: &Installation) -> Result<(), Failure> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let Some(parent) = real(parent) else {
        return Ok(());
    };
    let workspaces = installation.workspaces.iter().map(|one| &one.path);
    let agents = installation.agent_dirs.iter().map(|one| &one.path);
    let own = [&installation.state_dir].into_iter().chain(&installation.credentials);
    for source in own.chain(agents).chain(workspaces) {
        if real(source).is_some_and(|source| parent.starts_with(source)) {
            return Err(Failure::InsideSource { output: path.to_owned(), source: source.clone() });
        }
    }
    Ok(())
}
