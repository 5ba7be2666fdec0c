//! Owners and modes: what holds secrets is its owner's alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::openclaw::{Installation, SHARED_DATABASE};

use super::{Report, shown};

/// Checks the owner of the state directory, and the modes of it and of the secrets in it.
pub(super) fn modes(installation: &Installation, report: &mut Report<'_>) {
    let state = &installation.state_dir;
    let Ok(facts) = fs::metadata(state) else {
        return;
    };
    if let Ok(home) = fs::metadata(&installation.home)
        && home.uid() != facts.uid()
    {
        report.add(
            "owner",
            format!(
                "{} belongs to user {}, and the home directory to user {}",
                shown(state),
                facts.uid(),
                home.uid()
            ),
            format!("chown -R {}:{} {}", home.uid(), home.gid(), shown(state).replace('`', "'")),
        );
    }
    exactly(state, 0o700, facts.mode(), report);
    for path in secrets(installation) {
        if let Ok(file) = fs::symlink_metadata(&path)
            && file.is_file()
        {
            if file.uid() != facts.uid() {
                report.add(
                    "owner",
                    format!("{} belongs to another user than the state directory", shown(&path)),
                    format!("chown {}:{} {}", facts.uid(), facts.gid(), shown(&path).replace('`', "'")),
                );
            }
            exactly(&path, 0o600, file.mode(), report);
        }
    }
}

/// Tells where others have rights that only the owner should have.
fn exactly(path: &Path, expected: u32, mode: u32, report: &mut Report<'_>) {
    let mode = mode & 0o777;
    if mode & 0o077 != 0 || mode & expected != expected {
        report.add(
            "mode",
            format!("{} has mode {mode:04o} instead of {expected:04o}", shown(path)),
            format!("chmod {expected:o} {}", shown(path).replace('`', "'")),
        );
    }
}

/// Files with secrets in them, whether or not they exist.
fn secrets(installation: &Installation) -> Vec<PathBuf> {
    let state = &installation.state_dir;
    let mut paths: Vec<PathBuf> = [
        ".env",
        "config-journal-fingerprint.key",
        "secrets.json",
        "gateway.token",
        "gateway.password",
        "keys.json",
        SHARED_DATABASE,
    ]
    .iter()
    .map(|name| state.join(name))
    .collect();
    paths.extend(installation.gateway_env.clone());
    if let Some(config) = &installation.config {
        paths.push(config.clone());
        // OpenClaw: a ring of older configurations with the same keys stands beside it.
        let name = config.file_name().unwrap_or_default().as_encoded_bytes();
        let older = |path: &PathBuf| {
            let other = path.file_name().unwrap_or_default().as_encoded_bytes();
            other.strip_prefix(name).is_some_and(|rest| rest.starts_with(b".bak"))
        };
        paths.extend(entries(config.parent().unwrap_or(state)).into_iter().filter(older));
    }
    for agent in entries(&state.join("agents")) {
        for name in ["openclaw-agent.sqlite", "auth-profiles.json"] {
            paths.push(agent.join("agent").join(name));
        }
    }
    for agent in &installation.agent_dirs {
        paths.push(agent.path.join("openclaw-agent.sqlite"));
    }
    for directory in ["credentials", "identity", "secrets"] {
        below(&state.join(directory), &mut paths, 0);
    }
    paths.sort();
    paths.dedup();
    paths
}

/// All files below a directory; links are not followed.
fn below(directory: &Path, paths: &mut Vec<PathBuf>, depth: u32) {
    for path in entries(directory) {
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_dir() && depth < MAX_DEPTH => below(&path, paths, depth + 1),
            Ok(facts) if facts.is_file() => paths.push(path),
            _ => {}
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Deeper than OpenClaw makes directories.
const MAX_DEPTH: u32 = 16;
