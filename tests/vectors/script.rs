//! An archive that bytes decide: entries of every kind, made right, then some places changed before what depends on them is
//! sealed. Whatever the bytes are, the key opens it and the manifest holds.

use std::cell::RefCell;

use crate::forge::Forge;
use crate::forge::tar::{self, Entry};

/// Builds the archive that `bytes` tell of.
pub fn build(bytes: &[u8]) -> Vec<u8> {
    let mut script = Script(bytes);
    let entries = script.entries();
    EDITS.set(script.edits());
    FORGE.with_borrow_mut(|forge| {
        forge.state.entries = entries;
        forge.build()
    })
}

/// Bytes that are taken one after another; at their end there are only zeros.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn next(&mut self) -> u8 {
        self.some(1).first().copied().unwrap_or(0)
    }

    fn some(&mut self, count: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        some
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.next()) % choices.len()]
    }

    /// Mostly what is good, so that not everything is refused for the same few reasons.
    fn mostly<T: Copy>(&mut self, good: &[T], odd: &[T]) -> T {
        if self.next() < 240 { self.one_of(good) } else { self.one_of(odd) }
    }

    fn entries(&mut self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..self.next() % 8 {
            let entry = self.entry(&entries);
            entries.push(entry);
        }
        // As they must be, with their parents and in order.
        if self.mostly(&[true], &[false]) {
            let parents: Vec<_> = entries.iter().flat_map(|entry| parents(&entry.path)).collect();
            entries.retain(|entry| entry.kind == b'5' || !parents.contains(&entry.path));
            entries.extend(parents.into_iter().map(Entry::directory));
            entries.push(Entry::directory("state"));
        }
        if self.mostly(&[true], &[false]) {
            entries.sort_by(|a, b| components(&a.path).cmp(components(&b.path)));
            entries.dedup_by(|a, b| a.path == b.path);
        }
        entries
    }

    fn entry(&mut self, before: &[Entry]) -> Entry {
        let kind = self.next() % 8;
        let path = self.path();
        let mut entry = match kind {
            0 | 1 => Entry::directory(path),
            2 => Entry::symlink(path, self.target()),
            3 => {
                // The first of its names is the file, and other places are wrong.
                let file =
                    before.iter().filter(|entry| entry.kind == b'0').map(|entry| entry.path.clone()).min();
                let other = self.path();
                let target = file.filter(|file| *file < path).unwrap_or(other);
                Entry::hardlink(path, target)
            }
            _ => {
                let length = self.one_of(&LENGTHS);
                Entry::file(path, vec![self.next(); length])
            }
        };
        entry.mtime = self.one_of(&MTIMES);
        if !matches!(entry.kind, b'1' | b'2') || self.mostly(&[false], &[true]) {
            entry.mode = self.mostly(&[entry.mode, 0, 0o644, 0o755, 0o4711, 0o7777], &[0o10_000]);
            for _ in 0..self.next() % 2 {
                let key = self.mostly(&["SCHILY.xattr.user.a"], &RECORDS);
                let length = usize::from(self.next() % 16);
                entry.records.push((key, self.some(length).to_vec()));
            }
        }
        entry
    }

    fn path(&mut self) -> Vec<u8> {
        let mut path = self.mostly(&["state"], &["workspace/main", ""]).as_bytes().to_vec();
        for _ in 0..=self.next() % 3 {
            path.push(b'/');
            path.extend(self.mostly(&NAMES, &ODD_NAMES));
        }
        path
    }

    fn target(&mut self) -> Vec<u8> {
        let piece =
            self.mostly(&[&b"a"[..], b"../a", b"/etc/passwd", b"\xff", b"0123456789"], &[b"", b"x\0y"]);
        piece.repeat(self.mostly(&[1, 11], &[410]))
    }

    fn edits(&mut self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for _ in 0..self.next() % 4 {
            let place = self.next() % PLACES;
            let at = usize::from_le_bytes([self.next(), self.next(), self.next(), 0, 0, 0, 0, 0]);
            let out = usize::from(self.next() % 8);
            let put = usize::from(self.next() % 16);
            edits.push(Edit { place, at, out, put: self.some(put).to_vec() });
        }
        edits
    }
}

/// A change of one place.
struct Edit {
    place: u8,
    at: usize,
    /// How many bytes are taken out there.
    out: usize,
    /// What is put in.
    put: Vec<u8>,
}

const TAR: u8 = 0;
/// A tar whose checksums are set right afterwards.
const BLOCK: u8 = 1;
const LINES: u8 = 2;
const TEXT: u8 = 3;
const FRAMES: u8 = 4;
const STREAM: u8 = 5;
const INDEX_FRAME: u8 = 6;
const PLACES: u8 = 7;

fn edits_of(place: u8, mut apply: impl FnMut(&Edit)) {
    EDITS.with_borrow(|edits| edits.iter().filter(|edit| edit.place == place).for_each(&mut apply));
}

fn edit(place: u8, bytes: &mut Vec<u8>) {
    edits_of(place, |edit| {
        let at = edit.at % (bytes.len() + 1);
        let end = (at + edit.out).min(bytes.len());
        bytes.splice(at..end, edit.put.iter().copied());
    });
}

fn edit_tar(bytes: &mut Vec<u8>) {
    edit(TAR, bytes);
    edits_of(BLOCK, |edit| {
        let at = edit.at % bytes.len();
        let put = edit.put.len().min(bytes.len() - at);
        bytes[at..at + put].copy_from_slice(&edit.put[..put]);
        if let Some(block) = bytes.chunks_exact_mut(512).nth(at / 512) {
            tar::sum(block);
        }
    });
}

fn edit_lines(lines: &mut Vec<String>) {
    edits_of(LINES, |edit| {
        let count = lines.len();
        let at = edit.at % count;
        match edit.out {
            0 if count > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.swap(at, 0),
            3 => lines.swap(at, edit.put.len() % count),
            more => {
                // A number that is a little larger.
                let line = &lines[at];
                let numbers = line.match_indices(':').map(|(colon, _)| colon + 1);
                let numbers =
                    numbers.filter(|start| line[*start..].starts_with(|next: char| next.is_ascii_digit()));
                if let Some(start) = numbers.clone().nth(edit.put.len()).or(numbers.clone().next()) {
                    let end = line[start..].find([',', '}']).map_or(line.len(), |length| start + length);
                    let number = line[start..end].parse::<u64>().unwrap_or(0).wrapping_add(1 + more as u64);
                    lines[at] = format!("{}{number}{}", &line[..start], &line[end..]);
                }
            }
        }
    });
}

fn edit_frames(frames: &mut Vec<Vec<u8>>) {
    edits_of(FRAMES, |edit| {
        let at = edit.at % frames.len();
        match edit.out {
            0 => drop(frames.remove(at)),
            1 => frames.insert(at, frames[at].clone()),
            2 => frames.swap(0, at),
            3 => frames.push(Vec::new()),
            _ => {
                let place = edit.at % frames[at].len().max(1);
                frames[at].splice(place..place, edit.put.iter().copied());
            }
        }
        if frames.is_empty() {
            frames.push(Vec::new());
        }
    });
}

/// The directories around a path.
fn parents(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| path[..at].to_vec()).filter(|parent| !parent.is_empty())
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

thread_local! {
    static EDITS: RefCell<Vec<Edit>> = const { RefCell::new(Vec::new()) };
    /// Made once: its keys cost more than everything else.
    static FORGE: RefCell<Forge> = RefCell::new(forge());
}

fn forge() -> Forge {
    let mut forge = Forge::new();
    forge.state.tar = edit_tar;
    forge.state.lines = edit_lines;
    forge.state.text = |bytes| edit(TEXT, bytes);
    forge.state.frames = edit_frames;
    forge.state.stream = |bytes| edit(STREAM, bytes);
    forge.state.index_frame = |bytes| edit(INDEX_FRAME, bytes);
    forge
}

/// Around the borders of blocks, and more than a frame.
const LENGTHS: [usize; 10] = [0, 1, 16, 511, 512, 513, 4000, 65_536, 261_632, 300_000];

const MTIMES: [&str; 7] =
    ["1763791200", "1763791200", "1763791200.5", "0", "-1.25", "8589934592", "1763791200.000000001"];

const RECORDS: [&str; 7] = [
    "SCHILY.xattr.user.b",
    "SCHILY.xattr.security.capability",
    "SCHILY.xattr.",
    "mtime",
    "size",
    "path",
    "comment",
];

const NAMES: [&[u8]; 9] =
    [b"a", b"b", b"c", b"A", b"a-b", b"\xff", "\u{e9}".as_bytes(), b"\x1b[31m", &[b'n'; 101]];

const ODD_NAMES: [&[u8]; 6] = [b".", b"..", b"", "e\u{301}".as_bytes(), b"a\0b", &[b'n'; 256]];
