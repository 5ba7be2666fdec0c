//! Paths of another home: what a copy or a move left behind, as one finding.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::openclaw::Installation;

use super::databases::Databases;
use super::finding::{Cases, Cause, number, quoted, shown};
use super::homes::Homes;
use super::shared::{self, Shared};
use super::{Report, git};

/// Looks for such paths in the configuration, the shared database, the files of variables and worktrees.
pub(super) fn check(
    installation: &Installation,
    databases: &Databases,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut homes = Homes::new(installation);
    let shared = match &databases.shared {
        Some(copy) => shared::read(installation, copy.path(), &mut homes)?,
        None => Shared::default(),
    };
    let mut left = Cases::default();
    workspaces(installation, &shared, &homes, &mut left, report);
    cron_jobs(&shared, &mut left, report);
    let dead = |path: &str| homes.is_foreign(path);
    let memories = shared.orphaned_memories(dead);
    if memories > 0 {
        let records = number(memories, "record", "records");
        left.add(format!("short-term memory: {records}"), &installation.state_dir);
    }
    for (column, paths) in &shared.columns {
        let foreign: Vec<_> = paths.iter().filter(|path| homes.is_foreign(path)).collect();
        if let Some(first) = foreign.first() {
            let paths = number(foreign.len(), "path", "paths");
            let first = Path::new(first);
            left.add(format!("`{column}` of the shared database: {paths}, such as {}", shown(first)), first);
        }
    }
    settings(installation, &homes, &mut left);
    variables(installation, &homes, &mut left);
    git::check(installation, &homes, &mut left, report);
    let moves = homes.moves();
    let from = moves.iter().map(|(old, _)| shown(old)).collect::<Vec<_>>().join(" and ");
    let whence = if from.is_empty() { "another home".to_owned() } else { from };
    let state = shown(&installation.state_dir);
    report.findings.extend(left.listed(Cause::AnotherHome { moves }, |count| {
        let things = number(count, "thing leads", "things lead");
        format!("{state} was copied or moved from {whence}: {things} there still")
    }));
    Ok(())
}

/// Workspaces by their agents; those that only the database knows come without.
fn workspaces(
    installation: &Installation,
    shared: &Shared,
    homes: &Homes,
    left: &mut Cases,
    report: &mut Report<'_>,
) {
    let mut told: Vec<&Path> = Vec::new();
    for workspace in &installation.workspaces {
        let agents = workspace.agents.join("`, `");
        if let Some(configured) = &workspace.configured {
            told.push(configured);
            left.add(
                format!(
                    "workspace of agent `{agents}`: {}; OpenClaw would start with an empty one, or not at all",
                    shown(configured)
                ),
                configured,
            );
        } else if !workspace.present {
            let real = fs::canonicalize(&workspace.path).unwrap_or_else(|_| workspace.path.clone());
            let known = shared.workspaces.iter().filter_map(|row| row.path.as_deref().map(Path::new));
            let was_set_up = known.into_iter().any(|known| known == workspace.path || known == real);
            if workspace.is_named() || was_set_up {
                let what = format!("workspace {} of agent `{agents}` does not exist", shown(&workspace.path));
                report.add(Cause::Workspace, what, &workspace.path);
            }
        }
    }
    for row in &shared.workspaces {
        let Some(path) = &row.path else { continue };
        let place = Path::new(path);
        if homes.is_foreign(path) {
            if !told.contains(&place) {
                left.add(format!("workspace {}, which the shared database knows", shown(place)), place);
            }
        } else if row.key != shared::digest(path) {
            let what = format!("the key of the workspace {} is not that of its path", shown(place));
            report.add(Cause::WorkspaceKey, what, place);
        }
    }
}

/// OpenClaw: jobs that stand under another path than that of the current store do not exist for it.
fn cron_jobs(shared: &Shared, left: &mut Cases, report: &mut Report<'_>) {
    let mut others: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for job in &shared.lost_jobs {
        let place = Path::new(&job.store);
        let known = job.store.ends_with(shared::CRON_STORE);
        // Those that OpenClaw declares itself come again; the user's do not.
        if known && !job.declared {
            let name = quoted(&job.name);
            let what =
                format!("cron job {name}: lost, kept under {}, where OpenClaw does not look", shown(place));
            left.add(what, place);
        } else if !known && !job.declared {
            others.entry(&job.store).or_default().push(quoted(&job.name));
        }
    }
    for (store, names) in others {
        let jobs = number(names.len(), "cron job", "cron jobs");
        let what =
            format!("{jobs} lost, kept under {store}, where OpenClaw does not look: {}", names.join(", "));
        report.add(Cause::Cron, what, Path::new(store));
    }
}

/// Settings that name such paths, less those of workspaces, which are told already.
fn settings(installation: &Installation, homes: &Homes, left: &mut Cases) {
    let config = installation.config.as_deref().unwrap_or(&installation.state_dir);
    let foreign: Vec<_> = installation
        .configured_paths
        .iter()
        .filter(|(_, path)| {
            let told =
                installation.workspaces.iter().any(|one| one.configured.as_deref() == Some(Path::new(path)));
            !told && homes.is_foreign(path)
        })
        .collect();
    if let Some((setting, path)) = foreign.first() {
        let settings = number(foreign.len(), "setting", "settings");
        let path = shown(Path::new(path));
        left.add(format!("{settings} of the configuration, such as {}: {path}", quoted(setting)), config);
    }
}

/// Variables in files.
fn variables(installation: &Installation, homes: &Homes, left: &mut Cases) {
    let own = installation.state_dir.join(".env");
    let mut files = vec![&own];
    files.extend(installation.env_file.iter().filter(|file| **file != own).chain(&installation.gateway_env));
    for file in files {
        for (name, value) in crate::openclaw::assignments(file) {
            if homes.is_foreign(&value) {
                let path = shown(Path::new(&value));
                left.add(format!("variable {} in {}: {path}", quoted(name), shown(file)), file);
            }
        }
    }
}
