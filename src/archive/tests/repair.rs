//! Damage of every kind, and what becomes of it without a key.

use std::io::Cursor;
use std::sync::Arc;

use super::{Made, REGION, make, noise, verify};
use crate::archive::lossy::tests::Failing;
use crate::archive::{ArchiveBuilder, Lossy, Repaired, Sealed};
use crate::crypto::Passphrase;
use crate::error::{ErrorKind, Result};
use crate::format::parity::SHARD;
use crate::observer::Silent;

fn archive(percent: u8, length: usize) -> Made {
    let builder = ArchiveBuilder::new().parity(percent).frame_size(256 * 1024);
    make(builder, &[("state/a", noise(length, 77)), ("state/b", b"text ".repeat(20_000))])
}

fn repair(bytes: &[u8]) -> Result<(Vec<u8>, Repaired)> {
    let sealed = Sealed::from_source(Arc::new(bytes.to_vec()))?;
    assert_ne!(sealed.verify_digests(&Silent)?, [], "there is damage");
    let prospect = sealed.prospect(&Silent)?;
    let mut sink = Cursor::new(Vec::new());
    let result = sealed.repair(&mut sink, &Silent);
    assert_eq!(prospect.repairable, result.is_ok(), "{prospect:?}: {result:?}");
    result.map(|repaired| {
        assert_eq!((repaired.blocks, &repaired.left), (prospect.damaged, &prospect.left));
        (sink.into_inner(), repaired)
    })
}

/// Repairs what `damage` leaves of an archive, and expects it to be as it was.
#[track_caller]
fn assert_repaired(sound: &[u8], what: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = sound.to_vec();
    damage(&mut bytes);
    match repair(&bytes) {
        Ok((repaired, Repaired { left, .. })) => {
            assert_eq!(left, [], "{what}");
            assert!(repaired == sound, "{what}: other bytes");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

#[track_caller]
fn assert_beyond_repair(bytes: &[u8], why: &str) {
    let error = repair(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    assert!(error.to_string().starts_with("beyond repair: ") && error.to_string().contains(why), "{error}");
}

fn shuffled(seed: u64, blocks: usize) -> impl Iterator<Item = usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from((state >> 16) % blocks as u64).unwrap()
    })
}

#[test]
fn parity_is_no_damage_and_changes_nothing_else() {
    let made = archive(2, 300_000);
    assert_eq!(verify(made.bytes.clone(), &made.keys()).unwrap().damage, []);
    let sealed = Sealed::from_source(Arc::new(made.bytes.clone())).unwrap();
    assert_eq!(sealed.verify_digests(&Silent).unwrap(), []);
    let parity = sealed.parity().unwrap();
    assert_eq!(Some(parity.length), sealed.manifest().parity.map(|member| member.length));
    assert_eq!((parity.blocks, parity.rebuilt), (76, 4));
    assert_eq!(Sealed::from_source(Arc::new(archive(0, 10).bytes)).unwrap().parity(), None);
    let error = ArchiveBuilder::new().parity(101).passphrase(Passphrase::new("x".to_owned()));
    assert_eq!(error.create(Cursor::new(Vec::new())).err().unwrap().kind(), ErrorKind::Invalid);
}

#[test]
fn any_block_can_be_lost() {
    let sound = archive(2, 300_000).bytes;
    for at in (0..sound.len()).step_by(SHARD) {
        assert_repaired(&sound, &format!("block at {at}"), |bytes| {
            let end = bytes.len().min(at + SHARD);
            bytes[at..end].copy_from_slice(&noise(end - at, at as u64));
        });
    }
}

#[test]
fn one_block_of_a_hundred_can_be_lost_anywhere() {
    // Two groups.
    let sound = archive(2, 17 << 20).bytes;
    let blocks = sound.len() / SHARD;
    for seed in 1..=5 {
        assert_repaired(&sound, &format!("seed {seed}"), |bytes| {
            for block in shuffled(seed, blocks).take(blocks / 100) {
                bytes[block * SHARD..][..SHARD].copy_from_slice(&noise(SHARD, seed + block as u64));
            }
        });
    }
}

#[test]
fn a_hole_of_one_hundredth_can_be_anywhere() {
    let sound = archive(2, 17 << 20).bytes;
    let hole = sound.len() / 100;
    // Head, data, from there into the parity member, from there into the tail, the end.
    let behind =
        [sound.len() - REGION / 2, sound.len() / 2, sound.len() / 40 + hole / 2, REGION + hole, hole];
    for at in behind.map(|behind| sound.len() - hole.max(behind)) {
        assert_repaired(&sound, &format!("hole at {at}"), |bytes| bytes[at..at + hole].fill(0));
    }
}

#[test]
fn either_header_region_can_be_wiped() {
    let sound = archive(2, 300_000).bytes;
    let tail = sound.len() - REGION - 1024;
    assert_repaired(&sound, "head", |bytes| bytes[..REGION].fill(0));
    assert_repaired(&sound, "tail", |bytes| bytes[tail..].fill(0));
    let mut both = sound;
    both[..REGION].fill(0);
    both[tail..].fill(0);
    assert!(repair(&both).is_err());
}

#[test]
fn a_lost_end_is_made_again_up_to_the_data() {
    let made = archive(10, 300_000);
    let sealed = Sealed::from_source(Arc::new(made.bytes.clone())).unwrap();
    let parity = usize::try_from(sealed.manifest().parity.unwrap().length).unwrap();
    let data = made.bytes.len() - REGION - 1024 - parity - 512;
    for end in [data, data + 1, data + 9000, data + parity, made.bytes.len() - REGION, made.bytes.len() - 1] {
        assert_repaired(&made.bytes, &format!("cut at {end}"), |bytes| bytes.truncate(end));
    }
    // What would rebuild the data goes first.
    assert_beyond_repair(&made.bytes[..data - 20_000], "does not match its digest");
    assert_beyond_repair(&made.bytes[..data / 2], "missing");
    assert_repaired(&made.bytes, "more at the end", |bytes| bytes.extend(b"more"));
}

#[test]
fn a_parity_member_that_is_lost_whole_is_made_again() {
    let made = archive(3, 300_000);
    let sealed = Sealed::from_source(Arc::new(made.bytes.clone())).unwrap();
    let parity = usize::try_from(sealed.manifest().parity.unwrap().length).unwrap();
    let tail = made.bytes.len() - REGION - 1024;
    assert_repaired(&made.bytes, "all of it", |bytes| bytes[tail - parity - 512..tail].fill(0x55));
    // With it goes what the data could be rebuilt from.
    let mut bytes = made.bytes.clone();
    bytes[tail - parity - 512..tail].fill(0x55);
    bytes[REGION + 5000] ^= 1;
    assert_beyond_repair(&bytes, "does not match its digest");
}

#[test]
fn too_much_damage_is_beyond_repair() {
    let made = archive(2, 300_000);
    let mut bytes = made.bytes.clone();
    bytes[REGION + 4096 * 3..REGION + 4096 * 7].fill(0);
    assert_repaired(&made.bytes, "four blocks", |good| good.clone_from(&bytes));
    bytes[REGION + 4096 * 20] ^= 1;
    assert_beyond_repair(&bytes, "5 blocks of 4 KiB are damaged, and parity cannot rebuild 5 of them");
}

#[test]
fn without_parity_what_is_known_is_put_right_and_nothing_else() {
    let sound = archive(0, 300_000).bytes;
    assert_repaired(&sound, "head", |bytes| bytes[..REGION].fill(0));
    assert_repaired(&sound, "tar header", |bytes| bytes[REGION..REGION + 512].fill(9));
    assert_repaired(&sound, "tail", |bytes| bytes.truncate(bytes.len() - REGION));
    let mut bytes = sound;
    bytes[REGION + 5000] ^= 1;
    assert_beyond_repair(&bytes, "there is no parity to rebuild it with");
}

#[test]
fn a_slot_that_is_lost_in_both_copies_is_told_and_the_rest_repaired() {
    let passphrase = || Passphrase::new("correct horse".to_owned());
    let builder = ArchiveBuilder::new().passphrase(passphrase()).work_factor(2).parity(2);
    let made = make(builder, &[("state/a", noise(300_000, 7))]);
    let slot = made.bytes.windows(10).position(|bytes| bytes == b"-> scrypt ").unwrap();
    let tail = made.bytes.len() - REGION - 1024;
    let mut bytes = made.bytes.clone();
    for at in [slot, tail + slot] {
        bytes[at + 70] ^= 1;
    }
    let mut expected = bytes.clone();
    bytes[REGION + 50_000] ^= 1;
    let (repaired, told) = repair(&bytes).unwrap();
    // Both copies stay as they are: what is left of the slot may still be worth something.
    expected.truncate(bytes.len());
    assert!(repaired == expected);
    assert_eq!(told.left.len(), 2);
    assert!(told.left[0].to_string().contains("ocbak/passphrase.key.age"), "{}", told.left[0]);
    assert!(super::open(repaired, &made.keys()).is_ok(), "the other slot opens it");
}

#[test]
fn sectors_that_cannot_be_read_are_damaged_ones() {
    let sound = archive(2, 300_000).bytes;
    let bad = vec![4000..4001, 80_000..80_001, 90_000..98_000];
    let source = Failing { bytes: sound.clone(), bad };
    let sealed = Sealed::from_source(Arc::new(Lossy::new(Arc::new(source)))).unwrap();
    let mut sink = Cursor::new(Vec::new());
    let repaired = sealed.repair(&mut sink, &Silent).unwrap();
    assert!(sink.into_inner() == sound);
    assert_eq!(repaired, Repaired { blocks: 4, left: vec![] });
}

#[test]
fn a_manifest_that_claims_more_than_any_drive_costs_nothing() {
    let made = archive(2, 300_000);
    let text = made.bytes[512..].split(|byte| *byte == 0).next().unwrap();
    let length = made.bytes.len();
    let digits = text.windows(9).position(|bytes| bytes == b"length = ").unwrap() + 512 + 9;
    let mut bytes = made.bytes.clone();
    bytes[digits] = b'9';
    bytes.truncate(length / 2);
    assert_beyond_repair(&bytes, "missing");
}

#[test]
fn a_tail_copy_that_a_cut_moved_is_not_given_up_for_a_repair() {
    let mut bytes = archive(2, 300_000).bytes;
    // The parity member could do without its last bytes, but all that is left of the manifest stands behind them.
    let tail = bytes.len() - 1024 - REGION;
    let slot = tail + bytes[tail..].windows(10).position(|bytes| bytes == b"age-encryp").unwrap();
    bytes[slot + 200] ^= 1;
    bytes[..REGION].fill(0);
    bytes.drain(tail - 512..tail);
    assert_beyond_repair(&bytes, "a header region is not where it belongs");
}
