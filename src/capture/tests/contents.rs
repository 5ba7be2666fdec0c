//! Hashing instead of storing.

use std::fs;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::Test;
use crate::capture::{Contents, contents};
use crate::format::entry::{Node, Role};
use crate::observer::Silent;
use crate::path::ArchivePath;

const NAME: &str = "state/state/openclaw.sqlite";

fn of(test: &Test) -> Vec<Contents> {
    let found = contents(&test.installation(), &test.options, &Silent).unwrap();
    assert_eq!(fs::read_dir(test.scratch.path()).unwrap().count(), 0);
    found
}

fn hash(contents: &Contents, name: &str) -> [u8; 32] {
    let entry = contents.entries.iter().find(|entry| entry.path.as_bytes() == name.as_bytes()).unwrap();
    let Node::File { sha256, .. } = entry.node else { panic!("{name} is no file") };
    sha256
}

#[test]
fn contents_are_those_of_a_capture() {
    let test = Test::new();
    test.write(".openclaw/openclaw.json", "{}");
    test.write(".openclaw/media/large", vec![7; 5 << 20]);
    test.write(".openclaw/cache/x", "");
    test.write(".openclaw/workspace/a.md", "a");
    std::os::unix::fs::symlink("a.md", test.state("workspace/b.md")).unwrap();
    fs::hard_link(test.state("workspace/a.md"), test.state("workspace/c.md")).unwrap();
    let (found, captured) = (of(&test), test.capture());
    assert_eq!(found.iter().map(|one| one.role).collect::<Vec<_>>(), Role::ALL);
    let mut names = 0;
    for entry in found.iter().flat_map(|one| &one.entries) {
        let name = entry.path.to_string();
        let stored = captured.entry(&name);
        assert_eq!((entry.mode, entry.mtime), (stored.mode, stored.mtime), "{name}");
        if let Node::File { size, sha256 } = entry.node {
            let content = captured.content(&name);
            assert_eq!((size, sha256), (content.len() as u64, Sha256::digest(content).into()), "{name}");
        }
        names += 1;
    }
    assert!(names >= 8, "{names}");
    assert_eq!(found[0].skipped.iter().filter(|one| one.path.to_string() == "state/cache").count(), 1);
}

/// A gateway ran when the archive was made, and does not when it is compared, or the other way round.
#[test]
fn a_database_is_the_same_however_it_is_copied() {
    let elsewhere = tempfile::tempdir().unwrap();
    let original = elsewhere.path().join("openclaw.sqlite");
    let connection = Connection::open(&original).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE t (x); CREATE TABLE u (x); INSERT INTO t VALUES (1);
             PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES (2);",
        )
        .unwrap();
    let left = |suffixes: &[&str]| {
        let test = Test::new();
        fs::create_dir(test.state("state")).unwrap();
        for suffix in suffixes {
            let name = format!("openclaw.sqlite{suffix}");
            fs::copy(elsewhere.path().join(&name), test.state("state").join(&name)).unwrap();
        }
        of(&test).swap_remove(0)
    };
    let mut all = vec![left(&["", "-wal", "-shm"]), left(&["", "-wal"])];
    connection.close().unwrap();
    all.push(left(&[""]));
    let counted = |contents: &Contents| contents.databases[&ArchivePath::parse(NAME.as_bytes()).unwrap()];
    assert_ne!(hash(&all[0], NAME), hash(&all[1], NAME));
    for other in &all[1..] {
        assert_eq!(counted(&all[0]), counted(other));
    }
    Connection::open(&original).unwrap().execute_batch("UPDATE t SET x = 3 WHERE x = 2;").unwrap();
    assert_ne!(counted(&all[0]), counted(&left(&[""])));
}
