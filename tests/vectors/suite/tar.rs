//! The tar of a payload, and where it disagrees with the index (spec §8.3).

use super::{Suite, at_content, at_list, sound};
use crate::forge::tar::{Entry, find, patch};

pub fn add(suite: &mut Suite) {
    suite.add(
        "tar-every-kind",
        "§8.3",
        "Every kind of entry, and every reason for a PAX header.",
        sound(),
        |forge| {
            forge.state.entries = every_kind();
        },
    );
    suite.add("tar-empty", "§8.2", "No entry, and no root.", sound(), |forge| {
        forge.state.entries.clear();
        forge.state.roots.clear();
    });
    for (name, comment, change) in BLOCKS {
        suite.add(name, "§8.3", comment, at_content("malformed", 1), |forge| {
            forge.state.tar = change;
        });
    }
    suite.add(
        "tar-padding",
        "§8.3",
        "The padding after a content is not zero.",
        // It is nothing to a reader of one file.
        at_content("malformed", 1).with("one", "ok"),
        |forge| {
            forge.state.tar = |tar| {
                let at = find(tar, "state/b");
                tar[at + 1023] = 1;
            }
        },
    );
    for (name, comment, records) in RECORDS {
        suite.add(name, "§8.3", comment, at_content("malformed", 1), |forge| {
            for (key, value) in records {
                forge.state.entries[2].records.push((key, value.to_vec()));
            }
        });
    }
    suite.add(
        "tar-pax-too-long",
        "§12",
        "More than 1 MiB of PAX data.",
        at_content("malformed", 1),
        |forge| {
            forge.state.entries[2].records.push(("SCHILY.xattr.user.a", vec![b'x'; 1024 * 1024]));
        },
    );
    suite.add(
        "tar-pax-long-record-first",
        "§8.3",
        "The mtime record stands before the path record.",
        at_content("malformed", 1),
        |forge| {
            let entry = &mut forge.state.entries[2];
            entry.path = format!("state/b{}", "b".repeat(100)).into_bytes();
            entry.mtime = "1763791200.5";
            forge.state.tar = |tar| {
                let at = find(tar, "PaxHeader") + 512;
                let data = &mut tar[at..at + 512];
                let first = data.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                let second = first + data[first..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
                data[..second].rotate_left(first);
            };
        },
    );
    for (name, comment, change) in LINES {
        suite.add(name, "§10", comment, at_content("tampered", 1), |forge| forge.state.lines = change);
    }
    suite.add(
        "entry-other-content",
        "§10",
        "The content is another one than the index has the digest of.",
        at_content("tampered", 1),
        |forge| {
            forge.state.tar = |tar| {
                let at = find(tar, "state/b") + 512;
                tar[at] ^= 0x20;
            };
        },
    );
    suite.add(
        "entry-other-target",
        "§10",
        "A symbolic link has another target in the index.",
        // A reader of one file has no reason to look.
        at_content("tampered", 3).with("one", "ok"),
        |forge| {
            forge.state.entries.push(Entry::symlink("state/e", "a"));
            forge.state.lines = |lines| lines[6] = lines[6].replace(r#""target":"a""#, r#""target":"b""#);
        },
    );
    suite.add(
        "tar-entry-not-listed",
        "§10",
        "The tar goes on with an entry that the index does not have.",
        at_content("tampered", 3).with("one", "ok"),
        |forge| {
            forge.state.tar = |tar| {
                tar.truncate(tar.len() - 1024);
                Entry::file("state/e", "FAKE fourth file\n").append(tar);
                tar.resize(tar.len() + 1024, 0);
            };
            // The end in the totals is where the index must think it is.
            forge.state.lines = |_| {};
        },
    );
    suite.add(
        "tar-entry-missing",
        "§10",
        "The index lists an entry at the end that the tar does not have.",
        at_content("tampered", 3),
        |forge| {
            forge.state.entries.push(Entry::file("state/e", ""));
            forge.state.tar = |tar| {
                let at = find(tar, "state/e");
                tar[at..].fill(0);
            };
        },
    );
    suite.add(
        "tar-end-not-zero",
        "§8.3",
        "A byte of the end of the tar is not zero.",
        at_content("malformed", 3).with("one", "ok"),
        |forge| forge.state.tar = |tar| *tar.last_mut().unwrap() = 1,
    );
    suite.add(
        "tar-end-missing",
        "§8.3",
        "The tar ends with one block of zeros.",
        at_list("malformed"),
        |forge| forge.state.tar = |tar| tar.truncate(tar.len() - 512),
    );
    suite.add(
        "tar-third-zero-block",
        "§8.3",
        "The tar ends with three blocks of zeros.",
        at_content("tampered", 3).with("one", "ok"),
        |forge| forge.state.tar = |tar| tar.resize(tar.len() + 512, 0),
    );
    for (name, comment, entry) in [
        ("symlink-empty-target", "A symbolic link without a target.", Entry::symlink("state/e", "")),
        ("symlink-target-nul", "A symbolic link's target has a NUL.", Entry::symlink("state/e", "a\0b")),
        ("symlink-target-long", "A link target of 4,097 bytes.", Entry::symlink("state/e", vec![b'x'; 4097])),
        ("hardlink-forward", "A hard link to a later file.", Entry::hardlink("state/a0", "state/b")),
        ("hardlink-to-itself", "A hard link to itself.", Entry::hardlink("state/e", "state/e")),
        ("hardlink-to-directory", "A hard link to a directory.", Entry::hardlink("state/e", "state/c")),
        ("hardlink-to-nothing", "A hard link to what is not there.", Entry::hardlink("state/e", "state/x")),
        (
            "hardlink-outside",
            "A hard link to a name outside.",
            Entry::hardlink("state/e", "../../etc/passwd"),
        ),
        ("hardlink-absolute", "A hard link to an absolute name.", Entry::hardlink("state/e", "/etc/passwd")),
        ("hardlink-to-hardlink", "A hard link to a hard link.", Entry::hardlink("state/f", "state/d")),
    ] {
        suite.add(name, "§8.3", comment, at_list("malformed"), |forge| {
            let entries = &mut forge.state.entries;
            if name == "hardlink-to-hardlink" {
                entries.push(Entry::hardlink("state/d", "state/a"));
            }
            entries.push(entry);
            entries.sort_by_key(|entry| {
                entry.path.iter().map(|b| if *b == b'/' { 0 } else { *b }).collect::<Vec<_>>()
            });
        });
    }
    suite.add(
        "symlink-with-xattr",
        "§8.3",
        "A symbolic link with an extended attribute.",
        at_content("malformed", 3).with("one", "ok"),
        |forge| {
            let mut link = Entry::symlink("state/e", "a");
            link.records.push(("SCHILY.xattr.user.a", b"FAKE".to_vec()));
            forge.state.entries.push(link);
        },
    );
    suite.add(
        "hardlink-with-xattr",
        "§8.3",
        "A hard link with an extended attribute.",
        at_content("malformed", 3).with("one", "ok"),
        |forge| {
            let mut link = Entry::hardlink("state/e", "state/a");
            link.records.push(("SCHILY.xattr.user.a", b"FAKE".to_vec()));
            forge.state.entries.push(link);
        },
    );
}

fn every_kind() -> Vec<Entry> {
    let long = format!("state/{}", "l".repeat(200));
    let mut attributes = Entry::file("state/attributes", "FAKE\n");
    attributes.records =
        vec![("SCHILY.xattr.user.a", vec![0, 255, b'\n']), ("SCHILY.xattr.user.\u{fc}", b"FAKE".to_vec())];
    vec![
        Entry { mtime: "1763791200.5", mode: 0o755, ..Entry::directory("state") },
        attributes,
        Entry { mtime: "-0.5", ..Entry::file("state/before-1970", "") },
        Entry { mtime: "36028797018963968", ..Entry::file("state/far", "far\n") },
        Entry { mode: 0o7777, ..Entry::file(&long, "long\n") },
        Entry::hardlink("state/m", &long),
        Entry::symlink("state/m-out", "../../../etc/passwd"),
        Entry::file([b"state/m\xff".as_slice(), &[b'm'; 100]].concat(), "bytes\n"),
        Entry { mode: 0, mtime: "8589934592", ..Entry::file("state/n", vec![b'n'; 513]) },
        Entry::symlink("state/o", [b'\xff'; 101]),
    ]
}

type Blocks = fn(&mut Vec<u8>);

fn set(tar: &mut [u8], at: usize, bytes: &[u8]) {
    patch(tar, "state/b", |block| block[at..at + bytes.len()].copy_from_slice(bytes));
}

/// Changes of the blocks of `state/b`.
const BLOCKS: [(&str, &str, Blocks); 21] = [
    ("tar-checksum", "The checksum of a header block is wrong.", |tar| {
        let at = find(tar, "state/b");
        tar[at + 150] ^= 1;
    }),
    ("tar-checksum-form", "The checksum of a header block ends with a space and a zero.", |tar| {
        let at = find(tar, "state/b");
        tar[at + 154..at + 156].copy_from_slice(b" \0");
    }),
    ("tar-character-device", "A character device.", |tar| set(tar, 156, b"3")),
    ("tar-block-device", "A block device.", |tar| set(tar, 156, b"4")),
    ("tar-fifo", "A FIFO.", |tar| set(tar, 156, b"6")),
    ("tar-contiguous-file", "A file of the type for contiguous ones.", |tar| set(tar, 156, b"7")),
    ("tar-old-file", "A file of the type of before POSIX.", |tar| set(tar, 156, b"\0")),
    ("tar-sparse", "A sparse file as GNU tar stores it.", |tar| set(tar, 156, b"S")),
    ("tar-long-name", "A long name as GNU tar stores it.", |tar| set(tar, 156, b"L")),
    ("tar-global-pax", "A global PAX header.", |tar| set(tar, 156, b"g")),
    ("tar-directory-for-file", "A directory where the index has a file.", |tar| {
        set(tar, 156, b"5");
    }),
    ("tar-owner", "A numeric owner.", |tar| set(tar, 108, b"0001750")),
    ("tar-owner-name", "The name of an owner.", |tar| set(tar, 265, b"sam")),
    ("tar-device-number", "A device number.", |tar| set(tar, 329, b"0000001")),
    ("tar-prefix", "A part of the name in the field before it.", |tar| set(tar, 345, b"..")),
    ("tar-link-name-of-file", "A regular file with a link name.", |tar| set(tar, 157, b"x")),
    ("tar-gnu-magic", "The magic of GNU tar.", |tar| set(tar, 257, b"ustar  \0")),
    ("tar-size-base256", "A small size in base-256.", |tar| {
        set(tar, 124, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17]);
    }),
    ("tar-size-with-spaces", "A size with spaces before it.", |tar| {
        set(tar, 124, b"         21\0");
    }),
    ("tar-mode-with-type", "A mode with the bits of the kind of file.", |tar| {
        set(tar, 100, b"0100600");
    }),
    ("tar-name-after-nul", "Bytes after the NUL that ends the name.", |tar| {
        set(tar, 8, b"hidden");
    }),
];

type Records = &'static [(&'static str, &'static [u8])];

/// Records that the entry `state/b` does not need, or not in this form.
const RECORDS: [(&str, &str, Records); 15] = [
    ("tar-pax-size-smuggling", "A PAX size that differs from the header block's.", &[("size", b"1024")]),
    ("tar-pax-size-zero", "A PAX size that hides the content.", &[("size", b"0")]),
    ("tar-pax-size-huge", "A PAX size of 2^63.", &[("size", b"9223372036854775808")]),
    ("tar-pax-path", "A PAX path that names another file.", &[("path", b"state/../../x")]),
    ("tar-pax-path-needless", "A PAX path that says what the header block says.", &[("path", b"state/b")]),
    ("tar-pax-linkpath", "A PAX link name of a regular file.", &[("linkpath", b"state/a")]),
    ("tar-pax-unknown", "A PAX key that this format does not have.", &[("comment", b"FAKE")]),
    ("tar-pax-owner", "A PAX user name.", &[("uname", b"root")]),
    ("tar-pax-charset", "A character set without need.", &[("hdrcharset", b"BINARY")]),
    ("tar-pax-mtime-form", "A time with a trailing zero.", &[("mtime", b"1763791200.50")]),
    ("tar-pax-sparse", "A sparse map as GNU tar stores it.", &[("GNU.sparse.realsize", b"9")]),
    (
        "tar-xattr-twice",
        "An extended attribute twice.",
        &[("SCHILY.xattr.user.a", b"1"), ("SCHILY.xattr.user.a", b"2")],
    ),
    (
        "tar-xattr-order",
        "Extended attributes out of order.",
        &[("SCHILY.xattr.user.b", b"1"), ("SCHILY.xattr.user.a", b"2")],
    ),
    ("tar-xattr-no-name", "An extended attribute without a name.", &[("SCHILY.xattr.", b"1")]),
    ("tar-xattr-nul", "An extended attribute with a NUL in its name.", &[("SCHILY.xattr.user.\0", b"1")]),
];

type Lines = fn(&mut Vec<String>);

/// Changes of the index line of `state/b`.
const LINES: [(&str, &str, Lines); 5] = [
    ("entry-other-mode", "The index has another mode.", |lines| lines[3] = lines[3].replace("0600", "4755")),
    ("entry-other-time", "The index has another time.", |lines| {
        lines[3] = lines[3].replace("1763791200", "1763791201");
    }),
    ("entry-other-name", "The index has another name.", |lines| lines[3] = lines[3].replace("/b", "/b2")),
    ("entry-other-size", "The index has another size.", |lines| {
        lines[3] = lines[3].replace("\"size\":17", "\"size\":18");
        let last = lines.last_mut().unwrap();
        *last = last.replace("\"content\":49", "\"content\":50");
    }),
    ("entry-other-digest", "The index has another digest.", |lines| {
        let at = lines[3].find("sha256\":\"").unwrap() + 9;
        let digit = if &lines[3][at..=at] == "0" { "1" } else { "0" };
        lines[3].replace_range(at..=at, digit);
    }),
];
