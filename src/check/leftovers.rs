//! What processes that are gone, and earlier restores, left behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::openclaw::{Environment, Installation, Usage};

use super::files::entries;
use super::{Cases, Cause, Report, number, shown};

/// Looks for stale locks, and for the trees of restores beside and in every directory that is restored.
pub(super) fn check(
    installation: &Installation,
    environment: &Environment,
    report: &mut Report<'_>,
) -> Result<()> {
    let usage = Usage::of(&installation.state_dir, installation.config.as_deref(), environment);
    let mut locks = Cases::default();
    for lock in &usage.stale {
        let what = "names a process that is gone; OpenClaw takes it over at its next start";
        locks.add(format!("lock file {} {what}", shown(lock)), lock);
    }
    report.add_all(Cause::StaleLock, locks, |count| format!("{count} lock files are left over"));

    let (mut journals, mut stages, mut kept) = (Cases::default(), Cases::default(), Cases::default());
    let mut bytes = 0_u64;
    let mut unknown = false;
    for path in directories(installation).iter().flat_map(|directory| entries(directory)) {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
        if name.starts_with(b".") && has(STAGE) {
            stages.add(format!("{} is left over from a restore that did not end", shown(&path)), &path);
        } else if has(KEPT) && name.ends_with(JOURNAL) {
            match is_done(&path) {
                Some(true) => {}
                Some(false) => {
                    let what = format!("a restore was interrupted, as its journal {} tells", shown(&path));
                    journals.add(what, &path);
                }
                None => unknown = true,
            }
        } else if has(KEPT) || has(UNDONE) {
            bytes = bytes.saturating_add(size(&path, report)?);
            kept.add(shown(&path), &path);
        }
    }
    // What lies in a stage may be what was in its place, and is not to be removed then.
    let stages = if journals.count > 0 || unknown { Cases::default() } else { stages };
    report.add_all(Cause::Interrupted, journals, |count| format!("{count} restores were interrupted"));
    report.add_all(Cause::Stage, stages, |count| {
        format!("{count} directories are left over from restores that did not end")
    });
    report.findings.extend(kept.listed(Cause::Kept, |count| {
        let trees = number(count, "tree", "trees");
        format!("restores kept {trees} of what they replaced, {} MiB", bytes.div_ceil(1 << 20))
    }));
    Ok(())
}

/// Whether a journal tells of the end, and of no undoing after it; `None` where another user's
/// restore wrote it.
fn is_done(journal: &Path) -> Option<bool> {
    // What is no file is no journal, and could be endless.
    if !fs::symlink_metadata(journal).is_ok_and(|facts| facts.is_file()) {
        return Some(true);
    }
    let file = File::open(journal).ok()?;
    let mut done = false;
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        done |= line.starts_with("{\"done\"");
        if line.starts_with("\"taking_back\"") {
            return Some(false);
        }
    }
    Some(done)
}

/// Every directory in which a restore works.
fn directories(installation: &Installation) -> BTreeSet<PathBuf> {
    let workspaces = installation.workspaces.iter().map(|workspace| &workspace.path);
    let agents = installation.agent_dirs.iter().map(|agent| &agent.path).chain(&installation.credentials);
    let roots: Vec<&PathBuf> =
        [&installation.state_dir].into_iter().chain(workspaces).chain(agents).collect();
    let parents = roots.iter().filter_map(|root| root.parent().map(Path::to_owned));
    parents.chain(roots.iter().map(|root| (*root).clone())).collect()
}

/// What a tree takes on the disk.
fn size(path: &Path, report: &Report<'_>) -> Result<u64> {
    let mut waiting = vec![path.to_owned()];
    let mut bytes = 0_u64;
    while let Some(path) = waiting.pop() {
        report.observer.check()?;
        if let Ok(facts) = fs::symlink_metadata(&path) {
            bytes = bytes.saturating_add(facts.blocks().saturating_mul(512));
            if facts.is_dir() {
                waiting.extend(entries(&path));
            }
        }
    }
    Ok(bytes)
}

const STAGE: &[u8] = b".ocbak-restore-";
const KEPT: &[u8] = b".before-restore-";
const UNDONE: &[u8] = b".before-undo-";
const JOURNAL: &[u8] = b".journal";
