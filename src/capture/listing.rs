//! What is in one open directory.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::Dir;

use crate::capture::meta::Meta;
use crate::capture::stable;
use crate::openclaw::policy::{CACHE_TAG, CACHE_TAG_SIGNATURE};

/// The names in a directory, ascending, and the error that ended the list early.
pub(crate) fn names(handle: &OwnedFd) -> io::Result<(Vec<CString>, Option<io::Error>)> {
    let mut names = Vec::new();
    let mut failure = None;
    // The same directory by a second handle; opening it again would need the right to search it.
    for entry in Dir::new(handle.try_clone()?)? {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(entry) => names.push(entry.file_name().to_owned()),
            Err(error) => {
                failure = Some(error.into());
                break;
            }
        }
    }
    names.sort_unstable();
    Ok((names, failure))
}

/// Whether a directory is marked as a cache.
pub(crate) fn is_cache(handle: &OwnedFd, names: &[CString]) -> bool {
    let found = names.binary_search_by(|name| name.to_bytes().cmp(CACHE_TAG));
    let Ok(at) = found else { return false };
    let tag = || -> Option<bool> {
        let meta = Meta::at(handle, &*names[at]).ok()?;
        let (file, _) = stable::open(handle.as_fd(), &names[at], &meta).ok()?;
        let mut start = [0; CACHE_TAG_SIGNATURE.len()];
        file.read_exact_at(&mut start, 0).ok()?;
        Some(start == *CACHE_TAG_SIGNATURE)
    };
    tag().unwrap_or(false)
}
