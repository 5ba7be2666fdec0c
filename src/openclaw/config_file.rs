//! Which file is the configuration of an installation.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::openclaw::environment::{Environment, expand};
use crate::openclaw::locate::{STATE_DIRS, Search, full};

/// OpenClaw: the named file, else the first of the state directory, else of the default directories.
pub(super) fn find_config(
    search: &Search,
    variable: Option<OsString>,
    home: &Path,
    state_dir: &Path,
    chosen: bool,
    warnings: &mut Vec<String>,
) -> Result<Option<PathBuf>> {
    if let Some(given) = &search.config {
        if !given.is_file() {
            return Err(Error::NotFound { what: format!("no configuration file at `{}`", given.display()) });
        }
        return Ok(Some(full(given)?));
    }
    if let Some(value) = variable {
        let named = full(&expand(&value, home))?;
        if named.is_file() {
            return Ok(Some(named));
        }
        warnings.push(format!(
            "no configuration file at `{}`, which OPENCLAW_CONFIG_PATH names",
            named.display()
        ));
    }
    let own = CONFIG_NAMES.iter().map(|name| state_dir.join(name));
    // A state directory that the user chose has its own configuration or none.
    let others = STATE_DIRS
        .iter()
        .filter(|_| !chosen)
        .flat_map(|directory| CONFIG_NAMES.iter().map(move |name| home.join(directory).join(name)));
    let mut looked: Vec<PathBuf> = Vec::new();
    for path in own.chain(others) {
        // The usual directory stands in both.
        if looked.contains(&path) {
            continue;
        }
        let missing = matches!(fs::symlink_metadata(&path), Err(error) if error.kind() == NotFound);
        match fs::metadata(&path) {
            Ok(facts) if facts.is_file() => return Ok(Some(path)),
            // OpenClaw takes it, and fails.
            Ok(_) => {
                warnings.push(format!("configuration `{}` is no file", path.display()));
                return Ok(None);
            }
            Err(_) if missing => {}
            Err(error) => {
                warnings.push(format!("configuration `{}` cannot be read: {error}", path.display()));
            }
        }
        looked.push(path);
    }
    Ok(None)
}

/// OpenClaw: the directory of `.env`, `cron` and others is the state directory where that is named, else
/// that of the configuration where that is named.
pub(super) fn config_dir(
    search: &Search,
    config: Option<&Path>,
    state_dir: &Path,
    environment: &Environment,
) -> PathBuf {
    let names_state = search.state_dir.is_some()
        || search.profile.is_some()
        || (search.home.is_none() && environment.value("OPENCLAW_STATE_DIR").is_some());
    let names_config = search.config.is_some()
        || (search.home.is_none() && environment.value("OPENCLAW_CONFIG_PATH").is_some());
    let own = config.and_then(Path::parent).filter(|_| names_config && !names_state);
    own.unwrap_or(state_dir).to_owned()
}

/// Tells whether a directory holds a configuration of OpenClaw, as state directories do.
pub(crate) fn holds_configuration(directory: &Path) -> bool {
    CONFIG_NAMES.iter().any(|name| directory.join(name).is_file())
}

const CONFIG_NAMES: [&str; 2] = ["openclaw.json", "clawdbot.json"];
