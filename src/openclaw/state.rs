//! What the files of a state directory tell without being opened by SQLite.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::openclaw::SHARED_DATABASE;

/// Reads `user_version`, by which OpenClaw numbers its schemas, from a database's header.
pub(crate) fn schema_version(database: &Path) -> Option<u32> {
    // A FIFO of that name would block.
    if !database.is_file() {
        return None;
    }
    let mut header = [0; 64];
    let file = File::open(database).ok()?;
    file.read_exact_at(&mut header, 0).ok()?;
    let [.., a, b, c, d] = header;
    header.starts_with(b"SQLite format 3\0").then_some(u32::from_be_bytes([a, b, c, d]))
}

/// When OpenClaw last wrote to a state directory: to its databases, or, as releases before them, to
/// the agents' transcripts.
pub(crate) fn last_used(state_dir: &Path) -> Option<SystemTime> {
    let mut files = vec![state_dir.join(SHARED_DATABASE)];
    for agent in children(&state_dir.join("agents")) {
        files.push(agent.join("agent/openclaw-agent.sqlite"));
        files.extend(children(&agent.join("sessions")));
    }
    let logs: Vec<PathBuf> = files.iter().map(|file| with_suffix(file, "-wal")).collect();
    let facts = files.iter().chain(&logs).filter_map(|file| fs::symlink_metadata(file).ok());
    facts.filter(fs::Metadata::is_file).filter_map(|facts| facts.modified().ok()).max()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::{last_used, schema_version};

    #[test]
    fn the_newest_database_log_or_transcript_tells() {
        let state = tempfile::tempdir().unwrap();
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let write = |name: &str, seconds| {
            let path = state.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap().set_modified(time(seconds)).unwrap();
        };
        write("workspace/notes", 9000);
        write("logs/gateway.log", 9000);
        assert_eq!(last_used(state.path()), None);
        for (name, seconds) in [
            ("agents/main/sessions/a.jsonl", 1000),
            ("state/openclaw.sqlite", 2000),
            ("state/openclaw.sqlite-wal", 3000),
            ("agents/ops/agent/openclaw-agent.sqlite", 4000),
            ("agents/ops/agent/openclaw-agent.sqlite-wal", 5000),
        ] {
            write(name, seconds);
            assert_eq!(last_used(state.path()), Some(time(seconds)), "{name}");
        }
        write("agents/main/agent/openclaw-agent.sqlite", 4500);
        assert_eq!(last_used(state.path()), Some(time(5000)));
        assert_eq!(last_used(Path::new("/nowhere")), None);
    }

    #[test]
    fn the_schema_is_read_from_the_header() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("x.sqlite");
        assert_eq!(schema_version(&path), None);
        fs::write(&path, "no database").unwrap();
        assert_eq!(schema_version(&path), None);
        fs::remove_file(&path).unwrap();
        let database = rusqlite::Connection::open(&path).unwrap();
        database.execute_batch("PRAGMA user_version = 18; CREATE TABLE t (a)").unwrap();
        assert_eq!(schema_version(&path), Some(18));
    }
}
