//! Takes a tree down again, following no link.

use rustix::fs::{AtFlags, Mode, chmodat};
use rustix::process::geteuid;

use crate::error::Result;

use super::directory::{Directory, is_directory};

/// Removes everything in a directory.
///
/// However deep the tree, two directories are open: what lies in a directory is moved up to
/// the root before the directory goes.
pub(super) fn empty(root: &Directory) -> Result<()> {
    let mut moved = 0_u64;
    loop {
        let names = root.names()?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            match root.look(&name)? {
                None => continue,
                Some(stat) if !is_directory(&stat) => {
                    root.unlink(&name)?;
                    continue;
                }
                Some(_) => {}
            }
            let child = enter(root, &name)?;
            for inner in child.names()? {
                match child.look(&inner)? {
                    Some(stat) if is_directory(&stat) => {
                        let free = format!(".{moved}.removed");
                        child.rename(&inner, root, free.as_bytes())?;
                        moved += 1;
                    }
                    Some(_) => child.unlink(&inner)?,
                    None => {}
                }
            }
            drop(child);
            root.remove(&name)?;
        }
    }
}

/// Enters a directory, also one whose recorded mode keeps its owner out.
fn enter(root: &Directory, name: &[u8]) -> Result<Directory> {
    match root.enter(name) {
        Ok(child) if child.set_mode(Mode::RWXU).is_ok() => Ok(child),
        first => {
            // Follows a link put here meanwhile, but only into what its maker, being the same user, may
            // change anyway. No mode keeps root out: what does was put here to lead it astray.
            if geteuid().is_root() {
                return first;
            }
            if chmodat(&root.fd, name, Mode::RWXU, AtFlags::empty()).is_err() {
                return first;
            }
            root.enter(name)
        }
    }
}
