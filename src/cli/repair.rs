//! `ocbak repair`: a damaged archive made whole without a key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as Group;
use serde_json::json;

use ocbak::{Damage, Lossy, NewArchive, Repaired, Sealed, remove_unfinished};

use super::args::new_file;
use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, count, shown};
use super::verified;
use super::verify::merged;

/// Make a damaged archive whole again; needs no key.
///
/// Writes a new file, compares every part of it with the manifest, and only then lets it take the
/// place of the old one, so there must be room for both. What is beyond repair stays as it is, with
/// exit code 4. Afterwards `ocbak verify` with a key proves that the archive is genuine, which no
/// repair does.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// Write to a new file, and leave the old one as it is; what is not damaged is copied.
    #[arg(short, long, value_name = "NEW", value_parser = new_file())]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let sealed = open(&args.file)?;
    let found = {
        let progress = ui.progress("checking", None);
        sealed.verify_digests(&progress).map_err(|error| error.within(&args.file))?
    };
    let damage = merged(&sealed.damage(), &found);
    let left = sealed.left();
    // Where nothing else is damaged, there is nothing to write.
    let nothing = found == left && args.output.is_none();
    let repaired = if nothing { None } else { Some(write(args, ui)?) };
    if ui.json {
        let mut document = json!({
            "file": json::path(&args.file),
            "output": repaired.as_ref().map(|_| json::path(args.output.as_ref().unwrap_or(&args.file))),
            "damage": damage,
            "repaired_blocks": repaired.as_ref().map_or(0, |repaired| repaired.blocks),
            "left": json::damage(&left),
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        say(args, &damage, &left, repaired.as_ref())?;
    }
    Ok(if left.is_empty() { Exit::Done } else { Exit::Attention })
}

/// Opens the archive so that what its drive cannot read counts as damaged.
fn open(file: &Path) -> Result<Sealed, Failure> {
    Ok(Sealed::from_source(Arc::new(Lossy::open(file)?)).map_err(|error| error.within(file))?)
}

/// Writes the archive anew, and gives it its name.
fn write(args: &Args, ui: &Ui) -> Result<Repaired, Failure> {
    for left in remove_unfinished(args.output.as_ref().unwrap_or(&args.file)) {
        ui.note(format_args!("removed `{}`, which an interrupted run left", shown(&left)));
    }
    let mut new = match &args.output {
        Some(output) => NewArchive::create(output, None)?,
        None => NewArchive::replacing(&args.file, open(&args.file)?.length())?,
    };
    // Again, since a change of passphrase may have ended before the old file was locked.
    let sealed = open(&args.file)?;
    let repaired = {
        let progress = ui.progress("repairing", None);
        sealed.repair(&mut new, &progress).map_err(|error| error.within(&args.file))?
    };
    new.persist()?;
    // What was known of the file that it was.
    verified::forget(args.output.as_ref().unwrap_or(&args.file), &sealed.manifest().archive);
    Ok(repaired)
}

fn say(args: &Args, damage: &[String], left: &[Damage], repaired: Option<&Repaired>) -> Result<(), Failure> {
    let mut output = Output::new();
    let left: Vec<_> = left.iter().map(|one| one.what.as_str()).collect();
    for line in damage.iter().filter(|line| !left.contains(&line.as_str())) {
        output.line(format_args!("damaged: {line}"))?;
    }
    for line in &left {
        output.line(format_args!("left as it is: {line}"))?;
    }
    match repaired {
        None if left.is_empty() => output.line("nothing is damaged: not authenticated, no key was used")?,
        None => output.line("nothing else is damaged")?,
        Some(_) if damage.is_empty() => {
            let name = shown(args.output.as_ref().unwrap_or(&args.file));
            output.line(format_args!("nothing is damaged: `{name}` is the same"))?;
        }
        Some(Repaired { blocks, .. }) => {
            let name = shown(args.output.as_ref().unwrap_or(&args.file));
            output.line(match blocks {
                0 => format!("repaired: `{name}`; parity was not needed"),
                _ => {
                    format!("repaired: `{name}`, with {} of 4 KiB rebuilt", count(*blocks, "block", "blocks"))
                }
            })?;
        }
    }
    output.finish()
}
