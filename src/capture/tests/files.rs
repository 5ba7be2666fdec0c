//! Files that change while they are read, and large ones.

use std::fs::{self, File};

use super::{Ghost, Test};
use crate::ErrorKind;
use crate::format::entry::NoteReason;
use crate::observer::Observer;

/// More than is read into memory.
const LARGE: u64 = 5 << 20;

fn with_large_file() -> Test {
    let test = Test::new();
    let file = File::create(test.state("large")).unwrap();
    file.set_len(LARGE).unwrap();
    test
}

#[test]
fn a_sparse_file_is_streamed() {
    let test = with_large_file();
    let mut seen = 0;
    let captured = test.capture_with(&Ghost::new(|bytes| seen += bytes)).unwrap();
    assert_eq!(captured.content("state/large").len() as u64, LARGE);
    assert!(captured.noted.is_empty());
    assert_eq!(seen, LARGE);
}

#[test]
fn a_large_file_that_shrinks_is_incomplete() {
    let test = with_large_file();
    let large = test.state("large");
    let ghost = Ghost::new(move |bytes| {
        if bytes > 0 {
            File::options().write(true).open(&large).unwrap().set_len(10).unwrap();
        }
    });
    let captured = test.capture_with(&ghost).unwrap();
    assert_eq!(captured.noted("state/large"), Some(NoteReason::Incomplete));
    let entry = captured.entry("state/large");
    assert_eq!(entry.missing + captured.content("state/large").len() as u64, LARGE);
    assert!(entry.missing > 0);
}

#[test]
fn a_large_file_that_grows_is_noted() {
    let test = with_large_file();
    let large = test.state("large");
    let ghost = Ghost::new(move |bytes| {
        if bytes > 0 {
            File::options().write(true).open(&large).unwrap().set_len(LARGE + 10).unwrap();
        }
    });
    let captured = test.capture_with(&ghost).unwrap();
    assert_eq!(captured.noted("state/large"), Some(NoteReason::Changed));
    assert_eq!(captured.content("state/large").len() as u64, LARGE);
}

#[test]
fn a_file_replaced_after_it_was_listed_is_taken_as_it_is_then() {
    let test = Test::new();
    test.write(".openclaw/a", "old");
    test.write("new", "new and longer");
    let (new, a) = (test.at("new"), test.state("a"));
    let ghost = Ghost::new(move |_| {
        let _ = fs::rename(&new, &a);
    });
    let captured = test.capture_with(&ghost).unwrap();
    assert_eq!(captured.content("state/a"), b"new and longer");
    assert!(captured.noted.is_empty());
}

#[test]
fn the_observer_stops_within_a_file() {
    struct Stop(std::sync::atomic::AtomicBool);
    impl Observer for Stop {
        fn advance(&self, _: u64) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(std::sync::atomic::Ordering::Relaxed)
        }
    }
    let test = with_large_file();
    let error = test.capture_with(&Stop(false.into())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
