//! Reads what databases say of themselves, and the shared one about paths of its machine.
//!
//! Only ever opened on a copy.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::openclaw::columns::{Column, Content, job_texts};

/// A cron job as far as its place goes.
#[derive(Debug)]
pub(crate) struct CronJob {
    pub(crate) store: String,
    pub(crate) name: String,
    /// OpenClaw or a plugin declares it, and makes it again where it is missing.
    pub(crate) declared: bool,
}

/// A row that is keyed by the digest of a workspace's path.
#[derive(Debug)]
pub(crate) struct Keyed {
    /// The digest in hexadecimal digits, or only its beginning.
    pub(crate) key: String,
    /// The path, where the row has it.
    pub(crate) path: Option<String>,
}

/// An agent's database that OpenClaw keeps account of.
#[derive(Debug)]
pub(crate) struct AgentDatabase {
    pub(crate) agent: String,
    /// Relative to the state directory where it lies in it.
    pub(crate) path: String,
}

/// What a database says of itself.
#[derive(Debug)]
pub(crate) struct Schema {
    /// `global` or `agent`.
    pub(crate) role: String,
    pub(crate) version: u64,
    /// Release that wrote it last.
    pub(crate) app_version: Option<String>,
}

/// A copy of a database of OpenClaw.
#[derive(Debug)]
pub(crate) struct Tables {
    connection: Connection,
    path: PathBuf,
}

impl Tables {
    /// Opens a copy, never the database itself.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(path, &error))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The paths in a column; none where this release has no such column.
    pub(crate) fn paths(&self, column: &Column) -> Result<Vec<String>> {
        let Column { table, name, content } = column;
        if !self.has(table, name)? {
            return Ok(Vec::new());
        }
        let condition = if let Content::Json(condition) = content { condition } else { "1" };
        let query = format!("SELECT {name} FROM {table} WHERE {condition}");
        let texts = self.rows(&query, |row| row.get::<_, Option<String>>(0))?;
        let mut paths = Vec::new();
        for text in texts.into_iter().flatten() {
            let document = || serde_json::from_str(&text).unwrap_or_default();
            match content {
                Content::Json(_) => collect(&document(), &mut paths),
                Content::Job => paths.extend(job_texts(&document())),
                _ => paths.push(text),
            }
        }
        paths.retain(|path| path.starts_with('/'));
        Ok(paths)
    }

    /// All cron jobs.
    pub(crate) fn cron_jobs(&self) -> Result<Vec<CronJob>> {
        if !self.has("cron_jobs", "declaration_key")? {
            return Ok(Vec::new());
        }
        let query = "SELECT store_key, name, declaration_key IS NOT NULL FROM cron_jobs ORDER BY name";
        self.rows(query, |row| Ok(CronJob { store: row.get(0)?, name: row.get(1)?, declared: row.get(2)? }))
    }

    /// What OpenClaw knows of workspaces; rows without a path are left over and mean nothing.
    pub(crate) fn workspaces(&self) -> Result<Vec<Keyed>> {
        if !self.has("workspace_setup_state", "workspace_path")? {
            return Ok(Vec::new());
        }
        let query = "SELECT workspace_key, workspace_path FROM workspace_setup_state \
                     WHERE workspace_path IS NOT NULL";
        self.rows(query, |row| Ok(Keyed { key: row.get(0)?, path: row.get(1)? }))
    }

    /// What the plugin `memory-core` remembers of workspaces.
    pub(crate) fn memories(&self) -> Result<Vec<Keyed>> {
        if !self.has("plugin_state_entries", "entry_key")? {
            return Ok(Vec::new());
        }
        let query = "SELECT entry_key, value_json FROM plugin_state_entries WHERE plugin_id = 'memory-core'";
        let rows = self.rows(query, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let keyed = rows.into_iter().filter_map(|(key, value)| {
            let key = key.split_once(':')?.0.to_owned();
            let digits = key.bytes().all(|byte| byte.is_ascii_hexdigit());
            let value: Value = serde_json::from_str(&value).unwrap_or_default();
            let path = value["workspaceDir"].as_str().map(ToOwned::to_owned);
            (digits && matches!(key.len(), 24 | 64)).then_some(Keyed { key, path })
        });
        Ok(keyed.collect())
    }

    /// The agents' databases.
    pub(crate) fn agent_databases(&self) -> Result<Vec<AgentDatabase>> {
        if !self.has("agent_databases", "path")? {
            return Ok(Vec::new());
        }
        let query = "SELECT agent_id, path FROM agent_databases ORDER BY agent_id";
        self.rows(query, |row| Ok(AgentDatabase { agent: row.get(0)?, path: row.get(1)? }))
    }

    /// What the database says of itself, where it is one of OpenClaw's.
    pub(crate) fn schema(&self) -> Option<Schema> {
        let query = "SELECT role, schema_version, app_version FROM schema_meta WHERE meta_key = 'primary'";
        let schema = self.connection.query_row(query, [], |row| {
            Ok(Schema {
                role: row.get(0)?,
                version: row.get::<_, i64>(1)?.try_into().unwrap_or_default(),
                app_version: row.get(2)?,
            })
        });
        schema.ok()
    }

    fn has(&self, table: &str, column: &str) -> Result<bool> {
        let query = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        let count = self.connection.query_row(query, [table, column], |row| row.get::<_, i64>(0));
        count.map(|count| count > 0).map_err(|error| failure(&self.path, &error))
    }

    fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows =
            || -> rusqlite::Result<Vec<T>> { self.connection.prepare(query)?.query_map([], read)?.collect() };
        rows().map_err(|error| failure(&self.path, &error))
    }
}

/// Collects the texts of a document.
fn collect(value: &Value, paths: &mut Vec<String>) {
    match value {
        Value::String(text) => paths.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, paths)),
        Value::Object(members) => members.values().for_each(|member| collect(member, paths)),
        _ => {}
    }
}

fn failure(path: &Path, error: &rusqlite::Error) -> Error {
    Error::io("read", path, std::io::Error::other(error.to_string()))
}
