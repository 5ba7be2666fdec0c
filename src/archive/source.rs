//! Where the bytes of an archive come from.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::archive::file::forget_cached;
use crate::error::{Error, ErrorKind};

/// Bytes that can be read at any place, from several threads.
pub trait ReadAt: Send + Sync {
    /// Reads at an offset; fewer bytes than asked for only where there are no more, or by chance.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Returns the length in bytes.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn length(&self) -> io::Result<u64>;

    /// Names what keeps an archive of `whole` bytes from being whole, where that is more than a wrong length.
    fn faults(&self, whole: u64) -> Vec<Error> {
        let _ = whole;
        Vec::new()
    }
}

/// Tells whether reading failed because these bytes are not there, and not because the medium fails.
pub(super) fn is_gap(error: &io::Error) -> bool {
    let own = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    own.is_some_and(|error| error.kind() == ErrorKind::Truncated)
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        // Seeking instead of `metadata` gives the length of block devices too.
        let mut file = self;
        file.seek(SeekFrom::End(0))
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// A file that is changed in place.
pub(super) trait Medium: ReadAt {
    /// Writes all of `bytes` at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Brings what was written to the medium, and forgets what is held of it in memory.
    fn settle(&self) -> io::Result<()>;
}

impl Medium for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn settle(&self) -> io::Result<()> {
        self.sync_all()?;
        // Reading back shall ask the device; a system without this answers from memory.
        forget_cached(self);
        Ok(())
    }
}

/// A part of a source as a stream of its own.
#[derive(Clone)]
pub(crate) struct Section {
    source: Arc<dyn ReadAt>,
    start: u64,
    length: u64,
    position: u64,
}

impl Section {
    /// The part from `start` on, `length` bytes long; it ends earlier where the source does.
    pub(crate) fn new(source: Arc<dyn ReadAt>, start: u64, length: u64) -> Self {
        Self { source, start, length, position: 0 }
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.source.read_at(&mut buffer[..wanted], self.start.saturating_add(self.position))?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.length)?;
        Ok(self.position)
    }
}

/// The position that is asked for, of something that has a length.
pub(super) fn sought(to: SeekFrom, position: u64, length: u64) -> io::Result<u64> {
    let found = match to {
        SeekFrom::Start(position) => Some(position),
        SeekFrom::End(offset) => length.checked_add_signed(offset),
        SeekFrom::Current(offset) => position.checked_add_signed(offset),
    };
    Ok(found.ok_or(io::ErrorKind::InvalidInput)?)
}
