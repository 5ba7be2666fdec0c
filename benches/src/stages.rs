//! Each stage of ocbak by itself: hash, frames, age, tar, index, walk.
//!
//! `cargo bench` in this directory prints throughputs: bytes, or entries, in a second of one thread.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::iter::successors;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use ocbak::stages::{Age, Frames, decode_index, encode_index, hash, tar_head};
use ocbak::{
    ArchivePath, CaptureOptions, Entry, Environment, Installation, Item, ItemKind, Mtime, Node, Root, Search,
    Silent, Source, estimate,
};

criterion_main!(stages);
criterion_group!(stages, bytes, entries, walk);

/// What grows with bytes.
fn bytes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bytes");
    group.throughput(Throughput::Bytes(FRAME as u64));
    for (kind, tar) in [("text", text()), ("noise", noise(FRAME))] {
        let mut frames = Frames::new(3).unwrap();
        let (mut frame, mut back) = (Vec::new(), Vec::new());
        frames.compress(&tar, &mut frame).unwrap();
        frames.decompress(&frame, FRAME_SIZE, &mut back).unwrap();
        assert!(back == tar);
        bench(&mut group, &format!("compress/{kind}"), || frames.compress(&tar, &mut frame).unwrap());
        bench(&mut group, &format!("decompress/{kind}"), || {
            frames.decompress(&frame, FRAME_SIZE, &mut back).unwrap();
        });
    }
    let (age, plain) = (Age::generate(), noise(FRAME));
    let (mut sealed, mut back) = (Vec::new(), vec![0; FRAME]);
    age.encrypt(&plain, &mut sealed).unwrap();
    age.decrypt(&sealed, &mut back).unwrap();
    assert!(back == plain);
    bench(&mut group, "hash", || hash(&plain).unwrap());
    bench(&mut group, "age write", || {
        sealed.clear();
        age.encrypt(&plain, &mut sealed).unwrap();
    });
    bench(&mut group, "age read", || age.decrypt(&sealed, &mut back).unwrap());
}

/// What grows with the number of entries.
fn entries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("entries");
    group.throughput(Throughput::Elements(ENTRIES));
    let entries: Vec<Entry> = (0..ENTRIES).map(entry).collect();
    let root = Root {
        path: ArchivePath::parse(b"state").unwrap(),
        source: b"/home/user/.openclaw".to_vec(),
        agents: vec![],
    };
    let source = Source { roots: vec![root], ..Source::default() };
    let index = encode_index(source.clone(), &entries).unwrap();
    assert!(decode_index(&index).unwrap().entries == entries);
    bench(&mut group, "tar encode", || {
        for Entry { path, mode, mtime, .. } in &entries {
            let item =
                Item { path, mode: *mode, mtime: *mtime, xattrs: &[], kind: ItemKind::File { size: 300 } };
            black_box(tar_head(&item).unwrap());
        }
    });
    bench(&mut group, "index encode", || encode_index(source.clone(), &entries).unwrap());
    bench(&mut group, "index decode", || decode_index(&index).unwrap());
}

/// Finding what is there, without reading contents.
fn walk(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    for number in 0..ENTRIES {
        let directory = home.path().join(format!("logs/{:02}", number % 50));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{number}.log")), "x").unwrap();
    }
    let search = Search { state_dir: Some(home.path().to_owned()), ..Search::default() };
    let installation = Installation::locate(&search, &Environment::current()).unwrap();
    let options = CaptureOptions { all: true, ..CaptureOptions::default() };
    let mut group = criterion.benchmark_group("entries");
    group.throughput(Throughput::Elements(ENTRIES));
    bench(&mut group, "walk", || {
        // No sample of the contents is wanted. Every file has one byte.
        let forecast = estimate(&installation, &options, 3, u64::MAX, &Silent).unwrap();
        assert_eq!(forecast.content, ENTRIES);
    });
}

fn bench<T>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut work: impl FnMut() -> T) {
    group.bench_function(name, |bencher| bencher.iter(&mut work));
}

/// The root, and files in it.
fn entry(number: u64) -> Entry {
    let (path, node) = if number == 0 {
        ("state".to_owned(), Node::Directory)
    } else {
        let sha256 = hash(&number.to_le_bytes()).unwrap();
        (format!("state/agents-main-sessions-{number:08}.jsonl"), Node::File { size: 300, sha256 })
    };
    let path = ArchivePath::parse(path.as_bytes()).unwrap();
    let mtime = Mtime { seconds: 1_790_000_000, nanoseconds: 123_456_789 };
    Entry { path, mode: 0o700, mtime, offset: number * 1536, node }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    successors(Some(1), next).map(|state| (state >> 56) as u8).take(length).collect()
}

/// Lines of a log: common words and numbers that change.
fn text() -> Vec<u8> {
    let words: Vec<_> =
        "a session of the agent began with message tool read write error channel token".split(' ').collect();
    let mut text = String::new();
    for pair in noise(FRAME).chunks(8) {
        let picked: Vec<_> = pair[2..].iter().map(|&byte| words[usize::from(byte) % words.len()]).collect();
        let (high, low, words) = (pair[0], pair[1], picked.join(" "));
        writeln!(text, "{{\"id\":\"{high:02x}{low:02x}\",\"text\":\"{words}\"}}").unwrap();
        if text.len() > FRAME {
            break;
        }
    }
    text.truncate(FRAME);
    text.into_bytes()
}

const FRAME_SIZE: u32 = 2 << 20;
const FRAME: usize = FRAME_SIZE as usize;
const ENTRIES: u64 = 10_000;
