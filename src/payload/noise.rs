//! Tells what no compressor makes smaller, and writes a frame of it as it is (spec §8.4; RFC 8878, section 3.1.1).
//!
//! Media make up much of an installation; looking at one byte in thirty-two costs less than compressing in vain.

use std::hash::Hasher as _;
use std::io::{self, Write};
use std::mem;

use twox_hash::XxHash64;

/// Tells whether a frame would not become smaller; never of less than there is to judge by.
pub(super) fn is_noise(tar: &[u8]) -> bool {
    let (blocks, _) = tar.as_chunks::<BLOCK>();
    if blocks.len() < LEAST_BLOCKS {
        return false;
    }
    let mut counts = [0_u32; 256];
    for (number, block) in blocks.iter().enumerate() {
        // Not the same place of every block: records have their own order.
        let start = number * SPREAD % (BLOCK - SAMPLE);
        for &byte in &block[start..start + SAMPLE] {
            counts[usize::from(byte)] += 1;
        }
    }
    entropy(&counts) >= LEAST_ENTROPY && !repeats(blocks)
}

/// Bits that a byte needs on the average.
fn entropy(counts: &[u32; 256]) -> f64 {
    let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let bits = |&count: &u32| if count == 0 { 0.0 } else { f64::from(count) * f64::from(count).log2() };
    total.log2() - counts.iter().map(bits).sum::<f64>() / total
}

/// Tells whether blocks come twice: files begin at one, so that the copy of a file is noticed.
fn repeats(blocks: &[[u8; BLOCK]]) -> bool {
    // What was seen last of those that share a slot: enough to notice most, without a table as large as the frame.
    let mut seen = vec![0_u64; SLOTS];
    let mut again = blocks.iter().filter(|block| {
        let start = block.first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
        let slot = start.wrapping_mul(GOLDEN) >> (u64::BITS - SLOTS.ilog2());
        // As many bits as there are slots.
        let slot = &mut seen[usize::try_from(slot).unwrap_or(0)];
        mem::replace(slot, start) == start
    });
    again.nth(MOST_REPEATS).is_some()
}

/// The checksum of a frame that holds `tar`.
pub(super) fn checksum(tar: &[u8]) -> [u8; 4] {
    let mut hash = XxHash64::with_seed(0);
    hash.write(tar);
    let [a, b, c, d, ..] = hash.finish().to_le_bytes();
    [a, b, c, d]
}

/// Writes a frame that holds `tar` as it is; returns its length.
pub(super) fn write(tar: &[u8], checksum: [u8; 4], sink: &mut impl Write) -> io::Result<u64> {
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        length += bytes.len() as u64;
        sink.write_all(bytes)
    };
    put(&MAGIC)?;
    put(&[DESCRIPTOR])?;
    // A frame has at most 16 MiB.
    put(&u32::try_from(tar.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    let mut pieces = tar.chunks(LARGEST_BLOCK).peekable();
    while let Some(piece) = pieces.next() {
        let is_last = u32::from(pieces.peek().is_none());
        // Last or not, of raw bytes, and so many.
        let header = is_last | u32::try_from(piece.len()).unwrap_or(u32::MAX) << 3;
        put(&header.to_le_bytes()[..3])?;
        put(piece)?;
    }
    put(&checksum)?;
    Ok(length)
}

const BLOCK: usize = 512;
const SAMPLE: usize = 16;
/// With [`SAMPLE`] and [`BLOCK`] it comes to every place.
const SPREAD: usize = 37;
/// 128 KiB: fewer bytes have less entropy than they would all together.
const LEAST_BLOCKS: usize = 256;
/// Of 8 bits; what zstd saves of more is less than it asks of a block to compress it.
const LEAST_ENTROPY: f64 = 7.9;
/// Blocks that may be as another by chance, or zeros in it.
const MOST_REPEATS: usize = 16;
const SLOTS: usize = 1 << 13;
/// 2^64 divided by the golden ratio: spreads what is alike.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const LARGEST_BLOCK: usize = 128 * 1024;
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Length of the content in four bytes, no window, with checksum, without dictionary.
const DESCRIPTOR: u8 = 0b1010_0100;

#[cfg(test)]
mod tests {
    use super::{checksum, is_noise, write};
    use crate::payload::codec::Decompressor;

    fn noise(length: usize, mut state: u64) -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[6]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn noise_is_noise() {
        for length in [128 << 10, 2 << 20, 16 << 20] {
            assert!(is_noise(&noise(length, 1)), "{length}");
        }
        assert!(!is_noise(&noise(1 << 10, 1)), "too little to judge by");
    }

    #[test]
    fn what_can_be_compressed_is_not() {
        let text = b"It is a truth universally acknowledged, that ".repeat(50_000);
        assert!(!is_noise(&text));
        assert!(!is_noise(&vec![0; 2 << 20]));
        // Random letters.
        let hex = hex::encode(noise(1 << 20, 2));
        assert!(!is_noise(hex.as_bytes()));
        // Noise at the beginning of each record, text behind it.
        let records: Vec<u8> =
            noise(64 << 10, 3).chunks(32).flat_map(|key| [key, &text[..480]].concat()).collect();
        assert!(!is_noise(&records));
        // A third of it is text.
        assert!(!is_noise(&[&noise(1 << 20, 4)[..], &text[..512 << 10]].concat()));
        // The same file twice.
        let file = noise(800 << 10, 5);
        assert!(!is_noise(&[&file[..], &[0; 512], &file].concat()));
    }

    #[test]
    fn what_is_stored_comes_back() {
        for length in [0, 1, 128 << 10, (128 << 10) + 1, 1 << 20] {
            let (tar, mut frame, mut back) = (noise(length, 6), Vec::new(), Vec::new());
            assert_eq!(write(&tar, checksum(&tar), &mut frame).unwrap(), frame.len() as u64);
            if length > 0 {
                Decompressor::new().decompress(&frame, length, 1 << 20, &mut back).unwrap();
                assert!(back == tar, "{length}");
                let end = frame.len() - 1;
                frame[end] ^= 1;
                assert!(Decompressor::new().decompress(&frame, length, 1 << 20, &mut back).is_err());
            }
        }
    }
}
