//! What the walk makes of names, kinds and links.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, utimensat};

use super::{Ghost, Kind, Test, fingerprint, path, set_mode, unprivileged};
use crate::format::entry::{Mtime, NoteReason, Role, SkipReason};
use crate::observer::Observer;
use crate::{Error, ErrorKind};

#[test]
fn everything_of_a_plain_tree_is_in() {
    let test = Test::new();
    test.write(".openclaw/openclaw.json", "{}");
    test.write(".openclaw/a/b", "content");
    test.write(".openclaw/a-b", "");
    fs::create_dir(test.state("empty")).unwrap();
    symlink("../../outside", test.state("a/link")).unwrap();
    set_mode(test.state(""), 0o700);
    set_mode(test.state("a/b"), 0o4751);
    let time = Timespec { tv_sec: -5, tv_nsec: 123_456_789 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, test.state("a/b"), &times, rustix::fs::AtFlags::empty()).unwrap();
    let before = fingerprint(test.home.path());
    let captured = test.capture();
    assert_eq!(fingerprint(test.home.path()), before);

    assert_eq!(captured.entries.len(), 7);
    assert_eq!(captured.entry("state").mode, 0o700);
    assert_eq!(captured.content("state/a/b"), b"content");
    assert_eq!(captured.entry("state/a/b").mode, 0o4751);
    let mtime = Mtime { seconds: -5, nanoseconds: 123_456_789 };
    assert_eq!(captured.entry("state/a/b").mtime, mtime);
    assert_eq!(captured.entry("state/empty").kind, Kind::Directory);
    let link = Kind::Symlink(b"../../outside".to_vec());
    assert_eq!(captured.entry("state/a/link").kind, link);
    assert!(captured.skipped.is_empty() && captured.noted.is_empty());
}

#[test]
fn names_of_any_bytes_survive() {
    let test = Test::new();
    for name in [&b"\xff\xfe"[..], b"new\nline", b"-rf", b" "] {
        fs::write(test.state(OsStr::from_bytes(name)), name).unwrap();
    }
    let captured = test.capture();
    for name in [&b"state/\xff\xfe"[..], b"state/new\nline", b"state/-rf"] {
        assert_eq!(captured.entries[name].kind, Kind::File(name[6..].to_vec()));
    }
}

#[test]
fn links_to_directories_are_links() {
    let test = Test::new();
    test.write("secret/key", "x");
    symlink(test.at("secret"), test.state("dir")).unwrap();
    symlink(".", test.state("self")).unwrap();
    let captured = test.capture();
    assert!(matches!(captured.entry("state/dir").kind, Kind::Symlink(_)));
    assert!(!captured.has("state/dir/key"));
    assert_eq!(captured.entries.len(), 3);
}

#[test]
fn links_out_of_what_is_stored_are_noted() {
    let mut test = Test::new();
    test.write("big/media/photo", "x");
    test.write("big/file", "x");
    test.write("agent/auth-profiles.json", "{}");
    test.write(".openclaw/openclaw.json", "{ agents: { list: [{ id: 'a', agentDir: '~/agent' }] } }");
    symlink(test.at("big/media"), test.state("media")).unwrap();
    symlink("../big/file", test.state("b")).unwrap();
    symlink("../big", test.at("agent/c")).unwrap();
    let captured = test.capture();
    for (name, place) in [("state/media", "big/media"), ("state/b", "big/file"), ("agent/a/c", "big")] {
        assert!(matches!(captured.entry(name).kind, Kind::Symlink(_)));
        let place = fs::canonicalize(test.at(place)).unwrap();
        let detail = format!("a link to `{}`, which is not in the archive", place.display());
        assert_eq!(captured.noted[name.as_bytes()], (NoteReason::Incomplete, detail));
    }
    assert_eq!(captured.noted.len(), 3);
    let preview = test.preview().swap_remove(0);
    let names: Vec<_> = preview.noted.iter().map(|noted| noted.path.to_string()).collect();
    assert_eq!(names, ["agent/a/c", "state/b", "state/media"]);
    // Who leaves a link out knows of it.
    test.options.exclude = ["state/media", "state/b", "agent/a/c"].map(str::to_owned).to_vec();
    assert!(test.capture().noted.is_empty());
}

#[test]
fn links_out_of_what_is_stored_are_named_up_to_a_number() {
    let test = Test::new();
    test.write("big/x", "x");
    for number in 0..103 {
        symlink("../big", test.state(format!("link{number}"))).unwrap();
    }
    let captured = test.capture();
    assert_eq!(captured.noted.len(), 101);
    let (why, detail) = &captured.noted[&b"state"[..]];
    assert_eq!(*why, NoteReason::Incomplete);
    assert_eq!(detail, "3 more links in it lead to what is not in the archive");
}

#[test]
fn links_behind_which_nothing_is_missed_are_quiet() {
    let mut test = Test::new();
    test.options.all = true;
    test.write("outside/x", "x");
    test.write(".openclaw/plugin-skills/a", "");
    test.write(".openclaw/extensions/demo/node_modules/.bin/a", "");
    test.write(".openclaw/workspace/a", "");
    test.write("dotfiles/openclaw.json", "{ agents: { list: [{ id: 'a', agentDir: '~/agent' }] } }");
    test.write("dotfiles/env", "");
    test.write("agent/auth-profiles.json", "{}");
    for (link, target) in [
        ("dangling", "nowhere/a"),
        ("loop", "loop"),
        ("device", "/dev/null"),
        ("shell", "/bin/sh"),
        ("plugin-skills/out", "../../outside"),
        ("extensions/demo/node_modules/.bin/out", "../../../../../outside/x"),
        ("inside", "extensions/demo"),
        ("to-workspace", "workspace/a"),
        ("to-agent", "../agent/auth-profiles.json"),
        ("workspace/out", "../../outside"),
        ("openclaw.json", "../dotfiles/openclaw.json"),
        (".env", "../dotfiles/env"),
    ] {
        symlink(target, test.state(link)).unwrap();
    }
    let captured = test.capture();
    assert!(matches!(captured.entry("state/plugin-skills/out").kind, Kind::Symlink(_)));
    assert!(captured.noted.is_empty(), "{:?}", captured.noted);
}

#[test]
fn a_linked_state_directory_is_followed() {
    let test = Test::new();
    fs::rename(test.state(""), test.at("real")).unwrap();
    symlink("real", test.at(".openclaw")).unwrap();
    test.write("real/a", "x");
    assert_eq!(test.capture().content("state/a"), b"x");
}

#[test]
fn sockets_and_fifos_are_listed_and_not_opened() {
    let mut test = Test::new();
    test.options.all = true;
    let _listener = UnixListener::bind(test.state("a.socket")).unwrap();
    mknodat(CWD, test.state("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let captured = test.capture();
    for name in ["state/a.socket", "state/fifo"] {
        assert_eq!(captured.skipped(name), Some(SkipReason::Kind));
    }
}

#[test]
fn further_names_of_a_file_are_hard_links() {
    let test = Test::new();
    test.write(".openclaw/b/one", "content");
    test.write(".openclaw/workspace/x", "");
    for name in ["a", "c"] {
        fs::hard_link(test.state("b/one"), test.state(name)).unwrap();
    }
    for name in ["workspace/two", "workspace/zwei"] {
        fs::hard_link(test.state("b/one"), test.state(name)).unwrap();
    }
    let captured = test.capture();
    assert_eq!(captured.content("state/a"), b"content");
    for name in ["state/b/one", "state/c"] {
        let link = Kind::Hardlink("state/a".to_owned());
        assert_eq!(captured.entry(name).kind, link);
    }
    assert_eq!(captured.content("workspace/main/two"), b"content");
    let shared = captured.noted("workspace/main/two");
    assert_eq!(shared, Some(NoteReason::Shared));
    let link = Kind::Hardlink("workspace/main/two".to_owned());
    assert_eq!(captured.entry("workspace/main/zwei").kind, link);
    assert_eq!(captured.noted.len(), 1);
}

#[test]
fn attributes_of_the_user_are_kept() {
    let test = Test::new();
    test.write(".openclaw/a", "");
    for (name, value) in [("user.b", &b"\0\xff"[..]), ("user.a", b"")] {
        let set = rustix::fs::setxattr(test.state("a"), name, value, XattrFlags::empty());
        if set == Err(rustix::io::Errno::NOTSUP) {
            return;
        }
        set.unwrap();
    }
    rustix::fs::setxattr(test.state(""), "user.d", b"x", XattrFlags::empty()).unwrap();
    let captured = test.capture();
    let xattrs = &captured.entry("state/a").xattrs;
    let found: Vec<_> = xattrs.iter().map(|x| (&*x.name, &*x.value)).collect();
    assert_eq!(found, [("user.a", &b""[..]), ("user.b", b"\0\xff")]);
    assert_eq!(captured.entry("state").xattrs.len(), 1);
}

#[test]
fn what_is_unreadable_is_listed_and_the_rest_is_in() {
    let test = Test::new();
    test.write(".openclaw/a", "secret");
    test.write(".openclaw/b/c", "secret");
    test.write(".openclaw/d", "content");
    test.write(".openclaw/e/f", "stat is not allowed");
    set_mode(test.state("a"), 0);
    set_mode(test.state("b"), 0);
    set_mode(test.state("e"), 0o400);
    let (captured, preview) = unprivileged(|| (test.capture(), test.preview()));
    for name in ["b", "e"] {
        set_mode(test.state(name), 0o700);
    }
    for name in ["state/a", "state/b", "state/e/f"] {
        let why = captured.skipped(name);
        assert_eq!(why, Some(SkipReason::Unreadable), "{name}");
    }
    assert_eq!(captured.content("state/d"), b"content");
    assert_eq!(preview[0].skipped.len(), 3);
}

#[test]
fn what_vanishes_is_listed() {
    let test = Test::new();
    test.write(".openclaw/a", "x");
    test.write(".openclaw/b/c", "x");
    test.write(".openclaw/d", "x");
    let state = test.state("");
    let ghost = Ghost::new(move |_| {
        // The names are known by now.
        let _ = fs::remove_file(state.join("a"));
        let _ = fs::remove_dir_all(state.join("b"));
    });
    let captured = test.capture_with(&ghost).unwrap();
    for name in ["state/a", "state/b"] {
        assert_eq!(captured.skipped(name), Some(SkipReason::Vanished));
    }
    assert!(captured.has("state/d"));
}

#[test]
fn the_observer_stops_the_work() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let test = Test::new();
    test.write(".openclaw/a", "x");
    let error = test.capture_with(&Stop).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(matches!(error, Error::Interrupted));
    assert_eq!(fs::read_dir(test.scratch.path()).unwrap().count(), 0);
}

/// Makes `depth` directories `d` inside one another, with a file `z` in every hundredth, without long paths.
fn deep(parent: &Path, depth: usize) {
    let (inner, outer) = (parent.join("inner"), parent.join("outer"));
    fs::create_dir(&inner).unwrap();
    for level in 1..depth {
        fs::create_dir(&outer).unwrap();
        fs::rename(&inner, outer.join("d")).unwrap();
        fs::rename(&outer, &inner).unwrap();
        if level % 100 == 0 {
            fs::write(inner.join("z"), level.to_string()).unwrap();
        }
    }
    fs::rename(&inner, parent.join("d")).unwrap();
}

/// Takes them apart again; what removes a tree recursively runs out of handles.
fn shallow(parent: &Path) {
    let (top, next) = (parent.join("d"), parent.join("next"));
    while top.join("d").exists() {
        fs::rename(top.join("d"), &next).unwrap();
        fs::remove_dir_all(&top).unwrap();
        fs::rename(&next, &top).unwrap();
    }
}

#[test]
fn no_tree_is_too_deep_to_walk() {
    let test = Test::new();
    deep(&test.state(""), 2500);
    let captured = test.capture();
    shallow(&test.state(""));
    let files = captured.entries.values();
    let files = files.filter(|entry| matches!(entry.kind, Kind::File(_)));
    assert_eq!(files.count(), 20);
    // What has a name longer than 4,096 bytes cannot be in.
    assert_eq!(captured.skipped.len(), 1);
    let (why, detail) = captured.skipped.values().next().unwrap();
    assert_eq!(*why, SkipReason::Unreadable);
    assert_eq!(detail, "`d` in it has a name too long for the archive");
    assert_eq!(captured.entries.len(), 2046 + 20);
}

#[test]
fn nobody_leads_the_walk_elsewhere_by_moving_directories() {
    let test = Test::new();
    deep(&test.state(""), 301);
    test.write("elsewhere/d/z", "not ours");
    let (state, elsewhere) = (test.state(""), test.at("elsewhere"));
    let mut names = 0;
    let ghost = Ghost::new(move |bytes| {
        names += usize::from(bytes == 0);
        if names == 250 {
            fs::rename(state.join("d/d"), state.join("d/moved")).unwrap();
            symlink(&elsewhere, state.join("d/d")).unwrap();
        }
    });
    let captured = test.capture_with(&ghost).unwrap();
    fs::remove_file(test.state("d/d")).unwrap();
    fs::rename(test.state("d/moved"), test.state("d/d")).unwrap();
    shallow(&test.state(""));
    let contents = captured.entries.values().map(|entry| &entry.kind);
    assert!(!contents.into_iter().any(|kind| *kind == Kind::File(b"not ours".to_vec())));
    let lost = captured.skipped.values().map(|(why, _)| *why);
    assert!(lost.into_iter().all(|why| why == SkipReason::Unreadable));
    assert!(!captured.skipped.is_empty());
}

#[test]
fn what_the_policy_leaves_out_is_one_line() {
    let test = Test::new();
    test.write(".openclaw/cache/a/b", "x");
    test.write(".openclaw/logs/gateway.log", "x");
    test.write(".openclaw/agents/main/sessions/0.jsonl", "x");
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# cache";
    test.write(".openclaw/workspace/target/CACHEDIR.TAG", tag);
    test.write(".openclaw/workspace/fake/CACHEDIR.TAG", "Signature: no");
    test.write(".openclaw/workspace/CACHEDIR.TAG", tag);
    test.write(".openclaw/workspace/node_modules/a/b", "x");
    test.write(".openclaw/workspace/.git/node", "x");
    let captured = test.capture();
    let left_out: Vec<_> = captured.skipped.keys().map(|name| str::from_utf8(name).unwrap()).collect();
    assert_eq!(
        left_out,
        ["state/cache", "state/workspace", "workspace/main/node_modules", "workspace/main/target"]
    );
    assert!(captured.has("workspace/main/fake/CACHEDIR.TAG"));
    assert!(captured.has("workspace/main/.git/node"));
    assert!(captured.has("state/agents/main/sessions/0.jsonl"));

    let mut test = test;
    test.options.all = true;
    test.options.exclude = vec!["workspace/*/target".to_owned(), "**/*.log".to_owned()];
    let captured = test.capture();
    let left_out: Vec<_> = captured.skipped.keys().map(|name| str::from_utf8(name).unwrap()).collect();
    assert_eq!(left_out, ["state/logs/gateway.log", "state/workspace", "workspace/main/target"]);
    let (_, detail) = &captured.skipped[&b"workspace/main/target"[..]];
    assert_eq!(detail, "excluded by `workspace/*/target`");
}

#[test]
fn a_preview_tells_what_a_capture_does() {
    let test = Test::new();
    test.write(".openclaw/agents/a/x", "12345");
    test.write(".openclaw/logs/l", "1234567");
    test.write(".openclaw/top", "1");
    test.write(".openclaw/cache/c", "1");
    test.write(".openclaw/workspace/memory/m", "123");
    fs::hard_link(test.state("top"), test.state("top2")).unwrap();
    symlink("top", test.state("link")).unwrap();
    let preview = test.preview();
    let captured = test.capture();
    let entries: u64 = preview.iter().map(|role| role.entries).sum();
    assert_eq!(entries, captured.entries.len() as u64);
    let skipped: usize = preview.iter().map(|role| role.skipped.len()).sum();
    assert_eq!(skipped, captured.skipped.len());
    assert_eq!(preview[0].bytes, 13);
    assert_eq!(preview[0].source, captured.sources[&Role::State]);
    assert_eq!(preview[0].largest, [(path("state/logs"), 7), (path("state/agents"), 5), (path("state"), 1)]);
    assert_eq!(preview[1].largest, [(path("workspace/main/memory"), 3)]);
}
