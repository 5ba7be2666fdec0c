//! Many groups, of the data and of the check blocks: with groups of a few shards instead of gigabytes of data.

use std::io::Cursor;

use super::sift::Loss;
use super::{mend, survey, write};
use crate::archive::tests::noise;
use crate::format::parity::{Geometry, SHARD};
use crate::observer::Silent;

const REGION: usize = 32 * 1024;

/// A file up to the end of its parity member, of which the length is no multiple of a shard's.
fn file(length: usize, rows: usize, check_rows: usize, recovery: usize) -> (Geometry, Vec<u8>) {
    let mut bytes = noise(REGION + length, 3);
    bytes.resize(bytes.len() + 512, 0x77);
    let content = bytes.len() as u64;
    let geometry = Geometry::with_groups_of(rows, check_rows, [1; 16], content, recovery).unwrap();
    let mut sink = Cursor::new(bytes);
    write(&mut sink, &geometry, &Silent).unwrap();
    let bytes = sink.into_inner();
    assert_eq!(bytes.len() as u64, geometry.member_end());
    (geometry, bytes)
}

fn mended(geometry: &Geometry, bytes: &[u8]) -> (Loss, Vec<u8>) {
    let counted = survey(&mut Cursor::new(bytes.to_vec()), geometry, &Silent).unwrap();
    let mut sink = Cursor::new(bytes.to_vec());
    let loss = mend(&mut sink, geometry, &Silent).unwrap();
    assert_eq!(loss, counted);
    (loss, sink.into_inner())
}

#[test]
fn a_run_is_mended_wherever_it_is() {
    // More groups than are worked on together, of which the last has a row less than others.
    let (geometry, sound) = file(1608 * SHARD + 1536, 2, 3, 4);
    assert_eq!(geometry.data.groups, 805);
    let (run, last) = (20, 1608 - 19);
    for first in [0, 760, 790, last] {
        let mut bytes = sound.clone();
        let start = REGION + first * SHARD;
        let end = usize::try_from(geometry.end).unwrap().min(start + run * SHARD);
        bytes[start..end].fill(0xdb);
        let (loss, mended) = mended(&geometry, &bytes);
        assert_eq!(loss, Loss { shards: 20, for_good: 0 });
        assert!(mended == sound, "from shard {first}");
    }
}

#[test]
fn check_blocks_are_had_from_their_other_half() {
    let (geometry, sound) = file(700 * SHARD + 512, 50, 3, 5);
    let (blocks, start) = (geometry.digest_blocks, usize::try_from(geometry.start()).unwrap());
    assert!(blocks == 2 && geometry.checks.groups == 1, "{geometry:?}");
    for lost in [0..1, 1..2, 0..2] {
        let mut bytes = sound.clone();
        bytes[start + lost.start * SHARD..start + lost.end * SHARD].fill(0);
        bytes[REGION + 17 * SHARD] ^= 1;
        let (loss, mended) = mended(&geometry, &bytes);
        assert_eq!(loss, Loss { shards: 1, for_good: 0 }, "{lost:?}");
        assert!(mended[..start] == sound[..start]);
    }
}

#[test]
fn many_groups_of_check_blocks_stand_for_one_another() {
    let (geometry, sound) = file(4000 * SHARD, 100, 3, 5);
    assert!(geometry.checks.groups == 3 && geometry.digest_blocks == 9, "{geometry:?}");
    let mut bytes = sound.clone();
    // Two neighbours of the first half, and one of the second.
    for number in [3, 4, geometry.check_recovery(1, 2)] {
        let at = usize::try_from(geometry.check_offset(number)).unwrap();
        bytes[at + 100] ^= 1;
    }
    for shard in [0, 1999, 3999] {
        bytes[REGION + shard * SHARD + 5] ^= 1;
    }
    let (loss, mended) = mended(&geometry, &bytes);
    assert_eq!(loss, Loss { shards: 3, for_good: 0 });
    let end = usize::try_from(geometry.end).unwrap();
    assert!(mended[..end] == sound[..end]);
}

#[test]
fn what_is_lost_for_good_is_counted_and_left() {
    let (geometry, sound) = file(64 * SHARD, 16, 3, 4);
    assert_eq!(geometry.data.groups, 4);
    let mut bytes = sound.clone();
    // Five of one group, where four can be rebuilt, and one of another.
    for row in 0..5 {
        bytes[usize::try_from(geometry.data_offset(row, 1)).unwrap()] ^= 1;
    }
    bytes[usize::try_from(geometry.data_offset(0, 2)).unwrap()] ^= 1;
    let (loss, mended) = mended(&geometry, &bytes);
    assert_eq!(loss, Loss { shards: 6, for_good: 5 });
    let mut expected = bytes;
    expected[usize::try_from(geometry.data_offset(0, 2)).unwrap()] ^= 1;
    assert!(mended == expected);
}

#[test]
fn lost_recovery_shards_lessen_what_can_be_rebuilt() {
    let (geometry, sound) = file(64 * SHARD, 16, 3, 4);
    for (lost, for_good) in [(2, 0), (3, 2)] {
        let mut bytes = sound.clone();
        for place in 0..lost {
            bytes[usize::try_from(geometry.recovery_offset(place, 3)).unwrap() + 9] ^= 1;
        }
        for row in [4, 7] {
            bytes[usize::try_from(geometry.data_offset(row, 3)).unwrap()] ^= 1;
        }
        assert_eq!(mended(&geometry, &bytes).0, Loss { shards: 2, for_good });
    }
}
