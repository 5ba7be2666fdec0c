//! One frame, compressed and decompressed (spec §8.4).

use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, find_frame_compressed_size};

use crate::error::{Error, Result};
use crate::format::frame::FrameHeader;

/// Compresses frames, one context for all.
pub(super) struct Compressor(CCtx<'static>);

impl Compressor {
    pub(super) fn new(level: i32) -> Result<Self> {
        let mut context = CCtx::create();
        for parameter in [CParameter::CompressionLevel(level), CParameter::ChecksumFlag(true)] {
            context
                .set_parameter(parameter)
                .map_err(|_| Error::invalid(format!("compression level {level} is not known")))?;
        }
        Ok(Self(context))
    }

    /// Compresses `tar` into `frame`, whose content is replaced.
    pub(super) fn compress(&mut self, tar: &[u8], frame: &mut Vec<u8>) -> Result<()> {
        frame.clear();
        frame.reserve(compress_bound(tar.len()));
        self.0.compress2(frame, tar).map(drop).map_err(|_| Error::invalid("a frame cannot be compressed"))
    }
}

/// Decompresses frames, one context for all.
pub(super) struct Decompressor(DCtx<'static>);

impl Decompressor {
    pub(super) fn new() -> Self {
        Self(DCtx::create())
    }

    /// Decompresses `frame` into `tar`, whose content is replaced; it must give exactly `length` bytes.
    ///
    /// # Errors
    ///
    /// `Malformed` for a frame against the rules, `Tampered` for one whose content does not come out.
    pub(super) fn decompress(
        &mut self,
        frame: &[u8],
        length: usize,
        frame_size: u32,
        tar: &mut Vec<u8>,
    ) -> Result<()> {
        let header = FrameHeader::decode(frame)?;
        // §8.4: before anything is decompressed.
        if header.content != Some(length as u64) || header.window > u64::from(frame_size).max(LEAST_WINDOW) {
            return Err(Error::malformed("a frame declares another size than the index"));
        }
        // Otherwise the bytes behind the frame would be taken for further frames.
        if frame_length(frame) != Some(frame.len()) {
            return Err(Error::malformed("a frame ends elsewhere than the index says"));
        }
        tar.clear();
        tar.reserve(length);
        match self.0.decompress(tar, frame) {
            Ok(count) if count == length => Ok(()),
            _ => Err(Error::tampered("a frame is damaged: it does not decompress")),
        }
    }
}

/// Length of the frame that `bytes` begins with; `None` unless all of it is there.
pub(super) fn frame_length(bytes: &[u8]) -> Option<usize> {
    find_frame_compressed_size(bytes).ok()
}

const LEAST_WINDOW: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::{Compressor, Decompressor};

    fn compressed(tar: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        Compressor::new(3).unwrap().compress(tar, &mut frame).unwrap();
        frame
    }

    fn decompress(frame: &[u8], length: usize) -> crate::Result<Vec<u8>> {
        let mut tar = Vec::new();
        Decompressor::new().decompress(frame, length, 1 << 18, &mut tar)?;
        Ok(tar)
    }

    #[test]
    fn frames_come_back() {
        for length in [0, 1, 512, 1 << 18] {
            let tar: Vec<u8> = b"abcde".iter().copied().cycle().take(length).collect();
            assert_eq!(decompress(&compressed(&tar), length).unwrap(), tar);
        }
    }
}
