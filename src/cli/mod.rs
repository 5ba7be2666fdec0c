//! The command line: parses it, prepares the process, runs one command and turns its end into
//! an exit code.

mod adapt;
mod amount;
mod args;
mod check;
mod create;
mod destination;
mod diff;
mod export;
mod extract;
mod failure;
mod import;
mod info;
mod json;
mod keygen;
mod list;
mod locate;
mod make;
mod name;
mod nearest;
mod outlook;
mod passphrase;
mod passwd;
mod process;
mod prompt;
mod prune;
mod rekey;
mod repair;
mod restore;
mod resume;
mod room;
mod salvage;
mod series;
mod shelf;
mod spool;
mod ui;
mod undo;
mod unlock;
mod verified;
mod verify;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::{Exit, Failure};
use ui::Ui;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    process::forbid_core_dumps();
    process::allow_open_files();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(stop) => {
            // A closed stdout is no failure, and there is nowhere else to say it.
            let _ = stop.print();
            // What was parsed so far is lost.
            let mut words = env::args_os().take_while(|word| word != "--");
            if stop.use_stderr() && words.any(|word| word == "--json") {
                let _ = ui::document(&failure::usage::document(&stop));
            }
            return if stop.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let ui = Ui::new(&args.global, process::stop_on_signals());
    match run(args.command, &ui) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(&ui).into(),
    }
}

fn run(command: Command, ui: &Ui) -> Result<Exit, Failure> {
    match command {
        Command::Create(args) => create::run(&args, ui),
        Command::Info(args) => info::run(&args, ui),
        Command::List(args) => list::run(&args, ui),
        Command::Verify(args) => verify::run(&args, ui),
        Command::Repair(args) => repair::run(&args, ui),
        Command::Restore(args) => restore::run(&args, ui),
        Command::Undo(args) => undo::run(&args, ui),
        Command::Diff(args) => diff::run(&args, ui),
        Command::Keygen(args) => keygen::run(&args, ui),
        Command::Passwd(args) => passwd::run(&args, ui),
        Command::Rekey(args) => rekey::run(&args, ui),
        Command::Prune(args) => prune::run(&args, ui),
        Command::Where(args) => locate::run(&args, ui),
        Command::Check(args) => check::run(&args, ui),
        Command::Extract(args) => extract::run(&args, ui),
        Command::Export(args) => export::run(&args, ui),
        Command::Import(args) => import::run(&args, ui),
    }
}
