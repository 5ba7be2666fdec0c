//! Tells whether two SQLite databases are equal in content.
//!
//! Content is: the schema, `user_version` and every row of every table, after the write-ahead log
//! is applied. Pages may lie elsewhere. A virtual table is compared through the ordinary tables
//! behind it, so that modules which are not here (`vec0`) do not matter.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;

/// First bytes of every database that is not empty.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Suffixes of the files that belong to a database.
pub const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The content of a database.
#[derive(Debug, PartialEq)]
pub struct Content {
    schema: Vec<(String, String)>,
    user_version: i64,
    tables: BTreeMap<String, Vec<Vec<Value>>>,
}

/// Tells whether the file begins like a database.
pub fn is_database(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok_and(|()| &start == MAGIC)
}

/// Returns the database that a side file belongs to, if this is one.
pub fn owner_of_side_file(path: &Path) -> Option<PathBuf> {
    let text = path.to_str()?;
    let database = SIDE_FILES.iter().find_map(|suffix| text.strip_suffix(suffix))?;
    is_database(Path::new(database)).then(|| PathBuf::from(database))
}

/// Reads a database with its write-ahead log, from a copy: opening the original would write beside it.
pub fn read(path: &Path) -> Content {
    read_copy(path, true)
}

/// Reads a database as if its write-ahead log were lost.
pub fn read_without_log(path: &Path) -> Content {
    read_copy(path, false)
}

/// Lists the differences in content; an unsound second database is one.
pub fn differences(expected: &Path, found: &Path) -> Vec<String> {
    let (expected, found) = (read(expected), read(found));
    let mut lines = Vec::new();
    if expected.user_version != found.user_version {
        lines.push(format!("user_version {} became {}", expected.user_version, found.user_version));
    }
    if expected.schema != found.schema {
        lines.push("the schema differs".to_owned());
    }
    for (table, rows) in &expected.tables {
        match found.tables.get(table) {
            None => lines.push(format!("table `{table}` is missing")),
            Some(others) if others == rows => {}
            Some(others) => {
                let at = rows.iter().zip(others).position(|(a, b)| a != b);
                lines.push(format!(
                    "table `{table}`: {} rows became {}, first difference at {at:?}",
                    rows.len(),
                    others.len()
                ));
            }
        }
    }
    lines
}

impl Content {
    /// Tells whether some row of a table holds this text in some column.
    pub fn has_text(&self, table: &str, text: &str) -> bool {
        self.tables[table].iter().flatten().any(|value| matches!(value, Value::Text(cell) if cell == text))
    }

    /// Lists table and text of every text cell that `other` has nowhere in that table.
    pub fn texts_missing_from(&self, other: &Self) -> Vec<(String, String)> {
        let cells = self.tables.iter().flat_map(|(table, rows)| {
            rows.iter().flatten().filter_map(move |value| match value {
                Value::Text(text) => Some((table.clone(), text.clone())),
                _ => None,
            })
        });
        cells.filter(|(table, text)| !other.has_text(table, text)).collect()
    }
}

fn read_copy(path: &Path, with_log: bool) -> Content {
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("copy.sqlite");
    fs::copy(path, &copy).unwrap();
    for suffix in ["-wal", "-journal"].iter().filter(|_| with_log) {
        let side = with_suffix(path, suffix);
        if side.exists() {
            fs::copy(side, with_suffix(&copy, suffix)).unwrap();
        }
    }
    let connection = Connection::open(&copy).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "integrity_check of {}", path.display());
    Content::of(&connection)
}

impl Content {
    fn of(connection: &Connection) -> Self {
        let mut statement = connection
            .prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")
            .unwrap();
        let objects: Vec<(String, String, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let tables = objects
            .iter()
            .filter(|(kind, _, sql)| kind == "table" && !sql.starts_with("CREATE VIRTUAL TABLE"))
            .map(|(_, name, _)| (name.clone(), rows(connection, name)))
            .collect();
        Self {
            schema: objects.into_iter().map(|(_, name, sql)| (name, sql)).collect(),
            user_version: connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap(),
            tables,
        }
    }
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
    let columns = statement.column_count();
    statement
        .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Appends a suffix to the last component.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
