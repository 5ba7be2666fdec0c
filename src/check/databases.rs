//! Every database: whole, with no side file of another one beside it, and not newer than the
//! OpenClaw that is installed.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::capture::{Copy, Scratch, copy_database};
use crate::error::Result;
use crate::format::entry::{NoteReason, Role};
use crate::openclaw::policy::Policy;
use crate::openclaw::tables::{Schema, Tables};
use crate::openclaw::{Environment, Installation, Installed, SHARED_DATABASE};
use crate::path::ArchivePath;

use super::{Cases, Cause, Report, quoted, shown};

/// What the databases say of themselves.
#[derive(Default)]
pub(super) struct Databases {
    /// A copy of the shared one.
    pub(super) shared: Option<Copy>,
    /// Every file that is a database, damaged or not.
    pub(super) files: Vec<PathBuf>,
    schemas: Vec<(PathBuf, Schema)>,
}

/// Checks copies of all databases.
pub(super) fn check(
    installation: &Installation,
    scratch: &Scratch,
    report: &mut Report<'_>,
) -> Result<Databases> {
    // Lock databases must not be opened, and this is who knows them.
    let policy = Policy::new(&[], &[], false)?;
    let shared = installation.state_dir.join(SHARED_DATABASE);
    let mut found = Found::default();
    walk(&installation.state_dir, "state", &policy, &mut found, 0);
    for agent in &installation.agent_dirs {
        walk(&agent.path, &format!("agent/{}", agent.agent), &policy, &mut found, 0);
    }
    let mut databases = Databases::default();
    for path in found.databases {
        report.observer.check()?;
        match copy_database(&path, scratch) {
            Ok(None) => continue,
            Ok(Some((_, Some((NoteReason::Damaged, detail))))) | Err((NoteReason::Damaged, detail)) => {
                damaged(&path, &detail, scratch, report);
            }
            // What only OpenClaw's own SQLite can check, or is being written to, is as good as whole.
            Ok(Some((copy, _))) => {
                if let Some(schema) = Tables::open(copy.path()).ok().and_then(|tables| tables.schema()) {
                    databases.schemas.push((path.clone(), schema));
                }
                if path == shared {
                    databases.shared = Some(copy);
                }
            }
            Err((_, detail)) => {
                let text = format!("database {}: {}", shown(&path), without_storing(&detail));
                report.add(Cause::Database, text, &path);
            }
        }
        databases.files.push(path);
    }
    let mut orphans = Cases::default();
    for path in found.orphans {
        orphans.add(format!("{} has no database beside it", shown(&path)), &path);
    }
    report.add_all(Cause::SideFile, orphans, |count| {
        format!("{count} side files have no database beside them")
    });
    Ok(databases)
}

/// OpenClaw: a release refuses databases with a newer schema than its own.
pub(super) fn releases(
    installation: &Installation,
    databases: &Databases,
    environment: &Environment,
    report: &mut Report<'_>,
) {
    if databases.schemas.is_empty() {
        return;
    }
    let Some(installed) = Installed::find(&installation.home, environment) else {
        let text =
            "no `openclaw` in PATH: whether the one that will run can read these databases is not known";
        report.findings.push(super::Finding {
            cause: Cause::NoRelease,
            text: text.to_owned(),
            examples: Vec::new(),
            paths: Vec::new(),
        });
        return;
    };
    let mut newer = Cases::default();
    for (path, schema) in databases.schemas.iter().filter(|(_, schema)| refuses(&installed, schema)) {
        let wrote = schema.app_version.as_deref().unwrap_or("a later release");
        newer.add(
            format!("{} has schema {}, written by {}", shown(path), schema.version, quoted(wrote)),
            path,
        );
    }
    report.findings.extend(newer.listed(Cause::OlderRelease, |_| {
        format!(
            "the OpenClaw at {} is {}, which refuses what a later release wrote",
            shown(&installed.program),
            quoted(&installed.version)
        )
    }));
}

fn refuses(installed: &Installed, schema: &Schema) -> bool {
    let own = match schema.role.as_str() {
        "global" => installed.state_schema,
        "agent" => installed.agent_schema,
        _ => None,
    };
    match (own, &schema.app_version) {
        (Some(own), _) => u64::from(own) < schema.version,
        // Early releases do not say which schema they write.
        (None, Some(wrote)) => installed.compared_to(wrote) == Some(Ordering::Less),
        (None, None) => false,
    }
}

fn damaged(path: &Path, detail: &str, scratch: &Scratch, report: &mut Report<'_>) {
    let log = beside(path, "-wal");
    let alone = scratch.copy();
    if log.exists() && fs::copy(path, alone.path()).is_ok() {
        // A log of another database is played into this one, and what comes out is neither.
        let whole = copy_database(alone.path(), scratch);
        if matches!(whole, Ok(Some((_, remark))) if !matches!(remark, Some((NoteReason::Damaged, _)))) {
            let text = format!(
                "database {} is whole without its log, and damaged with it: {} is of another one",
                shown(path),
                shown(&log)
            );
            report.add(Cause::SideFile, text, &log);
            return;
        }
    }
    let text = format!("database {} is damaged: {}", shown(path), without_storing(detail));
    report.add(Cause::Database, text, path);
}

/// A capture's remark without what it does about it.
fn without_storing(detail: &str) -> &str {
    detail.strip_suffix("; stored as plain files").unwrap_or(detail)
}

#[derive(Default)]
struct Found {
    databases: Vec<PathBuf>,
    orphans: Vec<PathBuf>,
}

fn walk(directory: &Path, name: &str, policy: &Policy, found: &mut Found, depth: u32) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let (Some(own), Ok(facts)) = (path.file_name(), fs::symlink_metadata(&path)) else {
            continue;
        };
        let Some(below) = own.to_str().map(|own| format!("{name}/{own}")) else {
            continue;
        };
        let left_out = ArchivePath::parse(below.as_bytes())
            .is_ok_and(|below| policy.leaves_out(Role::State, &below).is_some());
        // The agents' own files are none of OpenClaw's.
        let workspace = depth == 0 && own.as_bytes().starts_with(b"workspace");
        if left_out || workspace {
            continue;
        }
        if facts.is_dir() && depth < MAX_DEPTH {
            walk(&path, &below, policy, found, depth + 1);
        } else if facts.is_file() {
            if own.as_bytes().ends_with(b".sqlite") {
                found.databases.push(path);
            } else if let Some(database) = database_of(&path)
                && !database.exists()
            {
                found.orphans.push(path);
            }
        }
    }
}

/// The database that a side file belongs to.
fn database_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let database = [&b"-wal"[..], b"-shm"].into_iter().find_map(|suffix| name.strip_suffix(suffix))?;
    database.ends_with(b".sqlite").then(|| path.with_file_name(OsStr::from_bytes(database)))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Deeper than OpenClaw makes directories.
const MAX_DEPTH: u32 = 16;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Installed, Schema, refuses};

    #[test]
    fn schemas_decide_where_the_release_tells_its_own() {
        let installed = |state_schema| Installed {
            program: PathBuf::new(),
            version: "2026.9.6".to_owned(),
            package: PathBuf::new(),
            state_schema,
            agent_schema: None,
        };
        let schema = |role: &str, version, wrote: &str| Schema {
            role: role.to_owned(),
            version,
            app_version: Some(wrote.to_owned()),
        };
        assert!(!refuses(&installed(Some(18)), &schema("global", 18, "2026.10.1")));
        assert!(refuses(&installed(Some(18)), &schema("global", 19, "2026.10.1")));
        assert!(refuses(&installed(None), &schema("global", 18, "2026.10.1")));
        assert!(!refuses(&installed(None), &schema("global", 99, "2026.9.6")));
        assert!(refuses(&installed(Some(18)), &schema("agent", 1, "2026.10.1")));
        assert!(!refuses(&installed(Some(18)), &schema("other", 1, "unknown")));
    }
}
