//! A sound archive whose damage is computed: what must come out of it when parts of it are lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use super::archives::{noise, open, seal};
use super::{Payload, scratch};
use crate::archive::ReadAt;
use crate::format::block::padding;
use crate::format::entry::{Node, Role};
use crate::format::index::Index;
use crate::format::layout::{Layout, Place};
use crate::observer::Silent;
use crate::restore::{Adaptation, Selection, salvage};

/// A sound archive and everything about it.
pub(super) struct Sound {
    pub(super) bytes: Vec<u8>,
    pub(super) layout: Layout,
    pub(super) indexes: Vec<Index>,
    pub(super) contents: BTreeMap<String, Vec<u8>>,
    /// Each payload before it is decompressed.
    pub(super) plain: Vec<Vec<u8>>,
}

impl Sound {
    pub(super) fn new(payloads: &[(Role, &Payload)]) -> Self {
        let bytes = seal(payloads);
        let archive = open(Arc::new(bytes.clone()));
        let mut contents = BTreeMap::new();
        for (_, payload) in payloads {
            for (entry, content) in payload.entries.iter().zip(&payload.contents) {
                let is_file = matches!(entry.node, Node::File { .. });
                contents.extend(is_file.then(|| (entry.path.to_string(), content.clone())));
            }
        }
        let indexes = archive.roles().map(|role| archive.index(role).unwrap()).collect();
        let plain = archive.roles().map(|role| archive.plain(role)).collect();
        Self { layout: Layout::new(archive.manifest()).unwrap(), indexes, bytes, contents, plain }
    }

    pub(super) fn place(&self, name: &str) -> &Place {
        self.layout.place(&format!("ocbak/{name}.zst.age")).unwrap()
    }

    /// Where the chunk with a byte of a member's plaintext stands in the file.
    pub(super) fn chunk(&self, place: &Place, plain: u64) -> Range<u64> {
        let begin = usize::try_from(place.content).unwrap();
        let rest = &self.bytes[begin..];
        let end = rest.windows(4).position(|window| window == b"\n---").unwrap() + 1;
        let line = rest[end..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let start = place.content + (end + line + 16) as u64 + plain / CHUNK * (CHUNK + 16);
        start..(start + CHUNK + 16).min(place.content + place.member.length)
    }

    /// How much of the tar in each frame comes before the first chunk of it that is lost.
    pub(super) fn readable(&self, index: &Index, bad: &dyn Fn(&Range<u64>) -> bool) -> Vec<u64> {
        let place = self.place(&format!("{}.tar", index.role));
        let plaintext = &self.plain[usize::from(index.role == Role::Workspace)];
        let frames = (0..).map_while(|number| index.frame(number));
        frames
            .map(|(plain, length)| {
                let mut chunks = plain.start / CHUNK..plain.end.div_ceil(CHUNK);
                let Some(lost) = chunks.find(|chunk| bad(&self.chunk(place, chunk * CHUNK))) else {
                    return length as u64;
                };
                let there = plain.start..(lost * CHUNK).max(plain.start);
                let part =
                    &plaintext[usize::try_from(there.start).unwrap()..usize::try_from(there.end).unwrap()];
                let mut decoder = zstd::stream::read::Decoder::with_buffer(part).unwrap();
                let mut tar = Vec::new();
                // Fails at its end, after all that there is.
                let _ = decoder.read_to_end(&mut tar);
                tar.len() as u64
            })
            .collect()
    }

    /// Whether all of the tar from `start` to `end` is there.
    pub(super) fn holds(index: &Index, tar: Range<u64>, readable: &[u64]) -> bool {
        let size = u64::from(index.frame_size);
        (tar.start / size..tar.end.div_ceil(size)).all(|number| {
            let needed = tar.end.min((number + 1) * size) - number * size;
            readable[usize::try_from(number).unwrap()] >= needed
        })
    }

    /// The files that are intact; without an index, only what stands before the first loss.
    pub(super) fn intact(
        &self,
        index: &Index,
        listed: bool,
        bad: &dyn Fn(&Range<u64>) -> bool,
    ) -> Vec<String> {
        let starts = index.entries.iter().map(|entry| entry.offset);
        let ends = starts.skip(1).chain([index.tar - 1024]);
        let readable = self.readable(index, bad);
        let mut names = Vec::new();
        for (entry, end) in index.entries.iter().zip(ends) {
            let start = if listed { entry.offset } else { 0 };
            // With its place and its hash, the zeros after a content are not needed.
            let zeros = match entry.node {
                Node::File { size, .. } if listed => padding(size) as u64,
                _ => 0,
            };
            let empty = listed && matches!(entry.node, Node::File { size: 0, .. });
            if self.contents.contains_key(&entry.path.to_string())
                && (empty || Self::holds(index, start..end - zeros, &readable))
            {
                names.push(entry.path.to_string());
            }
        }
        names
    }

    /// Salvages and compares with what must come out; `listed` tells whose index is intact.
    pub(super) fn check(
        &self,
        source: Arc<dyn ReadAt>,
        listed: [bool; 2],
        bad: &dyn Fn(&Range<u64>) -> bool,
    ) {
        let (_scratch, base) = scratch();
        let target = base.join("out");
        let (restored, payloads) =
            salvage(&open(source), &Selection::default(), &target, &Adaptation::default(), &Silent).unwrap();
        let mut out = 0;
        for ((index, payload), listed) in self.indexes.iter().zip(&payloads).zip(listed) {
            let names =
                |list: &[crate::ArchivePath]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
            let intact = self.intact(index, listed, bad);
            let (whole, authenticated) = (&payload.whole, &payload.authenticated);
            let (found, other) = if listed { (whole, authenticated) } else { (authenticated, whole) };
            assert_eq!(names(found), intact);
            assert_eq!(names(other), [""; 0]);
            assert_eq!(payload.index_intact, listed);
            let files = index.entries.iter().map(|entry| entry.path.to_string());
            let missing: Vec<_> =
                files.filter(|name| self.contents.contains_key(name) && !intact.contains(name)).collect();
            if listed {
                assert_eq!(names(&payload.lost), missing);
                assert_eq!(payload.cut, None);
            } else {
                assert!(
                    payload.lost.len() <= 1 && names(&payload.lost).iter().all(|name| missing.contains(name))
                );
                assert!(payload.cut.is_some() || missing.is_empty(), "{missing:?}");
            }
            for name in intact {
                assert!(fs::read(target.join(&name)).unwrap() == self.contents[&name], "{name}");
                out += 1;
            }
        }
        let files = super::list(&target).iter().filter(|name| name.contains(": ")).count();
        assert_eq!(files, out, "something else came out");
        assert!(restored.entries >= out as u64);
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes with a change.
    pub(super) fn with(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        change(&mut bytes);
        bytes
    }
}

/// Files of many sizes in both payloads, some larger than a frame, some many to a frame.
pub(super) fn sound() -> Sound {
    let sizes = [0, 700_000, 1, 511, 512, 70_000, 300_000, 262_144, 0, 3000, 100, 150_000, 90_000];
    let fill = |mut payload: Payload, root: &str| {
        for (number, size) in (0_u8..).zip(sizes) {
            payload = payload.directory(format!("{root}/{number:02}"), 0o755);
            payload = payload.file(format!("{root}/{number:02}/a"), &noise(size, number));
            payload = payload.file(format!("{root}/{number:02}/b"), &vec![number; size / 3]);
        }
        payload
    };
    let workspace = Payload::new(&[("workspace/main", "/nowhere/ws".as_ref())]);
    let workspace = fill(workspace.directory("workspace/main", 0o755), "workspace/main");
    Sound::new(&[(Role::State, &fill(Payload::state(), "state")), (Role::Workspace, &workspace)])
}

/// Plaintext of a chunk of age.
pub(super) const CHUNK: u64 = 64 * 1024;
