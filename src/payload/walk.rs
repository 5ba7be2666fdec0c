//! The frames of a payload without the list of its index: each says where it ends (spec §8.4, §10.1).
//!
//! Of the frame in which the first loss lies, what stands before it still comes out.

use std::io::{self, Read, Seek};

use crate::crypto::chunks::Chunks;
use crate::error::{Error, Result};
use crate::format::frame::FrameHeader;
use crate::format::limits::{LIMITS, compressed_frame};
use crate::payload::codec::{Decompressor, frame_length};

/// Reads the tar of a payload from its start up to the first frame that is lost.
pub(super) struct FrameWalk<R> {
    chunks: Chunks<R>,
    /// Where in the plaintext `compressed` ends.
    position: u64,
    /// Plaintext of which no frame was made yet.
    compressed: Vec<u8>,
    /// What every frame but the last holds; until the first, `None` where no index says it.
    frame_size: Option<u32>,
    /// Where each frame ended.
    ends: Vec<u64>,
    /// Length of the tar so far.
    tar: u64,
    decompressor: Decompressor,
    frame: Vec<u8>,
    /// What was read of the frame.
    read: usize,
    /// Why nothing comes behind this frame.
    loss: Option<Error>,
}

impl<R: Read + Seek + Clone> FrameWalk<R> {
    pub(super) fn new(chunks: Chunks<R>, frame_size: Option<u32>) -> Self {
        Self {
            chunks,
            position: 0,
            compressed: Vec::new(),
            frame_size,
            ends: Vec::new(),
            tar: 0,
            decompressor: Decompressor::new(),
            frame: Vec::new(),
            read: 0,
            loss: None,
        }
    }

    /// Fails unless everything was read.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.read < self.frame.len() || self.advance()? {
            return Err(Error::malformed("tar: goes on after its end"));
        }
        Ok(())
    }

    /// Returns the frame size, where each frame ended, and the length of the tar, as far as all that was read.
    pub(super) fn finish(self) -> (u32, Vec<u64>, u64) {
        (self.frame_size.unwrap_or(LIMITS.frame_size_least), self.ends, self.tar)
    }

    /// Moves to the next frame; false at the end.
    fn advance(&mut self) -> Result<bool> {
        (self.frame, self.read) = (Vec::new(), 0);
        if let Some(loss) = self.loss.take() {
            return Err(loss);
        }
        let length = match self.next_length() {
            Ok(Some(length)) => length,
            Ok(None) => return Ok(false),
            Err(loss) if loss.is_damage() => return self.advance_before(loss),
            Err(error) => return Err(error),
        };
        let (content, frame_size) = self.sizes()?;
        let frame = &self.compressed[..length];
        self.decompressor.decompress(frame, content as usize, frame_size, &mut self.frame)?;
        self.compressed.drain(..length);
        self.moved(content, frame_size, self.position - self.compressed.len() as u64);
        Ok(true)
    }

    /// Takes what stands before a loss of the frame that it lies in.
    fn advance_before(&mut self, loss: Error) -> Result<bool> {
        let Ok((content, frame_size)) = self.sizes() else {
            return Err(loss);
        };
        self.decompressor.decompress_part(&self.compressed, content as usize, frame_size, &mut self.frame)?;
        if self.frame.is_empty() {
            return Err(loss);
        }
        self.loss = Some(loss);
        // Somewhere behind the loss: who reads up to there meets it too.
        self.moved(content, frame_size, self.position + 1);
        Ok(true)
    }

    /// Returns what the next frame holds, and what every frame but the last does.
    fn sizes(&self) -> Result<(u32, u32)> {
        let bad = |what: &str| Error::malformed(format!("a frame {what}"));
        let content = FrameHeader::decode(&self.compressed)?
            .content
            .and_then(|content| u32::try_from(content).ok())
            .filter(|content| (1..=LIMITS.frame_size_most).contains(content))
            .ok_or_else(|| bad("declares a size against the rules"))?;
        let frame_size = self.frame_size.unwrap_or(match content {
            full if full.is_power_of_two() && full >= LIMITS.frame_size_least => full,
            // The only one, then, of a size that nobody knows.
            _ => LIMITS.frame_size_most,
        });
        if content > frame_size || !self.tar.is_multiple_of(frame_size.into()) {
            return Err(bad("is longer than the others, or follows the last"));
        }
        Ok((content, frame_size))
    }

    fn moved(&mut self, content: u32, frame_size: u32, end: u64) {
        self.frame_size = Some(frame_size);
        self.ends.push(end);
        self.tar += u64::from(content);
    }

    /// Decrypts until a whole frame is there; returns its length, `None` at the end.
    fn next_length(&mut self) -> Result<Option<usize>> {
        loop {
            if let Some(length) = frame_length(&self.compressed) {
                return Ok(Some(length));
            }
            if self.position == self.chunks.length() && self.compressed.is_empty() {
                return Ok(None);
            }
            let most = compressed_frame(LIMITS.frame_size_most);
            if self.position == self.chunks.length() || self.compressed.len() as u64 >= most {
                return Err(Error::malformed("a frame has no end"));
            }
            let more = self.chunks.rest_of_chunk(self.position)?;
            self.compressed.extend_from_slice(more);
            self.position += more.len() as u64;
        }
    }
}

impl<R: Read + Seek + Clone> Read for FrameWalk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.frame.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let rest = &self.frame[self.read..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}
