//! Profiles: their names and their state directories, beside the default one in a home.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// OpenClaw: `^[a-z0-9][a-z0-9_-]{0,63}$` whatever the case; `default` is none.
pub(super) fn parse(name: &str) -> Result<Option<String>> {
    let lower = name.to_ascii_lowercase();
    let good = (1..=64).contains(&lower.len())
        && lower.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || matches!(byte, b'_' | b'-'))
        && !lower.starts_with(['_', '-']);
    if !good {
        return Err(Error::invalid(format!("`{}` is no name of a profile", name.escape_debug())));
    }
    Ok((lower != "default").then(|| name.to_owned()))
}

/// The profile that a state directory's name tells.
pub(super) fn of_state_dir(state_dir: &Path) -> Option<String> {
    let name = state_dir.file_name()?.to_str()?;
    parse(name.strip_prefix(".openclaw-")?).ok()?
}

/// Name of a profile's state directory in the home.
pub(super) fn directory(name: &str) -> String {
    format!(".openclaw-{name}")
}

/// The profiles whose state directories lie in a home.
pub(super) fn all(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let directories = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut names: Vec<String> = directories.filter_map(|path| of_state_dir(&path)).collect();
    names.sort();
    names
}
