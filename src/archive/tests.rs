//! Archives as a whole: what comes back, and what every damage leads to.
#![allow(clippy::cast_possible_truncation)]

mod huge;
mod parts;
mod passwd;
mod rekey;
mod repair;

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Archive, ArchiveBuilder, ReadAt, Sealed, Verifier, VerifyReport};
use crate::crypto::{Identity, Keys, Passphrase};
use crate::error::{ErrorKind, Result};
use crate::format::entry::{
    Item, ItemKind, Mtime, Node, NoteReason, Noted, Role, Root, SkipReason, Skipped, Source, Xattr,
};
use crate::format::region::SlotKind;
use crate::observer::Silent;
use crate::path::ArchivePath;

const REGION: usize = 32 * 1024;

fn path(text: &str) -> ArchivePath {
    ArchivePath::parse(text.as_bytes()).unwrap()
}

/// Bytes that do not compress.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

struct Made {
    bytes: Vec<u8>,
    identity: Identity,
    verifier: Verifier,
}

impl Made {
    fn keys(&self) -> Keys {
        Keys::new().identities(vec![self.identity.clone()])
    }

    fn open(&self) -> Archive {
        open(self.bytes.clone(), &self.keys()).unwrap()
    }
}

fn open(bytes: Vec<u8>, keys: &Keys) -> Result<Archive> {
    Sealed::from_source(Arc::new(bytes))?.unlock(keys)
}

fn verify(bytes: Vec<u8>, keys: &Keys) -> Result<VerifyReport> {
    open(bytes, keys)?.verify(1, &Silent)
}

/// An archive with both payloads and these files in the state.
fn make(builder: ArchiveBuilder, files: &[(&str, Vec<u8>)]) -> Made {
    let identity = Identity::generate();
    let mut writer = builder
        .recipients(vec![identity.recipient()])
        .created(1_763_791_200)
        .create(Cursor::new(Vec::new()))
        .unwrap();
    let source = |root: &str| Source {
        roots: vec![Root {
            path: path(root),
            source: b"/home/alice/x".to_vec(),
            agents: vec!["main".to_owned()],
        }],
        facts: [("home".to_owned(), "/home/alice".to_owned())].into(),
    };
    let directory = path("state");
    let base = Item {
        path: &directory,
        mode: 0o700,
        mtime: Mtime { seconds: 1_763_791_200, nanoseconds: 5 },
        xattrs: &[],
        kind: ItemKind::Directory,
    };
    writer.begin(source("state"), Role::State).unwrap();
    writer.append(&base, &mut io::empty()).unwrap();
    for (name, content) in files {
        let size = content.len() as u64;
        let item = Item { path: &path(name), kind: ItemKind::File { size }, ..base };
        assert_eq!(writer.append(&item, &mut &content[..]).unwrap(), 0);
    }
    writer
        .skip(Skipped {
            path: path("state/cache"),
            why: SkipReason::Policy,
            detail: "regenerable".to_owned(),
        })
        .unwrap();
    writer.begin(source("workspace/main"), Role::Workspace).unwrap();
    let directory = path("workspace/main");
    let base = Item { path: &directory, ..base };
    writer.append(&base, &mut io::empty()).unwrap();
    let link = path("workspace/main/link");
    let link = Item { path: &link, kind: ItemKind::Symlink { target: b"nowhere" }, ..base };
    writer.append(&link, &mut io::empty()).unwrap();
    let verifier = writer.verifier();
    let (sink, summary) = writer.finish().unwrap();
    let bytes = sink.into_inner();
    assert_eq!(summary.length, bytes.len() as u64);
    Made { bytes, identity, verifier }
}

fn small() -> Made {
    make(ArchiveBuilder::new(), &[("state/a", b"hello".to_vec()), ("state/b", noise(700, 3))])
}

/// Several frames, with files that begin and end anywhere in them.
fn large(threads: usize) -> (Made, Vec<(&'static str, Vec<u8>)>) {
    let files = vec![
        ("state/a", noise(300_000, 1)),
        ("state/b", Vec::new()),
        ("state/c", b"text ".repeat(200_000)),
        ("state/d", noise(1, 2)),
        ("state/e", noise(262_144, 4)),
    ];
    let builder = ArchiveBuilder::new().frame_size(256 * 1024).threads(threads);
    (make(builder, &files), files)
}

#[test]
fn everything_comes_back_by_streaming_and_by_seeking() {
    for threads in [1, 4] {
        let (made, files) = large(threads);
        let archive = made.open();
        assert_eq!(archive.opened_by(), SlotKind::Recipients);
        assert!(archive.damage().is_empty());
        let index = archive.index(Role::State).unwrap();
        assert_eq!(index.skipped.len(), 1);
        for (name, content) in &files {
            let entry = index.find(&path(name)).unwrap();
            let mut found = Vec::new();
            archive.read(&index, entry).unwrap().read_to_end(&mut found).unwrap();
            assert!(found == *content, "{name}");
        }
        let report = archive.verify(threads, &Silent).unwrap();
        assert_eq!(report.damage, []);
        assert_eq!(report.entries, 8);
        assert_eq!(report.bytes, files.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
        let workspace = archive.index(Role::Workspace).unwrap();
        let target = b"nowhere".to_vec();
        assert_eq!(workspace.entries[1].node, Node::Symlink { target });
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_bytes() {
    let frames = |threads| {
        let (made, _) = large(threads);
        let index = made.open().index(Role::State).unwrap();
        (index.frame_ends, index.entries)
    };
    assert_eq!(frames(1), frames(3));
}

#[test]
fn content_that_ends_early_is_filled_with_zeros() {
    let mut writer = ArchiveBuilder::new()
        .recipients(vec![Identity::generate().recipient()])
        .create(Cursor::new(Vec::new()))
        .unwrap();
    let state = path("state");
    let root = Root { path: state.clone(), source: b"/s".to_vec(), agents: vec![] };
    let source = Source { roots: vec![root], ..Source::default() };
    writer.begin(source, Role::State).unwrap();
    let directory =
        Item { path: &state, mode: 0o700, mtime: Mtime::default(), xattrs: &[], kind: ItemKind::Directory };
    writer.append(&directory, &mut io::empty()).unwrap();
    let file = path("state/a");
    let item = Item {
        path: &file,
        mode: 0o600,
        mtime: Mtime::default(),
        xattrs: &[Xattr { name: "user.x".to_owned(), value: vec![1] }],
        kind: ItemKind::File { size: 10 },
    };
    assert_eq!(writer.append(&item, &mut &b"abc"[..]).unwrap(), 7);
    let noted = Noted { path: state.clone(), why: NoteReason::Changed, detail: "shrank".to_owned() };
    writer.note(noted).unwrap();
    assert_eq!(writer.finish().unwrap().1.payloads[0].attention, 1);
}

#[test]
fn misuse_of_the_writer_is_refused() {
    let identity = Identity::generate();
    let builder = || ArchiveBuilder::new().recipients(vec![identity.recipient()]);
    assert!(ArchiveBuilder::new().create(Cursor::new(vec![])).is_err());
    assert!(builder().frame_size(1 << 17).create(Cursor::new(vec![])).is_err());
    assert!(builder().frame_size(3 << 18).create(Cursor::new(vec![])).is_err());
    assert!(builder().level(23).create(Cursor::new(vec![])).is_err());
    assert!(builder().created(-1).create(Cursor::new(vec![])).is_err());
    let empty = Passphrase::new(String::new());
    assert!(builder().passphrase(empty).create(Cursor::new(vec![])).is_err());
    let mut writer = builder().create(Cursor::new(vec![])).unwrap();
    assert!(writer.begin(Source::default(), Role::Workspace).is_err());
    assert!(builder().create(Cursor::new(vec![])).unwrap().finish().is_err());
}

#[test]
fn a_passphrase_and_recipients_open_the_same_archive() {
    let passphrase = || Passphrase::new("correct horse".to_owned());
    let made = make(ArchiveBuilder::new().passphrase(passphrase()).work_factor(2), &[]);
    let keys = Keys::new().passphrase(passphrase());
    let archive = open(made.bytes.clone(), &keys).unwrap();
    assert_eq!(archive.opened_by(), SlotKind::Passphrase);
    assert_eq!(made.open().opened_by(), SlotKind::Recipients);
    for keys in [
        Keys::new(),
        Keys::new().passphrase(Passphrase::new("wrong".to_owned())),
        Keys::new().identities(vec![Identity::generate()]),
    ] {
        let error = open(made.bytes.clone(), &keys).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::WrongKey);
    }
}

#[test]
fn every_flip_of_a_byte_is_reported() {
    let made = small();
    let keys = made.keys();
    let offsets: Vec<_> = (0..made.bytes.len()).collect();
    std::thread::scope(|scope| {
        for part in offsets.chunks(offsets.len().div_ceil(2)) {
            let (keys, made) = (&keys, &made);
            scope.spawn(move || {
                for &at in part {
                    let mut bytes = made.bytes.clone();
                    bytes[at] ^= 1 << (at % 8);
                    match verify(bytes, keys) {
                        Ok(report) => assert_ne!(report.damage, [], "byte {at}"),
                        Err(error) => assert!(
                            matches!(
                                error.kind(),
                                ErrorKind::Malformed | ErrorKind::Tampered | ErrorKind::WrongKey
                            ),
                            "byte {at}: {error}"
                        ),
                    }
                    // The header regions serve for one another.
                    let within = at < REGION || at >= made.bytes.len() - REGION - 1024;
                    if within {
                        let mut bytes = made.bytes.clone();
                        bytes[at] ^= 1 << (at % 8);
                        assert!(open(bytes, keys).is_ok(), "byte {at}");
                    }
                }
            });
        }
    });
}

#[test]
fn truncation_anywhere_is_reported() {
    let made = small();
    let keys = made.keys();
    for end in (0..made.bytes.len()).step_by(512) {
        match verify(made.bytes[..end].to_vec(), &keys) {
            Ok(report) => assert_ne!(report.damage, [], "cut at {end}"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::Io, "cut at {end}: {error}"),
        }
    }
    let mut longer = made.bytes.clone();
    longer.push(0);
    assert_ne!(verify(longer, &keys).unwrap().damage, []);
}

#[test]
fn lost_header_regions_are_named_for_what_is_lost_with_them() {
    let made = small();
    let tail = made.bytes.len() - REGION - 1024;
    let error = |lost: &dyn Fn(&mut [u8])| {
        let mut bytes = made.bytes.clone();
        lost(&mut bytes[..REGION]);
        lost(&mut bytes[tail..tail + REGION]);
        open(bytes, &made.keys()).err().unwrap()
    };
    let all = error(&|region| region.fill(0));
    assert_eq!(all.kind(), ErrorKind::NotAnArchive);
    assert!(all.to_string().ends_with(" are lost, and with them the key slots and the manifest"), "{all}");
    let slots = error(&|region| {
        let name = b"ocbak/recipients.key.age\0";
        let at = region.windows(name.len()).position(|window| window == name).unwrap();
        region[at..at + 1024].fill(0);
    });
    assert_eq!(slots.kind(), ErrorKind::Malformed);
    assert!(slots.to_string().ends_with("the key slots are lost"), "{slots}");
}

#[test]
fn rot_is_found_without_a_key() {
    let made = small();
    let quick = |bytes: Vec<u8>| {
        let sealed = Sealed::from_source(Arc::new(bytes)).unwrap();
        sealed.verify_digests(&Silent).unwrap()
    };
    assert_eq!(quick(made.bytes.clone()), []);
    for at in (0..made.bytes.len()).step_by(97) {
        let mut bytes = made.bytes.clone();
        bytes[at] ^= 0x10;
        assert_ne!(quick(bytes), [], "byte {at}");
    }
}

#[test]
fn the_writer_finds_every_difference_without_a_key() {
    let made = small();
    let check = |bytes: Vec<u8>| made.verifier.verify(Arc::new(bytes), 1, &Silent).unwrap();
    let sound = check(made.bytes.clone());
    assert_eq!((sound.entries, sound.damage), (5, vec![]));
    for at in (0..made.bytes.len()).step_by(97) {
        let mut bytes = made.bytes.clone();
        bytes[at] ^= 0x10;
        assert_ne!(check(bytes).damage, [], "byte {at}");
    }
    for lost in [vec![], vec![0; made.bytes.len()], made.bytes[..REGION].to_vec(), small().bytes] {
        assert_ne!(check(lost).damage, []);
    }
}

#[test]
fn a_damaged_head_slot_beside_a_good_tail_opens_with_a_warning() {
    let passphrase = || Passphrase::new("correct horse".to_owned());
    let made = make(ArchiveBuilder::new().passphrase(passphrase()).work_factor(2), &[]);
    let keys = Keys::new().passphrase(passphrase());
    let slot = made.bytes.windows(10).position(|bytes| bytes == b"-> scrypt ").unwrap();
    let mut one = made.bytes.clone();
    one[slot + 70] ^= 1;
    let archive = open(one.clone(), &keys).unwrap();
    let damage = archive.damage()[0].to_string();
    assert!(damage.contains("head") && damage.contains("passphrase.key.age"), "{damage}");
    // Told apart from a wrong passphrase, which stays one.
    let wrong = Keys::new().passphrase(Passphrase::new("wrong".to_owned()));
    assert_eq!(open(one.clone(), &wrong).err().unwrap().kind(), ErrorKind::WrongKey);
    // With both copies damaged the right passphrase is not called wrong.
    let tail = one.len() - REGION - 1024;
    one[tail + slot + 70] ^= 1;
    assert_eq!(open(one, &keys).err().unwrap().kind(), ErrorKind::Malformed);
}

/// Counts what is read.
struct Counter {
    bytes: Vec<u8>,
    read: AtomicU64,
}

impl ReadAt for Counter {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.bytes.read_at(buffer, offset)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }
}

#[test]
fn one_file_costs_the_index_two_frames_and_little_more() {
    let frame = 256 * 1024;
    let files: Vec<_> = ["state/a", "state/b", "state/c", "state/d"]
        .into_iter()
        .enumerate()
        .map(|(seed, name)| (name, noise(4 * frame - 100_000, seed as u64 + 1)))
        .chain([("state/e", noise(1000, 9)), ("state/f", noise(4 * frame, 7))])
        .collect();
    let made = make(ArchiveBuilder::new().frame_size(frame as u32), &files);
    let source = Arc::new(Counter { bytes: made.bytes.clone(), read: AtomicU64::new(0) });
    let archive = Sealed::from_source(source.clone()).unwrap().unlock(&made.keys()).unwrap();
    source.read.store(0, Ordering::Relaxed);
    let index = archive.index(Role::State).unwrap();
    let entry = index.find(&path("state/e")).unwrap();
    let mut content = Vec::new();
    archive.read(&index, entry).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, files[4].1);
    let read = source.read.load(Ordering::Relaxed);
    let index_length = archive.manifest().payloads[0].index.length;
    let most = index_length + 2 * frame as u64 + 256 * 1024;
    assert!(read <= most, "{read} of {most}");
    assert!(read < made.bytes.len() as u64 / 4);
}
