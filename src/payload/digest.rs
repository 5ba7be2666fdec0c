//! SHA-256 of what passes by.

use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::path::ArchivePath;

/// Fails unless a file's content is that of its hash in the index.
///
/// # Errors
///
/// `Tampered`.
pub(crate) fn compare(path: &ArchivePath, content: &[u8], expected: &[u8; 32]) -> Result<()> {
    if *expected == <[u8; 32]>::from(Sha256::digest(content)) {
        return Ok(());
    }
    Err(Error::tampered(format!("`{path}` does not match its hash in the index")))
}

/// Hashes and counts what is written through it.
pub(crate) struct DigestWriter<W> {
    inner: W,
    hash: Sha256,
    length: u64,
}

impl<W: Write> DigestWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    /// Returns the sink, the number of bytes and their digest.
    pub(crate) fn finish(self) -> (W, u64, [u8; 32]) {
        (self.inner, self.length, self.hash.finalize().into())
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hashes what is read through it, every byte once, however the reader seeks back.
pub(crate) struct DigestReader<R> {
    inner: R,
    hash: Sha256,
    position: u64,
    /// Everything before this is in the hash.
    hashed: u64,
}

impl<R: Read> DigestReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), position: 0, hashed: 0 }
    }

    /// Returns the number of bytes hashed and their digest.
    pub(crate) fn finish(self) -> (u64, [u8; 32]) {
        (self.hashed, self.hash.finalize().into())
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let end = self.position + count as u64;
        if self.position <= self.hashed && self.hashed < end {
            // Less than `count`, so it fits.
            let known = usize::try_from(self.hashed - self.position).unwrap_or(count);
            self.hash.update(&buffer[known..count]);
            self.hashed = end;
        }
        self.position = end;
        Ok(count)
    }
}

impl<R: Seek> Seek for DigestReader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.inner.seek(to)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom};

    use sha2::{Digest as _, Sha256};

    use super::DigestReader;

    #[test]
    fn seeking_back_hashes_nothing_twice() {
        let mut reader = DigestReader::new(Cursor::new(b"0123456789"));
        let mut buffer = [0; 4];
        reader.read_exact(&mut buffer).unwrap();
        reader.seek(SeekFrom::Start(2)).unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        let expected: [u8; 32] = Sha256::digest(b"0123456789").into();
        assert_eq!(reader.finish(), (10, expected));
    }
}
