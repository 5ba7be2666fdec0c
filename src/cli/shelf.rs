//! `ocbak list DIR`: the archives of a drive as a table.

use std::path::{Path, PathBuf};

use console::style;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use ocbak::{Error, Shelf, Shelved, sanitize};

use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, size};
use super::verified;

/// Lists the archives, newest first; needs no key, and so authenticates nothing.
pub(crate) fn run(directory: &Path, utc: bool, ui: &Ui) -> Result<Exit, Failure> {
    let shelf = Shelf::read(directory)?;
    if ui.json {
        let mut document = json!({
            "directory": json::path(directory),
            "authenticated": false,
            "archives": shelf.archives.iter().map(facts).collect::<Vec<_>>(),
            "unreadable": unreadable(&shelf),
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        say(&shelf, utc)?;
    }
    let is_sound = |one: &Shelved| one.damage.is_empty() && found_damaged(one).is_none();
    let sound = shelf.unreadable.is_empty() && shelf.archives.iter().all(is_sound);
    Ok(if sound { Exit::Done } else { Exit::Damaged })
}

/// The files that cannot be read as the archives that their names say, for `--json`.
pub(crate) fn unreadable(shelf: &Shelf) -> Value {
    let one = |(path, error): &(PathBuf, Error)| {
        let mut one = json!({ "why": error.to_string() });
        json::put_path(&mut one, "file", path);
        one
    };
    shelf.unreadable.iter().map(one).collect()
}

/// The facts about an archive of a directory, for `--json`.
pub(crate) fn facts(archive: &Shelved) -> Value {
    let mut facts = json::manifest(&archive.manifest);
    json::put_path(&mut facts, "file", &archive.path);
    facts["length"] = archive.length.into();
    facts["damage"] = archive.damage.clone().into();
    facts["verified"] = verified::when(&archive.manifest.archive).map(|time| time.to_string()).into();
    facts["found_damaged"] = found_damaged(archive).map(|time| time.to_string()).into();
    facts
}

/// When `verify` last found it damaged on this machine, and not sound since.
fn found_damaged(archive: &Shelved) -> Option<Timestamp> {
    verified::damaged(&archive.path, &archive.manifest.archive)
}

/// The name of a file, fit for a terminal.
pub(crate) fn name(path: &Path) -> String {
    sanitize(path.file_name().unwrap_or(path.as_os_str()).as_encoded_bytes())
}

/// A time by the clock that people here look at.
pub(crate) fn time(time: Timestamp, utc: bool) -> String {
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// When an archive was made, by the clock that people here look at.
pub(crate) fn made(archive: &Shelved, utc: bool) -> String {
    time(Timestamp::from_second(archive.created).unwrap_or_default(), utc)
}

fn say(shelf: &Shelf, utc: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    if !shelf.archives.is_empty() {
        let clock = if utc { "made (UTC)" } else { "made" };
        output.line(format_args!(
            "{clock:<16}  {:<8}  {:>10}  {:<16}  {:<16}  file",
            "series", "size", "payloads", "verified"
        ))?;
    }
    for archive in &shelf.archives {
        let series = archive.manifest.series.map_or_else(|| "-".to_owned(), |id| hex::encode(&id[..4]));
        let roles: Vec<&str> =
            archive.manifest.payloads.iter().map(|payload| payload.role.as_str()).collect();
        let is_damaged = !archive.damage.is_empty() || found_damaged(archive).is_some();
        let checked = match verified::when(&archive.manifest.archive) {
            _ if is_damaged => "damaged".to_owned(),
            Some(when) => time(when, utc),
            None => "-".to_owned(),
        };
        let checked = style(format!("{checked:<16}"));
        let checked = if is_damaged { checked.red() } else { checked };
        output.line(format_args!(
            "{:<16}  {series:<8}  {:>10}  {:<16}  {checked}  {}",
            made(archive, utc),
            size(archive.length),
            roles.join(", "),
            name(&archive.path),
        ))?;
    }
    for (path, error) in &shelf.unreadable {
        output.line(format_args!(
            "unreadable: {}: {}",
            name(path),
            sanitize(error.to_string().as_bytes())
        ))?;
    }
    if shelf.archives.is_empty() && shelf.unreadable.is_empty() {
        output.line("no archives here")?;
    }
    output.finish()
}
