//! What every decoder promises of untrusted bytes: an error or a value, never a panic, and what it accepts encodes to
//! the bytes that it came from. For tests and fuzzers alone.
//!
//! Each function takes anything and panics where a promise is broken.

// Public for fuzzers; in tests nobody sees it.
#![cfg_attr(test, allow(unreachable_pub))]

use crate::format::index::Index;
use crate::format::index::line::{Head, Line, Totals};
use crate::format::limits::LIMITS;
use crate::format::manifest::Manifest;
use crate::format::region::{Found, Region};
use crate::format::tar::{self, TAR_END, TarEntry};

/// Two copies of a header region, one after the other; says whether both are intact and the same.
pub fn header_region(bytes: &[u8]) -> bool {
    let (head, tail) = bytes.split_at(bytes.len().min(LIMITS.region));
    let found = Found::merge(head, tail);
    if !found.problems.is_empty() {
        return false;
    }
    let (manifest, mac) = (found.manifests[0].clone(), found.macs[0].clone());
    let again = Region { manifest, mac, slots: found.slots }.encode();
    assert!(again.is_ok_and(|again| again == head && again == tail), "another region");
    true
}

/// A manifest; says whether it is one.
pub fn manifest(bytes: &[u8]) -> bool {
    Manifest::decode(bytes).is_ok_and(|manifest| {
        assert!(manifest.encode().as_bytes() == bytes, "another manifest");
        true
    })
}

/// The text of an index; says whether it is one.
pub fn index(bytes: &[u8]) -> bool {
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Ok(Line::Head(Head { archive, role, .. })) = Line::decode(first) else {
        return false;
    };
    let Ok(index) = Index::read(bytes, &archive, role) else {
        return false;
    };
    // Remarks may stand anywhere, so that only lines of one kind have an order among them.
    let mut lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    lines.sort_by_key(|line| KINDS.iter().position(|kind| line.starts_with(kind)));
    // What was decoded encodes: a panic is the broken promise.
    let again: Vec<u8> = lines_of(index, archive).iter().flat_map(|line| line.encode().unwrap()).collect();
    assert!(again == lines.concat(), "another index");
    true
}

/// The next entry of a tar; says whether it is one, or the end.
pub fn tar_entry(bytes: &[u8]) -> bool {
    match TarEntry::decode(&mut &bytes[..]) {
        Ok(Some(entry)) => {
            let again = tar::encode(&entry.item());
            assert!(again.is_ok_and(|again| bytes.starts_with(&again) && again.len() as u64 == entry.head));
            true
        }
        Ok(None) => {
            assert!(bytes.starts_with(&TAR_END));
            true
        }
        Err(_) => false,
    }
}

/// How lines begin, in the order of [`lines_of`].
const KINDS: [&[u8]; 6] = [b"{\"format", b"{\"path", b"{\"skipped", b"{\"noted", b"{\"frames", b"{\"entries"];

fn lines_of(index: Index, archive: [u8; 16]) -> Vec<Line> {
    let starts = [0].into_iter().chain(index.frame_ends.iter().copied());
    let lengths: Vec<u64> =
        starts.zip(&index.frame_ends).map(|(start, end)| end.saturating_sub(start)).collect();
    let count = |list: usize| list as u64;
    let totals = Totals {
        entries: count(index.entries.len()),
        skipped: count(index.skipped.len()),
        noted: count(index.noted.len()),
        content: index.content,
        tar: index.tar,
    };
    let head = Head { archive, role: index.role, frame_size: index.frame_size, source: index.source };
    let frames = lengths.chunks(LIMITS.frames_in_line).map(|lengths| Line::Frames(lengths.to_vec()));
    [Line::Head(head)]
        .into_iter()
        .chain(index.entries.into_iter().map(Line::Entry))
        .chain(index.skipped.into_iter().map(Line::Skipped))
        .chain(index.noted.into_iter().map(Line::Noted))
        .chain(frames)
        .chain([Line::Totals(totals)])
        .collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::format::entry::{Item, ItemKind, Mtime, Xattr};
    use crate::format::region::{Region, SlotKind};
    use crate::format::{index, manifest, tar};
    use crate::path::ArchivePath;

    fn sound_region() -> Vec<u8> {
        let slots = vec![(SlotKind::Passphrase, vec![1; 300]), (SlotKind::Recipients, vec![2; 512])];
        let region = Region { manifest: b"manifest".to_vec(), mac: b"mac".to_vec(), slots };
        region.encode().unwrap().repeat(2)
    }

    fn sound_manifest() -> Vec<u8> {
        manifest::tests::sample().encode().into_bytes()
    }

    fn sound_index() -> Vec<u8> {
        index::tests::encode(&index::tests::sample())
    }

    fn sound_entry() -> Vec<u8> {
        let path = ArchivePath::parse(&[b"state/".to_vec(), b"\xff".repeat(120)].concat()).unwrap();
        let xattrs = [Xattr { name: "user.a".to_owned(), value: b"\n=\0".to_vec() }];
        let mtime = Mtime { seconds: 1_763_791_200, nanoseconds: 5 };
        let kind = ItemKind::File { size: 1 << 33 };
        tar::encode(&Item { path: &path, mode: 0o640, mtime, xattrs: &xattrs, kind }).unwrap()
    }

    /// Some bytes taken out and others put in, at a few places or at none.
    fn damaged(sound: Vec<u8>) -> impl Strategy<Value = (bool, Vec<u8>)> {
        let edit = (any::<prop::sample::Index>(), 0..4_usize, vec(any::<u8>(), 0..4));
        vec(edit, 0..4).prop_map(move |edits| {
            let mut bytes = sound.clone();
            for (at, out, put) in edits {
                let at = at.index(bytes.len() + 1);
                let end = (at + out).min(bytes.len());
                bytes.splice(at..end, put);
            }
            (bytes == sound, bytes)
        })
    }

    macro_rules! promise {
        ($name:ident, $sound:ident, $decoder:path) => {
            proptest! {
                #[test]
                fn $name((same, bytes) in damaged($sound()), any in vec(any::<u8>(), 0..2048)) {
                    let accepted = $decoder(&bytes);
                    prop_assert!(accepted || !same, "the sound one is refused");
                    $decoder(&any);
                }
            }
        };
    }

    promise!(header_regions_keep_the_promise, sound_region, super::header_region);
    promise!(manifests_keep_the_promise, sound_manifest, super::manifest);
    promise!(indexes_keep_the_promise, sound_index, super::index);
    promise!(tar_entries_keep_the_promise, sound_entry, super::tar_entry);
}
