//! OpenClaw's own checks: run as its user would, and what they say.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use ocbak::{Environment, Installation, Installed, sanitize};

use super::super::failure::Failure;
use super::super::passphrase;
use super::super::ui::{Output, Ui, count};
use super::command::other_owner;

/// The program that runs them.
#[derive(Debug)]
pub(crate) struct Doctor {
    installed: Installed,
}

impl Doctor {
    /// Finds OpenClaw, before anything else is done.
    pub(crate) fn find(environment: &Environment) -> Result<Self, Failure> {
        let home = std::env::var_os("HOME").unwrap_or_default();
        let installed = Installed::find(home.as_ref(), environment).ok_or(Failure::NoOpenClaw)?;
        Ok(Self { installed })
    }

    /// Runs the checks one after the other.
    pub(super) fn run(&self, installation: &Installation, ui: &Ui) -> Result<Vec<Outcome>, Failure> {
        CHECKS.iter().map(|arguments| self.one(arguments, installation, ui)).collect()
    }

    fn one(&self, arguments: &'static str, installation: &Installation, ui: &Ui) -> Result<Outcome, Failure> {
        ui.detail(format_args!("running openclaw {arguments}"));
        let outcome = |code, text: String, complaint: String| Outcome { arguments, code, text, complaint };
        let mut child = match self.command(installation).args(arguments.split(' ')).spawn() {
            Ok(child) => child,
            Err(error) => return Ok(outcome(None, String::new(), format!("cannot be started: {error}"))),
        };
        // A full pipe would stop the program before it ends.
        let readers = (reader(child.stdout.take()), reader(child.stderr.take()));
        let start = Instant::now();
        let code = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status.code(),
                Ok(None) if start.elapsed() < PATIENCE && !ui.stopped() => {
                    thread::sleep(Duration::from_millis(50));
                }
                _ => {
                    // It may have ended just now.
                    let _ = child.kill();
                    let _ = child.wait();
                    ui.check()?;
                    let what = format!("did not end within {} seconds", PATIENCE.as_secs());
                    return Ok(outcome(None, String::new(), what));
                }
            }
        };
        let (text, complaints) = (readers.0.join().unwrap_or_default(), readers.1.join().unwrap_or_default());
        let first = complaints.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Ok(outcome(code, text, first.trim().to_owned()))
    }

    /// The program with the variables and options that lead it to the installation, and as the
    /// user whose home it is.
    fn command(&self, installation: &Installation) -> Command {
        let mut command = Command::new(&self.installed.program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in UNSET.into_iter().chain(passphrase::VARIABLES) {
            command.env_remove(name);
        }
        command.env("HOME", &installation.home).current_dir(&installation.home);
        command.env("NO_COLOR", "1").env("OPENCLAW_HIDE_BANNER", "1");
        let of_profile = installation.profile.as_deref().filter(|profile| {
            installation.state_dir == installation.home.join(format!(".openclaw-{profile}"))
        });
        if let Some(profile) = of_profile {
            command.args(["--profile", profile]);
        } else {
            command.env("OPENCLAW_STATE_DIR", &installation.state_dir);
        }
        if let Some(config) =
            installation.config.as_ref().filter(|config| !config.starts_with(&installation.state_dir))
        {
            command.env("OPENCLAW_CONFIG_PATH", config);
        }
        if let Some(owner) = other_owner(&installation.home) {
            let group = std::fs::metadata(&installation.home).map_or(owner, |facts| facts.gid());
            command.uid(owner).gid(group);
        }
        command
    }
}

/// Reads a pipe to its end in a thread of its own.
fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        // What was read up to an error is all that there is.
        let _ = pipe.map(|pipe| pipe.take(MAX_OUTPUT).read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// How one of OpenClaw's checks ended.
pub(super) struct Outcome {
    arguments: &'static str,
    /// Exit code; `None` where it did not come to one.
    code: Option<i32>,
    /// What it wrote.
    text: String,
    /// The first line of what it said beside that, or why there is nothing.
    complaint: String,
}

impl Outcome {
    pub(super) fn is_clean(&self) -> bool {
        self.code == Some(0)
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "command": format!("openclaw {}", self.arguments),
            "exit_code": self.code,
            "problems": self.problems(),
            "output": self.report(),
        })
    }

    pub(super) fn say(&self, output: &mut Output) -> Result<(), Failure> {
        let problems = self.problems();
        let ended = match (self.code, problems.len()) {
            (Some(0), 0) => "clean".to_owned(),
            (Some(code), 0) => format!("exit code {code}"),
            (_, number) => count(number as u64, "problem", "problems"),
        };
        output.line(format_args!("openclaw {}: {ended}", self.arguments))?;
        for problem in problems {
            output.line(format_args!("  {}", sanitize(problem.as_bytes())))?;
        }
        Ok(())
    }

    /// The document that it wrote, if it wrote one.
    fn report(&self) -> Value {
        serde_json::from_str(self.text.trim()).unwrap_or_default()
    }

    /// OpenClaw: a report has `findings`, a validation `issues` or `errors`; each with a message.
    fn problems(&self) -> Vec<String> {
        let report = self.report();
        if !self.is_clean() && report.is_null() {
            return vec![self.complaint.clone()];
        }
        let lists =
            ["findings", "issues", "errors"].map(|name| report[name].as_array().cloned().unwrap_or_default());
        let line = |problem: Value| {
            let text = problem["message"].as_str().or(problem.as_str()).map(ToOwned::to_owned);
            let text = text.unwrap_or_else(|| problem.to_string());
            let label = problem["checkId"].as_str().or(problem["path"].as_str());
            label.map_or_else(|| text.clone(), |label| format!("{label}: {text}"))
        };
        lists.into_iter().flatten().map(line).collect()
    }
}

const CHECKS: [&str; 2] = ["config validate --json", "doctor --lint --json --severity-min error"];
/// What would lead OpenClaw elsewhere, and what is no business of it.
const UNSET: [&str; 6] = [
    "OPENCLAW_HOME",
    "OPENCLAW_STATE_DIR",
    "CLAWDBOT_STATE_DIR",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_PROFILE",
    "USERPROFILE",
];
/// OpenClaw looks for half a minute on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
const MAX_OUTPUT: u64 = 16 << 20;
