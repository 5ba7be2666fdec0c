//! `ocbak check`: is an installation as it should be?

mod after;
mod command;
mod doctor;
mod fix;

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Environment, Finding, Installation, check, sanitize};

use super::args::Existing;
use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, count};

pub(crate) use after::after_restore;
pub(crate) use doctor::Doctor;

use command::Commands;

/// Look over an installation, above all one that was restored or copied: whether it is complete,
/// paths of another home, lost cron jobs and workspaces, owners and modes, damaged databases, an
/// OpenClaw that is older than the data, variables and services that lead elsewhere. Changes nothing.
///
/// Exit code 3 says that there are findings; each comes with its fix. What is only good to know is a
/// note, and changes no exit code.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// Run OpenClaw's own checks too (`config validate`, `doctor --lint`): it takes up to a minute, and
    /// OpenClaw writes to its databases and caches as it always does.
    #[arg(long)]
    run_doctor: bool,
    #[command(flatten)]
    place: Existing,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let environment = Environment::current();
    let doctor = args.run_doctor.then(|| Doctor::find(&environment)).transpose()?;
    let installation = Installation::locate(&args.place.search(), &environment).map_err(Failure::Locating)?;
    let look = Look::new(installation, &environment, doctor.as_ref(), ui)?;
    if ui.json {
        let mut document = look.document();
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        let mut output = Output::new();
        look.say(ui, &mut output)?;
        output.finish()?;
    }
    Ok(look.exit())
}

/// An installation that was looked over.
struct Look {
    installation: Installation,
    commands: Commands,
    findings: Vec<Finding>,
    doctor: Option<Vec<doctor::Outcome>>,
}

impl Look {
    fn new(
        installation: Installation,
        environment: &Environment,
        doctor: Option<&Doctor>,
        ui: &Ui,
    ) -> Result<Self, Failure> {
        let progress = ui.progress("checking", None);
        let findings = check(&installation, environment, None, &progress)?;
        let doctor = doctor.map(|doctor| doctor.run(&installation, ui)).transpose()?;
        let commands = Commands::new(&installation);
        Ok(Self { installation, commands, findings, doctor })
    }

    fn exit(&self) -> Exit {
        let matters = self.findings.iter().any(|finding| finding.cause.matters());
        let fails = self.doctor.iter().flatten().any(|outcome| !outcome.is_clean());
        if matters || fails { Exit::Attention } else { Exit::Done }
    }

    fn document(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "kind": finding.cause.as_str(),
                "matters": finding.cause.matters(),
                "text": finding.text,
                "examples": finding.examples,
                "paths": finding.paths.iter().map(|path| json::path(path)).collect::<Vec<_>>(),
                "fix": fix::fix(finding, &self.installation, &self.commands),
            })
        };
        let mut document = json!({
            "state_dir": json::path(&self.installation.state_dir),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        });
        if let Some(outcomes) = &self.doctor {
            document["openclaw"] = outcomes.iter().map(doctor::Outcome::document).collect();
        }
        document
    }

    /// The summary first, then each finding with its fix.
    fn say(&self, ui: &Ui, output: &mut Output) -> Result<(), Failure> {
        let clean = |text: &str| sanitize(text.as_bytes());
        if !ui.quiet {
            let number = self.findings.len() as u64;
            let notes = self.findings.iter().filter(|finding| !finding.cause.matters()).count() as u64;
            let mut found = match number - notes {
                0 => "nothing to find".to_owned(),
                number => count(number, "finding", "findings"),
            };
            if notes > 0 {
                found.push_str(&format!(", {}", count(notes, "note", "notes")));
            }
            let state = sanitize(self.installation.state_dir.as_os_str().as_encoded_bytes());
            output.line(format_args!("{state}: {found}"))?;
        }
        for finding in self.findings.iter().filter(|finding| finding.cause.matters() || !ui.quiet) {
            let label = if finding.cause.matters() { finding.cause.as_str() } else { "note" };
            output.line(format_args!("{label}: {}", clean(&finding.text)))?;
            for example in &finding.examples {
                output.line(format_args!("  {}", clean(example)))?;
            }
            let mut label = "  fix: ";
            for line in fix::fix(finding, &self.installation, &self.commands) {
                output.line(format_args!("{label}{}", clean(&line)))?;
                label = "       ";
            }
        }
        for outcome in self.doctor.iter().flatten() {
            outcome.say(output)?;
        }
        Ok(())
    }
}
