//! One test per attack, named after it.
//!
//! Those that need a file system which takes names for one are in `names`, those by another process while a restore
//! runs also in `races`, those that do not get as far as a plan also among the vectors.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Job, Payload, Target, extract_to, list, mode, path, scratch};
use crate::error::{Error, ErrorKind, Result};
use crate::format::block::{Header, octal_size};
use crate::format::tar::TarEntry;
use crate::path::ArchivePath;
use crate::restore::Restored;

/// Restores into a new directory beside `outside`, which must stay as it is.
fn attack(payload: Payload) -> Result<Restored> {
    let (_scratch, base) = scratch();
    let outside = base.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "before").unwrap();
    let outcome = Job::new(&[payload]).to(&base.join("target"));
    assert_eq!(list(&outside), ["precious: before"]);
    let left = fs::read_dir(&base).unwrap().count();
    assert_eq!(left, 1 + usize::from(outcome.is_ok()), "{:?}", list(&base));
    outcome
}

fn fails(payload: Payload, kind: ErrorKind, message: &str) {
    let error = attack(payload).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn symlink_escape() {
    let payload =
        Payload::state().symlink("state/link", "../../outside").file("state/link/precious", b"after");
    fails(payload, ErrorKind::Malformed, "lies below `state/link`");
}

#[test]
fn symlink_escape_in_any_order() {
    let payload =
        Payload::state().file("state/link/precious", b"after").symlink("state/link", "../../outside");
    fails(payload, ErrorKind::Malformed, "lies below `state/link`");
}

#[test]
fn symlink_to_outside_is_made_and_not_followed() {
    let payload = Payload::state().symlink("state/link", "../../outside/precious").mode(0o4777);
    attack(payload).unwrap();
}

#[test]
fn symlink_already_in_the_target() {
    let (_scratch, base) = scratch();
    fs::create_dir_all(base.join("outside")).unwrap();
    fs::create_dir_all(base.join("target")).unwrap();
    symlink("../outside", base.join("target/state")).unwrap();
    let before = list(&base);
    let payload = Payload::state().file("state/a", b"new");
    let error = extract_to(&payload, &["state/a"], &base.join("target")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(error.to_string().contains("target/state"), "{error}");
    assert_eq!(list(&base), before);
}

#[test]
fn symlink_in_the_place_of_a_file() {
    let (_scratch, base) = scratch();
    fs::write(base.join("outside"), "before").unwrap();
    fs::create_dir_all(base.join("target/state")).unwrap();
    symlink("../../outside", base.join("target/state/a")).unwrap();
    let before = list(&base);
    let payload = Payload::state().file("state/a", b"new");
    let error = extract_to(&payload, &["state/a"], &base.join("target")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(list(&base), before);
}

#[test]
fn hardlink_to_outside() {
    let payload = Payload::state().hardlink("state/a", "outside/precious");
    fails(payload, ErrorKind::Malformed, "no earlier file");
}

#[test]
fn hardlink_through_a_symlink() {
    let payload =
        Payload::state().symlink("state/link", "../../outside/precious").hardlink("state/zz", "state/link");
    fails(payload, ErrorKind::Malformed, "no earlier file");
}

#[test]
fn hardlink_to_a_later_file() {
    let payload = Payload::state().hardlink("state/a", "state/b").file("state/b", b"x");
    fails(payload, ErrorKind::Malformed, "no earlier file");
}

#[test]
fn absolute_and_dotted_names() {
    // There is no plan without parsed names, and these do not parse.
    for name in ["/etc/passwd", "..", "state/../x", "state/./x", "state//x", ""] {
        assert!(ArchivePath::parse(name.as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn root_source_with_dots() {
    let (_scratch, home) = scratch();
    for source in ["relative", "/a/../etc", ""] {
        let payload = Payload::new(&[("state", Path::new(source))]).directory("state", 0o700);
        let error = Job::new(&[payload]).in_place(&home).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    }
}

#[test]
fn root_source_is_the_root_of_the_file_system() {
    let (_scratch, home) = scratch();
    let payload = Payload::new(&[("workspace/main", Path::new("/"))]).directory("workspace/main", 0o700);
    let error = Job::new(&[payload]).in_place(&home).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn file_then_directory() {
    let payload = Payload::state().file("state/a", b"file").file("state/a/b", b"below it");
    fails(payload, ErrorKind::Malformed, "lies below `state/a`");
}

#[test]
fn duplicate_name() {
    let payload = Payload::state().file("state/a", b"1").file("state/a", b"2");
    fails(payload, ErrorKind::Malformed, "`state/a` stands twice");
}

#[test]
fn entry_outside_every_root() {
    let payload = Payload::state().file("other/a", b"1");
    fails(payload, ErrorKind::Malformed, "outside every root");
    let payload = Payload::state().file("statement", b"1");
    fails(payload, ErrorKind::Malformed, "outside every root");
}

#[test]
fn two_roots_in_one_place() {
    let (_scratch, home) = scratch();
    let source = home.join("x");
    let state = Payload::new(&[("state", &source)]).directory("state", 0o700).file("state/a", b"1");
    let workspace = Payload::new(&[("workspace/main", &source)])
        .directory("workspace/main", 0o700)
        .file("workspace/main/a", b"2");
    let error = Job::new(&[state, workspace]).in_place(&home).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("go to the same place"), "{error}");
    assert!(list(&home).is_empty());
}

#[test]
fn device_fifo_and_socket() {
    for kind in *b"346s7" {
        let (name, size, link) = (b"state/a", octal_size(0), b"");
        let block = Header { name, mode: 0o600, size, mtime: 0, kind, link }.encode();
        let error = TarEntry::decode(&mut &block[..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        assert!(error.to_string().contains("which no payload has"), "{error}");
    }
}

#[test]
fn setuid_setgid_and_sticky() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state()
        .directory("state/dir", 0o7755)
        .file("state/su", b"#!/bin/sh")
        .mode(0o4755)
        .file("state/sg", b"#!/bin/sh")
        .mode(0o3711);
    let restored = Job::new(&[payload]).to(&target).unwrap();
    assert_eq!(mode(target.join("state/su")), 0o755);
    assert_eq!(mode(target.join("state/sg")), 0o711);
    assert_eq!(mode(target.join("state/dir")), 0o3755);
    assert_eq!(restored.notes.len(), 3, "{:?}", restored.notes);
    assert!(restored.notes[0].contains("target/state/su` was setuid"));
}

#[test]
fn attribute_that_gives_powers() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state().file("state/a", b"x").xattr("security.capability", &[1, 0, 0, 2]);
    let restored = Job::new(&[payload]).to(&target).unwrap();
    assert!(restored.notes[0].contains("`security.capability`"), "{:?}", restored.notes);
    let mut names = [0; 4096];
    let length = rustix::fs::listxattr(target.join("state/a"), &mut names[..]).unwrap();
    assert!(!String::from_utf8_lossy(&names[..length]).contains("capability"));
}

/// Finds the stage of a restore that is under way.
fn stage_in(base: &Path) -> std::path::PathBuf {
    let mut names = fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.to_str().unwrap().contains(".ocbak-restore-")).unwrap()
}

#[test]
fn directory_swapped_for_a_symlink() {
    let (_scratch, base) = scratch();
    let outside = base.join("outside");
    fs::create_dir(&outside).unwrap();
    let payloads = [Payload::state()
        .file("state/a/1", b"x")
        .file("state/b/1", b"x")
        .file("state/b/c/2", b"x")
        .file("state/d", b"x")];
    let job = Job::new(&payloads);
    let layout = job.layout(&Target::Directory(base.join("target"))).unwrap();
    let outcome = job.run(&layout, |entry| {
        if entry.path == path("state/d") {
            let stage = stage_in(&base);
            fs::rename(stage.join("state"), stage.join("away")).unwrap();
            symlink(&outside, stage.join("state")).unwrap();
        }
        Ok(())
    });
    // A directory that is held goes on to be filled, whatever its name; at the end each is
    // looked for by its name.
    assert!(outcome.is_err());
    assert!(list(&outside).is_empty());
    assert_eq!(list(&base), ["outside/"]);
}

#[test]
fn directory_swapped_for_a_symlink_by_another_thread() {
    let (_scratch, base) = scratch();
    let outside = base.join("outside");
    fs::create_dir(&outside).unwrap();
    let mut payload = Payload::state();
    for number in 0..200 {
        payload = payload.file(format!("state/dir/{number}/file"), b"x");
    }
    let payloads = [payload];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let Some(stage) = fs::read_dir(&base)
                    .unwrap()
                    .flatten()
                    .map(|entry| entry.path())
                    .find(|path| path.to_str().unwrap().contains(".ocbak-restore-"))
                else {
                    std::thread::yield_now();
                    continue;
                };
                let (victim, away) = (stage.join("state/dir"), stage.join("state/away"));
                if fs::rename(&victim, &away).is_ok() {
                    let _ = symlink(&outside, &victim);
                    let _ = fs::remove_file(&victim);
                    let _ = fs::rename(&away, &victim);
                }
            }
        });
        for _ in 0..5 {
            let _ = Job::new(&payloads).to(&base.join("target"));
            assert!(list(&outside).is_empty());
            if base.join("target").exists() {
                fs::remove_dir_all(base.join("target")).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn target_swapped_during_the_restore() {
    let (_scratch, base) = scratch();
    let payloads = [Payload::state().file("state/a", b"x")];
    let job = Job::new(&payloads);
    let layout = job.layout(&Target::Directory(base.join("target"))).unwrap();
    let error = job
        .run(&layout, |entry| {
            if entry.path == path("state/a") {
                fs::create_dir(base.join("target")).unwrap();
                fs::write(base.join("target/mine"), "x").unwrap();
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(list(&base), ["target/", "target/mine: x"]);
}

#[test]
fn stage_swapped_during_the_restore() {
    let (_scratch, base) = scratch();
    let payloads = [Payload::state().file("state/a", b"x")];
    let job = Job::new(&payloads);
    let layout = job.layout(&Target::Directory(base.join("target"))).unwrap();
    let error = job
        .run(&layout, |entry| {
            if entry.path == path("state/a") {
                let stage = stage_in(&base);
                fs::rename(&stage, base.join("away")).unwrap();
                fs::create_dir(&stage).unwrap();
                fs::write(stage.join("evil"), "x").unwrap();
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(!base.join("target").exists());
}

#[test]
fn existing_file() {
    let (_scratch, base) = scratch();
    fs::create_dir_all(base.join("state")).unwrap();
    fs::write(base.join("state/b"), "mine").unwrap();
    let payload = Payload::state().file("state/a", b"new").file("state/b", b"new");
    let error = extract_to(&payload, &["state"], &base).unwrap_err();
    assert!(matches!(&error, Error::AlreadyExists { path } if path.ends_with("state/b")));
    assert_eq!(list(&base), ["state/", "state/b: mine"]);
}

#[test]
fn existing_file_that_comes_during_the_restore() {
    let (_scratch, base) = scratch();
    let payload = Payload::state().file("state/a", b"new").file("state/b", b"new");
    fs::create_dir(base.join("state")).unwrap();
    let names = [path("state")];
    let layout = crate::restore::extract::lay_out(&[payload.contents()], &names, &base).unwrap();
    let error = super::run_with(&[payload], &layout, &crate::observer::Silent, |entry| {
        if entry.path == path("state/b") {
            fs::write(base.join("state/b"), "mine").unwrap();
        }
        Ok(())
    })
    .unwrap_err();
    assert!(matches!(&error, Error::AlreadyExists { path } if path.ends_with("state/b")));
    assert_eq!(list(&base), ["state/", "state/b: mine"]);
}

#[test]
fn target_that_is_not_empty() {
    let (_scratch, base) = scratch();
    fs::write(base.join("x"), "mine").unwrap();
    for target in [base.clone(), base.join("x"), base.join("x/y")] {
        let error = Job::new(&[Payload::state()]).to(&target).unwrap_err();
        assert!(error.to_string().contains(base.to_str().unwrap()), "{error}");
    }
    assert_eq!(list(&base), ["x: mine"]);
}

#[test]
fn forged_content() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state().file("state/a", b"good").file("state/b", b"forged");
    let error = Job::new(&[payload]).to(&target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    assert!(list(&base).is_empty());
}
