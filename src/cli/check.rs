//! `ocbak check`: is an installation as it should be?

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Environment, Finding, Installation, Usage, check, sanitize};

use super::args::Place;
use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, count};

/// Look over an installation, above all one that was restored or copied: paths of another home, lost
/// cron jobs and workspaces, modes, damaged databases, stale locks. Changes nothing.
///
/// Exit code 3 says that there are findings; each comes with its fix.
#[derive(Debug, Group)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let environment = Environment::current();
    let installation = Installation::locate(&args.place.search(), &environment).map_err(Failure::Locating)?;
    let usage = Usage::of(&installation.state_dir, installation.config.as_deref(), &environment);
    let findings = {
        let progress = ui.progress("checking", None);
        check(&installation, &usage, None, &progress)?
    };
    if ui.json {
        let mut document = json!({
            "state_dir": json::path(&installation.state_dir),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        say(&installation, &findings, ui)?;
    }
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Attention })
}

fn finding(finding: &Finding) -> Value {
    json!({ "topic": finding.topic, "what": finding.what, "fix": finding.fix })
}

fn say(installation: &Installation, findings: &[Finding], ui: &Ui) -> Result<(), Failure> {
    let mut output = Output::new();
    for finding in findings {
        output.line(format_args!("{}: {}", finding.topic, sanitize(finding.what.as_bytes())))?;
        output.line(format_args!("  fix: {}", sanitize(finding.fix.as_bytes())))?;
    }
    if !ui.quiet {
        let number = findings.len() as u64;
        let found =
            if number == 0 { "nothing to find".to_owned() } else { count(number, "finding", "findings") };
        let state = sanitize(installation.state_dir.as_os_str().as_encoded_bytes());
        output.line(format_args!("{state}: {found}"))?;
    }
    output.finish()
}
