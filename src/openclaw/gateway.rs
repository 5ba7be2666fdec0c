//! Whether something is using a state directory.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};
use serde_json::Value;

use crate::openclaw::Environment;

/// A process that uses a state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Id of the process; `None` where only its lock is seen, as from another container.
    pub pid: Option<i32>,
    /// What it does: `gateway`, or the name that OpenClaw gives to another writer.
    pub role: String,
    /// Port that it listens on.
    pub port: Option<u16>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.role)?;
        match (self.pid, self.port) {
            (Some(pid), Some(port)) => write!(f, " (pid {pid}, port {port})"),
            (Some(pid), None) => write!(f, " (pid {pid})"),
            (None, Some(port)) => write!(f, " (in another container, port {port})"),
            (None, None) => f.write_str(" (in another container)"),
        }
    }
}

/// Who uses a state directory, and what earlier users left.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Processes that use it, each once.
    pub holders: Vec<Holder>,
    /// Lock files that name a process which is gone.
    pub stale: Vec<PathBuf>,
}

impl Usage {
    /// Looks at the locks of a state directory; nothing is changed.
    ///
    /// The one lock database that says whether a gateway runs is asked, and no other: opening one takes
    /// part in OpenClaw's locking.
    #[must_use]
    pub fn of(state_dir: &Path, config: Option<&Path>, environment: &Environment) -> Self {
        let mut usage = Self::default();
        let real = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let config = config.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        for directory in lock_directories(&real.join("tmp")) {
            let mut lost = None;
            for (path, lock) in locks(&directory) {
                lost = lost.or(lock.port);
                usage.add(path, lock);
            }
            let gateway = usage.holders.iter().any(|holder| holder.role == GATEWAY);
            if !gateway && is_held(&directory.join("gateway.state.lock.sqlite")) {
                usage.holders.push(Holder { pid: None, role: GATEWAY.to_owned(), port: lost });
            }
        }
        // OpenClaw: releases before the shared database lock in the system's directory only.
        for directory in environment.temporary().iter().flat_map(|parent| lock_directories(parent)) {
            for (path, lock) in locks(&directory) {
                let owner = fs::symlink_metadata(&path).map(|facts| facts.uid());
                // Others may write there too, and shall not stop a restore.
                let trusted = owner.is_ok_and(|owner| trusted(owner, &real));
                if trusted && lock.concerns(&real, config.as_deref()) {
                    usage.add(path, lock);
                }
            }
        }
        usage
    }

    fn add(&mut self, path: PathBuf, lock: Lock) {
        if !lock.is_alive() {
            self.stale.push(path);
        } else if self.holders.iter().all(|holder| holder.pid != Some(lock.pid)) {
            self.holders.push(Holder { pid: Some(lock.pid), role: lock.role, port: lock.port });
        }
    }
}

/// A lock file's content.
struct Lock {
    pid: i32,
    /// When the process started, as the system counts it: ids are used again.
    start: Option<u64>,
    role: String,
    port: Option<u16>,
    config: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

impl Lock {
    /// OpenClaw: JSON, then a long run of white space, so that it can be overwritten in place.
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text.trim()).ok()?;
        let path = |name: &str| value[name].as_str().map(PathBuf::from);
        let pid = value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|&pid| pid > 0)?;
        Some(Self {
            pid,
            start: value["startTime"].as_u64(),
            role: value["role"].as_str().unwrap_or(GATEWAY).to_owned(),
            port: value["port"].as_u64().and_then(|port| u16::try_from(port).ok()),
            config: path("configPath"),
            state_dir: path("stateDir"),
        })
    }

    fn is_alive(&self) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return false;
        };
        // A process of somebody else exists as well.
        let exists = matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM));
        exists
            && match (self.start, start_time(self.pid)) {
                (Some(recorded), Some(actual)) => recorded == actual,
                _ => true,
            }
    }

    /// Whether the lock is of this state directory, and not of another one of the same user.
    fn concerns(&self, state_dir: &Path, config: Option<&Path>) -> bool {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match (&self.state_dir, &self.config) {
            (Some(own), _) => real(own) == state_dir,
            (None, Some(own)) => {
                let own = real(own);
                config == Some(&own) || own.starts_with(state_dir)
            }
            (None, None) => false,
        }
    }
}

/// The directories of locks below a directory for temporary files.
fn lock_directories(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"openclaw-"))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// The lock files of a directory that can be read.
fn locks(directory: &Path) -> Vec<(PathBuf, Lock)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            name.starts_with(b"gateway") && name.ends_with(b".lock")
        })
        // A FIFO of that name would block.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let mut text = String::new();
        File::open(&path).ok()?.take(MAX_SIZE).read_to_string(&mut text).ok()?;
        Some((path, Lock::parse(&text)?))
    };
    paths.into_iter().filter_map(read).collect()
}

/// OpenClaw: a gateway keeps an exclusive transaction open on this database as long as it lives, which
/// is seen from other containers too and ends with the process however that ends.
fn is_held(database: &Path) -> bool {
    if !fs::symlink_metadata(database).is_ok_and(|facts| facts.is_file()) {
        return false;
    }
    let look = || -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    let code = look().err().and_then(|error| error.sqlite_error_code());
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a lock file's owner is the user, the state directory's owner or the system's.
fn trusted(owner: u32, state_dir: &Path) -> bool {
    let theirs = fs::metadata(state_dir).is_ok_and(|facts| facts.uid() == owner);
    theirs || owner == 0 || owner == geteuid().as_raw()
}

/// Field 22 of a process's `stat`; `None` on systems without.
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

const GATEWAY: &str = "gateway";
/// Lock files are a few kilobytes of white space.
const MAX_SIZE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use rusqlite::Connection;
    use serde_json::json;

    use super::{Usage, start_time};
    use crate::openclaw::Environment;

    struct Scene {
        directory: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir_all(directory.path().join("state/tmp/openclaw-1000")).unwrap();
            fs::create_dir_all(directory.path().join("tmp/openclaw-1000")).unwrap();
            Self { directory }
        }

        fn state(&self) -> PathBuf {
            self.directory.path().join("state")
        }

        fn lock(&self, name: &str, content: &serde_json::Value) {
            let padded = format!("{content}   \t  \n");
            fs::write(self.directory.path().join(name), padded).unwrap();
        }

        fn usage(&self) -> Usage {
            let environment = Environment::empty().with("TMPDIR", self.directory.path().join("tmp"));
            Usage::of(&self.state(), Some(&self.state().join("openclaw.json")), &environment)
        }
    }

    fn own() -> (u32, u64) {
        let pid = std::process::id();
        (pid, start_time(i32::try_from(pid).unwrap()).unwrap())
    }

    #[test]
    fn a_living_process_holds_what_its_locks_name_once() {
        let scene = Scene::new();
        assert!(scene.usage().holders.is_empty());
        let (pid, start) = own();
        let lock = json!({ "pid": pid, "startTime": start, "port": 18789 });
        scene.lock("state/tmp/openclaw-1000/gateway.state.lock", &lock);
        scene.lock("state/tmp/openclaw-1000/gateway.0123abcd.lock", &lock);
        let usage = scene.usage();
        assert_eq!(usage.holders.len(), 1);
        assert_eq!(usage.holders[0].to_string(), format!("gateway (pid {pid}, port 18789)"));
        assert!(usage.stale.is_empty());
    }

    #[test]
    fn dead_processes_and_used_again_ids_are_stale() {
        let scene = Scene::new();
        let (pid, start) = own();
        let again = json!({ "pid": pid, "startTime": start + 1 });
        scene.lock("state/tmp/openclaw-1000/gateway.state.lock", &again);
        let dead = json!({ "pid": 999_999_999, "startTime": 1, "role": "sqlite-maintenance" });
        scene.lock("state/tmp/openclaw-1000/gateway.0.lock", &dead);
        fs::write(scene.state().join("tmp/openclaw-1000/gateway.1.lock"), "no JSON").unwrap();
        let usage = scene.usage();
        assert!(usage.holders.is_empty());
        assert_eq!(usage.stale.len(), 2);
    }

    #[test]
    fn locks_of_old_releases_count_where_they_name_this_installation() {
        let scene = Scene::new();
        let (pid, start) = own();
        let lock = |config: &Path| json!({ "pid": pid, "startTime": start, "configPath": config });
        scene.lock("tmp/openclaw-1000/gateway.a.lock", &lock(Path::new("/nowhere/openclaw.json")));
        assert!(scene.usage().holders.is_empty());
        scene.lock("tmp/openclaw-1000/gateway.b.lock", &lock(&scene.state().join("openclaw.json")));
        assert_eq!(scene.usage().holders[0].pid, Some(i32::try_from(pid).unwrap()));
    }

    #[test]
    fn a_held_lock_database_tells_of_a_gateway_in_another_container() {
        let scene = Scene::new();
        let database = scene.state().join("tmp/openclaw-1000/gateway.state.lock.sqlite");
        fs::write(&database, "").unwrap();
        assert!(scene.usage().holders.is_empty());
        let gateway = Connection::open(&database).unwrap();
        gateway.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let holders = scene.usage().holders;
        assert_eq!(holders.len(), 1);
        assert_eq!(holders[0].to_string(), "gateway (in another container)");
        gateway.execute_batch("ROLLBACK").unwrap();
        assert!(scene.usage().holders.is_empty());
        assert_eq!(fs::metadata(&database).unwrap().len(), 0);
    }
}
