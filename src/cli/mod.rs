//! The command line: parses it, prepares the process, runs one command and turns its end into
//! an exit code.

mod adapt;
mod amount;
mod args;
mod check;
mod completions;
mod config;
mod create;
mod destination;
mod diff;
mod export;
mod extract;
mod failure;
mod help;
mod import;
mod info;
mod json;
mod keygen;
mod list;
mod locate;
mod make;
mod man;
mod name;
mod nearest;
mod outlook;
mod passphrase;
mod passwd;
mod plugins;
mod process;
mod prompt;
mod prune;
mod rekey;
mod repair;
mod restore;
mod resume;
mod room;
mod salvage;
mod schedule;
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

use args::{Args, Command, Global};
use failure::{Exit, Failure, Unusable, Why};
use ui::Ui;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    process::forbid_core_dumps();
    process::allow_open_files();
    let extended = match config::extend(env::args_os().collect()) {
        Ok(extended) => extended,
        Err(failure) => return before_parsed(&failure),
    };
    let args = match Args::try_parse_from(&extended.words) {
        Ok(args) => args,
        Err(stop) => {
            if let Some(path) = extended.from.filter(|_| Args::try_parse().is_ok()) {
                let what = failure::usage::message(&stop);
                return before_parsed(&Failure::Config(Unusable { path, why: Why::Unfit { what } }));
            }
            // A closed stdout is no failure, and there is nowhere else to say it.
            let _ = stop.print();
            if stop.use_stderr() && asks_for_json() {
                let _ = ui::document(&failure::usage::document(&stop));
            }
            return if stop.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let mut ui = Ui::new(&args.global, process::stop_on_signals());
    ui.identities = extended.identities;
    if let Some(warning) = extended.warning {
        ui.warn(warning);
    }
    match run(args.command, &ui) {
        Ok(exit) => exit.into(),
        Err(failure) => config::blame(failure, extended.from.as_deref(), &ui).report(&ui).into(),
    }
}

/// Reports a failure when no option is known yet.
fn before_parsed(failure: &Failure) -> ExitCode {
    let global = Global { json: asks_for_json(), ..Global::default() };
    failure.report(&Ui::new(&global, process::stop_on_signals())).into()
}

/// Tells it of a command line that does not parse: what was parsed of it is lost.
fn asks_for_json() -> bool {
    env::args_os().take_while(|word| word != "--").any(|word| word == "--json")
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
        Command::Config(_) => config::run(ui),
        Command::Schedule(args) => schedule::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
        Command::Help(args) => help::run(&args, ui),
        Command::Extract(args) => extract::run(&args, ui),
        Command::Export(args) => export::run(&args, ui),
        Command::Import(args) => import::run(&args, ui),
    }
}
