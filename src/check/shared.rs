//! What the shared database says about paths of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::openclaw::Installation;
use crate::openclaw::columns::{COLUMNS, Content};
use crate::openclaw::tables::{CronJob, Keyed, Tables};

use super::homes::Homes;

/// Its rows with paths.
#[derive(Default)]
pub(super) struct Shared {
    /// Workspaces that were set up.
    pub(super) workspaces: Vec<Keyed>,
    /// Cron jobs that stand under another path than OpenClaw looks for.
    pub(super) lost_jobs: Vec<CronJob>,
    /// Columns of plain paths, by name, with what they hold.
    pub(super) columns: Vec<(String, Vec<String>)>,
    memories: Vec<Keyed>,
}

/// Reads a copy of the database, and learns from it which homes there were.
pub(super) fn read(installation: &Installation, copy: &Path, homes: &mut Homes) -> Result<Shared> {
    let tables = Tables::open(copy)?;
    let mut columns = Vec::new();
    for column in COLUMNS {
        let paths = tables.paths(column)?;
        for path in &paths {
            homes.learn(path);
        }
        // The others are told by what they mean.
        if matches!(column.content, Content::Path | Content::Json(_) | Content::Job) {
            columns.push((format!("{}.{}", column.table, column.name), paths));
        }
    }
    let mut lost_jobs = tables.cron_jobs()?;
    lost_jobs.retain(|job| !is_current(installation, &job.store));
    for job in &lost_jobs {
        if let Some(state_dir) = job.store.strip_suffix(CRON_STORE) {
            homes.learn_state_dir(state_dir.into());
        }
    }
    Ok(Shared { workspaces: tables.workspaces()?, lost_jobs, columns, memories: tables.memories()? })
}

impl Shared {
    /// How many rows of memory belong to workspaces that are of another home.
    pub(super) fn orphaned_memories(&self, foreign: impl Fn(&str) -> bool) -> usize {
        let of_paths = self.workspaces.iter().filter_map(|row| row.path.as_deref());
        let dead: Vec<String> = of_paths.filter(|path| foreign(path)).map(digest).collect();
        let orphaned = self.memories.iter().filter(|row| {
            row.path.as_deref().is_some_and(|path| foreign(path) || !digest(path).starts_with(&row.key))
                || dead.iter().any(|dead| dead.starts_with(&row.key))
        });
        orphaned.count()
    }
}

/// Whether OpenClaw looks for cron jobs under this path.
fn is_current(installation: &Installation, store: &str) -> bool {
    let real = |path: &PathBuf| Some(fs::canonicalize(path.parent()?.parent()?).ok()?.join(&CRON_STORE[1..]));
    let store = Path::new(store);
    installation.cron_stores.iter().any(|own| own == store || real(own).as_deref() == Some(store))
}

/// OpenClaw: the key of a workspace.
pub(super) fn digest(path: &str) -> String {
    hex::encode(Sha256::digest(path))
}

/// What stands behind the state directory in the key of cron jobs.
pub(super) const CRON_STORE: &str = "/cron/jobs.json";
