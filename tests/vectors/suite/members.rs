//! The encryption of payloads and indexes (spec §8.1, §10).

use super::{Suite, at_content, at_list, sound};
use crate::forge::age::{Age, CHUNK, Chunk};
use crate::forge::payload::Payload;
use crate::forge::tar::Entry;
use crate::forge::{SECRET, USER};

pub fn add(suite: &mut Suite) {
    suite.add("member-grease", "§8.1", "Stanzas of types that end in `-grease`.", sound(), |forge| {
        forge.state.age = to_archive().grease("x-grease", 2);
    });
    suite.add("payload-three-chunks", "§8.1", "A payload of three chunks of age.", sound(), |forge| {
        forge.state.entries = big();
    });
    for (name, comment, kind, age) in AGE {
        suite.add(name, "§8.1", comment, at_content(kind, 0), |forge| forge.state.age = age(to_archive()));
    }
    suite.add(
        "payload-chunks-swapped",
        "§10",
        "The first two chunks stand in the other order.",
        at_content("tampered", 0),
        |forge| {
            forge.state.entries = big();
            forge.state.age.sealed = |chunks| chunks.swap(0, 1);
        },
    );
    suite.add(
        "payload-chunk-missing",
        "§10",
        "The first of three chunks is not there.",
        at_content("tampered", 0),
        |forge| {
            forge.state.entries = big();
            forge.state.age.sealed = |chunks| drop(chunks.remove(0));
        },
    );
    suite.add(
        "payload-cut-at-a-chunk",
        "§10",
        "The last of three chunks is not there. What comes before the cut is authentic, and its end is missing.",
        at_content("tampered", 2),
        |forge| {
            forge.state.entries = big();
            forge.state.age.sealed = |chunks| drop(chunks.pop());
        },
    );
    suite.add(
        "payload-middle-chunk-flipped",
        "§10",
        "A bit of the second of three chunks is flipped: the files of the first frame come out whole.",
        at_content("tampered", 2),
        |forge| {
            forge.state.entries = big();
            forge.state.age.sealed = |chunks| chunks[1][1000] ^= 1;
        },
    );
    for (name, as_payload) in INDEX_TOO {
        let (_, comment, kind, age) = AGE.into_iter().find(|(name, ..)| *name == as_payload).unwrap();
        let change = age(Age::new(4).for_secret(SECRET));
        suite.add(name, "§8.1", comment, at_list(kind), |forge| forge.state.index_age = change);
    }
    suite.add(
        "payloads-swapped",
        "§10",
        "The members of state and workspace hold the payload of the other one.",
        at_list("tampered"),
        |forge| {
            let (mut state, mut workspace) = (Payload::workspace(), Payload::state());
            (state.role, workspace.role) = ("state", "workspace");
            for payload in [&mut state, &mut workspace] {
                payload.lines = |lines| {
                    let (from, to) = if lines[0].contains("\"role\":\"state\"") {
                        ("\"role\":\"state\"", "\"role\":\"workspace\"")
                    } else {
                        ("\"role\":\"workspace\"", "\"role\":\"state\"")
                    };
                    lines[0] = lines[0].replace(from, to);
                };
            }
            (forge.state, forge.workspace) = (state, Some(workspace));
        },
    );
}

/// Entries whose frames fill three chunks of age: a file in the first frame, one over the others.
fn big() -> Vec<Entry> {
    // What holds no run.
    let byte = |at: u32| (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0];
    let noise: Vec<u8> = (0..).map(byte).take(2 * CHUNK).collect();
    vec![
        Entry::directory("state"),
        Entry::file("state/a", "FAKE first file\n"),
        // Fills the first frame, in few bytes.
        Entry::file("state/b", vec![b'b'; 256 * 1024 - 4 * 512]),
        Entry::file("state/c", noise),
    ]
}

fn to_archive() -> Age {
    Age::new(3).for_secret(SECRET)
}

type Change = fn(Age) -> Age;

/// Those that are made of indexes too.
const INDEX_TOO: [(&str, &str); 4] = [
    ("index-to-another-identity", "payload-to-another-identity"),
    ("index-two-stanzas", "payload-two-stanzas"),
    ("index-chunk-flipped", "payload-chunk-flipped"),
    ("index-chunk-not-last", "payload-chunk-not-last"),
];

const AGE: [(&str, &str, &str, Change); 14] = [
    ("payload-to-another-identity", "Encrypted to another identity.", "tampered", |_| {
        Age::new(3).for_secret(USER)
    }),
    ("payload-two-stanzas", "Encrypted to the archive identity and to another one.", "malformed", |_| {
        Age::new(3).for_secret(SECRET).for_secret(USER)
    }),
    ("payload-by-passphrase", "Encrypted with a passphrase.", "malformed", |_| {
        Age::new(3).for_passphrase("FAKE passphrase", "3")
    }),
    ("payload-without-stanza", "No stanza.", "malformed", |_| Age::new(3)),
    ("payload-unknown-stanza", "A stanza that is no grease.", "malformed", |age| age.grease("x-more", 1)),
    ("payload-stanza-flood", "32 stanzas of grease and the one of the identity.", "malformed", |_| {
        Age::new(3).grease("x-grease", 32).for_secret(SECRET)
    }),
    ("payload-header-too-long", "A header of more than 16 KiB.", "malformed", |mut age| {
        age.stanzas.push(format!("-> x-grease\n{}AA\n", format!("{}\n", "A".repeat(64)).repeat(260)));
        age
    }),
    ("payload-header-code", "The code over the header is wrong.", "tampered", |mut age| {
        age.file = |file| {
            let at = file.windows(5).position(|window| window == b"\n--- ").unwrap() + 5;
            file[at] = if file[at] == b'A' { b'B' } else { b'A' };
        };
        age
    }),
    ("payload-chunk-flipped", "A bit of the only chunk is flipped.", "tampered", |mut age| {
        age.sealed = |chunks| chunks[0][5] ^= 1;
        age
    }),
    ("payload-chunk-cut", "The only chunk lacks its last byte.", "tampered", |mut age| {
        age.sealed = |chunks| {
            chunks[0].pop();
        };
        age
    }),
    ("payload-chunk-counter", "The only chunk is sealed as the second one.", "tampered", |mut age| {
        age.plain = |chunks| chunks[0].counter = 1;
        age
    }),
    ("payload-chunk-not-last", "The last chunk is not sealed as the last.", "tampered", |mut age| {
        age.plain = |chunks| chunks[0].last = false;
        age
    }),
    ("payload-chunk-empty", "An empty last chunk follows a short one.", "tampered", |mut age| {
        age.plain = |chunks| {
            chunks[0].last = false;
            chunks.push(Chunk { counter: 1, last: true, content: Vec::new() });
        };
        age
    }),
    ("payload-byte-after-the-end", "A byte follows the last chunk.", "tampered", |mut age| {
        age.sealed = |chunks| chunks[0].push(0);
        age
    }),
];
