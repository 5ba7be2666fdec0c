//! Frames of zstd without a compressor, so that no release of one changes their bytes.

use std::io::Write;

/// One frame as this format has them: content size in four bytes, a window of 128 KiB, a checksum.
pub fn frame(content: &[u8]) -> Vec<u8> {
    let mut frame = MAGIC.to_vec();
    frame.extend([DESCRIPTOR, WINDOW_128_KIB]);
    frame.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    let blocks = blocks(content);
    let last = blocks.len() - 1;
    for (number, (kind, length, bytes)) in blocks.into_iter().enumerate() {
        let header = u32::from(number == last) | kind << 1 | u32::try_from(length).unwrap() << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(bytes);
    }
    frame.extend(checksum(content));
    frame
}

/// The checksum of a content: the last bytes of any frame that holds it.
pub fn checksum(content: &[u8]) -> [u8; 4] {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(content).unwrap();
    *encoder.finish().unwrap().last_chunk().unwrap()
}

/// Cuts a content into blocks: type, length of the content, bytes. Runs of one byte cost one byte.
fn blocks(content: &[u8]) -> Vec<(u32, usize, &[u8])> {
    let mut blocks = Vec::new();
    let mut raw = 0;
    let mut at = 0;
    while at < content.len() {
        let same = content[at..].iter().take(BLOCK).take_while(|byte| **byte == content[at]).count();
        if same >= 16 {
            if raw < at {
                blocks.push((RAW, at - raw, &content[raw..at]));
            }
            blocks.push((RUN, same, &content[at..=at]));
            raw = at + same;
            at = raw;
        } else {
            at += same;
            if at - raw > BLOCK - 16 {
                blocks.push((RAW, at - raw, &content[raw..at]));
                raw = at;
            }
        }
    }
    if raw < at || blocks.is_empty() {
        blocks.push((RAW, at - raw, &content[raw..]));
    }
    blocks
}

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Content size in four bytes, checksum, a window of its own.
const DESCRIPTOR: u8 = 0x84;
const WINDOW_128_KIB: u8 = 7 << 3;
const BLOCK: usize = 128 * 1024;
const RAW: u32 = 0;
const RUN: u32 = 1;

/// Where the parts of a frame of [`frame`] begin.
pub mod at {
    pub const DESCRIPTOR: usize = 4;
    pub const WINDOW: usize = 5;
    pub const SIZE: std::ops::Range<usize> = 6..10;
    pub const BLOCK: usize = 10;
}
