//! `ocbak undo`: what the last restore replaced, back in its place.

use std::path::Path;

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Environment, Location, PastRestore, TakenBack, Target, sanitize};

use super::args::Place;
use super::failure::{Exit, Failure};
use super::json;
use super::prompt::Terminal;
use super::restore::unused;
use super::ui::{self, Output, Ui};

/// Take the last restore in place back: what it replaced returns to its place.
///
/// What had been restored, with what was changed in it since, is kept beside it under a name that
/// says when. Again, it takes back the restore before. A restore that was interrupted is taken
/// back too; what it had unpacked is removed, for it is in the archive.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before taking it back.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let terminal =
        if args.dry_run || args.yes { None } else { Some(Terminal::open(ui).ok_or(Failure::NotConfirmed)?) };
    let Location { home, state_dir, .. } =
        Location::find(&args.place.search(), &Environment::current()).map_err(Failure::Locating)?;
    let target = Target::Original { home, state_dir: state_dir.clone() };
    unused(&target, &args.place, args.dry_run, ui)?;
    let all = if args.dry_run { PastRestore::look(&state_dir) } else { PastRestore::find(&state_dir) };
    let Some(past) = all?.into_iter().next() else {
        return Err(Failure::NothingToUndo { state_dir });
    };
    let mut document = json!({
        "dry_run": args.dry_run,
        "restore": past.stamp(),
        "interrupted": past.is_interrupted(),
        "targets": paths(&past.targets()),
        "kept": paths(past.kept()),
    });
    if !ui.json && (!ui.quiet || args.dry_run || terminal.is_some()) {
        say_plan(&past, args.dry_run)?;
    }
    if let Some(terminal) = terminal
        && !terminal.agrees("Take this restore back? [y/N] ")?
    {
        return Err(Failure::Declined);
    }
    let mut exit = Exit::Done;
    if !args.dry_run {
        // The question may have stood for hours.
        unused(&target, &args.place, false, ui)?;
        let taken = past.take_back()?;
        for note in &taken.notes {
            ui.warn(note);
            exit = Exit::Attention;
        }
        document["back"] = paths(&taken.back);
        document["aside"] = paths(&taken.aside);
        if !ui.json && !ui.quiet {
            say_end(&taken)?;
        }
    }
    if ui.json {
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    Ok(exit)
}

fn say_plan(past: &PastRestore, dry_run: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    let when = past.stamp();
    let what = if dry_run { "would take back" } else { "to take back:" };
    let how = if past.is_interrupted() { ", which was interrupted" } else { "" };
    output.line(format_args!("{what} the restore of {when}{how}"))?;
    for target in past.targets() {
        output.line(format_args!("  {}", shown(&target)))?;
    }
    for kept in past.kept() {
        output.line(format_args!("  what it replaced is in {}", shown(kept)))?;
    }
    output.finish()
}

fn say_end(taken: &TakenBack) -> Result<(), Failure> {
    let mut output = Output::new();
    for back in &taken.back {
        output.line(format_args!("as before: {}", shown(back)))?;
    }
    for aside in &taken.aside {
        output.line(format_args!(
            "what had been restored is kept in {}; remove it when all is well",
            shown(aside)
        ))?;
    }
    output.finish()
}

fn paths(paths: &[impl AsRef<Path>]) -> Value {
    paths.iter().map(|path| json::path(path.as_ref())).collect()
}

fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}
