//! Whether an installation is complete: what it tells of itself has to be there.
//!
//! What OpenClaw makes at its next start or turn (directories of sessions, databases of agents
//! that never had a turn) is not missed.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::error::Result;
use crate::openclaw::tables::Tables;
use crate::openclaw::{Installation, SHARED_DATABASE};

use super::databases::Databases;
use super::files::entries;
use super::{Cases, Cause, Report, number, quoted, shown};

/// Checks that configuration, databases, transcripts and logins are there.
pub(super) fn check(
    installation: &Installation,
    databases: &Databases,
    report: &mut Report<'_>,
) -> Result<()> {
    let state = &installation.state_dir;
    let has_agents = !entries(&state.join("agents")).is_empty();
    let has_shared = state.join(SHARED_DATABASE).is_file();
    match (&installation.config, has_agents || has_shared) {
        (None, false) => {
            let text =
                format!("{} holds no installation: no configuration, no agents, no databases", shown(state));
            report.add(Cause::Incomplete, text, state);
            return Ok(());
        }
        // A client of a gateway on another machine has no more.
        (Some(_), false) if installation.remote => {}
        (Some(config), false) => {
            let text = format!(
                "{} holds a configuration and no agents: no sessions, no cron jobs, no device key",
                shown(state)
            );
            report.add(Cause::Incomplete, text, config);
        }
        (None, true) => {
            let text = format!("there is no configuration file in {}", shown(state));
            report.add(Cause::Incomplete, text, &state.join("openclaw.json"));
        }
        (Some(_), true) => {}
    }
    configuration(installation, report);
    shared_database(installation, databases, has_shared, report);
    agent_databases(installation, databases, report)?;
    transcripts(installation, report);
    for login in installation.logins.iter().filter(|login| !login.path.is_file()) {
        let text = format!(
            "the channel `{}` is configured, and the login of its account {} is not there: {}",
            login.channel,
            quoted(&login.account),
            shown(&login.path)
        );
        report.add(Cause::Login { channel: login.channel }, text, &login.path);
    }
    Ok(())
}

fn configuration(installation: &Installation, report: &mut Report<'_>) {
    let place = installation.config.as_ref().unwrap_or(&installation.state_dir);
    for warning in &installation.warnings {
        report.add(Cause::Configuration, warning.clone(), place);
    }
}

/// OpenClaw: agents with databases of their own never were without the shared one.
fn shared_database(
    installation: &Installation,
    databases: &Databases,
    has_shared: bool,
    report: &mut Report<'_>,
) {
    let agents = databases.files.iter().any(|path| path.ends_with("openclaw-agent.sqlite"));
    if agents && !has_shared {
        let path = installation.state_dir.join(SHARED_DATABASE);
        let text = format!(
            "the shared database {} is not there: no cron jobs, no device key, no pairings, no approvals",
            shown(&path)
        );
        report.add(Cause::Incomplete, text, &path);
    }
}

/// The agents' databases that the shared one keeps account of, for agents that there still are.
fn agent_databases(
    installation: &Installation,
    databases: &Databases,
    report: &mut Report<'_>,
) -> Result<()> {
    let Some(copy) = &databases.shared else {
        return Ok(());
    };
    let mut cases = Cases::default();
    let agents = || installation.workspaces.iter().flat_map(|workspace| &workspace.agents);
    for row in Tables::open(copy.path())?.agent_databases()? {
        let path = installation.state_dir.join(&row.path);
        // OpenClaw: an absolute path is that of another directory, and may well be an old one.
        if Path::new(&row.path).is_relative() && !path.exists() && agents().any(|agent| *agent == row.agent) {
            cases.add(
                format!(
                    "the database of the agent {} is not there, with its sessions and transcripts: {}",
                    quoted(&row.agent),
                    shown(&path)
                ),
                &path,
            );
        }
    }
    report
        .add_all(Cause::Incomplete, cases, |count| format!("the databases of {count} agents are not there"));
    Ok(())
}

/// Releases before 2026.7: an index of sessions, and beside it their transcripts.
fn transcripts(installation: &Installation, report: &mut Report<'_>) {
    for agent in entries(&installation.state_dir.join("agents")) {
        let sessions = agent.join("sessions");
        let index = sessions.join("sessions.json");
        let Some(Value::Object(known)) = document(&index) else {
            continue;
        };
        let mut cases = Cases::default();
        for session in known.values() {
            let named =
                session["sessionFile"].as_str().and_then(|path| Path::new(path).file_name()?.to_str());
            let id = session["sessionId"].as_str();
            let Some(name) = named.map(ToOwned::to_owned).or_else(|| Some(format!("{}.jsonl", id?))) else {
                continue;
            };
            let path = sessions.join(name);
            if !path.exists() {
                cases.add(shown(&path), &path);
            }
        }
        report.findings.extend(cases.listed(Cause::Incomplete, |count| {
            format!(
                "{} that {} names are not there",
                number(count, "transcript", "transcripts"),
                shown(&index)
            )
        }));
    }
}

fn document(path: &Path) -> Option<Value> {
    // A FIFO would block.
    let small = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_SIZE);
    let mut text = Vec::new();
    small.then(|| File::open(path).ok()?.take(MAX_SIZE).read_to_end(&mut text).ok())??;
    serde_json::from_slice(&text).ok()
}

/// Larger ones are something else.
const MAX_SIZE: u64 = 1 << 28;
