//! The file around the members (spec §3).

use super::{Suite, at_info, damaged, sound};
use crate::forge::payload::Payload;
use crate::forge::tar::{find, patch};
use crate::forge::{Forge, Parity, REGION};

pub fn add(suite: &mut Suite) {
    suite.add("one-payload", "§3.1", "An archive with the state alone.", sound(), |_| {});
    suite.add("two-payloads", "§3.1", "An archive with both payloads.", sound(), two);
    suite.add("file-empty", "§3.4", "No bytes at all.", at_info("not-an-archive"), |forge| {
        forge.file = Vec::clear;
    });
    suite.add(
        "file-of-openclaw-ark",
        "§3.4",
        "The beginning of another program's format.",
        at_info("not-an-archive"),
        |forge| forge.file = |file| *file = b"OCBAK1\x01FAKE".to_vec(),
    );
    suite.add(
        "file-other-tar",
        "§3.4",
        "A tar whose first name is another one.",
        at_info("not-an-archive"),
        |forge| {
            forge.file = |file| {
                file.drain(..REGION);
                file.truncate(4096);
            };
        },
    );
    suite.add(
        "file-zeros",
        "§3.4",
        "As long as an archive, and nothing but zeros.",
        at_info("not-an-archive"),
        |forge| forge.file = |file| file.fill(0),
    );
    suite.add(
        "file-cut-in-the-first-block",
        "§3.4",
        "Begins as an archive and ends within the first header block.",
        at_info("truncated"),
        |forge| forge.file = |file| file.truncate(300),
    );
    suite.add(
        "file-cut-after-the-head",
        "§10",
        "Ends with the head copy: the members are not there.",
        damaged().list_fails("truncated"),
        |forge| forge.file = |file| file.truncate(REGION),
    );
    suite.add(
        "file-cut-in-the-index",
        "§10",
        "Ends within the index.",
        damaged().list_fails("truncated"),
        |forge| {
            forge.file = |file| {
                let index = find(file, "ocbak/state.index.zst.age");
                file.truncate(index + 512 + 200);
            };
        },
    );
    suite.add("file-cut-in-the-tail", "§10", "Ends within the tail copy.", damaged(), |forge| {
        forge.file = |file| file.truncate(file.len() - 2000);
    });
    suite.add(
        "file-cut-in-the-end",
        "§3.1",
        "Ends with 1023 zero bytes instead of 1024.",
        damaged(),
        |forge| {
            forge.file = |file| file.truncate(file.len() - 1);
        },
    );
    suite.add("file-one-byte-more", "§3.1", "One zero byte after the end.", damaged(), |forge| {
        forge.file = |file| file.push(0);
    });
    suite.add("file-third-zero-block", "§3.1", "A zero block more after the end.", damaged(), |forge| {
        forge.file = |file| file.extend([0; 512]);
    });
    suite.add("file-end-not-zero", "§3.1", "The last byte of the end is not zero.", seen_late(), |forge| {
        forge.file = |file| *file.last_mut().unwrap() = 1;
    });
    suite.add(
        "member-padding-not-zero",
        "§3.3",
        "A byte of the padding after the payload is not zero.",
        seen_late(),
        |forge| {
            forge.between = |between| {
                let index = find(between, "ocbak/state.index.zst.age");
                between[index - 1] = 1;
            };
        },
    );
    for (name, comment, change) in [
        ("member-header-mode", "The payload's header block has the mode 0644.", mode as fn(&mut Vec<u8>)),
        ("member-header-owner", "The payload's header block names a user.", owner),
        ("member-header-base256", "The payload's length is in base-256, and small.", base256),
        ("member-header-length", "The payload's header block has another length than the manifest.", length),
        ("member-header-type", "The payload's header block is of the old type for regular files.", kind),
        ("member-header-checksum", "The checksum of the payload's header block is wrong.", checksum),
        ("member-renamed", "The payload's member has another name.", renamed),
    ] {
        suite.add(name, "§3.2", comment, seen_late(), |forge| forge.between = change);
    }
    suite.add(
        "members-in-another-order",
        "§3.1",
        "The index stands before its payload.",
        seen_late().list_fails("malformed"),
        |forge| {
            forge.between = |between| {
                let index = find(between, "ocbak/state.index.zst.age");
                between.rotate_left(index);
            };
        },
    );
    suite.add("parity-ignored", "§6.4", "A parity member that may be ignored.", sound(), |forge| {
        forge.parity = Some(Parity::Bytes(b"FAKE parity"));
    });
    suite.add(
        "parity-flipped",
        "§10",
        "A byte of the parity member is flipped.",
        sound().with("digests", "damage").with("all", "damage"),
        |forge| {
            forge.parity = Some(Parity::Bytes(b"FAKE parity"));
            forge.between = |between| {
                let parity = find(between, "ocbak/parity");
                between[parity + 512] ^= 1;
            };
        },
    );
}

fn two(forge: &mut Forge) {
    forge.workspace = Some(Payload::workspace());
}

/// Damage between the members: seen by those who know where they are, and by none else.
fn seen_late() -> super::Outcome {
    damaged().with("info", "ok")
}

const PAYLOAD: &str = "ocbak/state.tar.zst.age";

fn mode(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| block[104..107].copy_from_slice(b"644"));
}

fn owner(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| block[265..268].copy_from_slice(b"sam"));
}

fn base256(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| {
        let octal = std::str::from_utf8(&block[124..135]).unwrap();
        let size = u64::from_str_radix(octal, 8).unwrap();
        block[124..136].fill(0);
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    });
}

fn length(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| block[134] ^= 1);
}

fn kind(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| block[156] = 0);
}

fn checksum(between: &mut Vec<u8>) {
    between[153] ^= 1;
}

fn renamed(between: &mut Vec<u8>) {
    patch(between, PAYLOAD, |block| block[..7].copy_from_slice(b"ocbak/S"));
}
