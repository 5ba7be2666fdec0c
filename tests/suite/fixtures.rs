//! The committed sample home is what its generator writes.
//!
//! Databases are compared by content: their bytes depend on the release of SQLite, and a
//! write-ahead log has a random salt. Everything else is compared by bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::databases::{LOGGED_EVENT, LOGGED_JOB, MAIN_AGENT, RESEARCH_AGENT, SHARED};
use crate::support::home::write_home;
use crate::support::sqlite;

/// Where the committed files are.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[test]
fn the_committed_home_is_what_the_generator_writes() {
    let scratch = tempfile::tempdir().unwrap();
    write_home(scratch.path());
    let (committed, generated) = (files(&fixtures().join("home-2026.9")), files(scratch.path()));
    assert_eq!(committed.keys().collect::<Vec<_>>(), generated.keys().collect::<Vec<_>>());
    for (name, path) in &committed {
        let twin = &generated[name];
        if path.is_symlink() {
            assert_eq!(fs::read_link(path).unwrap(), fs::read_link(twin).unwrap(), "{name:?}");
        } else if sqlite::is_database(path) {
            assert_eq!(sqlite::differences(path, twin), Vec::<String>::new(), "{name:?}");
        } else if sqlite::owner_of_side_file(path).is_none() {
            assert_eq!(fs::read(path).unwrap(), fs::read(twin).unwrap(), "{name:?}");
        }
    }
}

#[test]
fn some_rows_of_the_committed_databases_are_in_the_log_only() {
    let state = fixtures().join("home-2026.9/.openclaw");
    for (database, table, text) in
        [(SHARED, "cron_jobs", LOGGED_JOB), (MAIN_AGENT, "transcript_events", LOGGED_EVENT)]
    {
        let database = state.join(database);
        assert!(sqlite::read(&database).has_text(table, text));
        assert!(!sqlite::read_without_log(&database).has_text(table, text));
    }
    assert!(!sqlite::with_suffix(&state.join(RESEARCH_AGENT), "-wal").exists());
}

#[test]
fn the_fixtures_are_small() {
    let bytes: u64 = files(&fixtures()).values().map(|path| path.symlink_metadata().unwrap().len()).sum();
    assert!(bytes < 3 * 1024 * 1024, "{bytes} bytes");
}

/// For a new sample home beside the released ones, which never change: remove nothing, give it a new name.
#[test]
#[ignore = "writes fixtures/home-2026.9 where it is missing"]
fn write_the_committed_home() {
    let home = fixtures().join("home-2026.9");
    assert!(!home.exists(), "{} is there already", home.display());
    write_home(&home);
}

/// Everything that is no directory, by its name below `base`.
fn files(base: &Path) -> BTreeMap<PathBuf, PathBuf> {
    let mut found = BTreeMap::new();
    let mut directories = vec![base.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(base).unwrap().to_owned();
                found.insert(name, entry.path());
            }
        }
    }
    found
}
