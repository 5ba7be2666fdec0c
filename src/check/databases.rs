//! Every database: whole, and with no side file of another one beside it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::capture::{Copy, Scratch, copy_database};
use crate::error::Result;
use crate::format::entry::{NoteReason, Role};
use crate::openclaw::policy::Policy;
use crate::openclaw::{Installation, SHARED_DATABASE};
use crate::path::ArchivePath;

use super::{Report, shown};

/// Checks copies of all databases, and returns that of the shared one.
pub(super) fn check(
    installation: &Installation,
    scratch: &Scratch,
    report: &mut Report<'_>,
) -> Result<Option<Copy>> {
    // Lock databases must not be opened, and this is who knows them.
    let policy = Policy::new(&[], &[], false)?;
    let shared = installation.state_dir.join(SHARED_DATABASE);
    let mut found = Found::default();
    walk(&installation.state_dir, "state", &policy, &mut found, 0);
    for agent in &installation.agent_dirs {
        walk(&agent.path, &format!("agent/{}", agent.agent), &policy, &mut found, 0);
    }
    let mut copy_of_shared = None;
    for path in found.databases {
        report.check_interrupted()?;
        match copy_database(&path, scratch) {
            Ok(None) => {}
            Ok(Some((copy, remark))) => {
                match remark {
                    Some((NoteReason::Damaged, detail)) => damaged(&path, &detail, report),
                    // What only OpenClaw's own SQLite can check, or is being written to.
                    _ if path == shared => copy_of_shared = Some(copy),
                    _ => {}
                }
            }
            Err((_, detail)) => damaged(&path, &detail, report),
        }
    }
    for path in found.orphans {
        report.add(
            "database",
            format!("{} has no database beside it", shown(&path)),
            "move it away: it would corrupt a database that is put there".to_owned(),
        );
    }
    Ok(copy_of_shared)
}

fn damaged(path: &Path, detail: &str, report: &mut Report<'_>) {
    report.add(
        "database",
        format!("database {} is damaged: {detail}", shown(path)),
        "restore it from a backup, with its `-wal` and `-shm` moved away".to_owned(),
    );
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
    let database = [b"-wal", b"-shm"].into_iter().find_map(|suffix| name.strip_suffix(suffix))?;
    let database = std::ffi::OsStr::from_bytes(database.ends_with(b".sqlite").then_some(database)?);
    Some(path.with_file_name(OsString::from(database)))
}

/// Deeper than OpenClaw makes directories.
const MAX_DEPTH: u32 = 16;
