//! The index of a payload (spec §9).

use super::{Suite, at_list, sound};
use crate::forge::replace;
use crate::forge::tar::{Entry, find};
use crate::forge::zstd::{at, frame};

pub fn add(suite: &mut Suite) {
    suite.add("index-remarks", "§9.4", "What was left out, and what needs a remark.", sound(), |forge| {
        forge.state.lines = |lines| {
            for (at, line) in [
                r#"{"skipped":"state/socket","why":"kind","detail":"a socket"}"#,
                r#"{"skipped":"state/unread","why":"unreadable","detail":"permission denied"}"#,
                r#"{"noted":"state/a","why":"changed","detail":"\u001b[2J"}"#,
                r#"{"noted_base64":"c3RhdGUv/w==","why":"shared","detail":""}"#,
            ]
            .into_iter()
            .enumerate()
            {
                lines.insert(2 * at + 1, line.to_owned());
            }
            edit(lines, r#""skipped":0,"noted":0"#, r#""skipped":2,"noted":2"#);
        };
    });
    suite.add("index-unknown-fact", "§9.2", "A fact that readers ignore.", sound(), |forge| {
        forge.state.lines = |lines| edit(lines, r#"{"home":"#, r#"{"future":"x","home":"#);
    });
    for (name, rule, comment, change) in LINES.into_iter().chain(ENTRIES).chain(TOTALS) {
        suite.add(name, rule, comment, at_list("malformed"), |forge| forge.state.lines = change);
    }
    for (name, comment, change) in [
        ("index-of-another-archive", "The head has another archive id.", other_archive as Lines),
        ("index-of-another-role", "The head has the other role.", other_role),
    ] {
        suite.add(name, "§9.2", comment, at_list("tampered"), |forge| forge.state.lines = change);
    }
    for (name, comment, change) in TEXTS {
        suite.add(name, "§9.1", comment, at_list("malformed"), |forge| forge.state.text = change);
    }
    for (name, comment, kind, change) in FRAMES {
        suite.add(name, "§9.1", comment, at_list(kind), |forge| forge.state.index_frame = change);
    }
    suite.add(
        "index-offset-into-a-content",
        "§9.3",
        "The offset of an entry points at a tar within the content of another one.",
        at_list("malformed"),
        |forge| {
            let mut inner = Vec::new();
            Entry::file("state/b", "FAKE\n").append(&mut inner);
            forge.state.entries = vec![
                Entry::directory("state"),
                Entry::file("state/a", inner),
                Entry::file("state/b", "FAKE\n"),
            ];
            forge.state.lines = |lines| edit(lines, r#""offset":2048"#, r#""offset":1024"#);
        },
    );
    suite.add(
        "index-offset-behind-a-gap",
        "§9.3",
        "An entry stands a block after where the one before ends, and a block of zeros between.",
        super::at_content("malformed", 1).with("one", "ok"),
        |forge| {
            forge.state.tar = |tar| {
                let b = find(tar, "state/b");
                tar.splice(b..b, [0; 512]);
            };
            forge.state.lines = |lines| shift(lines, 512);
        },
    );
    suite.add(
        "index-size-beyond-the-tar",
        "§9.3",
        "A file of 10 TB that ends beyond the tar.",
        at_list("malformed"),
        |forge| {
            forge.state.lines = |lines| {
                lines[5] = lines[5].replace(r#""size":16"#, r#""size":10000000000000"#);
                edit(lines, r#""content":49"#, r#""content":10000000000033"#);
            };
        },
    );
}

type Lines = fn(&mut Vec<String>);
type Case = (&'static str, &'static str, &'static str, Lines);

/// Replaces what must stand in exactly one line.
fn edit(lines: &mut [String], from: &str, to: &str) {
    let mut found: Vec<_> = lines.iter_mut().filter(|line| line.contains(from)).collect();
    assert_eq!(found.len(), 1, "{from}");
    *found[0] = found[0].replacen(from, to, 1);
}

/// Moves the entries from `state/b` on.
fn shift(lines: &mut [String], by: u64) {
    for line in &mut lines[3..6] {
        let start = line.find(r#""offset":"#).unwrap() + 9;
        let end = start + line[start..].find([',', '}']).unwrap();
        let offset: u64 = line[start..end].parse().unwrap();
        line.replace_range(start..end, &(offset + by).to_string());
    }
}

fn other_archive(lines: &mut Vec<String>) {
    edit(lines, r#""archive":"5a"#, r#""archive":"5b"#);
}

fn other_role(lines: &mut Vec<String>) {
    edit(lines, r#""role":"state""#, r#""role":"workspace""#);
    edit(lines, r#"{"root":"state""#, r#"{"root":"workspace/main""#);
}

const LINES: [Case; 27] = [
    ("index-remark-unknown-why", "§9.4", "A reason that does not exist.", |l| {
        l.insert(1, r#"{"skipped":"state/x","why":"other","detail":""}"#.to_owned());
        edit(l, r#""skipped":0"#, r#""skipped":1"#);
    }),
    ("index-other-format", "§9.2", "Another format.", |l| edit(l, "ocbak-index", "ocbak-indey")),
    ("index-version-2", "§9.2", "Another version.", |l| edit(l, r#""version":1"#, r#""version":2"#)),
    ("index-head-missing", "§9.1", "No head.", |l| drop(l.remove(0))),
    ("index-head-twice", "§9.1", "The head twice.", |l| l.insert(1, l[0].clone())),
    ("index-totals-missing", "§9.1", "No totals.", |l| drop(l.pop())),
    ("index-totals-twice", "§9.1", "The totals twice.", |l| l.push(l.last().unwrap().clone())),
    ("index-frames-missing", "§9.6", "No frame lines.", |l| drop(l.remove(6))),
    ("index-entry-after-frames", "§9.1", "An entry after the frame lines.", |l| l.swap(5, 6)),
    ("index-remark-after-frames", "§9.1", "A remark after the frame lines.", |l| {
        l.insert(7, r#"{"skipped":"state/x","why":"policy","detail":""}"#.to_owned());
        edit(l, r#""skipped":0"#, r#""skipped":1"#);
    }),
    ("index-unknown-line", "§9.1", "A line of a kind that this format does not have.", |l| {
        l.insert(1, r#"{"comment":"FAKE"}"#.to_owned());
    }),
    ("index-empty-line", "§9.1", "An empty line.", |l| l.insert(1, String::new())),
    ("index-white-space", "§9.1", "A space after a colon.", |l| {
        edit(l, r#""path":"state/a""#, r#""path": "state/a""#);
    }),
    ("index-carriage-return", "§9.1", "CR before a LF.", |l| l[1].push('\r')),
    ("index-key-order", "§9.1", "Two keys in the other order.", |l| {
        edit(
            l,
            r#""version":1,"archive":"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a""#,
            r#""archive":"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a","version":1"#,
        );
    }),
    ("index-unknown-key", "§9.1", "A key that this format does not have.", |l| {
        edit(l, r#""path":"state/a","#, r#""path":"state/a","owner":"root","#);
    }),
    ("index-key-twice", "§9.1", "A key twice.", |l| {
        edit(l, r#""path":"state/a","#, r#""path":"state/a","path":"state/a","#);
    }),
    ("index-escape-needless", "§9.1", "A character escaped that stands for itself.", |l| {
        edit(l, r#""path":"state/a""#, r#""path":"state\/a""#);
    }),
    ("index-escape-in-upper-case", "§9.1", "An escape in upper-case hex.", |l| {
        edit(l, r#""home":"/home/sam""#, r#""home":"/home/sam\u001B""#);
    }),
    ("index-escape-long", "§9.1", "A line feed as a long escape.", |l| {
        edit(l, r#""home":"/home/sam""#, r#""home":"/home/sam\u000a""#);
    }),
    ("index-base64-needless", "§9.1", "A name in Base64 that is UTF-8.", |l| {
        edit(l, r#""path":"state/a""#, r#""path_base64":"c3RhdGUvYQ==""#);
    }),
    ("index-base64-padding", "§9.1", "Base64 without its padding.", |l| {
        edit(l, r#""path":"state/c/d""#, r#""path_base64":"c3RhdGUvYy9k/w""#);
    }),
    ("index-frame-size-odd", "§9.2", "A frame size that is no power of two.", |l| {
        edit(l, r#""frame_size":262144"#, r#""frame_size":262145"#);
    }),
    ("index-frame-size-small", "§12", "A frame size of 128 KiB.", |l| {
        edit(l, r#""frame_size":262144"#, r#""frame_size":131072"#);
    }),
    ("index-frame-size-large", "§12", "A frame size of 32 MiB.", |l| {
        edit(l, r#""frame_size":262144"#, r#""frame_size":33554432"#);
    }),
    ("index-facts-descending", "§9.2", "Facts that descend.", |l| {
        edit(l, r#""facts":{"#, r#""facts":{"user":"sam","#);
    }),
    ("index-remark-too-long", "§9.4", "A remark of 4,097 bytes.", |l| {
        l.insert(1, format!(r#"{{"skipped":"state/x","why":"policy","detail":"{}"}}"#, "x".repeat(4097)));
        edit(l, r#""skipped":0"#, r#""skipped":1"#);
    }),
];

const ENTRIES: [Case; 22] = [
    ("entry-name-twice", "§9.1", "A name under its plain key and in Base64.", |l| {
        edit(l, r#""path":"state/c/d""#, r#""path":"state/c/d","path_base64":"c3RhdGUvYy9k/w==""#);
    }),
    ("entry-mode-of-three-digits", "§9.3", "A mode of three digits.", |l| {
        l[2] = l[2].replace("0600", "600");
    }),
    ("entry-first-offset", "§9.3", "The first offset is not 0.", |l| {
        edit(l, r#""offset":0"#, r#""offset":512"#);
    }),
    ("entry-offset-odd", "§9.3", "An offset that is no multiple of 512.", |l| {
        edit(l, r#""offset":1536"#, r#""offset":1537"#);
    }),
    ("entry-offset-overlap", "§9.3", "An entry begins where the content before stands.", |l| {
        edit(l, r#""offset":1536"#, r#""offset":1024"#);
    }),
    ("entry-offset-descending", "§9.3", "Two entries with each other's offsets.", |l| {
        edit(l, r#""offset":512"#, r#""offset":9999999488"#);
        edit(l, r#""offset":1536"#, r#""offset":512"#);
    }),
    ("entry-offset-same", "§9.3", "Two entries at the same offset.", |l| {
        edit(l, r#""offset":1536"#, r#""offset":512"#);
    }),
    ("entry-offset-beyond-63-bits", "§9.1", "An offset of 2^63.", |l| {
        edit(l, r#""offset":3072"#, r#""offset":9223372036854775808"#);
    }),
    ("entry-offset-beyond-64-bits", "§9.1", "An offset of 2^64.", |l| {
        edit(l, r#""offset":3072"#, r#""offset":18446744073709551616"#);
    }),
    ("entry-offset-negative", "§9.1", "A negative offset.", |l| {
        edit(l, r#""offset":512"#, r#""offset":-512"#);
    }),
    ("entry-offset-fraction", "§9.1", "An offset with a fraction.", |l| {
        edit(l, r#""offset":512"#, r#""offset":512.0"#);
    }),
    ("entry-size-leading-zero", "§9.1", "A size with a leading zero.", |l| {
        edit(l, r#""size":17"#, r#""size":017"#);
    }),
    ("entry-unknown-type", "§9.3", "A device.", |l| {
        edit(
            l,
            r#""type":"file","mode":"0600","mtime":"1763791200","offset":512"#,
            r#""type":"device","mode":"0600","mtime":"1763791200","offset":512"#,
        );
    }),
    ("entry-mode-of-five-digits", "§9.3", "A mode of five digits.", |l| {
        l[2] = l[2].replace("0600", "10600");
    }),
    ("entry-mode-not-octal", "§9.3", "A mode with an 8.", |l| l[2] = l[2].replace("0600", "0800")),
    ("entry-time-with-zeros", "§8.5", "A time with a trailing zero.", |l| {
        l[2] = l[2].replace(r#"1763791200""#, r#"1763791200.50""#);
    }),
    ("entry-time-minus-zero", "§8.5", "The time -0.", |l| l[2] = l[2].replace("1763791200", "-0")),
    ("entry-time-far", "§8.5", "A time beyond 2^55 seconds.", |l| {
        l[2] = l[2].replace("1763791200", "36028797018963969");
    }),
    ("entry-digest-missing", "§9.3", "A file without a digest.", |l| {
        let at = l[2].find(r#","sha256""#).unwrap();
        l[2].replace_range(at.., "}");
    }),
    ("entry-digest-in-upper-case", "§2", "A digest in upper case.", |l| {
        let at = l[2].find(r#""sha256":""#).unwrap() + 10;
        let upper = l[2][at..].to_ascii_uppercase();
        l[2].replace_range(at.., &upper);
    }),
    ("entry-size-of-directory", "§9.3", "A directory with a size.", |l| {
        edit(l, r#""offset":0}"#, r#""offset":0,"size":0}"#);
    }),
    ("entry-target-of-file", "§9.3", "A file with a target.", |l| {
        l[2] = l[2].replace('}', r#","target":"state/b"}"#);
    }),
];

const TOTALS: [Case; 15] = [
    ("totals-entries", "§9.6", "An entry more than there are.", |l| {
        edit(l, r#""entries":5"#, r#""entries":6"#);
    }),
    ("totals-skipped", "§9.6", "Something left out of which there is no line.", |l| {
        edit(l, r#""skipped":0"#, r#""skipped":1"#);
    }),
    ("totals-noted", "§9.6", "A remark of which there is no line.", |l| {
        edit(l, r#""noted":0"#, r#""noted":1"#);
    }),
    ("totals-content", "§9.6", "The sum of the sizes is wrong.", |l| {
        edit(l, r#""content":49"#, r#""content":48"#);
    }),
    ("totals-tar-short", "§9.6", "The tar ends before its last entry does.", |l| {
        edit(l, r#""tar":5120"#, r#""tar":4608"#);
    }),
    ("totals-tar-odd", "§9.6", "A tar whose length is no multiple of 512.", |l| {
        edit(l, r#""tar":5120"#, r#""tar":5121"#);
    }),
    ("totals-tar-huge", "§9.6", "A tar of 2^62 bytes in one frame.", |l| {
        edit(l, r#""tar":5120"#, r#""tar":4611686018427387904"#);
    }),
    ("totals-frame-too-many", "§9.6", "A frame more than the tar has.", |l| {
        edit(l, r#"{"frames":["#, r#"{"frames":[1,"#);
    }),
    ("frames-none", "§9.5", "A frame line without a frame.", |l| r#"{"frames":[]}"#.clone_into(&mut l[6])),
    ("frames-4097-in-a-line", "§9.5", "A frame line of 4,097.", |l| {
        l[6] = format!(r#"{{"frames":[{}1]}}"#, "1,".repeat(4096));
        edit(l, r#""tar":5120"#, r#""tar":1074003968"#);
    }),
    ("frames-short-line-first", "§9.5", "A short frame line before the last one.", |l| {
        l.insert(6, r#"{"frames":[1]}"#.to_owned());
        edit(l, r#""tar":5120"#, r#""tar":262656"#);
    }),
    ("frames-length-huge", "§12", "A frame longer than the limit.", |l| {
        r#"{"frames":[9223372036854775807]}"#.clone_into(&mut l[6]);
    }),
    ("frames-length-over-the-limit", "§12", "A frame a byte longer than the limit.", |l| {
        r#"{"frames":[265217]}"#.clone_into(&mut l[6]);
    }),
    ("frames-length-negative", "§9.5", "A frame of a negative length.", |l| {
        r#"{"frames":[-1]}"#.clone_into(&mut l[6]);
    }),
    ("frames-length-twice", "§9.1", "A frame line with its key twice.", |l| {
        l[6] = l[6].replace('}', r#","frames":[1]}"#);
    }),
];

type Bytes = fn(&mut Vec<u8>);

const TEXTS: [(&str, &str, Bytes); 5] = [
    ("index-no-last-line-feed", "No LF at the end.", |text| {
        text.pop();
    }),
    ("index-not-utf8", "A name that is not UTF-8 under the plain key.", |text| {
        replace(text, "\"state/b\"", b"\"state/\xff\"");
    }),
    ("index-empty", "No text.", Vec::clear),
    ("index-line-too-long", "A line of more than 1 MiB.", |text| {
        replace(text, "/home/sam/.openclaw", format!("/{}", "x".repeat(1024 * 1024)));
    }),
    ("index-byte-after-totals", "A byte after the last line.", |text| text.push(b'x')),
];

const FRAMES: [(&str, &str, &str, Bytes); 10] = [
    ("index-frame-checksum", "The checksum of the frame is wrong.", "tampered", |frame| {
        *frame.last_mut().unwrap() ^= 1;
    }),
    ("index-frame-no-checksum", "The frame has no checksum.", "malformed", |frame| {
        frame[at::DESCRIPTOR] = 0x80;
        frame.truncate(frame.len() - 4);
    }),
    ("index-frame-dictionary", "The frame names a dictionary.", "malformed", |frame| {
        frame[at::DESCRIPTOR] |= 1;
        frame.insert(at::SIZE.start, 0);
    }),
    ("index-frame-window", "A window of 16 MiB.", "malformed", |frame| frame[at::WINDOW] = 14 << 3),
    ("index-frame-second", "An empty frame follows.", "malformed", |bytes| bytes.extend(frame(b""))),
    ("index-frame-skippable-after", "A skippable frame follows.", "malformed", |frame| {
        frame.extend(b"\x50\x2a\x4d\x18\x04\0\0\0FAKE");
    }),
    ("index-frame-skippable-before", "A skippable frame stands before it.", "malformed", |frame| {
        frame.splice(0..0, *b"\x50\x2a\x4d\x18\x04\0\0\0FAKE");
    }),
    ("index-frame-byte-after", "A byte follows the frame.", "malformed", |frame| frame.push(0)),
    ("index-frame-cut", "The frame ends early.", "tampered", |frame| frame.truncate(frame.len() - 10)),
    ("index-not-zstd", "The text as it is, not compressed.", "malformed", |frame| *frame = b"{}\n".to_vec()),
];
