//! The manifest and its code (spec §6, §7).

use super::slots::{OTHER_LINE, other_slot};
use super::{Suite, at_content, at_info, at_list, at_unlock, damaged, sound};
use crate::forge::payload::Payload;
use crate::forge::tar::find;
use crate::forge::{ARCHIVE, Forge, IDENTITY_LINE, replace};

pub fn add(suite: &mut Suite) {
    suite.add("manifest-series", "§6.2", "A manifest with a series.", sound(), |forge| {
        forge.manifest = |manifest| replace(manifest, "created", format!("series = \"{:032x}\"\ncreated", 7));
    });
    for (name, comment, change) in [
        (
            "manifest-version-2",
            "A later version, with a key that version 1 does not know.",
            (|manifest| replace(manifest, "version = 1\n", "version = 2\nnews = true\n")) as Change,
        ),
        ("manifest-version-2-other-form", "A later version in another form of TOML.", |manifest| {
            replace(manifest, "version = 1\n", "version=2 # later\n");
        }),
        ("manifest-feature", "A feature that version 1 does not define.", |manifest| {
            replace(manifest, "features = []", "features = [\"split-2\"]");
        }),
        ("manifest-feature-and-key", "An unknown feature, and a key that comes with it.", |manifest| {
            replace(manifest, "features = []", "features = [\"split\"]\nparts = 3");
        }),
    ] {
        suite.add(name, "§6.2", comment, at_info("unsupported"), |forge| forge.manifest = change);
    }
    for (name, rule, comment, change) in FORMS {
        suite.add(name, rule, comment, at_info("malformed"), |forge| forge.manifest = change);
    }
    suite.add(
        "manifest-payload-digest",
        "§10",
        "The digest of the payload is wrong; the code over the manifest is right.",
        // A reader of one file does not see the whole payload.
        sound().with("digests", "damage").with("all", "tampered").files(3),
        |forge| forge.manifest = |manifest| flip_after(manifest, "\nsha256 = \""),
    );
    suite.add(
        "manifest-index-digest",
        "§10",
        "The digest of the index is wrong; the code over the manifest is right.",
        at_list("tampered").with("digests", "damage"),
        |forge| forge.manifest = |manifest| flip_after(manifest, "index_sha256 = \""),
    );
    suite.add(
        "manifest-drops-a-payload",
        "§7",
        "The workspace was taken out of the manifest and of the file; the code is of before.",
        at_unlock("tampered"),
        |forge| {
            forge.mac = |mac| {
                let mut whole = Forge::new();
                whole.workspace = Some(Payload::workspace());
                let region = whole.copy();
                let at = find(&region, "ocbak/manifest.mac") + 512;
                *mac = region[at..at + 65].to_vec();
            };
        },
    );
    for (name, comment, change) in [
        ("mac-wrong", "One digit of the code is wrong.", (|mac| mac[5] ^= 1) as Change),
        ("mac-in-upper-case", "The code is in upper-case hex.", |mac| mac.make_ascii_uppercase()),
        ("mac-without-line-feed", "The code has no LF.", |mac| mac.truncate(64)),
        ("mac-with-two-line-feeds", "The code has two LF.", |mac| mac.push(b'\n')),
        ("mac-short", "The code has 62 digits.", |mac| drop(mac.drain(..2))),
        ("mac-empty", "The member of the code is empty.", Vec::clear),
    ] {
        suite.add(name, "§7", comment, at_unlock("tampered"), |forge| forge.mac = change);
    }
    for (name, comment, sealed_by) in [
        ("mac-of-another-archive-id", "The code has another id as salt.", ([0x5b; 16], IDENTITY_LINE)),
        ("mac-of-another-identity", "The code is made with another identity.", (ARCHIVE, OTHER_LINE)),
        (
            "mac-with-the-line-feed",
            "The code is made with the identity line and its LF.",
            (ARCHIVE, WITH_LINE_FEED),
        ),
    ] {
        suite.add(name, "§7", comment, at_unlock("tampered"), |forge| forge.sealed_by = sealed_by);
    }
    suite.add(
        "manifest-length-short",
        "§3.3",
        "The payload's length is a byte too small in the manifest.",
        at_content("tampered", 0).with("digests", "damage").with("unlock", "damage"),
        |forge| {
            forge.manifest = |manifest| {
                let text = String::from_utf8(manifest.clone()).unwrap();
                let line = text.lines().find(|line| line.starts_with("length")).unwrap();
                let length: u64 = line["length = ".len()..].parse().unwrap();
                replace(manifest, format!("\n{line}\n"), format!("\nlength = {}\n", length - 1));
            };
        },
    );
    suite.add(
        "manifests-of-two-archives",
        "§4.3",
        "The head copy is of another archive that opens with the same key: it is believed, and the members are not its own.",
        damaged().list_fails("tampered"),
        |forge| {
            forge.head = |head| {
                let mut other = Forge::new();
                other.slots = vec![other_slot()];
                other.sealed_by = (ARCHIVE, OTHER_LINE);
                other.manifest = |manifest| replace(manifest, "12:00:00Z", "13:00:00Z");
                *head = other.copy();
            };
        },
    );
}

type Change = fn(&mut Vec<u8>);

const WITH_LINE_FEED: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";

/// Changes the first hex digit after a text.
fn flip_after(manifest: &mut [u8], text: &str) {
    let at = manifest.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let digit = &mut manifest[at + text.len()];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
}

const FORMS: [(&str, &str, &str, Change); 31] = [
    ("manifest-other-format", "§6.2", "Another format.", |m| replace(m, "\"ocbak\"", "\"ocbat\"")),
    ("manifest-no-format", "§6.2", "The format is missing.", |m| replace(m, "format = \"ocbak\"\n", "")),
    ("manifest-not-toml", "§6.1", "No TOML.", |m| replace(m, "writer = ", "writer: ")),
    ("manifest-not-utf8", "§6.1", "A byte that is not UTF-8.", |m| replace(m, "FAKE", b"FAK\xff")),
    ("manifest-too-long", "§12", "A comment makes it longer than 8 KiB.", |m| {
        m.extend(b"#".repeat(8193 - m.len()));
    }),
    ("manifest-comment", "§6.1", "A comment.", |m| replace(m, "\n\n[state]", "\n# FAKE\n[state]")),
    ("manifest-two-spaces", "§6.1", "Two spaces before `=`.", |m| replace(m, "writer =", "writer  =")),
    ("manifest-cr-lf", "§6.1", "One line ends with CR LF.", |m| {
        replace(m, "features = []", "features = []\r");
    }),
    ("manifest-no-last-line-feed", "§6.1", "No LF at the end.", |m| m.truncate(m.len() - 1)),
    ("manifest-escape", "§6.1", "A string with an escape.", |m| replace(m, "FAKE v", "FAKE\\u0020v")),
    ("manifest-literal-string", "§6.1", "A literal string.", |m| {
        replace(m, "\"FAKE vectors\"", "'FAKE vectors'");
    }),
    ("manifest-hex-number", "§6.1", "The version in hex.", |m| replace(m, "version = 1", "version = 0x1")),
    ("manifest-number-with-sign", "§6.1", "A length with a sign.", |m| {
        replace(m, "\nlength = ", "\nlength = +");
    }),
    ("manifest-negative", "§6.1", "A negative length.", |m| replace(m, "\nlength = ", "\nlength = -")),
    ("manifest-hex-in-upper-case", "§2", "The archive id in upper case.", |m| {
        replace(m, "5a".repeat(16), "5A".repeat(16));
    }),
    ("manifest-id-short", "§6.2", "An archive id of 15 bytes.", |m| {
        replace(m, "5a".repeat(16), "5a".repeat(15));
    }),
    ("manifest-no-such-day", "§6.2", "Created on the 30th of February.", |m| {
        replace(m, "-11-22T", "-02-30T");
    }),
    ("manifest-leap-second", "§6.2", "Created in a second that the form does not have.", |m| {
        replace(m, "12:00:00Z", "23:59:60Z");
    }),
    ("manifest-writer-empty", "§6.2", "An empty writer.", |m| replace(m, "FAKE vectors", "")),
    ("manifest-writer-too-long", "§6.2", "A writer of 65 characters.", |m| {
        replace(m, "FAKE vectors", "x".repeat(65));
    }),
    ("manifest-feature-name", "§6.2", "A feature with a name against the rules.", |m| {
        replace(m, "features = []", "features = [\"Split\"]");
    }),
    ("manifest-unknown-key", "§6.1", "A key that version 1 does not have.", |m| {
        replace(m, "features = []\n", "features = []\nhost = \"sam\"\n");
    }),
    ("manifest-key-order", "§6.1", "Two keys in the other order.", |m| {
        replace(m, "version = 1\n", "");
        replace(m, "format = \"ocbak\"\n", "version = 1\nformat = \"ocbak\"\n");
    }),
    ("manifest-no-state", "§6.3", "The state payload is called workspace.", |m| {
        replace(m, "[state]", "[workspace]");
    }),
    ("manifest-member-name", "§6.3", "The name of the member is another one.", |m| {
        replace(m, "\nmember = \"ocbak/state", "\nmember = \"ocbak/../state");
    }),
    ("manifest-unknown-table", "§6.3", "A payload of a role that does not exist.", |m| {
        m.extend(b"\n[workspaces]\nlength = 1\n");
    }),
    ("manifest-features-spaced", "§6.2", "A space in the empty list.", |m| {
        replace(m, "features = []", "features = [ ]");
    }),
    ("manifest-hour-24", "§6.2", "Created at the hour 24.", |m| replace(m, "T12:", "T24:")),
    ("manifest-number-with-underscore", "§6.1", "A length with an underscore.", |m| {
        let at = m.windows(10).position(|w| w == b"\nlength = ").unwrap() + 11;
        m.insert(at, b'_');
    }),
    ("manifest-length-2-63", "§12", "A length of 2^63.", |m| {
        let at = m.windows(10).position(|w| w == b"\nlength = ").unwrap() + 10;
        let end = at + m[at..].iter().position(|byte| *byte == b'\n').unwrap();
        m.splice(at..end, *b"9223372036854775808");
    }),
    ("manifest-lengths-overflow", "§12", "Lengths that add up to more than any file has.", |m| {
        let text = String::from_utf8(m.clone()).unwrap();
        let lines = text.lines().map(|line| match line.split_once("length = ") {
            Some((prefix, _)) => format!("{prefix}length = {}\n", i64::MAX),
            None => format!("{line}\n"),
        });
        *m = lines.collect::<String>().into_bytes();
    }),
];
