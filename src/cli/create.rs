//! `ocbak create`: archives of installations.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args as Group;
use jiff::Timestamp;
use serde_json::{Value, json};

use ocbak::{ArchiveBuilder, CaptureOptions, Environment, ErrorKind, NewArchive, Patterns, Role, Search};

use super::amount;
use super::args::Existing;
use super::failure::{Exit, Failure};
use super::json;
use super::make::{Order, Prepared};
use super::ui::{self, Ui, closed_stdout};
use super::unlock::{SealArgs, seal};

/// By measurement: higher ones take much longer for little.
pub(super) const LEVEL: i32 = 3;

/// Make an encrypted archive of an OpenClaw installation, running or not.
///
/// The archive appears under its name only when it is complete, and never replaces a file. Exit
/// code 3 says that it is complete but that something could not be read or needs a look.
#[derive(Debug, Group)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// Where to write: a new file, a directory in which the name is chosen
    /// (`openclaw-<profile>-<UTC time>.ocbak`), or `-` for standard output.
    #[arg(short, long, value_name = "FILE|DIR|-", default_value = ".")]
    pub(super) output: PathBuf,
    /// Leave out what matches, such as `state/media/**`; may be repeated. Patterns are over the
    /// names in the archive: `*` stays within a name, `**` does not.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out what matches the patterns in a file, one a line; empty lines and those that begin
    /// with `#` are passed over. May be repeated.
    #[arg(long, value_name = "FILE")]
    exclude_from: Vec<PathBuf>,
    /// Keep what matches although OpenClaw can make it again, such as `state/cache/**`; may be
    /// repeated. What `--exclude` names stays out all the same.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Also store caches, logs and other things that OpenClaw can make again.
    #[arg(long)]
    all: bool,
    /// Leave out the agents' workspaces.
    #[arg(long)]
    no_workspace: bool,
    /// Make one archive of every installation in the home directory: of the default one and of each
    /// profile. `--output` is a directory then.
    #[arg(long, conflicts_with_all = ["profile", "state_dir", "config"])]
    all_profiles: bool,
    /// Store the configuration alone: its file, the files that it includes, and `.env` and
    /// `gateway.env`, from which its `${NAME}` may come.
    #[arg(long, conflicts_with_all = ["all", "include"])]
    only_config: bool,
    /// Refuse while a gateway or another part of OpenClaw is running on the state directory.
    #[arg(long)]
    pub(super) require_stopped: bool,
    /// Write an archive that is larger than this in parts of this size: `FILE.001`, `FILE.002` and so on,
    /// for drives with small files and small drives; on FAT32 that is done without being asked for.
    /// Every command takes the first part for the whole; `cat FILE.*` joins them. K, M, G and T are
    /// binary: `700M`, `4G`; at least `1M`.
    #[arg(long, value_name = "SIZE", value_parser = part_size)]
    pub(super) split: Option<u64>,
    /// Read the finished archive back from the drive and check every byte and file of it, before it
    /// gets its name. Takes about as long again; what the drive itself still has in its memory
    /// cannot be told from what it keeps.
    #[arg(long)]
    pub(super) verify: bool,
    /// Say what would be stored and what left out, and write nothing; needs no key.
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) shape: Shape,
    /// Where an archive for standard output grows, encrypted, before it is sent.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    pub(super) spool_dir: PathBuf,
    #[command(flatten)]
    seal: SealArgs,
    #[command(flatten)]
    place: Existing,
}

/// How an archive is written, whatever it is made of.
#[derive(Debug, Group)]
pub(crate) struct Shape {
    /// Level of compression, from 1 (fast) to 19 (small).
    #[arg(long, value_name = "N", default_value_t = LEVEL,
          value_parser = clap::value_parser!(i32).range(1..=19))]
    pub(super) level: i32,
    /// Room for damage that `ocbak repair` can put right without a key, as a percentage of the
    /// encrypted bytes; 0 for none.
    #[arg(long, value_name = "PERCENT", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) parity: u8,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    if args.output.as_os_str() == "-" && !args.dry_run {
        if ui.json {
            return Err(Failure::Conflict { first: "`--json`", second: "`--output -`" });
        }
        if args.all_profiles {
            return Err(Failure::Conflict { first: "`--all-profiles`", second: "`--output -`" });
        }
        if args.verify {
            return Err(Failure::Conflict { first: "`--verify`", second: "`--output -`" });
        }
        if args.split.is_some() {
            return Err(Failure::Conflict { first: "`--split`", second: "`--output -`" });
        }
        if io::stdout().is_terminal() {
            return Err(Failure::ArchiveToTerminal);
        }
        closed_stdout()?;
    }
    let exclude = exclusions(args)?;
    Patterns::parse(&args.include).map_err(Failure::BadGlob)?;
    let order = Order {
        args,
        options: CaptureOptions {
            roles: if args.no_workspace { vec![Role::State] } else { Role::ALL.to_vec() },
            exclude,
            include: args.include.clone(),
            all: args.all,
            only_config: args.only_config,
            ..CaptureOptions::default()
        },
        environment: Environment::current(),
        created: Timestamp::now(),
        ui,
    };
    let search = args.place.search();
    if args.all_profiles { every(&order, &search) } else { one(&order, &search) }
}

/// Fails where these arguments cannot be carried out, whatever there is to back up.
pub(super) fn look_over(args: &Args, ui: &Ui) -> Result<(), Failure> {
    exclusions(args)?;
    args.seal.look_over(ui)
}

/// Fails where the passphrase that is named cannot be had.
pub(super) fn try_passphrase(args: &Args, ui: &Ui) -> Result<(), Failure> {
    args.seal.try_passphrase(ui)
}

/// Makes the archive of one installation.
fn one(order: &Order<'_>, search: &Search) -> Result<Exit, Failure> {
    let ui = order.ui;
    let prepared = order.prepare(search)?;
    prepared.tell_others(ui);
    if order.args.dry_run {
        let outlook = order.look(&prepared)?;
        outlook.show(ui)?;
        return Ok(outlook.exit());
    }
    let made = order.make(prepared, builder(order)?)?;
    if ui.json {
        let mut document = made.document();
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else if !ui.quiet {
        made.say()?;
    }
    Ok(made.exit())
}

/// Makes an archive of every installation in the home; one that fails does not stop the others.
fn every(order: &Order<'_>, search: &Search) -> Result<Exit, Failure> {
    let (args, ui) = (order.args, order.ui);
    if !args.dry_run && !args.output.is_dir() {
        return Err(Failure::NoDirectory { directory: args.output.clone() });
    }
    let mut all = Vec::new();
    let mut prepared = Vec::new();
    for search in search.every(&order.environment).map_err(Failure::Locating)? {
        match order.prepare(&search) {
            Ok(one) => prepared.push(one),
            Err(failure) => all.push(failed(&search, failure)?),
        }
    }
    let builder = if args.dry_run || prepared.is_empty() { ArchiveBuilder::new() } else { builder(order)? };
    for one in prepared {
        ui.note(format_args!("`{}`", one.installation.state_dir.display()));
        let search = Search { profile: one.installation.profile.clone(), ..Search::default() };
        all.push(match finish(order, one, builder.clone()) {
            Ok(done) => done,
            Err(failure) => failed(&search, failure)?,
        });
    }
    if ui.json {
        let archives: Vec<_> = all.iter().map(|(document, _)| document).collect();
        let mut document = json!({ "archives": archives });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    let exits = || all.iter().map(|(_, exit)| *exit);
    let failure = exits().find(|exit| !matches!(exit, Exit::Done | Exit::Attention));
    Ok(failure.or_else(|| exits().find(|exit| *exit == Exit::Attention)).unwrap_or(Exit::Done))
}

/// Makes one of several archives, or tells what it would hold.
fn finish(order: &Order<'_>, one: Prepared, builder: ArchiveBuilder) -> Result<(Value, Exit), Failure> {
    let ui = order.ui;
    if order.args.dry_run {
        let outlook = order.look(&one)?;
        if !ui.json {
            outlook.show(ui)?;
        }
        let mut document = outlook.document();
        document["state_dir"] = json::path(&one.installation.state_dir);
        document["profile"] = one.installation.profile.into();
        return Ok((document, outlook.exit()));
    }
    let made = order.make(one, builder)?;
    if !ui.json && !ui.quiet {
        made.say()?;
    }
    Ok((made.document(), made.exit()))
}

/// Says why there is no archive of one installation; an interrupt ends all.
fn failed(search: &Search, failure: Failure) -> Result<(Value, Exit), Failure> {
    if matches!(&failure, Failure::Library(error) if error.kind() == ErrorKind::Interrupted) {
        return Err(failure);
    }
    let exit = failure.say();
    Ok((json!({ "profile": search.profile, "error": failure.document() }), exit))
}

fn builder(order: &Order<'_>) -> Result<ArchiveBuilder, Failure> {
    let builder = ArchiveBuilder::new().level(order.args.shape.level).threads(order.ui.threads);
    let builder = builder.parity(order.args.shape.parity);
    seal(&order.args.seal, builder.created(order.created.as_second()), order.ui)
}

/// Parses the size of parts.
pub(super) fn part_size(text: &str) -> Result<u64, String> {
    let size = amount::parse(text)?;
    if size < NewArchive::SMALLEST_PART { Err("parts have at least 1M".to_owned()) } else { Ok(size) }
}

/// The patterns on the command line and those in files.
fn exclusions(args: &Args) -> Result<Vec<String>, Failure> {
    let mut patterns = args.exclude.clone();
    for path in &args.exclude_from {
        let text = fs::read_to_string(path).map_err(|source| Failure::File {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        patterns.extend(lines.map(ToOwned::to_owned));
    }
    Patterns::parse(&patterns).map_err(Failure::BadGlob)?;
    Ok(patterns)
}
