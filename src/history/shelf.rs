//! The archives of a directory as they describe themselves, in groups that a policy may thin out.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive::{Sealed, files_of};
use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::format::manifest::Manifest;

/// The archives of a directory.
#[derive(Debug)]
pub struct Shelf {
    /// Those that can be read, newest first.
    pub archives: Vec<Shelved>,
    /// Files that have an archive's name and cannot be read as one, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
}

/// One archive. Nothing of it is authenticated.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// The file, or the first of its parts.
    pub path: PathBuf,
    /// The file, or all its parts in order.
    pub files: Vec<PathBuf>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Length in bytes.
    pub length: u64,
    /// What is wrong with its header and its length; its content was not read.
    pub damage: Vec<String>,
}

/// The archives that stand for each other: those of one installation that hold the same payloads.
#[derive(Debug)]
pub struct Group<'a> {
    /// The series of the installation.
    pub series: [u8; 16],
    /// The payloads that each of them holds.
    pub roles: Vec<Role>,
    /// The archives, newest first.
    pub archives: Vec<&'a Shelved>,
}

impl Shelf {
    /// Looks at every file of a directory whose name ends with `.ocbak` or, for the first of several parts, `.ocbak.001`;
    /// not at directories below, and through no link.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where the directory cannot be listed.
    pub fn read(directory: &Path) -> Result<Self> {
        let failed = |error| Error::io("list", directory, error);
        let mut shelf = Self { archives: Vec::new(), unreadable: Vec::new() };
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let is_named = [".ocbak", ".ocbak.001"]
                .iter()
                .any(|end| entry.file_name().as_encoded_bytes().ends_with(end.as_bytes()));
            if !is_named || !entry.file_type().map_err(failed)?.is_file() {
                continue;
            }
            match Shelved::read(&path) {
                Ok(archive) => shelf.archives.push(archive),
                // Gone meanwhile.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error) => shelf.unreadable.push((path, error)),
            }
        }
        // Names make the order of copies the same in every run.
        shelf.archives.sort_by(|one, other| other.created.cmp(&one.created).then(one.path.cmp(&other.path)));
        shelf.unreadable.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(shelf)
    }

    /// Groups the archives that have a series, in the order of their newest.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for archive in &self.archives {
            let Some(series) = archive.manifest.series else { continue };
            let roles: Vec<Role> = archive.manifest.payloads.iter().map(|payload| payload.role).collect();
            match groups.iter_mut().find(|group| group.series == series && group.roles == roles) {
                Some(group) => group.archives.push(archive),
                None => groups.push(Group { series, roles, archives: vec![archive] }),
            }
        }
        groups
    }
}

impl Shelved {
    /// Reads what an archive says about itself.
    ///
    /// # Errors
    ///
    /// Those of [`Sealed::open`].
    pub fn read(path: &Path) -> Result<Self> {
        let sealed = Sealed::open(path)?;
        let manifest = sealed.manifest().clone();
        let created: Timestamp = manifest
            .created
            .parse()
            .map_err(|_| Error::malformed("manifest: `created` is no time").within(path))?;
        let own = fs::metadata(path).map_err(|error| Error::io("read", path, error))?.len();
        // A file that is whole by itself may be named like a part: what is named like others is not its.
        let files =
            if own == sealed.length() { vec![path.to_owned()] } else { files_of(path)?.unwrap_or_default() };
        Ok(Self {
            path: path.to_owned(),
            files,
            created: created.as_second(),
            length: sealed.length(),
            damage: sealed.damage().into_iter().map(|damage| damage.what).collect(),
            manifest,
        })
    }
}
