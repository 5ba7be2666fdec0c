//! `ocbak completions`: what a shell needs to complete commands and options.

use clap::{Args as Group, CommandFactory, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use super::args;
use super::failure::{Exit, Failure};
use super::ui::{self, Output, Ui};

/// Print a shell's completions of this program's commands and options.
///
/// For bash: `ocbak completions bash > ~/.local/share/bash-completion/completions/ocbak`; for zsh:
/// `ocbak completions zsh > DIR/_ocbak`, with DIR in `fpath`; for fish: `ocbak completions fish >
/// ~/.config/fish/completions/ocbak.fish`.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The shell.
    shell: ShellName,
}

/// A shell as a word of the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl From<ShellName> for Shell {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Elvish => Self::Elvish,
            ShellName::Fish => Self::Fish,
            ShellName::Powershell => Self::PowerShell,
            ShellName::Zsh => Self::Zsh,
        }
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(Shell::from(args.shell), &mut args::Args::command(), "ocbak", &mut script);
    if ui.json {
        let script = String::from_utf8_lossy(&script);
        let shell = Shell::from(args.shell).to_string();
        ui::document(&json!({ "shell": shell, "script": script, "warnings": ui.warnings() }))?;
    } else {
        let mut output = Output::new();
        output.bytes(&script)?;
        output.finish()?;
    }
    Ok(Exit::Done)
}
