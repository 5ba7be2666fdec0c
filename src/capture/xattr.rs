//! Reads the extended attributes that are worth keeping.
//!
//! Only the `user.` namespace: `security.` and `trusted.` attributes cannot be set again by the
//! user who restores (and a restored file capability would be a gift), `system.` ones are access
//! lists that name accounts of the source machine. Systems without namespaces have nothing that is kept.

use std::os::fd::AsFd;

use rustix::fs::{fgetxattr, fgetxattr_query, flistxattr, flistxattr_query};
use rustix::io::{Errno, Result};

use crate::format::entry::Xattr;
use crate::format::limits::LIMITS;

/// Attributes of an entry, and how many more it has.
pub(crate) type Xattrs = (Vec<Xattr>, usize);

pub(crate) const NONE: Xattrs = (Vec::new(), 0);

/// Returns the attributes of an open file, ascending by name, and how many did not fit.
///
/// File systems without attributes have none.
pub(crate) fn read(file: impl AsFd) -> Xattrs {
    let names = fill(|| flistxattr_query(&file), |room| flistxattr(&file, room));
    let names = names.unwrap_or_default();
    let mut found: Vec<Xattr> = names
        .split(|&byte| byte == 0)
        .filter_map(|name| {
            let name = str::from_utf8(name).ok()?;
            if !name.starts_with("user.") || name.contains('=') {
                return None;
            }
            // Gone again, or not ours to read: as good as not there.
            let value = fill(|| fgetxattr_query(&file, name), |room| fgetxattr(&file, name, room));
            Some(Xattr { name: name.to_owned(), value: value.ok()? })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let total = found.len();
    let mut room = LIMITS.pax_data / 2;
    found.retain(|xattr| {
        let size = xattr.name.len() + xattr.value.len();
        let fits = xattr.name.len() <= LIMITS.xattr_name && size <= room;
        room -= if fits { size } else { 0 };
        fits
    });
    let dropped = total - found.len();
    (found, dropped)
}

/// Asks for a length, then for that much; again where it grew in between.
fn fill(length: impl Fn() -> Result<usize>, get: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    for _ in 0..3 {
        let mut bytes = vec![0; length()?];
        if bytes.is_empty() {
            return Ok(bytes);
        }
        match get(&mut bytes) {
            Err(Errno::RANGE) => {}
            Ok(length) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::RANGE)
}
