//! `ocbak verify DIR`: every archive of a drive, one after the other.

use serde_json::{Value, json};

use ocbak::{Error, ErrorKind, Sealed, Shelf, Shelved, sanitize};

use super::{Args, Outcome, full, quick};
use crate::cli::failure::{Exit, Failure};
use crate::cli::json;
use crate::cli::shelf;
use crate::cli::ui::{self, Output, Ui, count, size};
use crate::cli::unlock::Keyring;

/// Checks each archive, and goes on after those that are damaged or do not open.
pub(super) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let shelf = Shelf::read(&args.file)?;
    if shelf.archives.is_empty() && shelf.unreadable.is_empty() {
        // A drive that is not mounted must not look like one that is sound.
        return Err(Failure::NoArchives { directory: args.file.clone() });
    }
    let keyring = if args.quick { None } else { Some(keyring(args, &shelf, ui)?) };
    let mut exits = Vec::new();
    let mut documents = Vec::new();
    for archive in &shelf.archives {
        let found = match check(archive, keyring.as_ref(), ui) {
            Err(Failure::Library(error)) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            other => Ok(other?),
        };
        if !ui.json {
            say(archive, &found, args.utc)?;
        }
        documents.push(document(archive, &found));
        exits.push(found.map_or_else(|failure: Failure| failure.exit(), |outcome| outcome.exit));
    }
    // What cannot be read as an archive at all; an error that says so is one of the archive.
    for (path, error) in shelf.unreadable {
        if !ui.json {
            let mut output = Output::new();
            let why = sanitize(error.to_string().as_bytes());
            output.line(format_args!("unreadable: {}: {why}", shelf::name(&path)))?;
            output.finish()?;
        }
        let failure = Failure::from(error);
        documents.push(json!({ "file": json::path(&path), "sound": null, "error": failure.document() }));
        exits.push(failure.exit());
    }
    if ui.json {
        let mut document = json!({
            "directory": json::path(&args.file),
            "quick": args.quick,
            "authenticated": !args.quick,
            "sound": exits.iter().all(|exit| *exit == Exit::Done),
            "archives": documents,
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    let worst = [Exit::Damaged, Exit::Failed, Exit::NoKey].into_iter().find(|exit| exits.contains(exit));
    Ok(worst.unwrap_or(Exit::Done))
}

/// Gathers the keys for all archives, before hours are spent on the first.
fn keyring<'a>(args: &'a Args, shelf: &Shelf, ui: &'a Ui) -> Result<Keyring<'a>, Failure> {
    let mut keyring = Keyring::new(&args.unlock, &args.file, ui)?;
    for archive in &shelf.archives {
        // What is wrong with it is said in its turn.
        if let Ok(sealed) = Sealed::open(&archive.path) {
            keyring.complete(&sealed, ui)?;
        }
    }
    Ok(keyring)
}

fn check(archive: &Shelved, keyring: Option<&Keyring<'_>>, ui: &Ui) -> Result<Outcome, Failure> {
    let sealed = Sealed::open(&archive.path)?;
    match keyring {
        Some(keyring) => full(&keyring.open(sealed, &archive.path, ui)?, &archive.path, ui),
        None => quick(&sealed, &archive.path, ui),
    }
}

/// Says what was found of one archive, at once: the next may take an hour.
fn say(archive: &Shelved, found: &Result<Outcome, Failure>, utc: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    let (made, length, name) = (shelf::made(archive, utc), size(archive.length), shelf::name(&archive.path));
    let mut row = |what: &str| output.line(format_args!("{made}  {length:>10}  {name}  {what}"));
    match found {
        Ok(outcome) if outcome.damage.is_empty() => {
            // The first line says which slot opened it.
            let noted = outcome.before.len().saturating_sub(1) as u64;
            let noted = match noted {
                0 => String::new(),
                _ => format!("; {} when it was made", count(noted, "remark", "remarks")),
            };
            row(&format!("{}{noted}", outcome.sound))?;
        }
        Ok(outcome) => {
            for line in
                outcome.damage.iter().map(|damage| format!("damaged: {damage}")).chain(outcome.after.clone())
            {
                row(&line)?;
            }
        }
        Err(failure) => {
            let what = match failure.exit() {
                Exit::NoKey => "not opened",
                Exit::Damaged => "damaged",
                _ => "not checked",
            };
            let why = match failure {
                // The name stands before it.
                Failure::Library(Error::In { source, .. }) => source.to_string(),
                other => other.to_string(),
            };
            row(&format!("{what}: {}", sanitize(why.as_bytes())))?;
        }
    }
    output.finish()
}

fn document(archive: &Shelved, found: &Result<Outcome, Failure>) -> Value {
    let mut facts = shelf::facts(archive);
    match found {
        Ok(outcome) => {
            if let (Some(facts), Some(found)) = (facts.as_object_mut(), outcome.document.as_object()) {
                facts.extend(found.clone());
            }
        }
        Err(failure) => {
            facts["sound"] = Value::Null;
            facts["error"] = failure.document();
        }
    }
    facts
}
