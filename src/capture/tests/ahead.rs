//! Copies of databases that are made ahead.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;

use super::databases::count;
use super::{Ghost, Test};
use crate::capture::estimate;
use crate::observer::Silent;

/// Makes databases that are worth being copied ahead, and names them.
fn large(test: &mut Test, names: &[&str]) {
    fs::create_dir_all(test.state("memory")).unwrap();
    for name in names {
        let connection = Connection::open(test.state(name)).unwrap();
        connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(2000000))").unwrap();
    }
    let forecast = estimate(&test.installation(), &test.options, 3, 0, &Silent).unwrap();
    let expected: Vec<_> = names.iter().map(|name| test.state(name)).collect();
    assert_eq!(forecast.databases, expected);
    test.options.databases = forecast.databases;
}

#[test]
fn copies_made_ahead_are_taken_in_turn() {
    let mut test = Test::new();
    large(&mut test, &["a.sqlite", "memory/b.sqlite", "memory/c.sqlite", "z.sqlite"]);
    // Gone, and something else: those behind them come all the same.
    fs::remove_file(test.state("memory/b.sqlite")).unwrap();
    fs::write(test.state("memory/c.sqlite"), vec![b'x'; 2_000_000]).unwrap();
    let captured = test.capture();
    for name in ["state/a.sqlite", "state/z.sqlite"] {
        assert_eq!(count(&captured, name, "t"), 1, "{name}");
    }
    assert!(!captured.has("state/memory/b.sqlite"));
    assert_eq!(captured.content("state/memory/c.sqlite"), vec![b'x'; 2_000_000]);
    assert!(captured.noted.is_empty());
}

#[test]
fn a_copy_made_ahead_is_made_again_when_the_database_changed() {
    let mut test = Test::new();
    test.write(".openclaw/between", "7 bytes");
    large(&mut test, &["a.sqlite", "z.sqlite"]);
    let path = test.state("z.sqlite");
    // Between the two; the second is being copied, or was.
    let ghost = Ghost::new(|bytes| {
        if bytes == 7 {
            let connection = Connection::open(&path).unwrap();
            connection.busy_timeout(Duration::from_secs(60)).unwrap();
            connection.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        }
    });
    let captured = test.capture_with(&ghost).unwrap();
    assert_eq!(count(&captured, "state/z.sqlite", "t"), 2);
}
