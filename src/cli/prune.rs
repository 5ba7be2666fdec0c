//! `ocbak prune`: of the archives on a drive, only so many per day, week, month.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Judged, Kept, Retention, Sealed, Shelf, Shelved, Verdict, Within, Zone};

use super::failure::{Exit, Failure};
use super::json;
use super::prompt::Terminal;
use super::shelf;
use super::ui::{self, Output, Ui, count, size};
use super::verified;

/// Remove old archives from a directory, by a policy; needs no key.
///
/// Counts for each installation by itself, and for archives with and without workspaces by
/// themselves. An archive is kept when any `--keep` option keeps it. Never removed, whatever the
/// policy: the newest sound archive of an installation, archives that are known to be damaged, made in
/// the future or of no installation's series, and files that are no archives. Before anything is removed,
/// the newest one that stays is read whole and compared with its digests; of the others is known what
/// shows without reading them, and what `verify` found on this machine.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The directory; those below it are not looked at.
    directory: PathBuf,
    #[command(flatten)]
    policy: Policy,
    /// Begin days, weeks, months and years by UTC instead of this machine's clock.
    #[arg(long)]
    utc: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before removing.
    #[arg(short, long)]
    yes: bool,
}

/// What to keep, at least one of it.
#[derive(Debug, Group)]
#[command(next_help_heading = "What to keep")]
#[group(required = true, multiple = true)]
struct Policy {
    /// The newest N archives.
    #[arg(long = "keep-last", value_name = "N")]
    last: Option<u32>,
    /// The newest archive of each of the last N hours that have one.
    #[arg(long = "keep-hourly", value_name = "N")]
    hourly: Option<u32>,
    /// The newest archive of each of the last N days that have one.
    #[arg(long = "keep-daily", value_name = "N")]
    daily: Option<u32>,
    /// The newest archive of each of the last N weeks that have one.
    #[arg(long = "keep-weekly", value_name = "N")]
    weekly: Option<u32>,
    /// The newest archive of each of the last N months that have one.
    #[arg(long = "keep-monthly", value_name = "N")]
    monthly: Option<u32>,
    /// The newest archive of each of the last N years that have one.
    #[arg(long = "keep-yearly", value_name = "N")]
    yearly: Option<u32>,
    /// All archives made within this time before the newest one, such as `14d` or `1y6m`: years,
    /// months, days and hours.
    #[arg(long = "keep-within", value_name = "TIME")]
    within: Option<String>,
}

impl Policy {
    fn retention(&self) -> Result<Retention, Failure> {
        let within = self.within.as_deref().map(Within::parse).transpose();
        Ok(Retention {
            last: self.last.unwrap_or_default(),
            hourly: self.hourly.unwrap_or_default(),
            daily: self.daily.unwrap_or_default(),
            weekly: self.weekly.unwrap_or_default(),
            monthly: self.monthly.unwrap_or_default(),
            yearly: self.yearly.unwrap_or_default(),
            within: within.map_err(Failure::Argument)?,
        })
    }
}

/// Fails where these arguments cannot be carried out, whatever there is to remove.
pub(crate) fn look_over(args: &Args) -> Result<(), Failure> {
    if args.policy.retention()?.is_empty() { Err(Failure::KeepsNothing) } else { Ok(()) }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let policy = args.policy.retention()?;
    if policy.is_empty() {
        return Err(Failure::KeepsNothing);
    }
    let shelf = Shelf::read(&args.directory)?;
    for (path, error) in &shelf.unreadable {
        ui.warn(format_args!("`{}` stays: {error}", shelf::name(path)));
    }
    let judged = judge(&shelf, &policy, args, ui)?;
    let removed: Vec<&Shelved> =
        judged.iter().filter(|one| one.verdict == Verdict::Remove).map(|one| one.archive).collect();
    let asks = !args.dry_run && !args.yes && !removed.is_empty();
    let terminal = if asks { Some(Terminal::open(ui).ok_or(Failure::NotConfirmed)?) } else { None };
    let attention = !shelf.unreadable.is_empty()
        || judged.iter().any(|one| matches!(one.verdict, Verdict::Damaged | Verdict::Future));
    if !ui.json && (!ui.quiet || args.dry_run || terminal.is_some()) {
        say(&judged, &shelf, args.utc)?;
    }
    if let Some(terminal) = terminal {
        let question = format!("Remove {}? [y/N] ", count(removed.len() as u64, "archive", "archives"));
        if !terminal.agrees(&question)? {
            return Err(Failure::Declined);
        }
    }
    let freed = removed.iter().map(|archive| archive.length).sum::<u64>();
    if !args.dry_run {
        remove(&removed, &args.directory, ui)?;
        if !ui.json && !ui.quiet {
            let mut output = Output::new();
            let archives = count(removed.len() as u64, "archive", "archives");
            output.line(format_args!("removed {archives}, {}", size(freed)))?;
            output.finish()?;
        }
    }
    if ui.json {
        let mut document = json!({
            "directory": json::path(&args.directory),
            "dry_run": args.dry_run,
            "archives": judged.iter().map(verdict).collect::<Vec<_>>(),
            "unreadable": shelf::unreadable(&shelf),
            "freed": freed,
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    Ok(if attention { Exit::Attention } else { Exit::Done })
}

/// Judges each group, after the newest archive of it that stays was found whole where others go.
fn judge<'a>(shelf: &'a Shelf, policy: &Retention, args: &Args, ui: &Ui) -> Result<Vec<Judged<'a>>, Failure> {
    let zone = if args.utc { Zone::Utc } else { Zone::Local };
    let now = jiff::Timestamp::now().as_second();
    let mut judged = Vec::new();
    for group in shelf.groups() {
        let is_known = |one: &&Shelved| verified::damaged(&one.path, &one.manifest.archive).is_some();
        let known = group.archives.iter().copied().filter(is_known);
        let mut damaged: Vec<PathBuf> = known.map(|one| one.path.clone()).collect();
        loop {
            let verdicts = group.thin(policy, zone, now, &damaged);
            let goes = verdicts.iter().any(|one| one.verdict == Verdict::Remove);
            let newest =
                verdicts.iter().find(|one| matches!(one.verdict, Verdict::Keep(_) | Verdict::Newest));
            match newest {
                Some(newest) if goes && !is_whole(newest.archive, ui)? => {
                    damaged.push(newest.archive.path.clone());
                }
                _ => {
                    judged.extend(verdicts);
                    break;
                }
            }
        }
    }
    // Of several installations, newest first, as they stand on the drive.
    judged.sort_by(|one, other| {
        other.archive.created.cmp(&one.archive.created).then(one.archive.path.cmp(&other.archive.path))
    });
    Ok(judged)
}

/// Reads an archive and compares it with its digests.
fn is_whole(archive: &Shelved, ui: &Ui) -> Result<bool, Failure> {
    let progress = ui.progress("checking", Some(archive.length));
    let sealed = Sealed::open(&archive.path)?;
    let damage = sealed.verify_digests(&progress).map_err(|error| error.within(&archive.path))?;
    for one in &damage {
        ui.warn(format_args!("`{}`: {one}", shelf::name(&archive.path)));
    }
    if !damage.is_empty() {
        verified::remember_damage(&archive.path, &archive.manifest.archive);
    }
    Ok(damage.is_empty())
}

fn remove(archives: &[&Shelved], directory: &Path, ui: &Ui) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File { action: "remove", path, source }
    };
    for archive in archives {
        ui.check()?;
        // The question may have stood for hours.
        let now = Shelved::read(&archive.path)?;
        if now.manifest != archive.manifest {
            return Err(Failure::Changed { path: archive.path.clone() });
        }
        // The first part last: without the others it still says what is missing.
        for file in archive.files.iter().rev() {
            fs::remove_file(file).map_err(failed(file))?;
        }
        verified::forget(&archive.path, &archive.manifest.archive);
    }
    if !archives.is_empty() {
        // Some file systems cannot sync a directory; then the names go when the system likes.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}

fn say(judged: &[Judged<'_>], shelf: &Shelf, utc: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    for one in judged {
        let verdict = match &one.verdict {
            Verdict::Keep(reasons) => format!("keep    {}", words(reasons).join(", ")),
            Verdict::Newest => "keep    newest".to_owned(),
            Verdict::Damaged => "keep    damaged: look at it".to_owned(),
            Verdict::Future => "keep    made in the future: look at it".to_owned(),
            Verdict::Remove => "remove".to_owned(),
        };
        let made = shelf::made(one.archive, utc);
        let size = size(one.archive.length);
        output.line(format_args!("{made}  {size:>10}  {}  {verdict}", shelf::name(&one.archive.path)))?;
    }
    for archive in shelf.archives.iter().filter(|archive| archive.manifest.series.is_none()) {
        let made = shelf::made(archive, utc);
        let size = size(archive.length);
        output.line(format_args!("{made}  {size:>10}  {}  keep    no series", shelf::name(&archive.path)))?;
    }
    output.finish()
}

fn words(reasons: &[Kept]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.as_str()).collect()
}

fn verdict(judged: &Judged<'_>) -> Value {
    let (kept, reasons) = match &judged.verdict {
        Verdict::Keep(reasons) => (true, words(reasons)),
        Verdict::Newest => (true, vec!["newest"]),
        Verdict::Damaged => (true, vec!["damaged"]),
        Verdict::Future => (true, vec!["future"]),
        Verdict::Remove => (false, Vec::new()),
    };
    let mut facts = shelf::facts(judged.archive);
    facts["kept"] = kept.into();
    facts["reasons"] = reasons.into();
    facts
}
