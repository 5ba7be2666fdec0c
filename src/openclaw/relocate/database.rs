//! Rewrites the paths in the database that all agents share, in one transaction.
//!
//! Tables and columns that a release does not have are passed over. Where rows of the new place
//! are there already, those of the old one stay as they are, and that is reported. Databases of
//! single agents hold nothing that depends on their place.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql, params};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::openclaw::columns::{COLUMNS, Column, Content, job_texts};
use crate::openclaw::relocate::{Relocation, ordered, strings, workspaces};

/// What was rewritten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Rows by table.
    pub(crate) tables: BTreeMap<&'static str, u64>,
    /// What stays because rows of the new place are there.
    pub(crate) conflicts: Vec<String>,
}

/// The database outside of its place: nothing else has it open.
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens a database that is whole; the error says why it is not one.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let open = || -> rusqlite::Result<(Connection, String)> {
            let connection = Connection::open_with_flags(path, flags)?;
            // The archive may be anybody's: what its schema says is not run.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
            // No index of the log in a file, nothing temporary on the disk.
            connection.execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;",
            )?;
            let state = integrity(&connection)?;
            Ok((connection, state))
        };
        match open() {
            Ok((connection, state)) if state == "ok" => Ok(Self { connection }),
            Ok((_, state)) => Err(format!("is damaged: {state}")),
            Err(error) => Err(format!("cannot be opened: {error}")),
        }
    }

    /// The state directories that cron jobs are filed under.
    pub(crate) fn state_dirs(&self) -> Result<Vec<PathBuf>> {
        let keys = Rows { connection: &self.connection }.texts("cron_jobs", "store_key").map_err(failed)?;
        let below = |key: &String| key.strip_suffix(CRON_STORE).map(PathBuf::from);
        Ok(keys.iter().filter_map(below).collect())
    }

    /// The workspaces that were set up.
    pub(crate) fn workspaces(&self) -> Result<Vec<PathBuf>> {
        let rows = Rows { connection: &self.connection };
        let paths = rows.texts("workspace_setup_state", "workspace_path").map_err(failed)?;
        Ok(paths.into_iter().map(PathBuf::from).collect())
    }

    /// Rewrites; `workspaces` are further old paths that rows may be keyed by.
    ///
    /// # Errors
    ///
    /// `Invalid` where the database does not allow it or would not be whole afterwards; it is
    /// as it was then.
    pub(crate) fn relocate(mut self, relocation: &Relocation, workspaces: &[PathBuf]) -> Result<Report> {
        let before = violations(&self.connection).map_err(failed)?;
        let transaction = self.connection.transaction().map_err(failed)?;
        let mut rewriting =
            Rewriting { rows: Rows { connection: &transaction }, relocation, report: Report::default() };
        rewriting.cron().map_err(failed)?;
        workspaces::relocate(&mut rewriting, workspaces).map_err(failed)?;
        for Column { table, name, content } in COLUMNS {
            match content {
                Content::Json(condition) => {
                    rewriting.json(table, name, condition, |_| None).map_err(failed)?;
                }
                Content::Job => {
                    rewriting.json(table, name, "1", |job| Some(job_texts(job))).map_err(failed)?;
                }
                Content::Path => rewriting.column(table, name).map_err(failed)?,
                // Done above: rows of several tables belong together.
                Content::CronStore | Content::Workspace => {}
            }
        }
        let report = rewriting.report;
        let state = integrity(&transaction).map_err(failed)?;
        if state != "ok" {
            return Err(wrong(state));
        }
        if violations(&transaction).map_err(failed)? > before {
            return Err(wrong("a row would lack the one that it refers to"));
        }
        transaction.commit().map_err(failed)?;
        // Moves the log into the file and removes it.
        self.connection.close().map_err(|(_, error)| failed(error))?;
        Ok(report)
    }
}

/// Reads and changes rows of tables that may be there.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    connection: &'a Connection,
}

impl Rows<'_> {
    /// Tells whether a table has all these columns.
    pub(super) fn have(self, table: &str, columns: &[&str]) -> rusqlite::Result<bool> {
        let mut known =
            self.connection.prepare_cached("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2")?;
        for column in columns {
            if !known.exists(params![table, column])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The different texts of a column; none where there is no such column.
    pub(super) fn texts(self, table: &str, column: &str) -> rusqlite::Result<Vec<String>> {
        if !self.have(table, &[column])? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE typeof({column}) = 'text' ORDER BY 1");
        self.connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) fn change(self, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<u64> {
        Ok(self.connection.prepare_cached(sql)?.execute(values)? as u64)
    }

    /// Tells whether a query has a row.
    pub(super) fn any(self, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<bool> {
        self.connection.prepare_cached(sql)?.exists(values)
    }

    /// All rows of a query, each of texts.
    pub(super) fn all<const COLUMNS: usize>(self, sql: &str) -> rusqlite::Result<Vec<[String; COLUMNS]>> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let mut values = [const { String::new() }; COLUMNS];
            for (at, value) in values.iter_mut().enumerate() {
                *value = row.get::<_, Option<String>>(at)?.unwrap_or_default();
            }
            Ok(values)
        })?;
        rows.collect()
    }
}

/// One rewriting.
pub(super) struct Rewriting<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) relocation: &'a Relocation,
    pub(super) report: Report,
}

impl Rewriting<'_> {
    pub(super) fn count(&mut self, table: &'static str, rows: u64) {
        if rows > 0 {
            *self.report.tables.entry(table).or_default() += rows;
        }
    }

    pub(super) fn conflict(&mut self, what: String) {
        self.report.conflicts.push(what);
    }

    /// OpenClaw: jobs, their scratch and receipts are filed under `<config dir>/cron/jobs.json`;
    /// under any other name nobody looks for them.
    fn cron(&mut self) -> rusqlite::Result<()> {
        let mut tables = Vec::new();
        let mut keys = Vec::new();
        let stores = COLUMNS.iter().filter(|column| column.content == Content::CronStore);
        for Column { table, name, .. } in stores {
            if self.rows.have(table, &[name])? {
                tables.push(*table);
                keys.extend(self.rows.texts(table, name)?);
            }
        }
        keys.sort();
        keys.dedup();
        let pairs = keys.into_iter().filter_map(|old| self.relocation.text(&old).map(|new| (old, new)));
        let (pairs, circle) = ordered(pairs.collect());
        for (old, new) in pairs {
            let mut is_taken = false;
            for table in &tables {
                is_taken |= self.rows.any(&format!("SELECT 1 FROM {table} WHERE store_key = ?1"), &[&new])?;
            }
            if is_taken {
                self.conflict(format!("cron jobs of `{old}`: there are others of `{new}`"));
                continue;
            }
            for table in &tables {
                let sql = format!("UPDATE {table} SET store_key = ?2 WHERE store_key = ?1");
                let rows = self.rows.change(&sql, &[&old, &new])?;
                self.count(table, rows);
            }
        }
        for (old, new) in circle {
            self.conflict(format!("cron jobs of `{old}`: `{new}` moves as well"));
        }
        Ok(())
    }

    /// Rewrites a column of plain paths.
    fn column(&mut self, table: &'static str, column: &str) -> rusqlite::Result<()> {
        let pairs = self.rows.texts(table, column)?;
        let pairs = pairs.into_iter().filter_map(|old| self.relocation.text(&old).map(|new| (old, new)));
        let (pairs, circle) = ordered(pairs.collect());
        for (old, new) in pairs {
            let sql = format!("UPDATE OR IGNORE {table} SET {column} = ?2 WHERE {column} = ?1");
            let rows = self.rows.change(&sql, &[&old, &new])?;
            self.count(table, rows);
            if self.rows.any(&format!("SELECT 1 FROM {table} WHERE {column} = ?1"), &[&old])? {
                self.conflict(format!("{table}: `{old}`, because `{new}` is there"));
            }
        }
        for (old, new) in circle {
            self.conflict(format!("{table}: `{old}`, because `{new}` moves as well"));
        }
        Ok(())
    }

    /// Rewrites the strings in a column of JSON that are paths; `allowed` tells which may be, where
    /// not all may.
    fn json(
        &mut self,
        table: &'static str,
        column: &str,
        condition: &str,
        allowed: impl Fn(&Value) -> Option<Vec<String>>,
    ) -> rusqlite::Result<()> {
        if !self.rows.have(table, &[column])? {
            return Ok(());
        }
        let sql = format!("SELECT DISTINCT {column} FROM {table} WHERE {condition}");
        for [old] in self.rows.all(&sql)? {
            let allowed = allowed(&serde_json::from_str(&old).unwrap_or_default());
            let (new, count) = strings::rewrite(&old, |value| {
                let may = allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|one| one == value));
                may.then(|| self.relocation.text(value)).flatten()
            });
            if count > 0 {
                let sql = format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1 AND {condition}");
                let rows = self.rows.change(&sql, &[&old, &new])?;
                self.count(table, rows);
            }
        }
        Ok(())
    }
}

fn integrity(connection: &Connection) -> rusqlite::Result<String> {
    let first = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).optional()?;
    Ok(first.unwrap_or_default())
}

/// Counts the rows that lack the one that they refer to.
fn violations(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn failed(error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        let full = io::Error::new(io::ErrorKind::StorageFull, error);
        return Error::stream("rewrite the shared database of", full);
    }
    wrong(error)
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("the paths in the shared database cannot be rewritten: {what}"))
}

const CRON_STORE: &str = "/cron/jobs.json";

#[cfg(test)]
mod tests;
