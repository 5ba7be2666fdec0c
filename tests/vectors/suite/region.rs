//! The two copies of the header region (spec §4).

use super::{Suite, at_info, at_unlock, damaged};
use crate::forge::age::Age;
use crate::forge::tar::{find, patch};
use crate::forge::{Forge, Key, identity_line, passphrase_slot, replace};

pub fn add(suite: &mut Suite) {
    suite.add("head-wiped", "§4.3", "The head copy is zeros.", damaged(), |forge| {
        forge.head = |head| head.fill(0);
    });
    suite.add("tail-wiped", "§4.3", "The tail copy is zeros.", damaged(), |forge| {
        forge.tail = |tail| tail.fill(0);
    });
    suite.add(
        "both-copies-wiped",
        "§3.4",
        "Both copies are zeros; the members between them are there.",
        at_info("not-an-archive"),
        |forge| forge.region = |region| region.fill(0),
    );
    suite.add(
        "copies-complete-each-other",
        "§4.3",
        "The manifest is lost in the head copy, the slot in the tail copy.",
        damaged(),
        |forge| {
            forge.head = |head| head[..512].fill(0);
            forge.tail = |tail| {
                let slot = find(tail, SLOT);
                tail[slot..slot + 512].fill(0);
            };
        },
    );
    suite.add(
        "manifest-lost",
        "§4.3",
        "The manifest is lost in both copies; the rest is there.",
        at_info("malformed"),
        |forge| forge.region = |region| region[..1024].fill(0),
    );
    suite.add(
        "region-mac-lost",
        "§4.3",
        "The authentication code is lost in both copies.",
        at_unlock("tampered").with("info", "damage").with("digests", "damage"),
        |forge| {
            forge.region = |region| {
                let mac = find(region, "ocbak/manifest.mac");
                region[mac..mac + 512].fill(0);
            };
        },
    );
    suite.add(
        "region-slot-lost",
        "§4.3",
        "The slot is lost in both copies: not a matter of the key.",
        broken(),
        |forge| {
            forge.region = |region| {
                let slot = find(region, SLOT);
                region[slot..slot + 512].fill(0);
            };
        },
    );
    suite.add("slot-flipped-in-head", "§4.3", "The head copy's slot is damaged.", damaged(), |forge| {
        forge.head = flip_slot;
    });
    suite.add(
        "slot-flipped-in-head-wrong-key",
        "§4.3",
        "The head copy's slot is damaged, and the identity does not fit the tail copy's.",
        at_unlock("wrong-key").with("info", "damage").with("digests", "damage"),
        |forge| {
            forge.head = flip_slot;
            forge.key = Key::WRONG;
        },
    );
    suite.add(
        "slot-over-the-limit",
        "§12",
        "A passphrase slot of more than 1 KiB, with a text within the limit.",
        broken(),
        |forge| {
            let text = format!("#{}\n{}", "x".repeat(900), identity_line());
            let slot = Age::new(2).for_passphrase("FAKE passphrase", "1").seal(text.as_bytes());
            assert!(slot.len() > 1024 && text.len() <= 1024);
            forge.slots = vec![("ocbak/passphrase.key.age".to_owned(), slot)];
            forge.key = Key::Passphrase("FAKE passphrase");
        },
    );
    suite.add(
        "slot-flipped-in-both",
        "§4.3",
        "The slot is damaged in both copies, which header.sha256 tells from a wrong key.",
        broken(),
        |forge| forge.region = flip_slot,
    );
    suite.add(
        "slots-differ",
        "§4.3",
        "An interrupted change of passphrase: the tail copy has the new slot, whose key is given.",
        damaged(),
        |forge| {
            forge.slots = vec![passphrase_slot("FAKE old passphrase", "1")];
            forge.key = Key::Passphrase("FAKE new passphrase");
            forge.tail = |tail| {
                let mut other = Forge::new();
                other.slots = vec![passphrase_slot("FAKE new passphrase", "1")];
                *tail = other.copy();
            };
        },
    );
    suite.add(
        "tail-of-a-later-version",
        "§4.3",
        "The manifest of the tail copy has version 2: no reason not to use the head's.",
        damaged(),
        |forge| {
            forge.tail = |tail| {
                let mut other = Forge::new();
                other.manifest = |manifest| replace(manifest, "version = 1", "version = 2");
                *tail = other.copy();
            };
        },
    );
    suite.add(
        "head-of-a-later-version",
        "§4.3",
        "The manifest of the head copy has version 2: no reason not to use the tail's.",
        damaged(),
        |forge| {
            forge.head = |head| {
                let mut other = Forge::new();
                other.manifest = |manifest| replace(manifest, "version = 1", "version = 2");
                *head = other.copy();
            };
        },
    );
    for (name, rule, comment, change) in [
        ("digests-wrong", "§4.2", "header.sha256 has a wrong digest in both copies.", wrong_digest as Change),
        ("digests-in-upper-case", "§4.2", "header.sha256 has upper-case hex.", upper_digests),
        ("digests-twice", "§4.2", "header.sha256 has its first line twice.", digests_twice),
        ("recovery-other-text", "§4.1", "RECOVERY.txt says to run something else.", other_advice),
        ("region-slots-swapped", "§4.1", "The recipients slot stands before the passphrase slot.", swapped),
        ("region-unknown-member", "§4.1", "A member that no region has.", unknown),
        ("region-member-twice", "§4.1", "The slot stands there twice.", twice),
        ("region-padding", "§3.1", "The padding after the manifest is not zero.", padding),
        ("region-header-mode", "§3.2", "The header block of header.sha256 has mode 0644.", mode),
        ("recovery-ends-early", "§4.1", "RECOVERY.txt ends a block before the region does.", short),
    ] {
        suite.add(name, rule, comment, damaged(), change);
    }
    suite.add(
        "manifest-header-mode",
        "§3.2",
        "The header block of the manifest has mode 0644 in both copies: no member of this format.",
        at_info("malformed"),
        |forge| {
            forge.region = |region| {
                patch(region, "ocbak/manifest.toml", |block| block[104..107].copy_from_slice(b"644"));
            };
        },
    );
}

type Change = fn(&mut Forge);

const SLOT: &str = "ocbak/recipients.key.age";

/// No slot opens, and no copy is intact that would blame the key.
fn broken() -> super::Outcome {
    at_unlock("malformed").with("info", "damage").with("digests", "damage")
}

fn flip_slot(region: &mut Vec<u8>) {
    let slot = find(region, SLOT);
    region[slot + 512 + 100] ^= 1;
}

fn wrong_digest(forge: &mut Forge) {
    forge.digests = |digests| digests[0] = if digests[0] == b'0' { b'1' } else { b'0' };
}

fn upper_digests(forge: &mut Forge) {
    forge.digests = |digests| digests[..64].make_ascii_uppercase();
}

fn digests_twice(forge: &mut Forge) {
    forge.digests = |digests| {
        let end = digests.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        digests.extend_from_within(..end);
    };
}

fn other_advice(forge: &mut Forge) {
    forge.recovery = |text| *text = b"Run the program in ocbak/recovery.sh.\n".to_vec();
}

fn swapped(forge: &mut Forge) {
    forge.slots.push(passphrase_slot("FAKE passphrase", "1"));
}

fn unknown(forge: &mut Forge) {
    forge.members = |members| members.push(("ocbak/notes.txt".to_owned(), b"FAKE\n".to_vec()));
}

fn twice(forge: &mut Forge) {
    forge.members = |members| members.push(members[2].clone());
}

fn padding(forge: &mut Forge) {
    forge.region = |region| {
        let mac = find(region, "ocbak/manifest.mac");
        region[mac - 1] = 1;
    };
}

fn mode(forge: &mut Forge) {
    forge.region = |region| {
        patch(region, "ocbak/header.sha256", |block| block[104..107].copy_from_slice(b"644"));
    };
}

fn short(forge: &mut Forge) {
    forge.region = |region| {
        let length = region.len();
        let size = length - find(region, "ocbak/RECOVERY.txt") - 1024;
        patch(region, "ocbak/RECOVERY.txt", |block| {
            block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        });
        region[length - 512..].fill(0);
    };
}
