//! Consistent copies of SQLite databases that others may be writing to.
//!
//! The source directory is never changed: a connection is opened in it only where SQLite needs
//! to create nothing. Everywhere else the files are copied first and opened in the scratch directory.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::capture::meta::{Kind, Meta};
use crate::capture::scratch::{Copy, Scratch};
use crate::capture::stable::{self, Remark};
use crate::format::entry::NoteReason;

/// A database in its directory.
#[derive(Clone, Copy)]
pub(crate) struct Database<'a> {
    pub(crate) directory: BorrowedFd<'a>,
    pub(crate) name: &'a CStr,
    /// The same by its path: SQLite opens nothing else.
    pub(crate) path: &'a Path,
    pub(crate) meta: &'a Meta,
    /// The file's header says that it uses a write-ahead log.
    pub(crate) logged: bool,
}

/// A database as one file, with all that was in its log.
pub(crate) struct Snapshot {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) remark: Option<Remark>,
}

/// Tells whether an open file is a database, and if so whether it uses a write-ahead log.
pub(crate) fn recognise(file: &File) -> Option<bool> {
    let mut header = [0; 20];
    file.read_exact_at(&mut header, 0).ok()?;
    is_database(&header).then_some(header[18] == 2 || header[19] == 2)
}

/// Tells whether the content of a file begins as a database does.
pub(crate) fn is_database(content: &[u8]) -> bool {
    content.starts_with(b"SQLite format 3\0")
}

/// Takes a snapshot; where SQLite cannot, the remark says why, and the plain files are to be stored.
///
/// No file of the database may be open in this process: closing it would drop SQLite's locks.
pub(crate) fn snapshot(database: &Database<'_>, scratch: &Scratch) -> Result<Snapshot, Remark> {
    snapshot_in(database, &scratch.copy())
}

/// What the files of a database are like: as long as that is the same, so is a copy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moment([Option<Meta>; 3]);

impl Moment {
    /// Looks at a database; `None` where there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let directory = File::open(path.parent()?).ok()?;
        let name = CString::new(path.file_name()?.as_bytes()).ok()?;
        let look = |suffix| Meta::at(&directory, &*side(&name, suffix)).ok();
        let database = look("")?;
        Some(Self([Some(database), look("-wal"), look("-journal")]))
    }
}

/// Takes a snapshot of what may be a database at a path; `None` where it is none.
pub(crate) fn snapshot_of(path: &Path, scratch: &Scratch) -> Result<Option<Snapshot>, Remark> {
    snapshot_at(path, &scratch.copy())
}

/// Takes a snapshot of what may be a database at a path, to be opened; `None` where it is none.
pub(crate) fn copy_database(
    path: &Path,
    scratch: &Scratch,
) -> Result<Option<(Copy, Option<Remark>)>, Remark> {
    let copy = scratch.copy();
    Ok(snapshot_at(path, &copy)?.map(|Snapshot { remark, .. }| (copy, remark)))
}

fn snapshot_at(path: &Path, copy: &Copy) -> Result<Option<Snapshot>, Remark> {
    let unreadable = |error: io::Error| (NoteReason::Incomplete, format!("cannot be read: {error}"));
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let directory = File::open(parent).map_err(unreadable)?;
    let Ok(name) = CString::new(name.as_bytes()) else {
        return Ok(None);
    };
    let meta = Meta::at(&directory, &*name).map_err(unreadable)?;
    // Closed again before SQLite opens it.
    let logged = match stable::open(directory.as_fd(), &name, &meta) {
        Ok((file, _)) => recognise(&file),
        Err((_, detail)) => return Err((NoteReason::Incomplete, detail)),
    };
    let Some(logged) = logged else {
        return Ok(None);
    };
    let database = Database { directory: directory.as_fd(), name: &name, path, meta: &meta, logged };
    snapshot_in(&database, copy).map(Some)
}

fn snapshot_in(database: &Database<'_>, copy: &Copy) -> Result<Snapshot, Remark> {
    let look = |suffix: &str| Meta::at(database.directory, &*side(database.name, suffix));
    let there = |suffix: &str| look(suffix).is_ok();
    let log = there("-wal");
    // SQLite would wait forever for the other end of a FIFO.
    let odd = ["-wal", "-shm", "-journal"]
        .iter()
        .any(|suffix| look(suffix).is_ok_and(|meta| meta.kind != Kind::File));
    // A log without a shared memory file, or a logged database without a log: SQLite would create them.
    // Should a writer end and take both away just now, SQLite creates an empty log; nothing can prevent that.
    let nothing_to_create = if log { there("-shm") } else { !database.logged };
    let direct = if nothing_to_create && !odd {
        back_up_patiently(database, copy, log)
    } else {
        Err(Failure::Other("not openable in place".to_owned()))
    };
    let (target, torn) = match direct {
        Ok(target) => (target, false),
        Err(_) => copy_files(database, copy).map_err(Failure::remark)?,
    };
    let damage = check(&target);
    if torn && damage.is_some() {
        return Err((
            NoteReason::Changed,
            "kept changing while it was copied; stored as plain files".to_owned(),
        ));
    }
    finish(target, copy)
        .map(|(file, size)| Snapshot { file, size, remark: damage.or_else(|| torn.then(stable::changed)) })
        .map_err(Failure::remark)
}

/// As [`back_up`], again where a writer was at the wrong place just then.
///
/// A reader that may not write to the shared memory takes a header that is being written for one
/// that a dead process left, and gives up instead of looking again (SQLite's `walIndexReadHdr`).
fn back_up_patiently(database: &Database<'_>, copy: &Copy, log: bool) -> Result<Connection, Failure> {
    for _ in 0..MOMENTS {
        match back_up(database, copy, log) {
            Err(Failure::Passing(_)) => thread::sleep(MOMENT),
            outcome => return outcome,
        }
    }
    back_up(database, copy, log)
}

/// Lets SQLite copy a database that may be in use.
fn back_up(database: &Database<'_>, copy: &Copy, log: bool) -> Result<Connection, Failure> {
    let mut uri = String::from("file:");
    for &byte in database.path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?mode=ro");
    if log {
        // Without this, SQLite opens the shared memory file for writing, creates it where it vanished,
        // and rebuilds it where its writer is dead. With it, SQLite holds back checkpoints all the same.
        uri.push_str("&readonly_shm=1");
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(&uri, flags)?;
    source.busy_timeout(PATIENCE)?;
    source.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    copy.clear();
    copy.create("")?;
    let mut target = open_copy(copy)?;
    // All pages in one step: in several, every write in between would start it again. A positive
    // number, since the crate refuses a negative one.
    let result = Backup::new(&source, &mut target)?.step(i32::MAX)?;
    if result != StepResult::Done {
        return Err(Failure::Other("the database is locked".to_owned()));
    }
    // SQLite went by the path; that has to be still the file that the walk saw.
    match Meta::at(database.directory, database.name) {
        Ok(meta) if meta.id == database.meta.id => Ok(target),
        _ => Err(Failure::Other("replaced while it was copied".to_owned())),
    }
}

/// Copies a database with its log or rollback journal and lets SQLite recover it there.
///
/// Returns whether the files kept changing all the time.
fn copy_files(database: &Database<'_>, copy: &Copy) -> Result<(Connection, bool), Failure> {
    let names = ["", "-wal", "-journal"].map(|suffix| (suffix, side(database.name, suffix)));
    let facts = || names.each_ref().map(|(_, name)| Meta::at(database.directory, &**name).ok());
    let mut torn = true;
    for _ in 0..TRIES {
        copy.clear();
        let before = facts();
        for ((suffix, name), meta) in names.iter().zip(&before) {
            let Some(meta) = meta else { continue };
            let (file, meta) =
                stable::open(database.directory, name, meta).map_err(|(_, detail)| Failure::Other(detail))?;
            let mut target = copy.create(suffix)?;
            io::copy(&mut file.take(meta.size), &mut target)?;
        }
        let after = facts();
        torn = before.iter().zip(&after).any(|pair| match pair {
            (Some(before), Some(after)) => !before.same_content(after),
            (before, after) => before.is_some() != after.is_some(),
        });
        if !torn {
            break;
        }
    }
    let connection = open_copy(copy)?;
    // The first read recovers the log or rolls the journal back.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok((connection, torn))
}

fn open_copy(copy: &Copy) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy.path(), flags)?;
    // Nobody needs the copy after a crash.
    connection.pragma_update(None, "synchronous", "OFF")?;
    // The schema is the database's own word; what it calls shall have no effects.
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(connection)
}

/// What SQLite finds wrong with a copy.
fn check(connection: &Connection) -> Option<Remark> {
    let verdict = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(text) if text == "ok" => None,
        Ok(text) => Some((NoteReason::Damaged, format!("integrity check: {text}"))),
        Err(error) => Some(match Failure::from(error) {
            Failure::Damaged(text) => (NoteReason::Damaged, format!("integrity check: {text}")),
            // For example a module, function or collation that only its program has.
            Failure::Passing(text) | Failure::Other(text) => {
                (NoteReason::Unchecked, format!("integrity check: {text}"))
            }
        }),
    }
}

/// Closes a copy with everything in one file.
///
/// A copy of a logged database stays marked as such: the program that made it chose so, once, and
/// shall find it so. Without a log beside it, it is complete, and opens wherever its directory can be written.
fn finish(connection: Connection, copy: &Copy) -> Result<(File, u64), Failure> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    connection.close().map_err(|(_, error)| error)?;
    let log = std::fs::metadata(copy.side("-wal")).map_or(0, |facts| facts.len());
    if busy != 0 || log != 0 {
        return Err(Failure::Other("the log could not be merged".to_owned()));
    }
    let file = File::open(copy.path())?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// The name of a side file.
fn side(name: &CStr, suffix: &str) -> CString {
    let bytes = [name.to_bytes(), suffix.as_bytes()].concat();
    // Neither part has a NUL: one is a C string, the other a literal.
    CString::new(bytes).unwrap_or_default()
}

/// Why SQLite gave up.
enum Failure {
    Damaged(String),
    /// What may be otherwise a moment later.
    Passing(String),
    Other(String),
}

impl Failure {
    fn remark(self) -> Remark {
        match self {
            Self::Damaged(text) => {
                (NoteReason::Damaged, format!("not readable as a database ({text}); stored as plain files"))
            }
            // Plain copies of a database in use may not fit together.
            Self::Passing(text) | Self::Other(text) => (
                NoteReason::Changed,
                format!("no consistent copy was possible ({text}); stored as plain files"),
            ),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::FileLockingProtocolFailed) => {
                Self::Passing(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// How long to wait for a writer to finish its transaction.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: usize = 3;
/// How often, and after how long, to look again where a writer was in the way.
const MOMENTS: usize = 20;
const MOMENT: Duration = Duration::from_millis(1);
