//! The header of a zstd frame, read before anything is decompressed (spec §8.4, §9.1; RFC 8878, section 3.1.1).

use crate::error::{Error, Result};

/// What a frame declares of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Length of the content in bytes, where it is declared.
    pub(crate) content: Option<u64>,
    /// Window in bytes.
    pub(crate) window: u64,
}

impl FrameHeader {
    /// Reads the header of a frame as this format has them.
    ///
    /// # Errors
    ///
    /// `Malformed` when it is no zstd frame, or one with a dictionary or without checksum.
    pub(crate) fn decode(frame: &[u8]) -> Result<Self> {
        Self::parse(frame).ok_or_else(|| Error::malformed("a frame has a header against the rules"))
    }

    fn parse(frame: &[u8]) -> Option<Self> {
        let rest = frame.strip_prefix(&MAGIC)?;
        let (descriptor, rest) = rest.split_first()?;
        let single_segment = descriptor & 0x20 != 0;
        let reserved = descriptor & 0x08 != 0;
        let checksum = descriptor & 0x04 != 0;
        let dictionary = descriptor & 0x03 != 0;
        if reserved || dictionary || !checksum {
            return None;
        }
        let (window, rest) = if single_segment {
            (None, rest)
        } else {
            let (byte, rest) = rest.split_first()?;
            let base = 1_u64.checked_shl(u32::from(byte >> 3).checked_add(10)?)?;
            let eighths = (base >> 3).checked_mul(u64::from(byte & 7))?;
            (Some(base.checked_add(eighths)?), rest)
        };
        let content = match (descriptor >> 6, single_segment) {
            (0, true) => Some(u64::from(*rest.first()?)),
            (0, false) => None,
            (1, _) => Some(u64::from(u16::from_le_bytes(*rest.first_chunk()?)).checked_add(256)?),
            (2, _) => Some(u64::from(u32::from_le_bytes(*rest.first_chunk()?))),
            _ => Some(u64::from_le_bytes(*rest.first_chunk()?)),
        };
        Some(Self { content, window: window.or(content)? })
    }
}

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

#[cfg(test)]
mod tests {
    use super::FrameHeader;

    #[test]
    fn the_header_says_content_and_window() {
        let mut context = zstd::zstd_safe::CCtx::create();
        context.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
        for length in [0_usize, 1, 255, 256, 70_000, 1 << 20] {
            let mut frame = Vec::with_capacity(zstd::zstd_safe::compress_bound(length));
            context.compress2(&mut frame, &vec![7; length]).unwrap();
            let header = FrameHeader::decode(&frame).unwrap();
            assert_eq!(header.content, Some(length as u64));
            assert!(header.window <= (length as u64).max(1024));
        }
    }
}
