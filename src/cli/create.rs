//! `ocbak create`: an archive of an installation.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};

use clap::Args as Group;
use jiff::Timestamp;
use serde_json::json;

use ocbak::{
    ArchiveBuilder, CaptureOptions, Environment, Error, Holder, Installation, NewFile, PayloadSummary, Role,
    Summary, Usage, capture, preview, sanitize,
};

use super::args::Place;
use super::destination::Destination;
use super::failure::{Exit, Failure};
use super::glob::Patterns;
use super::json;
use super::name::default_name;
use super::outlook;
use super::series;
use super::spool;
use super::ui::{self, Output, Ui, count, size};
use super::unlock::{SealArgs, seal};

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
    output: PathBuf,
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
    /// Store the configuration alone: its file, the files that it includes, and `.env` and
    /// `gateway.env`, from which its `${NAME}` may come.
    #[arg(long, conflicts_with_all = ["all", "include"])]
    only_config: bool,
    /// Refuse while a gateway or another part of OpenClaw is running on the state directory.
    #[arg(long)]
    require_stopped: bool,
    /// Say what would be stored and what left out, and write nothing; needs no key.
    #[arg(long)]
    dry_run: bool,
    /// Level of compression, from 1 (fast) to 19 (small).
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
    /// Where an archive for standard output grows, encrypted, before it is sent.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    spool_dir: PathBuf,
    #[command(flatten)]
    seal: SealArgs,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let to_stdout = args.output.as_os_str() == "-";
    if to_stdout && !args.dry_run {
        if ui.json {
            return Err(Failure::Conflict { first: "`--json`", second: "`--output -`" });
        }
        if io::stdout().is_terminal() {
            return Err(Failure::ArchiveToTerminal);
        }
    }
    let exclude = exclusions(args)?;
    Patterns::parse(&exclude)?;
    Patterns::parse(&args.include)?;
    let environment = Environment::current();
    let installation = Installation::locate(&args.place.search(), &environment).map_err(Failure::Locating)?;
    outlook::warn(&installation, ui);
    let in_use = users(args, &installation, &environment, ui)?;
    let options = CaptureOptions {
        roles: if args.no_workspace { vec![Role::State] } else { Role::ALL.to_vec() },
        exclude,
        include: args.include.clone(),
        all: args.all,
        only_config: args.only_config,
        ..CaptureOptions::default()
    };
    if args.dry_run {
        return outlook::show(&installation, &options, ui);
    }
    let created = Timestamp::now();
    let name = default_name(installation.profile.as_deref(), args.only_config, created);
    let destination = Destination::choose(&args.output, &name, &installation)?;
    let builder = ArchiveBuilder::new().level(args.level).threads(ui.threads).created(created.as_second());
    // Whoever keeps the newest of a series must not keep a configuration instead of everything.
    let series = if args.only_config { None } else { series::of(&installation.state_dir, ui) };
    let builder = match series {
        Some(id) => builder.series(id),
        None => builder,
    };
    let builder = seal(&args.seal, builder, ui)?;
    let summary = match &destination {
        Destination::Stdout => {
            let spool = spool::create(&args.spool_dir)?;
            let (mut spool, summary) = write(builder, spool, &installation, &options, &args.spool_dir, ui)?;
            send(&mut spool, ui).map(|()| summary)?
        }
        Destination::File(path) => {
            let file = NewFile::create(path)?;
            let (file, summary) = write(builder, file, &installation, &options, path, ui)?;
            file.persist()?;
            summary
        }
    };
    let attention =
        !installation.warnings.is_empty() || summary.payloads.iter().any(|payload| payload.attention > 0);
    // Where standard output is taken by the archive, the exit code still tells.
    if let Destination::File(path) = &destination {
        if ui.json {
            document(path, &summary, attention, &in_use, ui)?;
        } else if !ui.quiet {
            say(path, &summary)?;
        }
    }
    Ok(if attention { Exit::Attention } else { Exit::Done })
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
    Ok(patterns)
}

/// Says who is using the state directory; it is no hindrance unless the user says so.
fn users(
    args: &Args,
    installation: &Installation,
    environment: &Environment,
    ui: &Ui,
) -> Result<Vec<Holder>, Failure> {
    let usage = Usage::of(&installation.state_dir, installation.config.as_deref(), environment);
    if let Some(holder) = usage.holders.first() {
        if args.require_stopped {
            let state_dir = installation.state_dir.clone();
            return Err(Failure::InUse { state_dir, holders: usage.holders });
        }
        ui.note(format_args!(
            "OpenClaw is running: {holder}; every database is taken whole as of one moment, but not all \
             of the same moment"
        ));
    }
    Ok(usage.holders)
}

/// Captures the installation into `sink`, which lies at `place`.
fn write<W: Write + Seek + Send + 'static>(
    builder: ArchiveBuilder,
    sink: W,
    installation: &Installation,
    options: &CaptureOptions,
    place: &Path,
    ui: &Ui,
) -> Result<(W, Summary), Failure> {
    // Only a bar needs to know how much there is.
    let total = if ui.shows_progress() {
        let looking = ui.progress("looking", None);
        let parts = preview(installation, options, &looking)?;
        Some(parts.iter().map(|part| part.bytes).sum())
    } else {
        None
    };
    let progress = ui.progress("storing", total);
    let archive = |error: Error| match error {
        // What has no name is about the archive; sources name themselves.
        Error::Io { path: None, .. } => error.within(place),
        other => other,
    };
    let mut writer = builder.create(sink).map_err(archive)?;
    capture(installation, options, &mut writer, &progress).map_err(archive)?;
    Ok(writer.finish().map_err(archive)?)
}

/// Sends the finished archive to standard output.
fn send(spool: &mut File, ui: &Ui) -> Result<(), Failure> {
    let failed =
        |source| Failure::File { action: "read back", path: PathBuf::from("the temporary file"), source };
    spool.rewind().map_err(failed)?;
    let mut output = Output::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        ui.check()?;
        let count = spool.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return output.finish_whole();
        }
        output.bytes(&buffer[..count])?;
        if output.closed() {
            return output.finish_whole();
        }
    }
}

fn say(path: &Path, summary: &Summary) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(format_args!("{}  {}", shown(path), size(summary.length)))?;
    for payload in &summary.payloads {
        output.line(format_args!(
            "  {:<9}  {}, {} of content, {} stored; {} left out",
            payload.role.as_str(),
            count(payload.entries, "entry", "entries"),
            size(payload.content),
            size(payload.stored),
            payload.skipped,
        ))?;
        if payload.attention > 0 {
            output.line(format_args!(
                "  {:<9}  {} attention: `ocbak verify {}` names them",
                "",
                count(payload.attention, "thing needs", "things need"),
                shown(path),
            ))?;
        }
    }
    output.finish()
}

fn document(
    path: &Path,
    summary: &Summary,
    attention: bool,
    in_use: &[Holder],
    ui: &Ui,
) -> Result<(), Failure> {
    let payload = |payload: &PayloadSummary| {
        json!({
            "role": payload.role.as_str(),
            "entries": payload.entries,
            "skipped": payload.skipped,
            "attention": payload.attention,
            "content_bytes": payload.content,
            "stored_bytes": payload.stored,
        })
    };
    let mut document = json!({
        "file": json::path(path),
        "archive": hex::encode(summary.archive_id),
        "bytes": summary.length,
        "payloads": summary.payloads.iter().map(payload).collect::<Vec<_>>(),
        "attention": attention,
        "in_use": in_use.iter().map(json::holder).collect::<Vec<_>>(),
    });
    json::put_warnings(&mut document, ui);
    ui::document(&document)
}

fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}
