//! The frames of a payload (spec §8.4).

use super::{Suite, at_content, sound};
use crate::forge::Forge;
use crate::forge::tar::Entry;
use crate::forge::zstd::{at, frame};

pub fn add(suite: &mut Suite) {
    suite.add(
        "frames-several",
        "§8.4",
        "Files that begin and end anywhere in four frames.",
        sound(),
        several,
    );
    suite.add("frames-of-16-mib", "§8.4", "The largest frame size.", sound(), |forge| {
        forge.state.frame_size = 16 * 1024 * 1024;
    });
    suite.add(
        "frames-of-512-kib",
        "§8.4",
        "A frame size that fits both files in two frames.",
        sound(),
        |forge| {
            several(forge);
            forge.state.frame_size = 512 * 1024;
        },
    );
    for (name, comment, kind, change) in FRAMES {
        suite.add(name, "§8.4", comment, at_content(kind, 0), |forge| forge.state.frames = change);
    }
    suite.add(
        "frame-cut-elsewhere",
        "§8.4",
        "The tar is cut in the middle of a frame's share: the first frame is shorter than the frame size.",
        at_content("malformed", 0),
        |forge| {
            several(forge);
            forge.state.frames = |frames| {
                let (first, second) = (vec![0; 1000], vec![0; 256 * 1024]);
                (frames[0], frames[1]) = (frame(&first), frame(&second));
            };
        },
    );
    suite.add(
        "frames-swapped",
        "§8.4",
        "Two full frames stand in the other order.",
        at_content("tampered", 1).with("all", "malformed"),
        |forge| {
            several(forge);
            forge.state.frames = |frames| frames.swap(1, 2);
        },
    );
    suite.add(
        "frame-second-damaged",
        "§8.4",
        "The checksum of the second frame is wrong: the file before it comes out.",
        at_content("tampered", 1),
        |forge| {
            several(forge);
            forge.state.frames = |frames| *frames[1].last_mut().unwrap() ^= 1;
        },
    );
    suite.add(
        "payload-longer-than-frames",
        "§9.6",
        "A byte follows the last frame that the index lists.",
        at_content("malformed", 3),
        |forge| forge.state.stream = |stream| stream.push(0),
    );
    suite.add(
        "payload-frame-not-listed",
        "§9.6",
        "A whole frame follows the last one that the index lists.",
        at_content("malformed", 3),
        |forge| forge.state.stream = |stream| stream.extend(frame(&[0; 512])),
    );
    suite.add(
        "payload-shorter-than-frames",
        "§9.6",
        "The last frame that the index lists is not there.",
        at_content("tampered", 2).with("one", "malformed"),
        |forge| {
            several(forge);
            forge.state.stream = |stream| stream.truncate(stream.len() - 20);
        },
    );
}

/// Three files over four frames of 256 KiB, in few bytes.
fn several(forge: &mut Forge) {
    forge.state.entries = vec![
        Entry::directory("state"),
        Entry::file("state/a", vec![b'a'; 100_000]),
        Entry::file("state/b", vec![b'b'; 600_000]),
        Entry::file("state/c", vec![b'c'; 300_000]),
    ];
}

/// Changes the only frame.
type Change = fn(&mut Vec<Vec<u8>>);

const FRAMES: [(&str, &str, &str, Change); 19] = [
    ("frame-bomb-declared", "Declares a content of 4 GiB.", "malformed", |frames| {
        frames[0][at::SIZE].fill(0xff);
    }),
    ("frame-bomb", "Declares what is right, and its blocks give 128 MiB of zeros.", "tampered", |frames| {
        // A block of a run of 128 KiB takes four bytes.
        let run = [2, 0, 0x10, 0].repeat(1024);
        frames[0].splice(at::BLOCK..at::BLOCK, run);
    }),
    ("frame-content-larger", "Declares a byte more than its blocks give.", "malformed", |frames| {
        frames[0][at::SIZE.start] += 1;
    }),
    ("frame-content-short", "Its blocks give less than it declares.", "tampered", |frames| {
        let size: [u8; 4] = frames[0][at::SIZE].try_into().unwrap();
        let length = u32::from_le_bytes(size) as usize;
        let mut short = frame(&vec![0; length - 512]);
        short[at::SIZE].copy_from_slice(&size);
        frames[0] = short;
    }),
    ("frame-content-empty", "A frame without content.", "malformed", |frames| frames[0] = frame(b"")),
    ("frame-without-size", "Does not declare its content size.", "malformed", |frames| {
        frames[0][at::DESCRIPTOR] = 0x04;
        frames[0].drain(at::SIZE);
    }),
    ("frame-window", "A window larger than the frame size.", "malformed", |frames| {
        // 512 KiB.
        frames[0][at::WINDOW] = 9 << 3;
    }),
    ("frame-window-huge", "The largest window that zstd can name.", "malformed", |frames| {
        frames[0][at::WINDOW] = 0xff;
    }),
    ("frame-checksum-wrong", "A wrong checksum.", "tampered", |frames| *frames[0].last_mut().unwrap() ^= 1),
    ("frame-checksum-missing", "No checksum.", "malformed", |frames| {
        frames[0][at::DESCRIPTOR] = 0x80;
        let length = frames[0].len() - 4;
        frames[0].truncate(length);
    }),
    ("frame-dictionary", "Names a dictionary.", "malformed", |frames| {
        frames[0][at::DESCRIPTOR] |= 1;
        frames[0].insert(at::SIZE.start, 7);
    }),
    ("frame-dictionary-zero", "Names no dictionary, in a byte of its own.", "malformed", |frames| {
        frames[0][at::DESCRIPTOR] |= 1;
        frames[0].insert(at::SIZE.start, 0);
    }),
    ("frame-reserved-bit", "A bit is set that zstd keeps for later.", "malformed", |frames| {
        frames[0][at::DESCRIPTOR] |= 8;
    }),
    ("frame-reserved-block", "A block of the type that zstd keeps for later.", "malformed", |frames| {
        frames[0][at::BLOCK] |= 6;
    }),
    ("frame-other-magic", "No frame of zstd.", "malformed", |frames| frames[0][0] ^= 1),
    ("frame-skippable", "A skippable frame stands before it.", "malformed", |frames| {
        frames[0].splice(0..0, *b"\x50\x2a\x4d\x18\x04\0\0\0FAKE");
    }),
    ("frame-skippable-after", "A skippable frame follows within its length.", "malformed", |frames| {
        frames[0].extend(b"\x50\x2a\x4d\x18\x04\0\0\0FAKE");
    }),
    ("frame-two-in-one", "Two frames within the length of one.", "malformed", |frames| {
        let empty = frame(b"");
        frames[0].extend(empty);
    }),
    ("frame-cut", "Ends before its checksum.", "malformed", |frames| {
        let length = frames[0].len() - 4;
        frames[0].truncate(length);
    }),
];
