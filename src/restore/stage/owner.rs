//! Gives a finished stage to another user.

use rustix::fs::{AtFlags, Gid, Uid, chownat};

use crate::error::Result;
use crate::restore::locate::joined;
use crate::restore::migrate::Owner;

use super::directory::is_directory;
use super::{Directory, Stage};

impl Stage {
    /// Gives everything to `owner`, the deepest first: until a directory is done, its new owner
    /// cannot put anything of somebody else's into it.
    pub(in crate::restore) fn give(&mut self, owner: Owner) -> Result<()> {
        self.rest();
        let mut directories = vec![None];
        let mut next = 0;
        while let Some(at) = directories.get(next).cloned() {
            next += 1;
            let directory = self.root.walk(at.as_ref())?;
            for name in directory.names()? {
                if directory.look(&name)?.as_ref().is_some_and(is_directory) {
                    directories.push(joined(at.as_ref(), &name)?);
                }
            }
        }
        for at in directories.iter().rev() {
            let directory = self.root.walk(at.as_ref())?;
            for name in directory.names()? {
                directory.give(&name, owner)?;
            }
        }
        self.parent.give(self.name.as_bytes(), owner)
    }
}

impl Directory {
    /// Gives a name in this directory to a user, a link itself and not what it leads to.
    pub(in crate::restore) fn give(&self, name: &[u8], owner: Owner) -> Result<()> {
        let (user, group) = (Uid::from_raw(owner.user), Gid::from_raw(owner.group));
        chownat(&self.fd, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.error("set the owner of", name, errno))
    }
}
