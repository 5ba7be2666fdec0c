//! Paths of the machine that is restored to: read from roots, resolved, compared, shown.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::Root;
use crate::path::{ArchivePath, sanitize};

/// Takes `..` out of a path through directories that may not be there yet.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// Joins what may be empty on either side.
pub(super) fn joined(prefix: Option<&ArchivePath>, rest: &[u8]) -> Result<Option<ArchivePath>> {
    match (prefix, rest) {
        (prefix, b"") => Ok(prefix.cloned()),
        (None, rest) => ArchivePath::parse(rest).map(Some),
        (Some(prefix), rest) => prefix.join(rest).map(Some),
    }
}

/// Returns the part of `path` below `base`.
pub(super) fn below(path: &Path, base: &Path) -> Result<Option<ArchivePath>> {
    let rest = path.strip_prefix(base).unwrap_or(path);
    joined(None, rest.as_os_str().as_bytes())
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Reads the place that a root came from.
pub(super) fn absolute(root: &Root) -> Result<PathBuf> {
    let path = as_path(&root.source);
    let is_clean = path.is_absolute()
        && path.components().all(|component| matches!(component, Component::RootDir | Component::Normal(_)));
    if is_clean && !root.source.contains(&0) {
        // Without repeated or trailing slashes.
        Ok(path.components().collect())
    } else {
        Err(Error::malformed(format!(
            "root `{}` comes from `{}`, which is no absolute path",
            root.path,
            shown(path)
        )))
    }
}

/// Follows the links in a path, the last of whose components need not exist.
pub(super) fn resolve(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| Error::io("resolve", path, error))?;
    match fs::canonicalize(&path) {
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if fs::symlink_metadata(&path).is_ok() {
                return Err(Error::invalid(format!("`{}` is a symbolic link to nothing", shown(&path))));
            }
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => Ok(resolve(parent)?.join(name)),
                _ => Err(Error::io("resolve", &path, error)),
            }
        }
        Err(error) => Err(Error::io("resolve", &path, error)),
    }
}

/// Tells whether two paths lead to the same place, as far as that can be seen.
pub(super) fn is_same_place(one: &Path, other: &Path) -> bool {
    one == other || matches!((resolve(one), resolve(other)), (Ok(one), Ok(other)) if one == other)
}

/// Makes a name fit for a message.
pub(super) fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}
