//! Restores of whole archives, from the writer's first byte to the last rename.

use std::fs;
use std::io::{self, Cursor};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Payload, list, mode, mtime, path, scratch};
use crate::archive::{Archive, ArchiveBuilder, ReadAt, Sealed};
use crate::crypto::{Keys, Passphrase};
use crate::error::{ErrorKind, Result};
use crate::format::entry::{Item, ItemKind, Node, NoteReason, Noted, Role};
use crate::observer::{Observer, Silent};
use crate::restore::{Adaptation, Plan, Restored, Selection, Target, extract, restore};

/// Writes payloads into an archive.
pub(super) fn seal(payloads: &[(Role, &Payload)]) -> Vec<u8> {
    let mut writer = ArchiveBuilder::new()
        .passphrase(Passphrase::new("correct horse".to_owned()))
        .work_factor(2)
        .frame_size(256 * 1024)
        .create(Cursor::new(Vec::new()))
        .unwrap();
    for (role, payload) in payloads {
        writer.begin(payload.source.clone(), *role).unwrap();
        for (number, entry) in payload.entries.iter().enumerate() {
            let kind = match &entry.node {
                Node::File { size, .. } => ItemKind::File { size: *size },
                Node::Directory => ItemKind::Directory,
                Node::Symlink { target } => ItemKind::Symlink { target },
                Node::Hardlink { target } => ItemKind::Hardlink { target },
            };
            let item = Item {
                path: &entry.path,
                mode: entry.mode,
                mtime: entry.mtime,
                xattrs: &payload.xattrs[number],
                kind,
            };
            let mut content = &payload.contents[number][..];
            assert_eq!(writer.append(&item, &mut content).unwrap(), 0);
        }
        for skipped in &payload.skipped {
            writer.skip(skipped.clone()).unwrap();
        }
    }
    writer
        .note(Noted {
            path: path("workspace/main/MEMORY.md"),
            why: NoteReason::Changed,
            detail: "grew while it was read".to_owned(),
        })
        .unwrap();
    writer.finish().unwrap().0.into_inner()
}

pub(super) fn open(source: Arc<dyn ReadAt>) -> Archive {
    let keys = Keys::new().passphrase(Passphrase::new("correct horse".to_owned()));
    Sealed::from_source(source).unwrap().unlock(&keys).unwrap()
}

/// Bytes that do not compress.
pub(super) fn noise(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed) | 1 << 40;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// The archive of a home: files of many sizes, a workspace in the state directory.
fn archive_of(home: &Path) -> Vec<u8> {
    let live = home.join(".openclaw");
    let mut state = Payload::new(&[("state", &live)])
        .directory("state", 0o700)
        .mtime(3, 4)
        .xattr("user.origin", b"test")
        .directory("state/big", 0o750)
        .mtime(1, 2);
    for number in 0_u8..40 {
        let content = noise(usize::from(number) * 20_000, number);
        state = state.file(format!("state/big/{number:02}"), &content);
    }
    let state = state
        .file("state/file", b"content")
        .mode(0o4640)
        .hardlink("state/hard", "state/file")
        .symlink("state/link", "big/01")
        .skipped_root("state/workspace")
        .fact("home", home)
        .fact("state_dir", &live);
    let workspace = Payload::new(&[("workspace/main", &live.join("workspace"))])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"remember");
    seal(&[(Role::State, &state), (Role::Workspace, &workspace)])
}

pub(super) fn selection(roles: &[Role], globs: &[&str]) -> Selection {
    Selection { roles: roles.to_vec(), globs: globs.iter().map(|&glob| glob.to_owned()).collect() }
}

fn restore_to(archive: &Archive, selection: &Selection, target: &Target) -> Result<Restored> {
    let plan = Plan::new(archive, selection, target, &Adaptation::default())?;
    let restored = restore(archive, &plan, 2, &Silent)?;
    let planned: u64 = plan.roots().iter().map(|root| root.entries).sum();
    assert_eq!(planned, restored.entries);
    Ok(restored)
}

#[test]
fn an_archive_in_a_new_directory() {
    let (_scratch, base) = scratch();
    let archive = open(Arc::new(archive_of(&base)));
    let target = base.join("target");
    let directory = Target::Directory(target.clone());
    let plan = Plan::new(&archive, &Selection::default(), &directory, &Adaptation::default()).unwrap();
    assert_eq!(plan.warnings(), ["`workspace/main/MEMORY.md` in the archive: grew while it was read"]);
    let restored = restore(&archive, &plan, 0, &Silent).unwrap();
    assert_eq!(restored.entries, 47);
    assert_eq!(restored.notes.len(), 1, "{:?}", restored.notes);
    assert_eq!(list(&target).len(), 48);
    assert_eq!(fs::read(target.join("state/big/39")).unwrap().len(), 780_000);
    assert_eq!(mode(target.join("state/big")), 0o750);
    assert_eq!(mode(target.join("state/hard")), 0o640);
    assert_eq!(mtime(target.join("state")), (3, 4));
    assert_eq!(mtime(target.join("state/big")), (1, 2));
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(target.join("state"), "user.origin", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"test");

    let extracted = base.join("extracted");
    fs::create_dir(&extracted).unwrap();
    let paths = [path("state"), path("workspace")];
    extract(&archive, &paths, &extracted, &Silent).unwrap();
    assert_eq!(list(&extracted), list(&target));
}

#[test]
fn an_archive_in_its_place() {
    let (_scratch, home) = scratch();
    let archive = open(Arc::new(archive_of(&home)));
    let target = Target::Original { home: home.clone(), state_dir: home.join(".openclaw") };
    let all = Selection::default();
    assert!(restore_to(&archive, &all, &target).unwrap().kept.is_empty());
    let live = home.join(".openclaw");
    assert_eq!(fs::read(live.join("workspace/MEMORY.md")).unwrap(), b"remember");
    let whole = list(&live);

    fs::write(live.join("file"), "changed").unwrap();
    fs::write(live.join("workspace/MEMORY.md"), "changed").unwrap();
    let only = selection(&[Role::State], &[]);
    let restored = restore_to(&archive, &only, &target).unwrap();
    assert_eq!(restored.kept.len(), 1);
    assert_eq!(fs::read(live.join("file")).unwrap(), b"content");
    assert_eq!(fs::read(live.join("workspace/MEMORY.md")).unwrap(), b"changed");
    assert_eq!(fs::read(restored.kept[0].join("file")).unwrap(), b"changed");

    let only = selection(&[Role::Workspace], &[]);
    let restored = restore_to(&archive, &only, &target).unwrap();
    fs::remove_dir_all(&restored.kept[0]).unwrap();
    assert_eq!(list(&live), whole);
    assert_eq!(mtime(live.join("big")), (1, 2));
}

#[test]
fn selections_are_sought_or_streamed_with_the_same_outcome() {
    let (_scratch, base) = scratch();
    let archive = open(Arc::new(archive_of(&base)));
    for (glob, entries) in [("state/big/0[1-3]", 5), ("state/big/*", 42), ("state/hard", 2)] {
        let target = base.join("target");
        let directory = Target::Directory(target.clone());
        let wanted = selection(&Role::ALL, &[glob]);
        let restored = restore_to(&archive, &wanted, &directory).unwrap();
        assert_eq!(restored.entries, entries, "{glob}");
        for name in list(&target) {
            let name = name.split(':').next().unwrap();
            if let Some(number) = name.strip_prefix("state/big/").filter(|rest| !rest.is_empty()) {
                let length = fs::metadata(target.join(name)).unwrap().len();
                assert_eq!(length, number.parse::<u64>().unwrap() * 20_000);
            }
        }
        fs::remove_dir_all(&target).unwrap();
    }
    let wanted = selection(&Role::ALL, &["state/hard"]);
    restore_to(&archive, &wanted, &Target::Directory(base.join("hard"))).unwrap();
    assert_eq!(list(&base.join("hard")), ["state/", "state/hard: content"]);
}

#[test]
fn the_plan_names_the_earlier_home_of_a_copy() {
    let (_scratch, base) = scratch();
    let (copy, home) = (Path::new("/mnt/copy"), base.join("bo"));
    let live = copy.join(".openclaw");
    let state = Payload::new(&[("state", &live)])
        .fact("home", copy)
        .fact("state_dir", &live)
        .fact("config", &live.join("openclaw.json"))
        .directory("state", 0o700)
        .file("state/hard", b"{ $include: './more.json5' }")
        .file("state/more.json5", b"{ agents: { defaults: { workspace: '/home/al/.openclaw/workspace' } } }")
        .hardlink("state/openclaw.json", "state/hard");
    let workspace = Payload::new(&[("workspace/main", &live.join("workspace"))])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"x");
    let archive = open(Arc::new(seal(&[(Role::State, &state), (Role::Workspace, &workspace)])));
    let target = Target::Original { home: home.clone(), state_dir: home.join(".openclaw") };
    let moves = |globs: &[&str]| {
        let plan = Plan::new(&archive, &selection(&Role::ALL, globs), &target, &Adaptation::default());
        plan.unwrap().moves()
    };
    let pair = |old: &str| (Path::new(old).to_owned(), home.clone());
    assert_eq!(moves(&[]), [pair("/home/al"), pair("/mnt/copy")]);
    assert_eq!(moves(&["state/openclaw.json", "state/more.json5"]), [pair("/home/al"), pair("/mnt/copy")]);
    assert_eq!(moves(&["workspace"]), [pair("/mnt/copy")], "nothing that speaks of it is restored");
    restore_to(&archive, &Selection::default(), &target).unwrap();
    let text = fs::read_to_string(home.join(".openclaw/more.json5")).unwrap();
    assert!(text.contains(&format!("'{}/.openclaw/workspace'", home.display())), "{text}");
}

#[test]
fn a_role_that_the_archive_lacks() {
    let (_scratch, base) = scratch();
    let state = Payload::state();
    let sealed = {
        let mut writer = ArchiveBuilder::new()
            .passphrase(Passphrase::new("correct horse".to_owned()))
            .work_factor(2)
            .create(Cursor::new(Vec::new()))
            .unwrap();
        writer.begin(state.source.clone(), Role::State).unwrap();
        writer.finish().unwrap().0.into_inner()
    };
    let archive = open(Arc::new(sealed));
    let only = selection(&[Role::Workspace], &[]);
    let error = restore_to(&archive, &only, &Target::Directory(base.join("x"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "the archive has no payload `workspace`");
}

#[test]
fn a_flipped_byte_leaves_nothing() {
    let (_scratch, home) = scratch();
    let sealed = archive_of(&home);
    fs::create_dir(home.join(".openclaw")).unwrap();
    fs::write(home.join(".openclaw/mine"), "live").unwrap();
    for part in 1..8 {
        let mut bytes = sealed.clone();
        let at = 40_000 + (bytes.len() - 120_000) * part / 8;
        bytes[at] ^= 1;
        let archive = open(Arc::new(bytes));
        for target in [
            Target::Directory(home.join("target")),
            Target::Original { home: home.clone(), state_dir: home.join(".openclaw") },
        ] {
            assert!(restore_to(&archive, &Selection::default(), &target).is_err());
            assert_eq!(list(&home), [".openclaw/", ".openclaw/mine: live"]);
        }
    }
}

#[test]
fn one_small_file_costs_a_few_reads() {
    struct Counted(Vec<u8>, AtomicU64);
    impl ReadAt for Counted {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let count = self.0.read_at(buffer, offset)?;
            self.1.fetch_add(count as u64, Ordering::Relaxed);
            Ok(count)
        }
        fn length(&self) -> io::Result<u64> {
            self.0.length()
        }
    }
    let (_scratch, base) = scratch();
    let source = Arc::new(Counted(archive_of(&base), AtomicU64::new(0)));
    assert!(source.0.len() > 4 << 20);
    let archive = open(source.clone());
    source.1.store(0, Ordering::Relaxed);
    extract(&archive, &[path("state/file")], &base, &Silent).unwrap();
    let read = source.1.load(Ordering::Relaxed);
    let indexes: u64 = archive.manifest().payloads.iter().map(|payload| payload.index.length).sum();
    assert!(read <= indexes + 2 * 256 * 1024 + 256 * 1024, "{read}");
}

#[test]
fn progress_adds_up() {
    #[derive(Default)]
    struct Sum(AtomicU64);
    impl Observer for Sum {
        fn advance(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let (_scratch, base) = scratch();
    let archive = open(Arc::new(archive_of(&base)));
    let directory = Target::Directory(base.join("target"));
    let plan = Plan::new(&archive, &Selection::default(), &directory, &Adaptation::default()).unwrap();
    let sum = Sum::default();
    let restored = restore(&archive, &plan, 1, &sum).unwrap();
    assert_eq!(restored.bytes, sum.0.into_inner());
    let planned: u64 = plan.roots().iter().map(|root| root.bytes).sum();
    assert_eq!(planned, restored.bytes);
}
