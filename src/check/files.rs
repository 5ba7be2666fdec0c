//! Owners, modes and links: everything is its owner's, what holds secrets the owner's alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::openclaw::{Installation, SHARED_DATABASE};

use super::{Cases, Cause, Report, shown};

/// Checks who owns everything, the modes of secrets, and the links of plugins and skills.
pub(super) fn check(installation: &Installation, report: &mut Report<'_>) -> Result<()> {
    owners(installation, report)?;
    let (private, secrets) = secrets(installation);
    modes(0o700, &private, report);
    modes(0o600, &secrets, report);
    links(installation, report);
    Ok(())
}

/// Everything belongs to whom the home directory belongs to, be it root who restored it.
fn owners(installation: &Installation, report: &mut Report<'_>) -> Result<()> {
    let state = &installation.state_dir;
    // A volume elsewhere has its own owner.
    let place = if state.starts_with(&installation.home) { &installation.home } else { state };
    let Ok(expected) = fs::metadata(place) else {
        return Ok(());
    };
    let mut cases = Cases::default();
    let workspaces = installation.workspaces.iter().map(|workspace| &workspace.path);
    let agents = installation.agent_dirs.iter().map(|agent| &agent.path).chain(&installation.credentials);
    let mut waiting: Vec<PathBuf> = vec![state.clone()];
    waiting.extend(workspaces.chain(agents).filter(|path| !path.starts_with(state)).cloned());
    while let Some(path) = waiting.pop() {
        report.observer.check()?;
        // Links are owned too, and are not followed.
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        if facts.uid() != expected.uid() {
            cases.add(format!("{} belongs to user {}", shown(&path), facts.uid()), &path);
        }
        if facts.is_dir() {
            waiting.extend(entries(&path));
        }
    }
    let (user, group) = (expected.uid(), expected.gid());
    report.findings.extend(cases.listed(Cause::Owner { user, group }, |count| {
        let things = super::number(count, "file or directory does", "files and directories do");
        format!("{things} not belong to user {user}, whose {} is", shown(place))
    }));
    Ok(())
}

/// Tells where others have rights that only the owner should have, or the owner lacks some.
fn modes(expected: u32, paths: &[PathBuf], report: &mut Report<'_>) {
    let mut cases = Cases::default();
    for path in paths {
        if let Ok(facts) = fs::symlink_metadata(path)
            && (if expected & 0o100 == 0 { facts.is_file() } else { facts.is_dir() })
        {
            let mode = facts.mode() & 0o777;
            if mode & 0o077 != 0 || mode & expected != expected {
                cases.add(format!("{} has mode {mode:04o} instead of {expected:04o}", shown(path)), path);
            }
        }
    }
    let what = if expected & 0o100 == 0 { "files with secrets" } else { "private directories" };
    report.add_all(Cause::Mode { mode: expected }, cases, |count| {
        format!("{count} {what} have another mode than {expected:04o}")
    });
}

/// Plugins and skills that are links to what is not there.
fn links(installation: &Installation, report: &mut Report<'_>) {
    let mut cases = Cases::default();
    for name in ["extensions", "skills"] {
        for path in entries(&installation.state_dir.join(name)) {
            if let Ok(target) = fs::read_link(&path)
                && !path.exists()
            {
                cases.add(format!("{} leads to {}, which is not there", shown(&path), shown(&target)), &path);
            }
        }
    }
    report.add_all(Cause::Link, cases, |count| format!("{count} links of plugins and skills lead nowhere"));
}

/// Directories that are private, and files with secrets in them, whether or not they exist.
fn secrets(installation: &Installation) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let state = &installation.state_dir;
    let mut directories = vec![state.clone(), state.join("state")];
    let mut files: Vec<PathBuf> =
        SECRETS.iter().chain([&SHARED_DATABASE]).map(|name| state.join(name)).collect();
    files.extend(installation.gateway_env.iter().chain(&installation.env_file).cloned());
    files.extend(installation.includes.clone());
    if let Some(config) = &installation.config {
        files.push(config.clone());
        // OpenClaw: a ring of older configurations with the same keys stands beside it.
        let name = config.file_name().unwrap_or_default().as_encoded_bytes();
        let older = |path: &PathBuf| {
            let other = path.file_name().unwrap_or_default().as_encoded_bytes();
            let rest = other.strip_prefix(name);
            rest.is_some_and(|rest| OLDER.iter().any(|suffix| rest.starts_with(suffix)))
        };
        files.extend(entries(config.parent().unwrap_or(state)).into_iter().filter(older));
    }
    let agents = entries(&state.join("agents")).into_iter().map(|agent| agent.join("agent"));
    for directory in agents.chain(installation.agent_dirs.iter().map(|agent| agent.path.clone())) {
        for name in ["openclaw-agent.sqlite", "auth-profiles.json"] {
            files.push(directory.join(name));
        }
    }
    let credentials = installation.credentials.clone().unwrap_or_else(|| state.join("credentials"));
    below(&credentials, &mut directories, &mut files, 0);
    directories.push(credentials);
    // OpenClaw: whose directories it leaves open to all, below its own that is not.
    for name in ["identity", "secrets"] {
        below(&state.join(name), &mut Vec::new(), &mut files, 0);
    }
    for paths in [&mut directories, &mut files] {
        paths.sort();
        paths.dedup();
    }
    (directories, files)
}

/// All directories and files below a directory; links are not followed.
fn below(directory: &Path, directories: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>, depth: u32) {
    for path in entries(directory) {
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_dir() && depth < MAX_DEPTH => {
                below(&path, directories, files, depth + 1);
                directories.push(path);
            }
            Ok(facts) if facts.is_file() => files.push(path),
            _ => {}
        }
    }
}

pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

const SECRETS: [&str; 6] = [
    ".env",
    "config-journal-fingerprint.key",
    "secrets.json",
    "gateway.token",
    "gateway.password",
    "keys.json",
];
const OLDER: [&[u8]; 3] = [b".bak", b".last-good", b".rejected."];
/// Deeper than OpenClaw makes directories.
const MAX_DEPTH: u32 = 16;
