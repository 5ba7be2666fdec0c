//! What earlier restores left, when the world went on.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::past::PastRestore;
use super::{Job, all_belong_to, extract_to, home, is_root, kept, list, state};
use crate::error::ErrorKind;
use crate::restore::Owner;

#[test]
fn an_archive_cannot_bring_a_journal() {
    for name in [
        "state/.before-restore-x.journal",
        "state/a/.openclaw.before-restore-20261122T054858Z.journal",
        "state/.BEFORE-RESTORE-x.JOURNAL",
        "state/.before-restore-x.journal.new",
    ] {
        let (_scratch, home) = home();
        let before = list(&home);
        let payloads = [state(&home).directory("state/a", 0o700).file(name, b"{}")];
        let error = Job::new(&payloads).in_place(&home).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(Job::new(&payloads).to(&home.join("new")).unwrap_err().kind(), ErrorKind::Invalid);
        let directory = home.join("here");
        fs::create_dir(&directory).unwrap();
        assert_eq!(extract_to(&payloads[0], &[name], &directory).unwrap_err().kind(), ErrorKind::Invalid);
        fs::remove_dir(directory).unwrap();
        assert_eq!(list(&home), before, "{name}");
        Job::new(&payloads).glob("state/openclaw.json").in_place(&home).unwrap();
    }
}

#[test]
fn a_copied_journal_speaks_for_nothing() {
    let (_scratch, home) = home();
    let payloads = [state(&home)];
    Job::new(&payloads).in_place(&home).unwrap();
    let journal = home.join(kept(".openclaw") + ".journal");
    let place = home.join(".openclaw");
    assert_eq!(PastRestore::find(&place).unwrap().len(), 1);
    // At another place, and at the same as another file.
    let copy = home.join("copy");
    fs::create_dir_all(copy.join(".openclaw")).unwrap();
    fs::copy(&journal, copy.join(journal.file_name().unwrap())).unwrap();
    assert!(PastRestore::find(&copy.join(".openclaw")).unwrap().is_empty());
    fs::rename(&journal, home.join("away")).unwrap();
    fs::copy(home.join("away"), &journal).unwrap();
    assert!(PastRestore::find(&place).unwrap().is_empty());
}

#[test]
fn what_has_a_journal_s_name_and_is_none_is_passed_over() {
    let (_scratch, home) = home();
    let name = |number: u32| home.join(format!(".openclaw.before-restore-{number}.journal"));
    fs::create_dir(name(1)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", name(2)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, name(3), 0o600.into()).unwrap();
    fs::write(name(4), "").unwrap();
    fs::write(name(5), [0; 100]).unwrap();
    assert!(PastRestore::find(&home.join(".openclaw")).unwrap().is_empty());
    fs::remove_file(name(3)).unwrap();
    let payloads = [state(&home)];
    Job::new(&payloads).in_place(&home).unwrap();
    undo(&home);
}

#[test]
fn what_was_written_by_rename_since_goes_aside() {
    for gone in [false, true] {
        let (_scratch, home) = home();
        let payloads = [state(&home)];
        let file = home.join(".openclaw/openclaw.json");
        Job::new(&payloads).glob("state/openclaw.json").in_place(&home).unwrap();
        fs::remove_file(&file).unwrap();
        if !gone {
            fs::write(&file, "since").unwrap();
        }
        let aside = undo(&home);
        assert_eq!(fs::read(&file).unwrap(), b"live");
        assert_eq!(aside.iter().any(|line| line.ends_with("openclaw.json: since")), !gone, "{aside:?}");
    }
}

#[test]
fn a_tree_that_was_removed_since_is_no_obstacle() {
    let (_scratch, home) = home();
    let before = list(&home);
    let payloads = [state(&home)];
    Job::new(&payloads).in_place(&home).unwrap();
    fs::rename(home.join(".openclaw/workspace"), home.join("ws")).unwrap();
    fs::remove_dir_all(home.join(".openclaw")).unwrap();
    fs::create_dir(home.join(".openclaw")).unwrap();
    fs::rename(home.join("ws"), home.join(".openclaw/workspace")).unwrap();
    undo(&home);
    assert_eq!(visible(&home), before);
}

#[test]
fn the_log_of_a_restored_database_goes_aside_with_it() {
    for old_log in [false, true] {
        let (_scratch, home) = home();
        let live = home.join(".openclaw");
        fs::write(live.join("db"), "SQLite format 3\0old").unwrap();
        if old_log {
            fs::write(live.join("db-wal"), "old").unwrap();
        }
        let before = list(&home);
        let payloads = [state(&home).file("state/db", b"SQLite format 3\0new")];
        Job::new(&payloads).glob("state/db").in_place(&home).unwrap();
        assert!(!live.join("db-wal").exists());
        fs::write(live.join("db-wal"), "of the new").unwrap();
        fs::write(live.join("db-shm"), "of the new").unwrap();
        let aside = undo(&home);
        assert_eq!(visible(&home), before);
        assert!(aside.iter().any(|line| line.ends_with("/db-wal: of the new")), "{aside:?}");
        assert!(aside.iter().any(|line| line.ends_with("/db: SQLite format 3\0new")), "{aside:?}");
    }
}

/// Takes the latest restore back; returns what was put aside.
fn undo(home: &Path) -> Vec<String> {
    let past = PastRestore::find(&home.join(".openclaw")).unwrap().into_iter().next().unwrap();
    past.take_back().unwrap();
    list(home).into_iter().filter(|name| name.contains(".before-undo-")).collect()
}

fn visible(home: &Path) -> Vec<String> {
    list(home).into_iter().filter(|name| !name.contains(".before-")).collect()
}

#[test]
fn what_is_put_aside_belongs_to_the_owner() {
    if !is_root("what_is_put_aside_belongs_to_the_owner") {
        return;
    }
    let (_scratch, home) = home();
    fs::create_dir(home.join(".openclaw/c")).unwrap();
    fs::write(home.join(".openclaw/c/x"), "live").unwrap();
    let payloads = [state(&home).directory("state/c", 0o700).file("state/c/x", b"restored")];
    let mut job = Job::new(&payloads).glob("state/c/x");
    job.adaptation.owner = Some(Owner { user: 4711, group: 4712 });
    job.in_place(&home).unwrap();
    let aside = undo(&home);
    assert!(aside.iter().any(|line| line.ends_with("/c/x: restored")), "{aside:?}");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
    let is_aside = |path: &PathBuf| path.to_string_lossy().contains(".before-undo-");
    let aside: Vec<PathBuf> = fs::read_dir(&home).unwrap().map(name).filter(is_aside).collect();
    assert_eq!(aside.len(), 1);
    all_belong_to(aside, Owner { user: 4711, group: 4712 });
}
