//! Names, roots and their order (spec §8.2, §8.3).

use super::{Suite, at_content, at_list, sound};
use crate::forge::tar::{Entry, patch};

pub fn add(suite: &mut Suite) {
    for (name, comment, entries) in allowed() {
        suite.add(name, "§8.2", comment, sound(), |forge| forge.state.entries = entries);
    }
    for (name, comment, path) in forbidden() {
        suite.add(name, "§8.2", comment, at_list("malformed"), |forge| {
            forge.state.entries = in_state(&[path]);
        });
    }
    for (name, comment, change) in IN_THE_TAR {
        suite.add(name, "§8.2", comment, at_content("malformed", 1), |forge| forge.state.tar = change);
    }
    for (name, comment, entries) in out_of_order() {
        suite.add(name, "§8.3", comment, at_list("malformed"), |forge| forge.state.entries = entries);
    }
    for (name, comment, roots) in ROOTS {
        suite.add(name, "§8.2", comment, at_list("malformed"), |forge| {
            forge.state.roots = roots.to_vec();
            forge.state.entries.clear();
        });
    }
    suite.add("roots-of-every-kind", "§8.2", "Every kind of root of a state payload.", sound(), |forge| {
        let names = ["agent/main", "config", "env", "include/0", "include/18446744073709551615", "state"];
        forge.state.roots = names.map(|name| (name, "/home/sam/x")).to_vec();
        forge.state.entries = names.map(Entry::directory).to_vec();
        forge.state.entries.insert(1, Entry::file("agent/main/auth-profiles.json", "{}\n"));
    });
    suite.add("root-without-entries", "§8.2", "A root of which nothing is stored.", sound(), |forge| {
        forge.state.roots.insert(0, ("config", "/home/sam/config"));
    });
}

type Named = (&'static str, &'static str, Vec<Entry>);

fn in_state(paths: &[impl AsRef<[u8]>]) -> Vec<Entry> {
    let file = |path| Entry::file(path, "FAKE\n");
    std::iter::once(Entry::directory("state")).chain(paths.iter().map(file)).collect()
}

/// What any file system of this system may hold, and readers must show and restore with care.
fn allowed() -> Vec<Named> {
    let component = format!("state/{}", "x".repeat(255));
    vec![
        ("name-escape-sequence", "A name that would clear a terminal.", in_state(&["state/\x1b[2J\x07\r"])),
        ("name-line-feed", "A name with a line feed.", in_state(&["state/a\nerror: b"])),
        ("name-bidi", "A name that shows its end at its beginning.", in_state(&["state/\u{202e}txt.exe"])),
        ("name-invisible", "Two names that look the same.", in_state(&["state/a", "state/a\u{200b}"])),
        ("name-not-utf8", "A name that is not UTF-8.", in_state(&[b"state/\xff\xfe"])),
        ("name-backslash", "Names that mean a parent elsewhere.", in_state(&["state/..\\a", "state/C:\\a"])),
        ("name-dots", "Names that only begin like a parent.", in_state(&["state/...", "state/..a"])),
        (
            "name-space",
            "A name of one space, and one that begins as an option.",
            in_state(&["state/ ", "state/-rf"]),
        ),
        ("name-component-255", "A component of 255 bytes.", in_state(&[component])),
        (
            "name-case-collision",
            "Two names that are one where case is not seen.",
            in_state(&["state/README", "state/readme"]),
        ),
        (
            "name-normalisation-collision",
            "Two names that are one where characters are normalised.",
            in_state(&["state/e\u{301}", "state/\u{e9}"]),
        ),
        (
            "name-order-of-slash",
            "What is in a directory comes before names that go on where it ends.",
            vec![
                Entry::directory("state"),
                Entry::directory("state/a"),
                Entry::file("state/a/b", "FAKE\n"),
                Entry::file("state/a\x01", "FAKE\n"),
                Entry::file("state/a-b", "FAKE\n"),
                Entry::file("state/a.b", "FAKE\n"),
            ],
        ),
        (
            "symlinks-anywhere",
            "Symbolic links with targets that lead out: stored as they are, followed by nobody.",
            vec![
                Entry::directory("state"),
                Entry::symlink("state/a", "/etc"),
                Entry::symlink("state/b", "../../.."),
                Entry::symlink("state/c", "c"),
                Entry::symlink("state/d", b"\xff"),
            ],
        ),
        (
            "setuid",
            "Every permission bit set.",
            vec![Entry::directory("state"), Entry { mode: 0o7777, ..Entry::file("state/a", "FAKE\n") }],
        ),
    ]
}

fn forbidden() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("name-parent", "A component `..`.", b"state/../x".to_vec()),
        ("name-parent-last", "`..` as the last component.", b"state/c/..".to_vec()),
        ("name-parent-alone", "The name `..`.", b"..".to_vec()),
        ("name-dot", "A component `.`.", b"state/./x".to_vec()),
        ("name-absolute", "An absolute name.", b"/etc/passwd".to_vec()),
        ("name-empty", "An empty name.", Vec::new()),
        ("name-slash-at-end", "A slash at the end.", b"state/x/".to_vec()),
        ("name-two-slashes", "An empty component.", b"state//x".to_vec()),
        ("name-nul", "A NUL.", b"state/x\0y".to_vec()),
        ("name-component-256", "A component of 256 bytes.", [b"state/".as_slice(), &[b'x'; 256]].concat()),
        ("name-4097", "A name of 4,097 bytes.", [b"state".as_slice(), &b"/x".repeat(2046)].concat()),
        ("name-outside-roots", "A name below no root.", b"workspace/main".to_vec()),
        ("name-without-parent", "A name whose directory is not there.", b"state/x/y".to_vec()),
    ]
}

type Change = fn(&mut Vec<u8>);

/// Names in the tar alone.
const IN_THE_TAR: [(&str, &str, Change); 3] = [
    ("name-parent-in-tar", "The tar has a component `..` where the index has another name.", |tar| {
        patch(tar, "state/b", |block| block[..7].copy_from_slice(b"../../b"));
    }),
    ("name-absolute-in-tar", "The tar has an absolute name where the index has another one.", |tar| {
        patch(tar, "state/b", |block| block[..7].copy_from_slice(b"/etc/ab"));
    }),
    ("name-empty-in-tar", "The tar has an empty name.", |tar| {
        patch(tar, "state/b", |block| block[..7].fill(0));
    }),
];

fn out_of_order() -> Vec<Named> {
    let state = || Entry::directory("state");
    let file = |path| Entry::file(path, "FAKE\n");
    vec![
        ("name-twice", "A name twice.", vec![state(), file("state/a"), file("state/a")]),
        (
            "name-twice-after-others",
            "A name twice, with another one between.",
            vec![state(), file("state/a"), file("state/b"), file("state/a")],
        ),
        ("directory-twice", "A directory twice.", vec![state(), state()]),
        ("names-descending", "Names that descend.", vec![state(), file("state/b"), file("state/a")]),
        (
            "names-by-bytes",
            "Names in the order of their bytes, with the slash as it is.",
            vec![state(), Entry::directory("state/a"), file("state/a-b"), file("state/a/b")],
        ),
        (
            "file-then-child",
            "A file, and a name below it.",
            vec![state(), file("state/a"), file("state/a/b")],
        ),
        (
            "symlink-then-child",
            "A symbolic link to a directory outside, and a name below it.",
            vec![state(), Entry::symlink("state/a", "/tmp"), file("state/a/b")],
        ),
        (
            "hardlink-then-child",
            "A hard link, and a name below it.",
            vec![state(), file("state/a"), Entry::hardlink("state/b", "state/a"), file("state/b/c")],
        ),
        (
            "symlink-then-directory",
            "A symbolic link, and a directory of its name.",
            vec![state(), Entry::symlink("state/a", "/tmp"), Entry::directory("state/a"), file("state/a/b")],
        ),
        (
            "parent-later",
            "A directory after what is in it.",
            vec![state(), file("state/a/b"), Entry::directory("state/a")],
        ),
        (
            "root-not-listed",
            "An entry below a root that the head does not have.",
            vec![Entry::directory("config"), state()],
        ),
        ("root-is-file", "A root that is a file.", vec![file("state")]),
        ("root-is-symlink", "A root that is a symbolic link.", vec![Entry::symlink("state", "/tmp")]),
        ("root-missing", "The entry of the root is missing.", vec![file("state/a")]),
    ]
}

type Roots = &'static [(&'static str, &'static str)];

const ROOTS: [(&str, &str, Roots); 12] = [
    ("root-unknown", "A root that no payload has.", &[("home", "/home/sam")]),
    ("root-of-the-other-role", "A root of a workspace payload.", &[("workspace/main", "/home/sam")]),
    ("root-twice", "A root twice.", &[("state", "/home/sam"), ("state", "/home/sam")]),
    ("roots-descending", "Roots that descend.", &[("state", "/home/sam"), ("config", "/home/sam")]),
    ("root-id-in-upper-case", "An agent's id in upper case.", &[("agent/Main", "/home/sam")]),
    ("root-id-parent", "An agent of the name `..`.", &[("agent/..", "/home/sam")]),
    ("root-id-empty", "An agent without a name.", &[("agent/", "/home/sam")]),
    ("root-number-leading-zero", "An include with a leading zero.", &[("include/00", "/home/sam")]),
    ("root-number-beyond-64-bits", "An include of 2^64.", &[("include/18446744073709551616", "/home/sam")]),
    ("root-too-deep", "A root below a root.", &[("state/a", "/home/sam")]),
    ("root-source-relative", "A source that is not absolute.", &[("state", "home/sam")]),
    ("root-source-nul", "A source with a NUL.", &[("state", "/home/sam\\u0000")]),
];
