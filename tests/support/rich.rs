//! Adds to a sample home what git cannot hold: modes, times, links, odd names, special files.
//!
//! For tests only. Everything is fixed, times included.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use super::home::{SOME_TIME, noise};

/// Apparent size of the sparse file.
pub const SPARSE: u64 = 5 << 20;

/// A FIFO, below the state directory.
pub const FIFO: &str = "events.fifo";
/// A socket, below the state directory.
pub const SOCKET: &str = "gateway.sock";
/// A name with a byte that is not UTF-8, in the main workspace.
pub const LATIN1: &[u8] = b"caf\xe9.txt";

/// Completes the home that [`super::home::write_home`] wrote into `directory`.
pub fn make_rich(directory: &Path) {
    let state = directory.join(".openclaw");
    let workspace = state.join("workspace");

    for empty in EMPTY_DIRECTORIES {
        fs::create_dir_all(directory.join(empty)).unwrap();
    }
    for (name, content) in GIT_FILES {
        for repository in [&workspace, &directory.join("projects/research-ws")] {
            let path = repository.join(".git").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    odd_names(&workspace);
    links(&state, &workspace);
    let special = |name, kind| {
        rustix::fs::mknodat(CWD, state.join(name), kind, Mode::from(0o600), 0).unwrap();
    };
    special(FIFO, FileType::Fifo);
    special(SOCKET, FileType::Socket);
    sparse_file(&state.join("media/inbound/sparse.bin"));
    attributes(&workspace);
    // Times come last: everything above changes some.
    modes(directory, Path::new(""));
    times(directory, &mut 0);
}

fn odd_names(workspace: &Path) {
    let deep = format!("{}/{}", "d".repeat(120), "e".repeat(200));
    let names: [&[u8]; 7] = [
        LATIN1,
        b"\xff\xfe",
        b"line\nbreak \x1b[31m.md",
        b"-rf",
        b"back\\slash",
        deep.as_bytes(),
        &[b'n'; 255],
    ];
    for name in names {
        let path = workspace.join("odd").join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    // Exactly the width of a ustar name field, and one more.
    for length in [100, 101] {
        let prefix = "workspace/main/odd/";
        let name = "x".repeat(length - prefix.len());
        fs::write(workspace.join("odd").join(name), "").unwrap();
    }
}

fn links(state: &Path, workspace: &Path) {
    symlink("..", workspace.join("loop")).unwrap();
    symlink("/nonexistent/FAKE", workspace.join("absolute")).unwrap();
    symlink(OsStr::from_bytes(b"odd/caf\xe9.txt"), workspace.join("to-latin1")).unwrap();
    symlink("t".repeat(180), workspace.join("long-target")).unwrap();

    let inbound = state.join("media/inbound/twice.bin");
    fs::write(&inbound, noise(3000)).unwrap();
    fs::hard_link(&inbound, state.join("media/outbound/twice again.bin")).unwrap();
    // One file in both payloads.
    let shared = state.join("media/outbound/shared.txt");
    fs::write(&shared, "in both payloads\n").unwrap();
    fs::hard_link(shared, workspace.join("shared.txt")).unwrap();
}

fn sparse_file(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(b"FAKE head").unwrap();
    file.seek(SeekFrom::Start(SPARSE - 9)).unwrap();
    file.write_all(b"FAKE tail").unwrap();
}

/// Sets attributes where the file system has them.
fn attributes(workspace: &Path) {
    for (name, value) in [("MEMORY.md", &b"FAKE comment"[..]), ("memory", b"\0\xff\n="), ("leer.txt", b"")] {
        let set = rustix::fs::setxattr(workspace.join(name), "user.comment", value, XattrFlags::empty());
        assert!(matches!(set, Ok(()) | Err(rustix::io::Errno::OPNOTSUPP)));
    }
}

/// OpenClaw's modes: private in the state directory, ordinary in workspaces.
fn modes(home: &Path, below: &Path) {
    for entry in fs::read_dir(home.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = below.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            continue;
        }
        let open = name.starts_with(".openclaw/workspace")
            || name.starts_with(".openclaw/skills")
            || !name.starts_with(".openclaw");
        let mode = match (kind.is_dir(), open) {
            (true, true) => 0o755,
            (true, false) => 0o700,
            (false, true) => 0o644,
            (false, false) => 0o600,
        };
        fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        if kind.is_dir() {
            modes(home, &name);
        }
    }
    for (name, mode) in MODES {
        fs::set_permissions(home.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// Gives every name its own time, to the nanosecond; directories after what is in them.
fn times(path: &Path, count: &mut i64) {
    if fs::symlink_metadata(path).unwrap().is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            times(&entry, count);
        }
    }
    *count += 1;
    let special = TIMES.iter().find(|(name, ..)| path.ends_with(name));
    let (seconds, nanoseconds) = match special {
        Some(&(_, seconds, nanoseconds)) => (seconds, nanoseconds),
        None => (SOME_TIME / 1000 + *count, *count * 1_234_567 % 1_000_000_000),
    };
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

const EMPTY_DIRECTORIES: [&str; 5] = [
    ".openclaw/agents/research/sessions",
    ".openclaw/migration",
    ".openclaw/workspace/.git/refs/heads",
    ".openclaw/workspace/empty/inner",
    "projects/research-ws/.git/objects",
];

const GIT_FILES: [(&str, &str); 3] = [
    ("HEAD", "ref: refs/heads/main\n"),
    ("config", "[core]\n\trepositoryformatversion = 0\n"),
    ("hooks/pre-commit", "#!/bin/sh\n"),
];

const MODES: [(&str, u32); 5] = [
    (".openclaw/workspace/.git/hooks/pre-commit", 0o755),
    (".openclaw/workspace/AGENTS.md", 0o400),
    (".openclaw/workspace/empty", 0o1755),
    (".openclaw/agents/main/agent/openclaw-agent.sqlite.generation-lock.sqlite", 0o644),
    ("projects/research-ws/data", 0o750),
];

/// Name, seconds, nanoseconds: before 1970, a whole second, beyond what eleven octal digits hold.
const TIMES: [(&str, i64, i64); 3] = [
    ("workspace/SOUL.md", -86_401, 750_000_000),
    ("workspace/memory/2026-09-30.md", SOME_TIME / 1000, 0),
    ("workspace/today.md", 14_412_384_000, 1),
];
