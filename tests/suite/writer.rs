//! Archives of a database that somebody writes to at full speed, for 30 seconds of real time: each
//! holds all that was committed before it was begun and no gap, and the writer is not disturbed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::scene::Scene;
use rusqlite::{Connection, OpenFlags};

const NAME: &str = "state/state/openclaw.sqlite";

#[test]
fn a_writer_at_full_speed_is_neither_torn_nor_disturbed() {
    let scene = Scene::plain();
    let database = scene.home().join(".openclaw/state/openclaw.sqlite");
    let writer = open(&database);
    let (written, stop) = (&AtomicI64::new(0), &AtomicBool::new(false));
    let rounds = thread::scope(|scope| {
        let writing = scope.spawn(move || write(&writer, written, stop));
        // However this ends, the writer must.
        let end = Stop(stop);
        let started = Instant::now();
        let mut rounds = 0;
        while started.elapsed() < DURATION {
            round(&scene, written, rounds);
            rounds += 1;
        }
        drop(end);
        writing.join().unwrap();
        rounds
    });
    let written = written.load(Ordering::SeqCst);
    assert!(rounds >= 3 && written > 1000, "{rounds} archives, {written} rows");
}

/// Makes one archive, and looks at its copy of the database.
fn round(scene: &Scene, written: &AtomicI64, number: u32) {
    let before = written.load(Ordering::SeqCst);
    let ran = scene.creation(&scene.archive()).success();
    let after = written.load(Ordering::SeqCst);
    assert_eq!(ran.stderr, "");
    assert!(after > before, "nothing could be written while archive {number} was made");
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    scene.with_key("extract").arg(NAME).arg("-C").arg(&out).success();
    let copy = Connection::open_with_flags(out.join(NAME), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let check: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let facts = "SELECT count(*), min(n), max(n) FROM numbers";
    let (count, first, last): (i64, i64, i64) =
        copy.query_row(facts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    // Exactly 1 to n, where the numbers differ from each other.
    assert_eq!((count, first), (last, 1));
    // The writer counts a row when it is committed: one more may be.
    assert!((before..=after + 1).contains(&last), "{last} rows of {before} to {after}");
    drop(copy);
    fs::remove_dir_all(out).unwrap();
    fs::remove_file(scene.archive()).unwrap();
}

/// Opens the database as OpenClaw does, with a table of numbers that holds the first.
fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let sql = "PRAGMA synchronous = NORMAL; CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
        INSERT INTO numbers VALUES (1, 'row 1')";
    connection.execute_batch(sql).unwrap();
    connection
}

/// Inserts one row after the other, each in a transaction of its own; an error ends the test.
fn write(connection: &Connection, written: &AtomicI64, stop: &AtomicBool) {
    let mut insert = connection.prepare("INSERT INTO numbers VALUES (?1, 'row ' || ?1)").unwrap();
    let mut number = 1;
    while !stop.load(Ordering::Relaxed) {
        written.store(number, Ordering::SeqCst);
        number += 1;
        insert.execute([number]).unwrap();
    }
}

/// Sets a flag when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const DURATION: Duration = Duration::from_secs(30);
