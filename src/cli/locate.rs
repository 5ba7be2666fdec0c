//! `ocbak where`: what is found, by which rule, and what of it would be stored.

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{CaptureOptions, Environment, Holder, Installation, Usage, sanitize};

use super::args::Existing;
use super::create::LEVEL;
use super::failure::{Exit, Failure};
use super::json;
use super::outlook;
use super::ui::{self, Output, Ui};

/// Show which OpenClaw installation is found and by which rule, what of it would be stored in which
/// payload, its heavy directories with their sizes, and what is left out and why.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// Of what would be stored, show only what `create --only-config` stores.
    #[arg(long)]
    only_config: bool,
    #[command(flatten)]
    place: Existing,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let environment = Environment::current();
    let installation = Installation::locate(&args.place.search(), &environment).map_err(Failure::Locating)?;
    let attention = outlook::warn(&installation, ui);
    let usage = Usage::of(&installation.state_dir, installation.config.as_deref(), &environment);
    let options = CaptureOptions { only_config: args.only_config, ..CaptureOptions::default() };
    let outlook = outlook::look(&installation, &options, LEVEL, attention, ui)?;
    if ui.json {
        let mut document = outlook.document();
        document["installation"] = found(&installation, &usage.holders);
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        let mut output = Output::new();
        say(&installation, &usage.holders, &mut output)?;
        outlook.say(&mut output)?;
        output.finish()?;
    }
    Ok(outlook.exit())
}

fn say(installation: &Installation, holders: &[Holder], output: &mut Output) -> Result<(), Failure> {
    let shown = |path: &std::path::Path| sanitize(path.as_os_str().as_encoded_bytes());
    output.line(format_args!("home: {}", shown(&installation.home)))?;
    output.line(format_args!("state: {}  ({})", shown(&installation.state_dir), installation.rule))?;
    match &installation.config {
        Some(config) => output.line(format_args!("configuration: {}", shown(config)))?,
        None => output.line("configuration: none")?,
    }
    for include in &installation.includes {
        output.line(format_args!("  includes {}", shown(include)))?;
    }
    if let Some(profile) = &installation.profile {
        output.line(format_args!("profile: {}", sanitize(profile.as_bytes())))?;
    }
    if !installation.other_profiles.is_empty() {
        let others = installation.other_profiles.join(", ");
        output.line(format_args!("other profiles: {}", sanitize(others.as_bytes())))?;
    }
    if let Some(version) = &installation.openclaw_version {
        output.line(format_args!("OpenClaw: {}", sanitize(version.as_bytes())))?;
    }
    for workspace in &installation.workspaces {
        output.line(format_args!(
            "workspace of {}: {}  ({}{})",
            if workspace.agents.is_empty() { "no agent".to_owned() } else { workspace.agents.join(", ") },
            shown(&workspace.path),
            workspace.rule,
            if workspace.present { "" } else { "; does not exist" }
        ))?;
    }
    for agent in &installation.agent_dirs {
        output.line(format_args!(
            "directory of agent {}: {}  (configured)",
            agent.agent,
            shown(&agent.path)
        ))?;
    }
    if let Some(directory) = &installation.credentials {
        output.line(format_args!("credentials: {}", shown(directory)))?;
    }
    if let Some(file) = &installation.env_file {
        output.line(format_args!("environment: {}", shown(file)))?;
    }
    if let Some(file) = &installation.gateway_env {
        output.line(format_args!("environment of the service: {}", shown(file)))?;
    }
    for holder in holders {
        output.line(format_args!("running: {holder}"))?;
    }
    Ok(())
}

fn found(installation: &Installation, holders: &[Holder]) -> Value {
    let optional = |path: Option<&std::path::PathBuf>| path.map(|path| json::path(path));
    let workspaces = installation.workspaces.iter().map(|workspace| {
        json!({
            "agents": workspace.agents,
            "path": json::path(&workspace.path),
            "present": workspace.present,
            "rule": workspace.rule,
            "configured": optional(workspace.configured.as_ref()),
        })
    });
    let agents = installation.agent_dirs.iter();
    let agents = agents.map(|agent| json!({ "agent": agent.agent, "path": json::path(&agent.path) }));
    json!({
        "home": json::path(&installation.home),
        "state_dir": json::path(&installation.state_dir),
        "rule": installation.rule,
        "config": optional(installation.config.as_ref()),
        "includes": installation.includes.iter().map(|path| json::path(path)).collect::<Vec<_>>(),
        "profile": installation.profile,
        "other_profiles": installation.other_profiles,
        "openclaw_version": installation.openclaw_version,
        "workspaces": workspaces.collect::<Vec<_>>(),
        "agent_dirs": agents.collect::<Vec<_>>(),
        "credentials": optional(installation.credentials.as_ref()),
        "env_file": optional(installation.env_file.as_ref()),
        "gateway_env": optional(installation.gateway_env.as_ref()),
        "in_use": holders.iter().map(json::holder).collect::<Vec<_>>(),
    })
}
