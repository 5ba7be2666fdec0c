//! The Reed–Solomon code over many groups of shards (spec §18.4).

use reed_solomon_simd::engine::{DefaultEngine, Engine as _, ShardsRefMut, utils};
use reed_solomon_simd::rate::{HighRateDecoder, RateDecoder as _};

/// Takes the data shards of some groups, a row of all of them at a time, and ends as their recovery shards.
///
/// It holds two shards for each recovery shard, rounded up to a power of two, and never the data.
pub(super) struct Fold {
    engine: DefaultEngine,
    groups: usize,
    recovery: usize,
    /// `recovery` rounded up to a power of two: so many rows are worked on together.
    height: usize,
    /// Length of a shard in units of 64 bytes.
    units: usize,
    rows: usize,
    chunks: Vec<[u8; 64]>,
    sums: Vec<[u8; 64]>,
}

impl Fold {
    /// For groups of shards of `length` bytes, a multiple of 64.
    pub(super) fn new(groups: usize, recovery: usize, length: usize) -> Self {
        let (height, units) = (recovery.next_power_of_two(), length / 64);
        let zeros = vec![[0; 64]; groups * height * units];
        let engine = DefaultEngine::new();
        Self { engine, groups, recovery, height, units, rows: 0, chunks: zeros.clone(), sums: zeros }
    }

    /// How many groups fit into so many bytes of memory; at least one.
    pub(super) fn groups_within(bytes: usize, recovery: usize, length: usize) -> usize {
        (bytes / (2 * recovery.next_power_of_two() * length)).max(1)
    }

    /// Takes the next shard of every group, one after another.
    pub(super) fn row(&mut self, run: &[u8]) {
        let (units, row) = (self.units, self.rows % self.height);
        for (group, shard) in run.chunks_exact(units * 64).enumerate() {
            let at = (group * self.height + row) * units;
            self.chunks[at..at + units].as_flattened_mut().copy_from_slice(shard);
        }
        self.rows += 1;
        if self.rows.is_multiple_of(self.height) {
            self.fold(self.height);
        }
    }

    /// Returns the recovery shards.
    pub(super) fn finish(mut self) -> Recovery {
        let rest = self.rows % self.height;
        if rest > 0 {
            self.rows += self.height - rest;
            self.fold(rest);
        }
        let (height, units) = (self.height, self.units);
        for sum in self.sums.chunks_exact_mut(height * units) {
            self.engine.fft(&mut ShardsRefMut::new(height, units, sum), 0, height, self.recovery, 0);
        }
        Recovery { height, units, shards: self.sums }
    }

    /// Adds the last chunk, of which so many rows are filled, to the sum.
    fn fold(&mut self, filled: usize) {
        let (height, units) = (self.height, self.units);
        for group in 0..self.groups {
            let all = group * height * units..(group + 1) * height * units;
            let chunk = &mut self.chunks[all.clone()];
            chunk[filled * units..].fill([0; 64]);
            // The first data shard is at the point of number `height`: `rows` counts from there.
            let mut shards = ShardsRefMut::new(height, units, chunk);
            self.engine.ifft(&mut shards, 0, height, filled, self.rows);
            utils::xor(&mut self.sums[all.clone()], &self.chunks[all]);
        }
    }
}

/// The recovery shards of some groups.
pub(super) struct Recovery {
    height: usize,
    units: usize,
    shards: Vec<[u8; 64]>,
}

impl Recovery {
    /// Returns one recovery shard of a group.
    pub(super) fn shard(&self, group: usize, place: usize) -> &[u8] {
        let at = (group * self.height + place) * self.units;
        self.shards[at..at + self.units].as_flattened()
    }
}

/// Rebuilds the data shards of one group that are `missing`.
///
/// `differences` are recovery shards that are there, each with its place, less what [`Fold`] makes of the data with
/// zeros where it is missing; at least as many as are missing.
pub(super) fn rebuild(
    rows: usize,
    recovery: usize,
    missing: &[usize],
    differences: &[(usize, Vec<u8>)],
) -> Vec<Vec<u8>> {
    let length = differences.first().map_or(0, |(_, shard)| shard.len());
    let mut rebuilt = vec![Vec::with_capacity(length); missing.len()];
    let mut work = None;
    // All columns of a shard are codes of their own: a few at a time take less memory.
    for start in (0..length).step_by(COLUMNS) {
        let columns = start..length.min(start + COLUMNS);
        let zeros = vec![0; columns.len()];
        let decoded = (|| {
            let mut decoder =
                HighRateDecoder::new(rows, recovery, columns.len(), DefaultEngine::new(), work.take())?;
            // The code is linear: what is known counts as zero, since the differences leave it out.
            for row in (0..rows).filter(|row| !missing.contains(row)) {
                decoder.add_original_shard(row, &zeros)?;
            }
            for (place, shard) in differences {
                decoder.add_recovery_shard(*place, &shard[columns.clone()])?;
            }
            let result = decoder.decode()?;
            for (row, shard) in missing.iter().zip(&mut rebuilt) {
                shard.extend_from_slice(result.restored_original(*row).unwrap_or(&zeros));
            }
            drop(result);
            work = Some(decoder.into_parts().1);
            Ok::<(), reed_solomon_simd::Error>(())
        })();
        // Rows, places and lengths are within the code, and there are enough of them.
        decoded.expect("a code that can be decoded");
    }
    rebuilt
}

/// Bytes of each shard that are decoded together.
const COLUMNS: usize = 1024;

#[cfg(test)]
mod tests {
    use reed_solomon_simd::engine::DefaultEngine;
    use reed_solomon_simd::rate::{HighRateEncoder, RateEncoder as _};

    use super::{Fold, rebuild};
    use crate::archive::tests::noise;

    fn shards(rows: usize, length: usize, seed: u64) -> Vec<Vec<u8>> {
        (0..rows).map(|row| noise(length, seed + 7 * row as u64)).collect()
    }

    fn recovery_of(shards: &[Vec<u8>], recovery: usize) -> Vec<Vec<u8>> {
        let mut fold = Fold::new(1, recovery, shards[0].len());
        for shard in shards {
            fold.row(shard);
        }
        let recovered = fold.finish();
        (0..recovery).map(|place| recovered.shard(0, place).to_vec()).collect()
    }

    #[test]
    fn folding_gives_what_the_encoder_of_high_rate_gives() {
        for (rows, recovery) in [(1, 1), (1, 4), (3, 4), (5, 4), (8, 4), (100, 7), (1, 64), (300, 33), (4, 4)]
        {
            let data = shards(rows, 128, 5);
            let mut encoder = HighRateEncoder::new(rows, recovery, 128, DefaultEngine::new(), None).unwrap();
            for shard in &data {
                encoder.add_original_shard(shard).unwrap();
            }
            let result = encoder.encode().unwrap();
            let expected: Vec<_> = result.recovery_iter().map(<[u8]>::to_vec).collect();
            assert_eq!(recovery_of(&data, recovery), expected, "{rows} and {recovery}");
        }
    }

    #[test]
    fn groups_do_not_touch_one_another() {
        let (one, other) = (shards(11, 64, 1), shards(11, 64, 1000));
        let mut fold = Fold::new(2, 3, 64);
        for (one, other) in one.iter().zip(&other) {
            fold.row(&[&one[..], other].concat());
        }
        let both = fold.finish();
        for place in 0..3 {
            assert_eq!(both.shard(0, place), recovery_of(&one, 3)[place]);
            assert_eq!(both.shard(1, place), recovery_of(&other, 3)[place]);
        }
    }

    /// Spec §18.4, by plain arithmetic: every code word is zero at the powers of its points.
    #[test]
    fn the_code_is_that_of_the_spec() {
        for (rows, recovery) in [(3, 4), (6, 3), (20, 8), (1, 1), (2, 16)] {
            let data = shards(rows, 128, 3);
            let recovered = recovery_of(&data, recovery);
            let points = recovery.next_power_of_two();
            // All recovery shards of the code, of which the last are not stored, are those of the rounded number.
            let all = recovery_of(&data, points);
            assert_eq!(all[..recovery], recovered);
            for column in [0, 1, 31, 32, 63] {
                let symbol = |shard: &Vec<u8>| {
                    let at = column / 32 * 64 + column % 32;
                    element(u16::from_le_bytes([shard[at], shard[at + 32]]))
                };
                let word: Vec<u32> = all.iter().chain(&data).map(symbol).collect();
                for power in 0..points {
                    let sum = word.iter().enumerate().fold(0, |sum, (number, symbol)| {
                        let point = element(u16::try_from(number).unwrap());
                        sum ^ (0..power).fold(*symbol, |product, _| times(product, point))
                    });
                    assert_eq!(sum, 0, "{rows} and {recovery}: column {column}, power {power}");
                }
            }
        }
    }

    /// The field element of a number: the sum of the basis elements of its bits.
    fn element(number: u16) -> u32 {
        (0..16).filter(|bit| number >> bit & 1 == 1).fold(0, |sum, bit| sum ^ BASIS[bit])
    }

    /// Carry-less product modulo x^16 + x^5 + x^3 + x^2 + 1.
    fn times(a: u32, b: u32) -> u32 {
        (0..16).rev().fold(0, |product, bit| {
            let doubled = product << 1;
            let reduced = if doubled >> 16 & 1 == 1 { doubled ^ 0x1002d } else { doubled };
            if b >> bit & 1 == 1 { reduced ^ a } else { reduced }
        })
    }

    /// As in the spec.
    const BASIS: [u32; 16] = [
        0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
        0xfdb8, 0xfb34, 0xff38, 0x991e,
    ];

    #[test]
    fn missing_shards_are_rebuilt_from_any_recovery_shards() {
        let data = shards(50, 4032, 9);
        let stored = recovery_of(&data, 6);
        for (missing, places) in [
            (vec![0], vec![5]),
            (vec![3, 4, 49], vec![0, 2, 5]),
            (vec![0, 10, 20, 30, 40, 49], vec![0, 1, 2, 3, 4, 5]),
        ] {
            let mut with_zeros = data.clone();
            for row in &missing {
                with_zeros[*row].fill(0);
            }
            let folded = recovery_of(&with_zeros, 6);
            let difference = |place: usize| {
                let pairs = stored[place].iter().zip(&folded[place]);
                (place, pairs.map(|(stored, folded)| stored ^ folded).collect())
            };
            let differences: Vec<_> = places.into_iter().map(difference).collect();
            let rebuilt = rebuild(50, 6, &missing, &differences);
            for (row, shard) in missing.iter().zip(rebuilt) {
                assert!(shard == data[*row], "row {row}");
            }
        }
    }
}
