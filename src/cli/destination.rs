//! Where a new archive goes, decided and refused before any work is done.

use std::fs;
use std::path::{Path, PathBuf};

use ocbak::{Error, Installation, NewArchive};

use super::failure::Failure;

/// Where a new archive goes.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    /// A file that does not exist, in a directory that does.
    File(PathBuf),
}

impl Destination {
    /// Decides by what the user wrote after `--output`; `name` is the one in a directory.
    ///
    /// Where it may be written in `parts`, none of their names may be taken.
    pub(crate) fn choose(
        output: &Path,
        name: &str,
        parts: bool,
        installation: &Installation,
    ) -> Result<Self, Failure> {
        if output.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let is_directory = output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/");
        let path = if is_directory { output.join(name) } else { output.to_owned() };
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !parent.is_dir() {
            return Err(Failure::NoDirectory { directory: parent.to_owned() });
        }
        // A dangling link is something that exists, too.
        if path.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists { path }.into());
        }
        if parts {
            NewArchive::vacant(&path)?;
        }
        outside(&path, parent, installation)?;
        Ok(Self::File(path))
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
