//! A drive that rots, as often as it takes to believe in repairs: a hundred archives of 200 MB, each with one block of
//! 4 KiB in a hundred lost. Takes minutes: `cargo test --release --test suite rot:: -- --ignored --nocapture`.

use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::home::noise;
use ocbak::{
    ArchiveBuilder, ArchivePath, Identity, Item, ItemKind, Mtime, Role, Root, Sealed, Silent, Source,
};

const TRIALS: u64 = 100;
const LENGTH: usize = 200_000_000;
const BLOCK: usize = 4096;

#[test]
#[ignore = "takes minutes"]
fn one_block_of_a_hundred_is_repaired_a_hundred_times() {
    let sound = archive();
    let region_length = 32 * 1024;
    let between = region_length..sound.len() - region_length - 1024;
    let (mut whole, mut slowest) = (0, Duration::ZERO);
    for seed in 1..=TRIALS {
        let mut bytes = sound.clone();
        for block in blocks(seed, sound.len() / BLOCK).take(sound.len() / BLOCK / 100) {
            bytes[block * BLOCK..][..BLOCK].copy_from_slice(&noise(BLOCK));
        }
        let sealed = Sealed::from_source(Arc::new(bytes)).unwrap_or_else(|error| panic!("{seed}: {error}"));
        let mut sink = Cursor::new(Vec::with_capacity(sound.len()));
        let started = Instant::now();
        let repaired = sealed.repair(&mut sink, &Silent).unwrap_or_else(|error| panic!("{seed}: {error}"));
        slowest = slowest.max(started.elapsed());
        let bytes = sink.into_inner();
        assert!(bytes[between.clone()] == sound[between.clone()], "{seed}: other bytes");
        // Where the same member of the header was hit in both copies, that is told.
        assert_eq!(repaired.left.is_empty(), bytes == sound, "{seed}: {:?}", repaired.left);
        whole += u64::from(repaired.left.is_empty());
    }
    println!(
        "{TRIALS} of {TRIALS} repaired, {whole} of them with both header regions; at most {slowest:.1?} each"
    );
}

/// An archive of bytes that do not compress.
fn archive() -> Vec<u8> {
    let recipient = Identity::generate().recipient();
    let mut writer =
        ArchiveBuilder::new().recipients(vec![recipient]).parity(2).create(Cursor::new(Vec::new())).unwrap();
    let state = ArchivePath::parse(b"state").unwrap();
    let root = Root { path: state.clone(), source: b"/s".to_vec(), agents: vec![] };
    writer.begin(Source { roots: vec![root], ..Source::default() }, Role::State).unwrap();
    let directory =
        Item { path: &state, mode: 0o700, mtime: Mtime::default(), xattrs: &[], kind: ItemKind::Directory };
    writer.append(&directory, &mut io::empty()).unwrap();
    let path = state.join(b"noise").unwrap();
    let file = Item { path: &path, kind: ItemKind::File { size: LENGTH as u64 }, ..directory };
    writer.append(&file, &mut &noise(LENGTH)[..]).unwrap();
    writer.finish().unwrap().0.into_inner()
}

fn blocks(seed: u64, count: usize) -> impl Iterator<Item = usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from((state >> 16) % count as u64).unwrap()
    })
}
