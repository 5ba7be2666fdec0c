//! `ocbak restore`: an installation back from an archive.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{
    Environment, Installation, Location, Owner, PastRestore, Patterns, Plan, PlannedRoot, Restored, Role,
    Search, Selection, SlotKind, Target, Usage, restore,
};

use super::adapt::{self, Adapting};
use super::args::{Place, RoleName};
use super::check::{Doctor, after_restore};
use super::failure::{Exit, Failure};
use super::json;
use super::prompt::Terminal;
use super::resume::resume;
use super::salvage::Job;
use super::ui::{self, Output, Ui, count, size};
use super::unlock::{UnlockArgs, slot, slot_word, unlock};

/// Put back what an archive holds, in place or into another directory.
///
/// Everything is unpacked beside its target and checked before anything is replaced; what was
/// there is kept beside it under a name that says when. Under another home directory, state
/// directory or profile, the paths in OpenClaw's configuration and databases become those of the
/// new place.
#[derive(Debug, Group)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
pub(crate) struct Args {
    /// The archive.
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Only this payload.
    #[arg(long, value_name = "ROLE")]
    only: Option<RoleName>,
    /// Only the names that match, such as `state/credentials/**`; may be repeated. `*` stays
    /// within a name, `**` does not, and a directory brings what is below it.
    #[arg(long = "path", value_name = "GLOB")]
    globs: Vec<String>,
    /// Into this new or empty directory, under the names in the archive, instead of in place.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["home", "state_dir", "profile"])]
    to: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before restoring in place.
    #[arg(short, long)]
    yes: bool,
    /// Finish a restore in place that was interrupted; needs neither archive nor key.
    #[arg(long, conflicts_with_all = ["file", "only", "globs", "to", "dry_run", "maps", "no_remap", "owner"])]
    resume: bool,
    /// Get what is intact out of a damaged archive, into `--to DIR`. A file of which any byte is lost
    /// is named and not made; exit code 4 where anything is lost.
    #[arg(long, requires = "to", conflicts_with = "dry_run")]
    salvage: bool,
    /// Afterwards, run OpenClaw's own checks too.
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    run_doctor: bool,
    #[command(flatten)]
    adapting: Adapting,
    #[command(flatten)]
    unlock: UnlockArgs,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    // The grammar gives one or the other.
    let Some(file) = &args.file else {
        return resume(&args.place, args.run_doctor, ui);
    };
    Patterns::parse(&args.globs).map_err(Failure::BadGlob)?;
    let selection = Selection {
        roles: args.only.map_or_else(|| Role::ALL.to_vec(), |role| vec![role.into()]),
        globs: args.globs.clone(),
    };
    if let (true, Some(directory)) = (args.salvage, &args.to) {
        let adaptation = args.adapting.adaptation(None)?;
        let job = Job { file, directory, selection: &selection, adaptation: &adaptation };
        return job.run(&args.unlock, ui);
    }
    let terminal = if args.to.is_some() || args.dry_run || args.yes {
        None
    } else {
        // Before the passphrase is asked for and a second is spent on it.
        Some(Terminal::open(ui).ok_or(Failure::NotConfirmed)?)
    };
    let target = target(args)?;
    let home = match &target {
        Target::Original { home, .. } => Some(home.as_path()),
        Target::Directory(_) => None,
    };
    let adaptation = args.adapting.adaptation(home)?;
    let doctor = args.run_doctor.then(|| Doctor::find(&Environment::current())).transpose()?;
    // Before the passphrase, so that nobody waits for a refusal.
    unused(&target, &args.place, args.dry_run, ui)?;
    let archive = unlock(&args.unlock, file, ui)?;
    // Before the plan, which looks at what is there then.
    settle(&target, args.dry_run, ui)?;
    let named = |error| Failure::of_archive(error, file);
    let plan =
        Plan::new(&archive, &selection, &target, &adaptation).map_err(named).map_err(Failure::Targeting)?;
    for warning in plan.warnings() {
        ui.warn(warning);
    }
    if let (Target::Original { .. }, Some(place)) = (&target, plan.credentials()) {
        look_for_credentials(&place, args, ui)?;
    }
    let search = match plan.configuration() {
        Some(place) if args.to.is_none() => look_for_configuration(place, args, ui)?,
        _ => args.place.search(),
    };
    let mut document = json!({
        "file": json::path(file),
        "dry_run": args.dry_run,
        "slot": slot_word(archive.opened_by()),
        "roots": plan.roots().iter().map(root).collect::<Vec<_>>(),
        "rewrites": adapt::planned(&plan),
        "owner": adaptation.owner.map(|owner| json!({ "user": owner.user, "group": owner.group })),
    });
    if !ui.json && (!ui.quiet || args.dry_run || terminal.is_some()) {
        say_plan(args, &plan, adaptation.owner, archive.opened_by())?;
    }
    for caution in plan.cautions(&Environment::current()) {
        ui.warn(caution);
    }
    if let Some(terminal) = terminal
        && !terminal.agrees("Restore this in place? [y/N] ")?
    {
        return Err(Failure::Declined);
    }
    let mut exit = Exit::Done;
    if !args.dry_run {
        // The question may have stood for hours.
        unused(&target, &args.place, args.dry_run, ui)?;
        let restored = {
            let total = plan.roots().iter().map(|root| root.bytes).sum();
            let progress = ui.progress("restoring", Some(total));
            restore(&archive, &plan, ui.threads, &progress).map_err(named)?
        };
        for note in &restored.notes {
            ui.warn(note);
        }
        for left in &restored.rewritten.left {
            ui.warn(format_args!("left as it is: {left}"));
        }
        if !restored.rewritten.left.is_empty() {
            exit = Exit::Attention;
        }
        document["restored"] = json::restored(&restored);
        if !ui.json {
            say_end(&plan, &restored, ui)?;
        }
        if args.to.is_none() {
            let (found, check) = after_restore(&search, doctor.as_ref(), args.adapting.owner.is_some(), ui)?;
            document["check"] = check;
            exit = if found == Exit::Done { exit } else { found };
        }
    }
    if ui.json {
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    Ok(exit)
}

fn target(args: &Args) -> Result<Target, Failure> {
    if let Some(directory) = &args.to {
        return Ok(Target::Directory(directory.clone()));
    }
    // The place alone: on a new machine nothing is there yet.
    let place = Location::find(&args.place.search(), &Environment::current()).map_err(Failure::Locating)?;
    Ok(Target::Original { home: place.home, state_dir: place.state_dir })
}

/// Refuses to replace what OpenClaw is writing to.
pub(super) fn unused(target: &Target, place: &Place, dry_run: bool, ui: &Ui) -> Result<(), Failure> {
    let Target::Original { state_dir, .. } = target else {
        return Ok(());
    };
    let environment = Environment::current();
    // Gateways of old releases are told by their configuration, which may lie elsewhere.
    let config = Installation::locate(&place.search(), &environment).ok().and_then(|found| found.config);
    let Usage { holders, .. } = Usage::of(state_dir, config.as_deref(), &environment);
    match holders.first() {
        None => Ok(()),
        Some(holder) if dry_run => {
            ui.warn(format_args!("OpenClaw is running there: {holder}; a restore would be refused"));
            Ok(())
        }
        Some(_) => Err(Failure::InUse { state_dir: state_dir.clone(), holders }),
    }
}

/// Takes back an earlier restore to the same place that was interrupted.
fn settle(target: &Target, dry_run: bool, ui: &Ui) -> Result<(), Failure> {
    let Target::Original { state_dir, .. } = target else {
        return Ok(());
    };
    let all = if dry_run { PastRestore::look(state_dir) } else { PastRestore::find(state_dir) };
    for past in all?.into_iter().filter(PastRestore::is_interrupted) {
        let when = past.stamp().to_owned();
        if dry_run {
            ui.warn(format_args!("a restore of {when} was interrupted: another would take it back first"));
            continue;
        }
        for note in past.take_back()?.notes {
            ui.warn(note);
        }
        ui.warn(format_args!("a restore of {when} was interrupted, and is taken back"));
    }
    Ok(())
}

/// Says where OpenClaw would not find the configuration that goes to `place`, and has it found there.
fn look_for_configuration(place: PathBuf, args: &Args, ui: &Ui) -> Result<Search, Failure> {
    let environment = Environment::current();
    let search = args.place.search();
    let location = Location::find(&search, &environment).map_err(Failure::Locating)?;
    let named = env::var_os("OPENCLAW_CONFIG_PATH").map(PathBuf::from);
    if search.home.is_none() && named.as_ref() == Some(&place) {
        return Ok(search);
    }
    ui.warn(format_args!(
        "the configuration goes to `{}`, but OpenClaw looks for it in `{}`: `OPENCLAW_CONFIG_PATH` decides",
        place.display(),
        location.state_dir.display()
    ));
    Ok(Search { config: Some(place), ..search })
}

/// Says where OpenClaw would not find the credentials that go to `place`.
fn look_for_credentials(place: &Path, args: &Args, ui: &Ui) -> Result<(), Failure> {
    let environment = Environment::current();
    let location = Location::find(&args.place.search(), &environment).map_err(Failure::Locating)?;
    let expected = location.credentials(&environment).map_err(Failure::Locating)?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if real(&expected) != real(place) {
        ui.warn(format_args!(
            "credentials go to `{}`, but OpenClaw looks for them in `{}`: `OPENCLAW_OAUTH_DIR` decides",
            place.display(),
            expected.display()
        ));
    }
    Ok(())
}

fn root(root: &PlannedRoot) -> Value {
    json!({
        "root": root.root.to_string(),
        "target": json::path(&root.target),
        "replaces": root.replaces,
        "entries": root.entries,
        "bytes": root.bytes,
    })
}

fn say_plan(args: &Args, plan: &Plan, owner: Option<Owner>, opened_by: SlotKind) -> Result<(), Failure> {
    let mut output = Output::new();
    say_slot(opened_by, &mut output)?;
    output.line(if args.dry_run { "would restore:" } else { "to restore:" })?;
    for root in plan.roots() {
        output.line(format_args!(
            "  {} -> {}  ({}, {}{})",
            root.root,
            ocbak::sanitize(root.target.as_os_str().as_encoded_bytes()),
            count(root.entries, "entry", "entries"),
            size(root.bytes),
            if root.replaces { "; what is there is kept beside it" } else { "" }
        ))?;
    }
    adapt::say_plan(plan, &mut output)?;
    if let Some(Owner { user, group }) = owner {
        output.line(format_args!("everything will belong to user {user} and group {group}"))?;
    }
    output.finish()
}

/// Says which slot opened the archive, and what that means.
pub(super) fn say_slot(opened_by: SlotKind, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!("opened by {}", slot(opened_by)))?;
    if opened_by == SlotKind::Recipients {
        output.line(
            "anyone who has the public key can have made this archive; its content is authenticated \
             against itself, not its author",
        )?;
    }
    Ok(())
}

fn say_end(plan: &Plan, restored: &Restored, ui: &Ui) -> Result<(), Failure> {
    let mut output = Output::new();
    if !ui.quiet {
        output.line(format_args!(
            "restored {}, {}",
            count(restored.entries, "entry", "entries"),
            size(restored.bytes)
        ))?;
        adapt::say_end(plan, &restored.rewritten, &mut output)?;
        say_kept(&restored.kept, &mut output)?;
    }
    output.finish()
}

/// Says where what was replaced is kept.
pub(super) fn say_kept(kept: &[PathBuf], output: &mut Output) -> Result<(), Failure> {
    for kept in kept {
        output.line(format_args!(
            "what was there is kept in {}; remove it when all is well",
            ocbak::sanitize(kept.as_os_str().as_encoded_bytes())
        ))?;
    }
    if !kept.is_empty() {
        output.line("`ocbak undo` puts it back")?;
    }
    Ok(())
}
