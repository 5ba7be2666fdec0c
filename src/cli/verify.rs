//! `ocbak verify`: whether an archive is sound.

mod drive;

use std::path::{Path, PathBuf};

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Archive, Damage, Manifest, Noted, Parity, Prospect, Sealed, Skipped, sanitize};

use super::failure::{Exit, Failure};
use super::json;
use super::list::{left_out, remark};
use super::ui::{self, Output, Ui, count, shown, size};
use super::unlock::{UnlockArgs, slot, slot_word, unlock};
use super::verified;

/// Check that an archive, or every archive of a directory, is whole; exit code 4 where one is not.
///
/// Decrypts and decompresses everything and compares every file with its digest, and writes
/// nothing. Of a directory, says what was found of each archive, newest first, and goes on after a
/// damaged one. The keys are given once for all of them: what they do not open is named, and gives exit
/// code 5 where nothing worse is found. A directory without archives is a failure.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive, or a directory with archives; directories below it are not looked at.
    file: PathBuf,
    /// Only compare the encrypted bytes with the digests in the manifest. Needs no key and finds
    /// a drive that rots, but not a forgery.
    #[arg(long)]
    quick: bool,
    /// Show when a directory's archives were made as UTC instead of by this machine's clock.
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let file = &args.file;
    if file.is_dir() {
        return drive::run(args, ui);
    }
    let outcome = if args.quick {
        quick(&Sealed::open(file)?, file, ui)?
    } else {
        full(&unlock(&args.unlock, file, ui)?, file, ui)?
    };
    if ui.json {
        let mut document = outcome.document;
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        let mut output = Output::new();
        for line in &outcome.before {
            output.line(line)?;
        }
        for line in &outcome.damage {
            output.line(format_args!("damaged: {line}"))?;
        }
        if outcome.damage.is_empty() {
            output.line(&outcome.sound)?;
        }
        if let Some(line) = &outcome.after {
            output.line(line)?;
        }
        output.finish()?;
    }
    Ok(outcome.exit)
}

/// What was found about one archive.
struct Outcome {
    /// What there is to say first.
    before: Vec<String>,
    /// What is wrong, each once.
    damage: Vec<String>,
    /// What to say where nothing is.
    sound: String,
    /// What to do about the damage.
    after: Option<String>,
    /// All of it, for `--json`.
    document: Value,
    exit: Exit,
}

fn quick(sealed: &Sealed, file: &Path, ui: &Ui) -> Result<Outcome, Failure> {
    let total = sealed
        .manifest()
        .payloads
        .iter()
        .map(|payload| payload.payload.length.saturating_add(payload.index.length))
        .fold(0, u64::saturating_add);
    let found = {
        let progress = ui.progress("checking", Some(total));
        sealed.verify_digests(&progress).map_err(|error| error.within(file))?
    };
    let damage = merged(&sealed.damage(), &found);
    let prospect = if damage.is_empty() {
        None
    } else {
        let progress = ui.progress("looking at the damage", None);
        Some(sealed.prospect(&progress).map_err(|error| error.within(file))?)
    };
    let document = json!({
        "file": json::path(file),
        "quick": true,
        "authenticated": false,
        "sound": damage.is_empty(),
        "bytes": total,
        "damage": damage,
        "repair": prospect.as_ref().map(|prospect| json!({
            "possible": prospect.repairable,
            "damaged_blocks": prospect.damaged,
            "lost_blocks": prospect.lost,
            "left": json::damage(&prospect.left),
        })),
    });
    Ok(Outcome {
        before: Vec::new(),
        sound: format!(
            "no rot found in {} of encrypted bytes; not authenticated: no key was used",
            size(total)
        ),
        after: prospect.map(|prospect| outlook(&prospect, sealed.parity(), file)),
        document,
        exit: exit(&damage, file, sealed.manifest(), false),
        damage,
    })
}

/// Whether what is damaged can be put right.
fn outlook(prospect: &Prospect, parity: Option<Parity>, file: &Path) -> String {
    let Prospect { damaged, lost, .. } = *prospect;
    let blocks = |number| count(number, "block", "blocks");
    if prospect.repairable {
        let file = shown(file);
        let what = if damaged > 0 { format!(": {} of 4 KiB", blocks(damaged)) } else { String::new() };
        let apart = if prospect.left.is_empty() { "" } else { ", all but the header region" };
        return format!("`ocbak repair {file}` can put it right{what}{apart}");
    }
    if parity.is_none() {
        return "beyond repair: the archive has no parity".to_owned();
    }
    if lost == 0 {
        return "beyond repair: too little of the file is left".to_owned();
    }
    format!(
        "beyond repair: {} of 4 KiB are damaged, and parity cannot rebuild {lost} of them",
        blocks(damaged)
    )
}

fn full(archive: &Archive, file: &Path, ui: &Ui) -> Result<Outcome, Failure> {
    let report = {
        // Only a bar needs to know how much there is; a damaged index is the check's to report.
        let lengths = archive.roles().map(|role| Some(archive.index(role).ok()?.content));
        let total = if ui.shows_progress() { lengths.sum() } else { None };
        let progress = ui.progress("checking", total);
        archive.verify(ui.threads, &progress).map_err(|error| error.within(file))?
    };
    let damage = merged(archive.damage(), &report.damage);
    // A damaged index was reported already; its remarks are lost with it.
    let remarks = if damage.is_empty() { Remarks::of(archive, file)? } else { Remarks::default() };
    let document = json!({
        "file": json::path(file),
        "quick": false,
        "authenticated": true,
        "slot": slot_word(archive.opened_by()),
        "sound": damage.is_empty(),
        "entries": report.entries,
        "bytes": report.bytes,
        "damage": damage,
        "attention": remarks.json(),
    });
    let noted = remarks.lines().map(|line| format!("noted when it was made: {line}"));
    Ok(Outcome {
        before: std::iter::once(format!("opened by {}", slot(archive.opened_by()))).chain(noted).collect(),
        sound: format!(
            "sound: {}, {} of content",
            count(report.entries, "entry", "entries"),
            size(report.bytes)
        ),
        after: (!damage.is_empty()).then(|| {
            let file = shown(file);
            format!("`ocbak verify --quick {file}` says whether `ocbak repair` can put it right")
        }),
        document,
        exit: exit(&damage, file, archive.manifest(), true),
        damage,
    })
}

/// What needed attention when the archive was made.
#[derive(Default)]
struct Remarks {
    skipped: Vec<Skipped>,
    noted: Vec<Noted>,
}

impl Remarks {
    fn of(archive: &Archive, file: &Path) -> Result<Self, Failure> {
        let mut all = Self::default();
        for role in archive.roles() {
            let index = archive.index(role).map_err(|error| error.within(file))?;
            all.skipped.extend(index.skipped.into_iter().filter(|one| one.why.needs_attention()));
            all.noted.extend(index.noted.into_iter().filter(|one| one.why.needs_attention()));
        }
        Ok(all)
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.skipped.iter().map(left_out).chain(self.noted.iter().map(remark))
    }

    fn json(&self) -> Value {
        let noted = self.noted.iter().map(json::noted);
        self.skipped.iter().map(json::skipped).chain(noted).collect()
    }
}

/// Puts what opening found before what checking found, each once.
pub(crate) fn merged(opening: &[Damage], checking: &[Damage]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for damage in opening.iter().chain(checking) {
        let line = sanitize(damage.what.as_bytes());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Remembers an archive that was found sound, which only a key can tell, or damaged.
fn exit(damage: &[String], file: &Path, manifest: &Manifest, with_key: bool) -> Exit {
    if !damage.is_empty() {
        verified::remember_damage(file, &manifest.archive);
        return Exit::Damaged;
    }
    if with_key {
        verified::remember(file, &manifest.archive);
    }
    Exit::Done
}
