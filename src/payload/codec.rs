//! One frame, compressed and decompressed (spec §8.4).

use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, Strategy, compress_bound,
    find_frame_compressed_size,
};

use crate::error::{Error, Result};
use crate::format::frame::FrameHeader;

/// Compresses frames, one context for all.
pub(super) struct Compressor(CCtx<'static>);

impl Compressor {
    /// For frames of `frame_size` bytes, at a level of zstd; level 3, the usual one, stands for [`USUAL`].
    pub(super) fn new(level: i32, frame_size: u32) -> Result<Self> {
        let mut context = CCtx::create();
        let general = [
            CParameter::CompressionLevel(level),
            CParameter::ChecksumFlag(true),
            // All of a frame; the lowest levels would look back half of it or less.
            CParameter::WindowLog(frame_size.ilog2()),
        ];
        for parameter in general.into_iter().chain(USUAL.into_iter().filter(|_| level == 3)) {
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

/// Level 3 of zstd keeps two tables. One, of matches from six bytes, finds as much in frames of usual size, in a fifth less
/// time (§16.4).
const USUAL: [CParameter; 3] =
    [CParameter::Strategy(Strategy::ZSTD_fast), CParameter::HashLog(17), CParameter::MinMatch(6)];

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
        expect(frame, length, frame_size)?;
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

    /// Decompresses what there is of a frame, whose rest is lost, into `tar`, whose content is replaced; `length` is that of
    /// all of it. The frame's checksum is lost with the rest: what comes out is as sure as `part` is.
    ///
    /// # Errors
    ///
    /// As [`Decompressor::decompress`].
    pub(super) fn decompress_part(
        &mut self,
        part: &[u8],
        length: usize,
        frame_size: u32,
        tar: &mut Vec<u8>,
    ) -> Result<()> {
        expect(part, length, frame_size)?;
        let damaged = |_| Error::tampered("a frame is damaged: it does not decompress");
        self.0.reset(ResetDirective::SessionOnly).map_err(damaged)?;
        // Written into as far as it is long.
        tar.clear();
        tar.resize(length, 0);
        let (mut input, mut output) = (InBuffer::around(part), OutBuffer::around(&mut tar[..]));
        loop {
            let before = (input.pos(), output.pos());
            self.0.decompress_stream(&mut output, &mut input).map_err(damaged)?;
            if (input.pos(), output.pos()) == before {
                break;
            }
        }
        let count = output.pos();
        tar.truncate(count);
        self.0.reset(ResetDirective::SessionOnly).map(drop).map_err(damaged)
    }
}

/// Checks what a frame says of itself, before anything is decompressed (§8.4).
fn expect(frame: &[u8], length: usize, frame_size: u32) -> Result<()> {
    let header = FrameHeader::decode(frame)?;
    if header.content != Some(length as u64) || header.window > u64::from(frame_size).max(LEAST_WINDOW) {
        return Err(Error::malformed("a frame declares another size than the index"));
    }
    Ok(())
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
        Compressor::new(3, 1 << 18).unwrap().compress(tar, &mut frame).unwrap();
        frame
    }

    #[test]
    fn of_a_part_comes_out_what_stands_before_its_end() {
        // Noise: two blocks of 128 KiB.
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        };
        let tar: Vec<u8> = (0..1 << 18).map(|_| next()).collect();
        let frame = compressed(&tar);
        let mut decompressor = Decompressor::new();
        let mut last = 0;
        for length in (64..frame.len()).step_by(frame.len() / 7) {
            let mut found = Vec::new();
            decompressor.decompress_part(&frame[..length], tar.len(), 1 << 18, &mut found).unwrap();
            assert!(found.len() >= last && found.len() < tar.len() && tar.starts_with(&found));
            last = found.len();
        }
        assert!(last > 0);
        // Its state is that of a new one again.
        let mut found = Vec::new();
        decompressor.decompress(&frame, tar.len(), 1 << 18, &mut found).unwrap();
        assert!(found == tar);
        assert!(decompressor.decompress_part(&frame[..4], tar.len(), 1 << 18, &mut found).is_err());
    }

    fn decompress(frame: &[u8], length: usize) -> crate::Result<Vec<u8>> {
        let mut tar = Vec::new();
        Decompressor::new().decompress(frame, length, 1 << 18, &mut tar)?;
        Ok(tar)
    }

    #[test]
    fn frames_of_every_level_come_back() {
        let tar: Vec<u8> = (0..1 << 15).flat_map(|number: u32| format!("{number:08}").into_bytes()).collect();
        for level in 1..=22 {
            let mut frame = Vec::new();
            Compressor::new(level, 1 << 18).unwrap().compress(&tar, &mut frame).unwrap();
            assert!(frame.len() < tar.len() / 2);
            assert!(decompress(&frame, tar.len()).unwrap() == tar, "{level}");
        }
    }

    #[test]
    fn frames_come_back() {
        for length in [0, 1, 512, 1 << 18] {
            let tar: Vec<u8> = b"abcde".iter().copied().cycle().take(length).collect();
            assert_eq!(decompress(&compressed(&tar), length).unwrap(), tar);
        }
    }
}
