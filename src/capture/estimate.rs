//! How large an archive will be, by compressing a sample of what goes into it.

use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

/// How large an archive will be, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// It will hardly be smaller than this.
    pub least: u64,
    /// It will be near this.
    pub about: u64,
    /// The largest two databases that follow each other: copies of both are there while the first is stored.
    pub copies: u64,
}

/// Chooses pieces of the content, in the order in which it is stored, each as long as a frame.
///
/// Every piece has the same chance, so that their mean is that of all; the choice is the same in every run.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// Chosen pieces.
    pieces: Vec<Vec<Segment>>,
    /// Pieces begun so far.
    count: u64,
    /// The piece being filled, where it is a chosen one.
    current: Option<usize>,
    /// Bytes that the piece being filled still takes.
    room: u64,
    state: u64,
    bytes: u64,
    entries: u64,
    copies: u64,
    last_database: u64,
}

/// Bytes of a file.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    offset: u64,
    length: u64,
}

impl Sampler {
    /// Counts an entry that has no content.
    pub(crate) fn entry(&mut self) {
        self.entries += 1;
    }

    /// Takes note of a file.
    pub(crate) fn file(&mut self, location: &Path, size: u64, database: bool) {
        self.entries += 1;
        self.bytes += size;
        if database {
            self.copies = self.copies.max(self.last_database + size);
            self.last_database = size;
        }
        let mut offset = 0;
        while offset < size {
            if self.room == 0 {
                self.begin();
            }
            let length = self.room.min(size - offset);
            if let Some(piece) = self.current {
                self.pieces[piece].push(Segment { path: location.to_owned(), offset, length });
            }
            self.room -= length;
            offset += length;
        }
    }

    /// Begins a piece, and decides whether it is a chosen one (reservoir sampling).
    fn begin(&mut self) {
        self.count += 1;
        self.room = PIECE;
        self.current = if self.pieces.len() < PIECES {
            self.pieces.push(Vec::new());
            Some(self.pieces.len() - 1)
        } else {
            let place = usize::try_from(self.random() % self.count).unwrap_or(usize::MAX);
            let chosen = place < PIECES;
            if chosen {
                self.pieces[place].clear();
            }
            chosen.then_some(place)
        };
    }

    /// SplitMix64: enough to choose, and nothing secret.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Compresses what was chosen, for as long as there is time; nothing where `enough` bytes hold all as it is.
    pub(crate) fn estimate(mut self, level: i32, enough: u64, time: Duration) -> Estimate {
        let most =
            self.bytes.saturating_add(self.entries.saturating_mul(MOST_OF_ENTRY)).saturating_add(2 * FRAME);
        if most <= enough {
            return Estimate { least: 0, about: most, copies: self.copies };
        }
        let end = Instant::now() + time;
        // The time may not do for all: those at hand first would all be of the beginning.
        for last in (1..self.pieces.len()).rev() {
            let other = usize::try_from(self.random() % (last as u64 + 1)).unwrap_or(0);
            self.pieces.swap(last, other);
        }
        let mut compressor = zstd::bulk::Compressor::new(level.min(SAMPLE_LEVEL)).ok();
        let (mut seen, mut read, mut stored) = (0_u64, 0_u64, 0_u64);
        for piece in &self.pieces {
            let Some(bytes) = content(piece, end) else {
                break;
            };
            let Some(Ok(frame)) = compressor.as_mut().map(|compressor| compressor.compress(&bytes)) else {
                break;
            };
            seen += 1;
            read += bytes.len() as u64;
            stored += (frame.len() as u64).min(bytes.len() as u64);
        }
        let entries = self.entries * BYTES_OF_ENTRY;
        let about = share(self.bytes, stored, read).unwrap_or(self.bytes) + entries + FRAME;
        let least = if seen == self.count {
            // All was seen; files change meanwhile.
            stored - stored / 50
        } else {
            // Hoeffding: a mean of so many differs by more than this in one of ten thousand cases.
            #[allow(clippy::cast_precision_loss, reason = "a few pieces")]
            let margin = (10_000_f64.ln() / (2.0 * seen.max(1) as f64)).sqrt();
            let mean = share(1_000_000, stored, read).unwrap_or(0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a million")]
            let margin = (margin * 1e6).min(1e6) as u64;
            share(self.bytes, mean.saturating_sub(margin), 1_000_000).unwrap_or(0)
        };
        // Higher levels than the one tried make less of it.
        let least = if level > SAMPLE_LEVEL { least - least / 4 } else { least };
        Estimate { least, about, copies: self.copies }
    }
}

/// The same part of `whole` as `part` is of `of`.
fn share(whole: u64, part: u64, of: u64) -> Option<u64> {
    let share = (u128::from(whole) * u128::from(part)).checked_div(u128::from(of))?;
    u64::try_from(share).ok()
}

/// Reads a piece; `None` when there is no time left.
fn content(piece: &[Segment], end: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for segment in piece {
        if Instant::now() >= end {
            return None;
        }
        let start = bytes.len();
        let length = usize::try_from(segment.length).ok()?;
        bytes.resize(start + length, 0);
        // What became something else meanwhile counts as nothing: it is the capture that tells of it.
        let read = open(&segment.path).and_then(|file| fill(&file, &mut bytes[start..], segment.offset));
        bytes.truncate(start + read.unwrap_or(0));
    }
    Some(bytes)
}

fn open(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
    File::options().read(true).custom_flags(flags).open(path)
}

fn fill(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// What a frame holds: each is compressed for itself.
const PIECE: u64 = 2 << 20;
/// More tell little more, and take their time.
const PIECES: usize = 48;
const SAMPLE_LEVEL: i32 = 3;
/// Of an entry in tar and index, compressed.
const BYTES_OF_ENTRY: u64 = 100;
/// Of an entry as it is, with room for a long name.
const MOST_OF_ENTRY: u64 = 8 * 1024;
/// Of the two header regions and the like.
const FRAME: u64 = 70 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::{Estimate, PIECE, PIECES, Sampler};

    const LONG: Duration = Duration::from_secs(600);

    fn noise(length: u64) -> Vec<u8> {
        let mut sampler = Sampler::default();
        (0..length.div_ceil(8)).flat_map(|_| sampler.random().to_le_bytes()).collect()
    }

    /// The estimate for files of these contents, each stored so many times.
    fn of(files: &[(&[u8], u64)], level: i32, time: Duration) -> Estimate {
        let directory = tempfile::tempdir().unwrap();
        let mut sampler = Sampler::default();
        for (number, (content, times)) in files.iter().enumerate() {
            let path = directory.path().join(number.to_string());
            fs::write(&path, content).unwrap();
            for _ in 0..*times {
                sampler.file(&path, content.len() as u64, number == 0);
            }
        }
        sampler.estimate(level, 0, time)
    }

    #[test]
    fn what_is_seen_whole_is_known() {
        let noise = noise(3 << 20);
        let known = of(&[(&noise, 1), (&vec![0; 5 << 20], 1)], 3, LONG);
        assert!((3 << 20) * 97 / 100 < known.least && known.least <= 3 << 20, "{known:?}");
        assert!(known.about >= 3 << 20 && known.about < 4 << 20, "{known:?}");
        assert_eq!(known.copies, 3 << 20);
    }

    #[test]
    fn what_repeats_within_a_frame_counts_once() {
        // 64 files of the same noise in each frame.
        let known = of(&[(&noise(32 << 10), 256)], 3, LONG);
        assert!(known.about < 1 << 20, "{known:?}");
    }

    #[test]
    fn a_sample_leaves_room_for_chance() {
        // Ten times as many pieces as are looked at.
        let (noise, zeros) = (noise(PIECE), vec![0; 2 << 20]);
        let half = PIECES as u64 * 5;
        let files: Vec<(&[u8], u64)> = vec![(&noise, half), (&zeros, half)];
        let known = of(&files, 3, LONG);
        let real = half * PIECE;
        assert!(known.least < real && known.least > real / 10, "{known:?} of {real}");
        assert!(known.about > real / 2 && known.about < real * 2, "{known:?} of {real}");
        let high = of(&files, 19, LONG);
        assert_eq!(high.least, known.least - known.least / 4);
    }

    #[test]
    fn without_time_nothing_is_certain() {
        let none = of(&[(&noise(1 << 20), 1)], 3, Duration::ZERO);
        assert_eq!(none.least, 0);
        assert!(none.about >= 1 << 20);
    }

    #[test]
    fn nothing_is_read_where_there_is_room_in_any_case() {
        let of = |enough| {
            let mut sampler = Sampler::default();
            sampler.file("/dev/zero".as_ref(), 100 << 20, true);
            sampler.estimate(3, enough, LONG)
        };
        let plenty = of(101 << 20);
        assert!(plenty.least == 0 && plenty.about > 100 << 20 && plenty.about <= 101 << 20, "{plenty:?}");
        assert_eq!(plenty.copies, 100 << 20);
        assert!(of(100 << 20).about < 1 << 20);
    }

    #[test]
    fn nothing_takes_the_frame_alone() {
        let nothing = of(&[], 3, LONG);
        assert!(nothing.least == 0 && nothing.about < 100 << 10, "{nothing:?}");
    }

    #[test]
    fn what_became_something_else_is_passed_over() {
        let mut sampler = Sampler::default();
        sampler.file("/nonexistent/file".as_ref(), 1 << 20, false);
        sampler.file("/dev/null".as_ref(), 1 << 20, false);
        assert_eq!(sampler.estimate(3, 0, LONG).least, 0);
    }
}
