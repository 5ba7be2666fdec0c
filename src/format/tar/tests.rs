//! What the tar codec promises, and what it refuses.

use super::{TarEntry, encode};
use crate::format::entry::{Item, ItemKind, Mtime, Xattr};
use crate::path::ArchivePath;

fn item<'a>(path: &'a ArchivePath, xattrs: &'a [Xattr], kind: ItemKind<'a>) -> Item<'a> {
    Item { path, mode: 0o640, mtime: Mtime { seconds: 1_763_791_200, nanoseconds: 5 }, xattrs, kind }
}

fn path(bytes: &[u8]) -> ArchivePath {
    ArchivePath::parse(bytes).unwrap()
}

fn round_trip(item: &Item<'_>) {
    let blocks = encode(item).unwrap();
    let entry = TarEntry::decode(&mut &blocks[..]).unwrap().unwrap();
    assert_eq!(entry.head, blocks.len() as u64);
    assert_eq!(entry.path, *item.path);
    assert_eq!(entry.item().kind, item.kind);
    assert_eq!(entry.xattrs, item.xattrs);
    assert_eq!((entry.mode, entry.mtime), (item.mode, item.mtime));
}

#[test]
fn entries_of_every_kind_come_back() {
    let long = path(&[b"state/".to_vec(), b"x".repeat(200)].concat());
    let odd = path(&[b"state/".to_vec(), b"\xff".repeat(120)].concat());
    let xattrs = [
        Xattr { name: "user.a".to_owned(), value: b"\n1=\0".to_vec() },
        Xattr { name: "user.b".to_owned(), value: vec![] },
    ];
    for name in [&path(b"state/a"), &path(b"state/\xff"), &long, &odd] {
        for kind in [
            ItemKind::File { size: 0 },
            ItemKind::File { size: (1 << 33) - 1 },
            ItemKind::File { size: 1 << 33 },
            ItemKind::Directory,
            ItemKind::Symlink { target: b"../x" },
            ItemKind::Symlink { target: &[b'y'; 4096] },
            ItemKind::Hardlink { target: &long },
        ] {
            let link = matches!(kind, ItemKind::Symlink { .. } | ItemKind::Hardlink { .. });
            round_trip(&item(name, if link { &[] } else { &xattrs }, kind));
        }
    }
}

#[test]
fn times_of_every_size_come_back() {
    for seconds in [0, (1 << 33) - 1, 1 << 33, -1, -(1 << 40)] {
        for nanoseconds in [0, 1, 999_999_999] {
            let name = path(b"state");
            let mut item = item(&name, &[], ItemKind::Directory);
            item.mtime = Mtime { seconds, nanoseconds };
            round_trip(&item);
        }
    }
}

#[test]
fn items_against_the_rules_are_refused() {
    let name = path(b"state/a");
    let unsorted = ["user.b", "user.a"].map(|name| Xattr { name: name.to_owned(), value: vec![] });
    let attribute = [Xattr { name: "user.a".to_owned(), value: vec![] }];
    let equals = [Xattr { name: "user.a=b".to_owned(), value: vec![] }];
    let huge = [Xattr { name: "user.a".to_owned(), value: vec![0; 1 << 20] }];
    let mut wide = item(&name, &[], ItemKind::Directory);
    wide.mode = 0o10000;
    for bad in [
        item(&name, &unsorted, ItemKind::Directory),
        item(&name, &equals, ItemKind::Directory),
        item(&name, &huge, ItemKind::Directory),
        item(&name, &huge[..0], ItemKind::Symlink { target: b"" }),
        item(&name, &attribute, ItemKind::Symlink { target: b"x" }),
        item(&name, &attribute, ItemKind::Hardlink { target: &name }),
        item(&name, &[], ItemKind::Symlink { target: b"a\0b" }),
        item(&name, &[], ItemKind::Symlink { target: &[b'a'; 4097] }),
        item(&name, &[], ItemKind::File { size: 1 << 63 }),
        wide,
    ] {
        assert!(encode(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn every_flip_in_a_header_is_refused_or_changes_the_entry() {
    let name = path(b"state/a");
    let blocks = encode(&item(&name, &[], ItemKind::File { size: 77 })).unwrap();
    let good = TarEntry::decode(&mut &blocks[..]).unwrap();
    for at in 0..blocks.len() {
        for bit in 0..8 {
            let mut bad = blocks.clone();
            bad[at] ^= 1 << bit;
            if let Ok(entry) = TarEntry::decode(&mut &bad[..]) {
                assert_ne!(entry, good, "byte {at} bit {bit}");
            }
        }
    }
}
