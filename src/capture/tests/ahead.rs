//! What is copied and read before its turn.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;

use super::databases::{count, left_behind};
use super::{Captured, Ghost, Test};
use crate::capture::readahead::Pace;
use crate::capture::{estimate, record};
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

#[test]
fn what_is_read_before_its_turn_is_stored_as_in_its_turn() {
    let mut test = Test::new();
    for number in 0..300 {
        let (name, content) = (format!(".openclaw/{number}"), number.to_string().repeat(number));
        if number % 7 == 0 {
            test.write(&format!("{name}/a"), &content);
            test.write(&format!("{name}/b.log"), content);
        } else {
            test.write(&name, content);
        }
    }
    left_behind(&test, &["", "-wal", "-shm"]);
    fs::hard_link(test.state("1"), test.state("10-again")).unwrap();
    std::os::unix::fs::symlink("1", test.state("11-link")).unwrap();
    test.options.exclude = vec!["state/*/b.log".to_owned(), "state/20*".to_owned()];
    let capture = |pace| {
        let mut captured = Captured::default();
        record(&test.installation(), &test.options, &mut captured, &Silent, pace).unwrap();
        captured
    };
    let (early, in_turn) = (capture(Pace::slow()), capture(Pace::default()));
    assert!(early.entries.len() > 300 && early.entries.len() == in_turn.entries.len());
    for ((name, early), (other, in_turn)) in early.entries.iter().zip(&in_turn.entries) {
        assert_eq!((name, early), (other, in_turn));
    }
    assert_eq!((early.skipped, early.noted), (in_turn.skipped, in_turn.noted));
}

#[test]
fn what_is_left_out_is_not_read_before_its_turn() {
    let mut test = Test::new();
    test.write(".openclaw/kept", "kept");
    test.write(".openclaw/left", "left");
    test.options.exclude = vec!["state/left".to_owned()];
    // A file that was read has a new time of access, where there was none since the content changed.
    let accessed = |name: &str| fs::metadata(test.state(name)).unwrap().accessed().unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    for name in ["kept", "left"] {
        let file = fs::File::options().write(true).open(test.state(name)).unwrap();
        file.set_times(fs::FileTimes::new().set_accessed(long_ago)).unwrap();
    }
    let mut captured = Captured::default();
    record(&test.installation(), &test.options, &mut captured, &Silent, Pace::slow()).unwrap();
    assert_eq!(captured.content("state/kept"), b"kept");
    assert_eq!(accessed("left"), long_ago);
}
