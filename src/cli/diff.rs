//! `ocbak diff`: what changed since an archive was made.

use std::path::{Path, PathBuf};

use clap::Args as Group;
use console::style;
use serde_json::{Map, Value, json};

use ocbak::{
    Archive, CaptureOptions, Contents, Difference, Differences, Environment, Index, Installation, Node,
    Patterns, Role, Sealed, Side, contents, diff,
};

use super::args::Existing;
use super::failure::{Exit, Failure};
use super::json;
use super::list::facts_of;
use super::outlook;
use super::ui::{self, Output, Ui, count, shown, size};
use super::unlock::{Keyring, UnlockArgs};

/// Show what differs between an archive and the installation, or another archive; exit code 3 where
/// anything does.
///
/// A line for each name: `+` where it was added since the archive was made, `-` where it was removed, `M` where it
/// changed, with what: content, mode, type, link (where it leads, or which names are one file). The content
/// of every file is read and compared by its hash; owners and extended attributes are not compared. What
/// `ocbak create` leaves out by default, and what was left out of an archive, is not compared but counted, and named
/// with `--verbose`. Databases are compared as `ocbak create` stores them: what waits in their logs counts, how often
/// SQLite wrote to them does not. The same keys are tried with both archives; a passphrase that is typed and does not
/// open the second is asked for once more.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// A later archive to compare it with, instead of the installation.
    #[arg(value_name = "OTHER", conflicts_with_all = ["home", "state_dir", "profile", "config"])]
    other: Option<PathBuf>,
    /// Only the names that match, such as `state/credentials/**`; may be repeated. `*` stays
    /// within a name, `**` does not, and a directory brings what is below it.
    #[arg(long = "path", value_name = "GLOB")]
    globs: Vec<String>,
    /// Other times of last change count as changes, too.
    #[arg(long)]
    mtime: bool,
    /// Instead of names, say how many and how large they are in each payload.
    #[arg(long)]
    stat: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
    #[command(flatten)]
    place: Existing,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let patterns = Patterns::parse(&args.globs).map_err(Failure::BadGlob)?;
    // What cannot work is said before anybody types.
    let sealed = Sealed::open(&args.file)?;
    let mut keyring = Keyring::new(&args.unlock, &args.file, ui)?;
    let Some(other) = &args.other else {
        let found = Installation::locate(&args.place.search(), &Environment::current());
        let installation = found.map_err(Failure::Locating)?;
        let attention = outlook::warn(&installation, ui);
        keyring.complete(&sealed, ui)?;
        let archive = keyring.open(sealed, &args.file, ui)?;
        return with_installation(args, &archive, &installation, attention, &patterns, ui);
    };
    let later = Sealed::open(other)?;
    keyring.complete(&sealed, ui)?;
    keyring.complete(&later, ui)?;
    let archive = keyring.open(sealed, &args.file, ui)?;
    let later = keyring.open_or_ask(later, other, ui)?;
    with_archive(args, &archive, &later, other, &patterns, ui)
}

fn with_installation(
    args: &Args,
    archive: &Archive,
    installation: &Installation,
    attention: bool,
    patterns: &Patterns,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let olds = indexes(archive, &archive.roles().collect::<Vec<_>>(), &args.file)?;
    let options = CaptureOptions { roles: archive.roles().collect(), ..CaptureOptions::default() };
    let progress = ui.progress("comparing", None);
    let news = contents(installation, &options, &progress)?;
    let mut report = Report::default();
    for (old, new) in olds.iter().zip(&news) {
        let (before, after) = (Side::archive(archive, old, &args.file), Side::installation(new));
        report.0.push((old.role, diff(&before, &after, patterns, args.mtime, &progress)?));
    }
    drop(progress);
    let what = json!({
        "file": json::path(&args.file),
        "other": null,
        "state_dir": json::path(&installation.state_dir),
    });
    let attention = attention || news.iter().any(needs_attention);
    report.end(args, what, patterns, attention, ui)
}

fn with_archive(
    args: &Args,
    archive: &Archive,
    later: &Archive,
    other: &Path,
    patterns: &Patterns,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let roles: Vec<Role> = archive.roles().filter(|role| later.roles().any(|one| one == *role)).collect();
    let mut attention = false;
    for (one, file, another) in [(archive, &*args.file, other), (later, other, &*args.file)] {
        for role in one.roles().filter(|role| !roles.contains(role)) {
            attention = true;
            let (file, another) = (shown(file), shown(another));
            ui.warn(format_args!(
                "`{file}` has a {role} payload, which is not compared: `{another}` has none"
            ));
        }
    }
    let (olds, news) = (indexes(archive, &roles, &args.file)?, indexes(later, &roles, other)?);
    let progress = ui.progress("comparing", None);
    let mut report = Report::default();
    for (old, new) in olds.iter().zip(&news) {
        let (before, after) = (Side::archive(archive, old, &args.file), Side::archive(later, new, other));
        report.0.push((old.role, diff(&before, &after, patterns, args.mtime, &progress)?));
    }
    drop(progress);
    let what = json!({
        "file": json::path(&args.file),
        "other": json::path(other),
        "state_dir": null,
    });
    report.end(args, what, patterns, attention, ui)
}

fn indexes(archive: &Archive, roles: &[Role], file: &Path) -> Result<Vec<Index>, Failure> {
    let index = |role: &Role| archive.index(*role).map_err(|error| error.within(file).into());
    roles.iter().map(index).collect()
}

/// Whether what was found is perhaps not what is there.
fn needs_attention(contents: &Contents) -> bool {
    contents.skipped.iter().any(|skipped| skipped.why.needs_attention())
        || contents.noted.iter().any(|noted| noted.why.needs_attention())
}

/// What differs in each payload.
#[derive(Default)]
struct Report<'a>(Vec<(Role, Differences<'a>)>);

impl Report<'_> {
    fn end(
        &self,
        args: &Args,
        mut document: Value,
        patterns: &Patterns,
        attention: bool,
        ui: &Ui,
    ) -> Result<Exit, Failure> {
        if let Some(glob) = patterns.unused() {
            return Err(Failure::NoMatch { glob: glob.to_owned(), file: args.file.clone() });
        }
        let equal = self.0.iter().all(|(_, found)| found.list.is_empty());
        if ui.json {
            document["equal"] = equal.into();
            document["payloads"] = self.0.iter().map(|(role, found)| payload(*role, found)).collect();
            json::put_warnings(&mut document, ui);
            ui::document(&document)?;
        } else {
            self.say(args.stat, ui)?;
        }
        Ok(if equal && !attention { Exit::Done } else { Exit::Attention })
    }

    fn say(&self, stat: bool, ui: &Ui) -> Result<(), Failure> {
        let mut output = Output::new();
        for (role, found) in &self.0 {
            if stat {
                let parts = CHANGES.iter().map(|change| {
                    let (names, bytes) = sum(found, change);
                    format!("{names} {change} ({})", size(bytes))
                });
                let parts: Vec<String> = parts.collect();
                let (equal, unknown) = (found.equal, found.unknown.len());
                output.line(format_args!(
                    "{role}: {}, {equal} the same, {unknown} not compared",
                    parts.join(", ")
                ))?;
            } else {
                for one in &found.list {
                    output.line(line(one))?;
                }
            }
        }
        output.finish()?;
        let unknown = || self.0.iter().flat_map(|(_, found)| &found.unknown);
        let number = unknown().count() as u64;
        if number > 0 && !stat {
            let names = count(number, "name is", "names are");
            ui.note(format_args!("{names} not compared: one side left out what the other has"));
            unknown().for_each(|name| ui.detail(format_args!("not compared: {name}")));
        }
        Ok(())
    }
}

const CHANGES: [&str; 3] = ["added", "removed", "changed"];

fn change(one: &Difference<'_>) -> &'static str {
    match (one.before, one.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    }
}

fn line(one: &Difference<'_>) -> String {
    let name = one.path().map(ToString::to_string).unwrap_or_default();
    match change(one) {
        "added" => format!("{} {name}", style("+").green()),
        "removed" => format!("{} {name}", style("-").red()),
        _ => format!("{} {name}  {}", style("M").yellow(), aspects(one).join(", ")),
    }
}

fn aspects(one: &Difference<'_>) -> Vec<&'static str> {
    one.aspects.iter().map(|aspect| aspect.as_str()).collect()
}

/// How many names changed in this way, and the bytes of the files among them: of removed ones as they were.
fn sum(found: &Differences<'_>, wanted: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for one in found.list.iter().filter(|one| change(one) == wanted) {
        sum.0 += 1;
        if let Some(Node::File { size, .. }) = one.after.or(one.before).map(|entry| &entry.node) {
            sum.1 += size;
        }
    }
    sum
}

fn payload(role: Role, found: &Differences<'_>) -> Value {
    let mut facts = json!({
        "role": role.as_str(),
        "equal": found.equal,
        "not_compared": found.unknown.len(),
        "differences": found.list.iter().map(difference).collect::<Vec<_>>(),
    });
    for change in CHANGES {
        let (names, bytes) = sum(found, change);
        facts[change] = json!({ "names": names, "bytes": bytes });
    }
    facts
}

fn difference(one: &Difference<'_>) -> Value {
    let mut object = Map::new();
    json::put_name(&mut object, "path", one.path().map_or(&[], |path| path.as_bytes()));
    object.insert("change".to_owned(), change(one).into());
    object.insert("aspects".to_owned(), aspects(one).into());
    object.insert("before".to_owned(), one.before.map(facts_of).into());
    object.insert("after".to_owned(), one.after.map(facts_of).into());
    object.into()
}
