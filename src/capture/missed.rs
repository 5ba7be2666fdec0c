//! Symbolic links that lead out of everything that is stored: only the link is in the archive.

use std::fs;
use std::io;

use rustix::io::Errno;

use crate::capture::roots::{PlannedRoot, Scope};
use crate::path::{ArchivePath, sanitize};

/// Says what lies behind a link and is not in the archive; `None` where nothing is missed.
pub(crate) fn missed(scope: &Scope, root: &PlannedRoot, path: &ArchivePath) -> Option<String> {
    let link = root.place_of(path);
    let place = match fs::canonicalize(&link) {
        Ok(place) => place,
        Err(error) if leads_nowhere(&error) => return None,
        Err(error) => return Some(format!("a link to what cannot be looked at: {error}")),
    };
    let facts = fs::metadata(&place).ok()?;
    let has_content = facts.is_dir() || facts.is_file();
    (has_content && scope.policy.misses(path, &place) && !scope.holds(&place)).then(|| {
        let place = sanitize(place.as_os_str().as_encoded_bytes());
        format!("a link to `{place}`, which is not in the archive")
    })
}

fn leads_nowhere(error: &io::Error) -> bool {
    let nowhere = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG];
    Errno::from_io_error(error).is_some_and(|error| nowhere.contains(&error))
}
