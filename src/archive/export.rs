//! The tar of payloads, as the stock programs find it, with everything in it checked.

use std::io::Write;

use crate::archive::open::Archive;
use crate::error::{Error, Result};
use crate::format::block::{BLOCK, padding};
use crate::format::entry::{Item, Role};
use crate::format::tar::{self, TAR_END};
use crate::observer::Observer;

impl Archive {
    /// Writes the payloads of some roles, in the order of the archive, as one tar: for a single payload, byte for byte the
    /// one that is stored. `threads` decompress; the observer hears of bytes of file content.
    ///
    /// Everything is checked as by [`Archive::verify`] on the way. The end of the tar is written last, and only when
    /// all of it held: a tar without it is worth nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::index`] and [`PayloadStream`](crate::PayloadStream);
    /// [`Interrupted`](crate::ErrorKind::Interrupted); [`Io`](crate::ErrorKind::Io), also of `tar`.
    pub fn export(
        &self,
        roles: &[Role],
        tar: &mut dyn Write,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<()> {
        for role in roles {
            self.export_entries(*role, tar, threads, observer)?;
        }
        tar.write_all(&TAR_END).and_then(|()| tar.flush()).map_err(failed)
    }

    fn export_entries(
        &self,
        role: Role,
        tar: &mut dyn Write,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<()> {
        let index = self.index(role)?;
        let mut stream = self.stream(&index, threads)?;
        let mut buffer = vec![0; BUFFER];
        while let Some((entry, xattrs)) = stream.next_entry()? {
            observer.check()?;
            let (path, mode, mtime, kind) = (&entry.path, entry.mode, entry.mtime, entry.node.kind());
            let item = Item { path, mode, mtime, xattrs: &xattrs, kind };
            tar.write_all(&tar::encode(&item)?).map_err(failed)?;
            let mut size = 0;
            loop {
                observer.check()?;
                let count = stream.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                tar.write_all(&buffer[..count]).map_err(failed)?;
                observer.advance(count as u64);
                size += count as u64;
            }
            tar.write_all(&[0; BLOCK][..padding(size)]).map_err(failed)?;
        }
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::stream("write the tar", error)
}

const BUFFER: usize = 1 << 17;
