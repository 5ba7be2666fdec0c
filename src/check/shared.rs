//! What the shared database knows of this machine's paths.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::capture::Copy;
use crate::error::Result;
use crate::openclaw::Installation;
use crate::openclaw::columns::{COLUMNS, Content};
use crate::openclaw::tables::{Keyed, Tables};

use super::homes::Homes;
use super::{REWRITE, Report, shown};

/// Checks a copy of the database, where there is one; returns the homes, of which it may tell more.
pub(super) fn check(
    installation: &Installation,
    copy: Option<&Copy>,
    mut homes: Homes,
    report: &mut Report<'_>,
) -> Result<Homes> {
    let Some(copy) = copy else {
        return Ok(homes);
    };
    let tables = Tables::open(copy.path())?;
    let mut columns = Vec::new();
    for column in COLUMNS {
        let paths = tables.paths(column)?;
        for path in &paths {
            homes.learn(path);
        }
        columns.push((column, paths));
    }
    cron_jobs(installation, &tables, report)?;
    workspaces(installation, &tables, &homes, report)?;
    for (column, paths) in columns {
        // The others are told by what they mean.
        let plain = matches!(column.content, Content::Path | Content::Json(_));
        let foreign: Vec<&String> = paths.iter().filter(|path| plain && homes.is_foreign(path)).collect();
        if let Some(first) = foreign.first() {
            report.add(
                "path",
                format!(
                    "`{}.{}` of the shared database holds {} of another home, such as {}",
                    column.table,
                    column.name,
                    number(foreign.len(), "path", "paths"),
                    shown(Path::new(first))
                ),
                REWRITE.to_owned(),
            );
        }
    }
    Ok(homes)
}

/// OpenClaw: jobs that stand under another path than that of the current store do not exist for it.
fn cron_jobs(installation: &Installation, tables: &Tables, report: &mut Report<'_>) -> Result<()> {
    let real = |path: &PathBuf| Some(fs::canonicalize(path.parent()?.parent()?).ok()?.join("cron/jobs.json"));
    let stores = &installation.cron_stores;
    let current = |store: &str| {
        let store = Path::new(store);
        stores.iter().any(|own| own == store || real(own).as_deref() == Some(store))
    };
    let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for job in tables.cron_jobs()? {
        if !current(&job.store) {
            let names = lost.entry(job.store).or_default();
            // Those that OpenClaw declares itself come again; the user's do not.
            if !job.declared {
                names.push(format!("`{}`", crate::path::sanitize(job.name.as_bytes())));
            }
        }
    }
    for (store, names) in lost {
        let what = if names.is_empty() {
            "no job of the user".to_owned()
        } else {
            format!(
                "{} {}",
                if names.len() == 1 { "the cron job" } else { "the cron jobs" },
                names.join(", ")
            )
        };
        report.add(
            "cron",
            format!("lost: {what}, kept under {}, where OpenClaw does not look", shown(Path::new(&store))),
            REWRITE.to_owned(),
        );
    }
    Ok(())
}

fn workspaces(
    installation: &Installation,
    tables: &Tables,
    homes: &Homes,
    report: &mut Report<'_>,
) -> Result<()> {
    let current: Vec<PathBuf> = installation
        .workspaces
        .iter()
        .flat_map(|workspace| [Some(workspace.path.clone()), fs::canonicalize(&workspace.path).ok()])
        .flatten()
        .collect();
    let dead = |path: &str| {
        let place = Path::new(path);
        homes.is_foreign(path) || !(place.is_dir() || current.iter().any(|own| own == place))
    };
    let mut dead_keys = Vec::new();
    for Keyed { key, path } in tables.workspaces()? {
        let Some(path) = path else { continue };
        if dead(&path) {
            dead_keys.push(digest(&path));
            report.add(
                "workspace",
                format!(
                    "the shared database knows the workspace {}, which is not of this installation",
                    shown(Path::new(&path))
                ),
                REWRITE.to_owned(),
            );
        } else if key != digest(&path) {
            report.add(
                "workspace",
                format!("the key of the workspace {} does not fit its path", shown(Path::new(&path))),
                "run `openclaw doctor --fix`, or restore the state from a backup".to_owned(),
            );
        }
    }
    let orphaned = tables.memories()?.into_iter().filter(|row| {
        row.path.as_deref().is_some_and(|path| dead(path) || !digest(path).starts_with(&row.key))
            || dead_keys.iter().any(|dead| dead.starts_with(&row.key))
    });
    let count = orphaned.count();
    if count > 0 {
        report.add(
            "memory",
            format!(
                "{} of the agents' short-term memory of workspaces that are not here",
                number(count, "record", "records")
            ),
            REWRITE.to_owned(),
        );
    }
    Ok(())
}

/// OpenClaw: the key of a workspace.
fn digest(path: &str) -> String {
    hex::encode(Sha256::digest(path))
}

fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
