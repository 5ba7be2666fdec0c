//! Looks over an installation as it stands: a doctor for what was restored or copied.
//!
//! Nothing is changed, and databases are looked at in copies.

mod databases;
mod files;
mod homes;
mod shared;

use std::path::Path;

use crate::capture::Scratch;
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::openclaw::{Installation, Usage};
use crate::path::sanitize;

use homes::Homes;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, in one word.
    pub topic: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// Looks over an installation; `scratch` is where copies of databases go, as in a capture.
///
/// # Errors
///
/// [`Interrupted`](crate::ErrorKind::Interrupted); [`Io`](crate::ErrorKind::Io) when there is no place for
/// copies of databases.
pub fn check(
    installation: &Installation,
    usage: &Usage,
    scratch: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Vec<Finding>> {
    let mut report = Report { findings: Vec::new(), observer };
    let scratch = Scratch::new(scratch)?;
    configuration(installation, &mut report);
    workspaces(installation, &mut report);
    files::modes(installation, &mut report);
    for lock in &usage.stale {
        report.add(
            "lock",
            format!("lock file {} names a process that is gone", shown(lock)),
            "OpenClaw takes it away at its next start; it can be removed".to_owned(),
        );
    }
    let copy = databases::check(installation, &scratch, &mut report)?;
    let homes = Homes::new(installation);
    let homes = shared::check(installation, copy.as_ref(), homes, &mut report)?;
    configured_paths(installation, &homes, &mut report);
    Ok(report.findings)
}

/// What was found so far.
struct Report<'a> {
    findings: Vec<Finding>,
    observer: &'a dyn Observer,
}

impl Report<'_> {
    fn add(&mut self, topic: &'static str, what: String, fix: String) {
        self.findings.push(Finding { topic, what, fix });
    }

    fn check_interrupted(&self) -> Result<()> {
        if self.observer.cancelled() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

fn configuration(installation: &Installation, report: &mut Report<'_>) {
    if installation.config.is_none() {
        report.add(
            "config",
            format!("there is no configuration file in {}", shown(&installation.state_dir)),
            "restore it with `ocbak restore --path 'state/openclaw.json'`, or run `openclaw onboard`"
                .to_owned(),
        );
    }
    for warning in &installation.warnings {
        report.add(
            "config",
            warning.clone(),
            "correct the configuration; `openclaw config validate` shows what OpenClaw makes of it"
                .to_owned(),
        );
    }
}

fn workspaces(installation: &Installation, report: &mut Report<'_>) {
    for workspace in &installation.workspaces {
        let agents = workspace.agents.join("`, `");
        if let Some(configured) = &workspace.configured {
            report.add(
                "workspace",
                format!(
                    "workspace of agent `{agents}` is configured as {}, which is not here: OpenClaw would \
                     start with an empty one, or not at all",
                    shown(configured)
                ),
                format!("name {} in the configuration", shown(&workspace.path)),
            );
        } else if !workspace.present && workspace.is_named() {
            report.add(
                "workspace",
                format!("workspace {} of agent `{agents}` does not exist", shown(&workspace.path)),
                "mount the drive that it is on, or restore it with `ocbak restore --only workspace`"
                    .to_owned(),
            );
        }
    }
}

/// Paths of another home in the configuration, less those of workspaces, which are told already.
fn configured_paths(installation: &Installation, homes: &Homes, report: &mut Report<'_>) {
    let workspaces = &installation.workspaces;
    for (setting, path) in &installation.configured_paths {
        let told = workspaces.iter().any(|one| one.configured.as_deref() == Some(Path::new(path)));
        if !told && homes.is_foreign(path) {
            report.add(
                "path",
                format!("the setting `{setting}` names {}, a path of another home", shown(Path::new(path))),
                format!("change it to where it is below {}", shown(&installation.home)),
            );
        }
    }
}

fn shown(path: &Path) -> String {
    format!("`{}`", sanitize(path.as_os_str().as_encoded_bytes()))
}

/// The advice for rows that a plain copy leaves behind.
const REWRITE: &str = "make a backup of it in its former home and restore that here with `ocbak restore`: a \
                       plain copy does not rewrite paths";
