//! Writes the content of one file, long runs of zeros as holes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::restore::feed::Feed;

/// Why content did not get into its file.
pub(super) enum Failure {
    /// The archive could not give it.
    Source(Error),
    /// The file could not take it.
    Sink(io::Error),
}

/// Brings content from a feed into files.
pub(in crate::restore) struct Copier<'a> {
    buffer: Box<[u8]>,
    observer: &'a dyn Observer,
}

impl<'a> Copier<'a> {
    pub(in crate::restore) fn new(observer: &'a dyn Observer) -> Self {
        Self { buffer: vec![0; BUFFER].into(), observer }
    }

    /// Writes `size` bytes from `feed` into a new file.
    pub(super) fn copy(&mut self, feed: &mut dyn Feed, size: u64, file: &File) -> Result<(), Failure> {
        let (mut offset, mut written) = (0_u64, 0);
        loop {
            self.observer.check().map_err(Failure::Source)?;
            let length = fill(feed, &mut self.buffer).map_err(Failure::Source)?;
            if length > 0 {
                written = write_with_holes(file, &self.buffer[..length], offset).map_err(Failure::Sink)?;
            }
            offset += length as u64;
            self.observer.advance(length as u64);
            if length < self.buffer.len() {
                break;
            }
        }
        expect_length(offset, size).map_err(Failure::Source)?;
        // A hole at the end is not in the file's length yet.
        if written < size { file.set_len(size).map_err(Failure::Sink) } else { Ok(()) }
    }
}

/// Fails where a content has another length than the index says.
pub(in crate::restore) fn expect_length(found: u64, size: u64) -> Result<()> {
    if found == size {
        return Ok(());
    }
    Err(Error::tampered(format!("content is {found} bytes long, {size} in the index")))
}

/// Reads until the buffer is full or the content at its end, where its hash was compared.
fn fill(feed: &mut dyn Feed, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match feed.read(&mut buffer[filled..])? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// Writes what lies between blocks of zeros; `offset` is a multiple of the block. Returns where the file ends
/// now, or an earlier place where a hole is to follow.
pub(super) fn write_with_holes(file: &File, bytes: &[u8], offset: u64) -> io::Result<u64> {
    let mut pending = 0;
    let mut position = 0;
    for block in bytes.chunks(BLOCK) {
        let end = position + block.len();
        if is_zero(block) {
            file.write_all_at(&bytes[pending..position], offset + pending as u64)?;
            pending = end;
        }
        position = end;
    }
    file.write_all_at(&bytes[pending..], offset + pending as u64)?;
    Ok(if pending < bytes.len() { offset + bytes.len() as u64 } else { offset })
}

fn is_zero(block: &[u8]) -> bool {
    let mut words = block.chunks_exact(16);
    words.all(|word| word == [0; 16]) && block[block.len() / 16 * 16..].iter().all(|&byte| byte == 0)
}

/// What becomes a hole: as large as the largest common block of a file system.
const BLOCK: usize = 64 * 1024;
const BUFFER: usize = 4 * BLOCK;
