//! Databases: live, left behind, damaged.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Captured, Test, fingerprint, set_mode, unprivileged};
use crate::format::entry::{NoteReason, Role, SkipReason};

const NAME: &str = "state/state/openclaw.sqlite";

/// A database with `rows` in its log only, left in the state directory as if its writer had died.
pub(super) fn left_behind(test: &Test, suffixes: &[&str]) {
    let elsewhere = tempfile::tempdir().unwrap();
    let original = elsewhere.path().join("openclaw.sqlite");
    let connection = Connection::open(&original).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA user_version=18; CREATE TABLE t (x); INSERT INTO t VALUES (1);
             PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES (2), (3);",
        )
        .unwrap();
    copy(&original, &test.state("state/openclaw.sqlite"), suffixes);
}

fn copy(from: &Path, to: &Path, suffixes: &[&str]) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    for suffix in suffixes {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(from), name(to)).unwrap();
    }
}

/// Opens what was stored, as one file in an empty directory.
fn stored(captured: &Captured, name: &str) -> (tempfile::TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    fs::write(&path, captured.content(name)).unwrap();
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    (directory, connection)
}

pub(super) fn count(captured: &Captured, name: &str, table: &str) -> i64 {
    let (_directory, connection) = stored(captured, name);
    let query = format!("SELECT count(*) FROM {table}");
    connection.query_row(&query, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_side_file_that_is_no_file_holds_nothing_up() {
    for (suffix, there) in [("-journal", &[""][..]), ("-wal", &["", "-shm"]), ("-shm", &["", "-wal"])] {
        let test = Test::new();
        left_behind(&test, there);
        let side = test.state(format!("state/openclaw.sqlite{suffix}"));
        if suffix == "-journal" {
            // In the header of the file: only a database without a log looks for a journal.
            let database = fs::File::options().write(true).open(test.state("state/openclaw.sqlite")).unwrap();
            database.write_all_at(&[1, 1], 18).unwrap();
        }
        mknodat(CWD, &side, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let captured = test.capture();
        assert!(!captured.content(NAME).is_empty());
        assert_eq!(captured.skipped(&format!("{NAME}{suffix}")), Some(SkipReason::Kind));
    }
}

#[test]
fn rows_that_are_only_in_the_log_are_in() {
    for suffixes in [&["", "-wal"][..], &["", "-wal", "-shm"]] {
        let test = Test::new();
        left_behind(&test, suffixes);
        set_mode(test.state("state/openclaw.sqlite"), 0o640);
        let before = fingerprint(test.home.path());
        let captured = test.capture();
        assert_eq!(fingerprint(test.home.path()), before);
        assert_eq!(count(&captured, NAME, "t"), 3);
        assert!(captured.noted.is_empty(), "{:?}", captured.noted);
        for suffix in &suffixes[1..] {
            let side = captured.skipped(&format!("{NAME}{suffix}"));
            assert_eq!(side, Some(SkipReason::Policy));
        }
        let entry = captured.entry(NAME);
        let facts = fs::metadata(test.state("state/openclaw.sqlite")).unwrap();
        assert_eq!(entry.mode, 0o640);
        assert_eq!(entry.mtime.seconds, facts.mtime());
        assert_eq!(i64::from(entry.mtime.nanoseconds), facts.mtime_nsec());
        // Still marked as a database with a log, as its program set it.
        assert_eq!(captured.content(NAME)[18..20], [2, 2]);
        let facts = &captured.sources[&Role::State].facts;
        assert_eq!(facts["schema.state/state/openclaw.sqlite"], "18");
    }
}

#[test]
fn a_database_with_a_log_that_is_gone_is_in_and_gets_none() {
    let test = Test::new();
    left_behind(&test, &[""]);
    let before = fingerprint(test.home.path());
    assert_eq!(count(&test.capture(), NAME, "t"), 1);
    assert_eq!(fingerprint(test.home.path()), before);
}

#[test]
fn a_directory_that_cannot_be_written_is_no_obstacle() {
    let test = Test::new();
    left_behind(&test, &["", "-wal"]);
    set_mode(test.state("state"), 0o500);
    let captured = unprivileged(|| test.capture());
    set_mode(test.state("state"), 0o700);
    assert_eq!(count(&captured, NAME, "t"), 3);
    assert!(captured.noted.is_empty());
}

#[test]
fn databases_in_workspaces_are_captured_the_same_way() {
    let test = Test::new();
    left_behind(&test, &["", "-wal"]);
    fs::rename(test.state("state"), test.state("workspace")).unwrap();
    let captured = test.capture();
    assert_eq!(count(&captured, "workspace/main/openclaw.sqlite", "t"), 3);
}

#[test]
fn a_name_too_long_for_sqlite_is_no_obstacle() {
    let test = Test::new();
    left_behind(&test, &["", "-wal", "-shm"]);
    let long = ["x".repeat(200), "y".repeat(200), "z %?#&\u{e9}".repeat(10)].join("/");
    fs::create_dir_all(test.state(&long)).unwrap();
    fs::rename(test.state("state"), test.state(&long).join("s")).unwrap();
    let name = format!("state/{long}/s/openclaw.sqlite");
    assert_eq!(count(&test.capture(), &name, "t"), 3);
}

#[test]
fn special_characters_in_a_name_mean_nothing() {
    let test = Test::new();
    left_behind(&test, &["", "-wal", "-shm"]);
    fs::rename(test.state("state"), test.state("a?mode=rwc&b#%20\u{e9} ")).unwrap();
    let before = fingerprint(test.home.path());
    let name = "state/a?mode=rwc&b#%20\u{e9} /openclaw.sqlite";
    assert_eq!(count(&test.capture(), name, "t"), 3);
    assert_eq!(fingerprint(test.home.path()), before);
}

#[test]
fn a_hot_rollback_journal_is_rolled_back() {
    let test = Test::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let original = elsewhere.path().join("db");
    let connection = Connection::open(&original).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO t SELECT 'before' || i FROM n;
             PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; UPDATE t SET x = 'after, and longer than it was';",
        )
        .unwrap();
    copy(&original, &test.state("memory/main.sqlite"), &["", "-journal"]);
    let before = fingerprint(test.home.path());
    let captured = test.capture();
    assert_eq!(fingerprint(test.home.path()), before);
    let name = "state/memory/main.sqlite";
    assert_eq!(count(&captured, name, "t WHERE x GLOB 'before*'"), 5000);
    let journal = captured.skipped("state/memory/main.sqlite-journal");
    assert_eq!(journal, Some(SkipReason::Policy));
}

#[test]
fn a_database_without_a_log_is_in() {
    let test = Test::new();
    fs::create_dir(test.state("memory")).unwrap();
    let live = Connection::open(test.state("memory/main.sqlite")).unwrap();
    live.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
    let before = fingerprint(test.home.path());
    let captured = test.capture();
    assert_eq!(fingerprint(test.home.path()), before);
    assert_eq!(count(&captured, "state/memory/main.sqlite", "t"), 1);
}

#[test]
fn a_damaged_database_is_kept_and_noted() {
    let test = Test::new();
    let path = test.state("a.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE t (x); CREATE INDEX i ON t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1
             FROM n WHERE i < 5000) INSERT INTO t SELECT 'needle' || i FROM n;",
        )
        .unwrap();
    connection.close().unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0x5a; 4096], 3 * 4096).unwrap();
    let captured = test.capture();
    assert_eq!(captured.noted("state/a.sqlite"), Some(NoteReason::Damaged));
    let size = fs::metadata(&path).unwrap().len();
    assert_eq!(captured.content("state/a.sqlite").len() as u64, size);
}

#[test]
fn what_only_looks_like_a_database_is_kept_as_it_is() {
    let test = Test::new();
    let content = [&b"SQLite format 3\0"[..], &[7; 5000]].concat();
    test.write(".openclaw/a.sqlite", &content);
    test.write(".openclaw/a.sqlite-wal", "log");
    test.write(".openclaw/a.sqlite-shm", "memory");
    let captured = test.capture();
    assert_eq!(captured.content("state/a.sqlite"), content);
    assert_eq!(captured.content("state/a.sqlite-wal"), b"log");
    let memory = captured.skipped("state/a.sqlite-shm");
    assert_eq!(memory, Some(SkipReason::Policy));
    assert_eq!(captured.noted("state/a.sqlite"), Some(NoteReason::Damaged));
}

#[test]
fn side_files_of_nothing_are_files() {
    let test = Test::new();
    test.write(".openclaw/a.sqlite", "not a database");
    test.write(".openclaw/a.sqlite-wal", "log");
    test.write(".openclaw/b-journal", "dear diary");
    let captured = test.capture();
    assert!(captured.has("state/a.sqlite-wal") && captured.has("state/b-journal"));
}

#[test]
fn a_missing_extension_is_no_damage() {
    let test = Test::new();
    let connection = Connection::open(test.state("a.sqlite")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE t (x); INSERT INTO t VALUES (1); PRAGMA writable_schema=ON; INSERT INTO sqlite_schema
             VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING vec0(x)');",
        )
        .unwrap();
    connection.close().unwrap();
    let captured = test.capture();
    assert_ne!(captured.noted("state/a.sqlite"), Some(NoteReason::Damaged));
    let header = captured.content("state/a.sqlite");
    assert!(header.starts_with(b"SQLite format 3\0"));
}

#[test]
fn lock_databases_are_left_alone() {
    let mut test = Test::new();
    for name in [
        "agents/a/agent/openclaw-agent.sqlite.generation-lock.sqlite",
        "agents/a/agent/openclaw-agent.sqlite.reindex-lock.sqlite",
        "other/gateway.state.lock.sqlite",
    ] {
        fs::create_dir_all(test.state(name).parent().unwrap()).unwrap();
        let connection = Connection::open(test.state(name)).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        test.options.all = !test.options.all;
        let captured = test.capture();
        let skipped = captured.skipped(&format!("state/{name}"));
        assert_eq!(skipped, Some(SkipReason::Policy), "{name}");
    }
}

/// Ends the writing process with the test.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const PLACE: &str = "OCBAK_TEST_DATABASE";

/// Runs [`write_without_end`] in a process of its own: file locks do not work within one.
fn start_writer(database: &Path) -> Writer {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "capture::tests::databases::write_without_end"])
        .env(PLACE, database)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let writer = Writer(child);
    let mut lines = output.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("writing")));
    writer
}

#[test]
fn write_without_end() {
    let Some(place) = env::var_os(PLACE) else {
        return;
    };
    let connection = Connection::open(place).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS a (x); CREATE TABLE IF NOT EXISTS b (x);
             INSERT INTO a VALUES (0); INSERT INTO b VALUES (0);",
        )
        .unwrap();
    println!("writing");
    // The tables have equally many rows after every transaction.
    loop {
        connection
            .execute_batch(
                "BEGIN; INSERT INTO a VALUES (randomblob(2000)); INSERT INTO b VALUES (1); COMMIT;",
            )
            .unwrap();
    }
}

#[test]
fn a_database_in_use_is_in_as_of_one_moment() {
    let test = Test::new();
    fs::create_dir(test.state("state")).unwrap();
    let database = test.state("state/openclaw.sqlite");
    let writer = start_writer(&database);
    let names = |test: &Test| {
        let entries = fs::read_dir(test.state("state")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(&test);
    assert_eq!(before.len(), 3);
    let mut last = 0;
    for _ in 0..5 {
        let captured = test.capture();
        assert!(captured.noted.is_empty(), "{:?}", captured.noted);
        let rows = count(&captured, NAME, "a");
        assert_eq!(count(&captured, NAME, "b"), rows);
        assert!(rows >= last && rows > 0);
        last = rows;
    }
    assert_eq!(names(&test), before);
    // Killed, it leaves its log and its shared memory behind.
    drop(writer);
    let before = fingerprint(test.home.path());
    let captured = test.capture();
    assert_eq!(fingerprint(test.home.path()), before);
    let rows = count(&captured, NAME, "a");
    assert_eq!(count(&captured, NAME, "b"), rows);
    assert!(rows >= last && captured.noted.is_empty());
}
