//! The comparison that other tests rely on sees every kind of difference.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::cli::Run;
use crate::support::databases::{MAIN_AGENT, SHARED};
use crate::support::scene::Scene;
use crate::support::tree::{Tolerance, Tree};
use rusqlite::Connection;

/// Copies the rich home, changes the copy, and returns what the comparison says.
fn differences_after(change: impl FnOnce(&Path)) -> Vec<String> {
    let scene = Scene::rich();
    let copy = scene.path("copy");
    Run::new("cp").arg("-a").arg(scene.home()).arg(&copy).success();
    change(&copy);
    // A directory's time changes with what is done in it; that is seen, and of no interest here.
    Tree::read(&scene.home())
        .differences(&Tree::read(&copy), Tolerance::default())
        .into_iter()
        .filter(|line| !line.contains("mtime"))
        .collect()
}

#[track_caller]
fn assert_seen(found: &[String], words: &[&str]) {
    assert_eq!(found.len(), words.len(), "{found:#?}");
    for word in words {
        assert!(found.iter().any(|line| line.contains(word)), "{found:#?}");
    }
}

#[test]
fn a_faithful_copy_has_no_differences() {
    assert_seen(&differences_after(|_| {}), &[]);
}

#[test]
fn names_that_are_missing_or_new_are_seen() {
    let found = differences_after(|copy| {
        fs::remove_dir(copy.join(".openclaw/migration")).unwrap();
        fs::write(copy.join("new"), "").unwrap();
    });
    assert_seen(&found, &["migration: missing", "new: not in the source"]);
}

#[test]
fn content_mode_link_target_and_type_are_seen() {
    let found = differences_after(|copy| {
        fs::write(copy.join(".bashrc"), "changed").unwrap();
        let key = copy.join(".openclaw/config-journal-fingerprint.key");
        fs::set_permissions(key, PermissionsExt::from_mode(0o644)).unwrap();
        let link = copy.join(".openclaw/workspace/today.md");
        fs::remove_file(&link).unwrap();
        symlink("tomorrow.md", link).unwrap();
        let fifo = copy.join(".openclaw").join(crate::support::rich::FIFO);
        fs::remove_file(&fifo).unwrap();
        fs::create_dir(&fifo).unwrap();
        fs::set_permissions(fifo, PermissionsExt::from_mode(0o600)).unwrap();
    });
    let words = [
        ".bashrc: kind file",
        "key: mode 0600 became 0644",
        "today.md: kind link to",
        "events.fifo: kind Fifo became Directory",
    ];
    assert_seen(&found, &words);
}

#[test]
fn a_broken_hard_link_is_seen() {
    let found = differences_after(|copy| {
        let link = copy.join(".openclaw/media/outbound/twice again.bin");
        let content = fs::read(&link).unwrap();
        fs::remove_file(&link).unwrap();
        fs::write(&link, content).unwrap();
        fs::set_permissions(link, PermissionsExt::from_mode(0o600)).unwrap();
    });
    let both = ["inbound/twice.bin: first link", "again.bin: first link"];
    assert_seen(&found, &both);
}

#[test]
fn a_time_that_is_off_by_a_nanosecond_is_seen() {
    let scene = Scene::rich();
    let before = Tree::read(&scene.home());
    let file = fs::File::open(scene.home().join(".bashrc")).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    file.set_modified(time + std::time::Duration::from_nanos(1)).unwrap();
    let found = before.differences(&Tree::read(&scene.home()), Tolerance::default());
    assert_seen(&found, &[".bashrc: mtime"]);
}

#[test]
fn a_lost_log_is_a_difference_and_a_consolidated_database_is_none() {
    let found = differences_after(|copy| {
        let state = copy.join(".openclaw");
        // Opening and closing moves the log into the database.
        let connection = Connection::open(state.join(SHARED)).unwrap();
        connection.query_row("SELECT count(*) FROM cron_jobs", [], |_| Ok(())).unwrap();
        connection.close().unwrap();
        fs::remove_file(state.join(format!("{MAIN_AGENT}-wal"))).unwrap();
    });
    let lost = found.iter().filter(|line| line.contains("table `transcript_events`: 3 rows became 2"));
    assert_eq!(lost.count(), 1, "{found:#?}");
    assert!(!found.iter().any(|line| line.contains("cron_jobs")));
}
