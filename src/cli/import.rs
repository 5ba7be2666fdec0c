//! `ocbak import`: a backup of OpenClaw itself as an encrypted archive.

use std::path::PathBuf;

use clap::Args as Group;
use serde_json::json;

use ocbak::{
    ArchiveBuilder, Error, Estimate, NativeBackup, NewArchive, PayloadSummary, Summary, remove_unfinished,
};

use super::args::new_file;
use super::create::{Shape, part_size};
use super::destination::vacant;
use super::failure::{Exit, Failure};
use super::json;
use super::make::read_back;
use super::ui::{self, Output, Ui, count, shown, size};
use super::unlock::{SealArgs, seal};

/// Turn a backup of `openclaw backup create` (a `.tar.gz`, unencrypted) into an archive.
///
/// No plaintext is written anywhere, and the new archive is read back before it gets its name. It has
/// the date of the backup, and belongs to no series. `ocbak restore` takes it as any other, to another
/// home too.
///
/// It holds what the backup holds. OpenClaw leaves out `gateway.env`, logs, `node_modules` and, of old
/// releases, the transcripts (`sessions/*.jsonl`); what can be seen to be missing is named, and
/// exit code 3 says so. Databases are stored as they are, unchecked. Such backups have no digests:
/// whether one was changed cannot be told. Destroy it, and its copies, when the archive is in its place.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The backup.
    file: PathBuf,
    /// The new archive; never replaces a file.
    #[arg(short, long, value_name = "NEW", value_parser = new_file())]
    output: PathBuf,
    /// Write an archive that is larger than this in parts of this size, as `ocbak create` does.
    #[arg(long, value_name = "SIZE", value_parser = part_size)]
    split: Option<u64>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    seal: SealArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    // What cannot work is said before anybody types.
    let length = args.file.metadata().map_or(0, |facts| facts.len());
    let part = vacant(&args.output, args.split, &Estimate { least: 0, about: length, copies: 0 }, ui)?;
    let before = ui.warnings().len();
    let progress = ui.progress("reading the backup", None);
    let backup = NativeBackup::open(&args.file, &progress).map_err(Failure::Importing)?;
    drop(progress);
    let lacks = ui.warnings().len() > before;
    let builder = ArchiveBuilder::new().level(args.shape.level).threads(ui.threads).parity(args.shape.parity);
    let builder = seal(&args.seal, backup.successor(builder), ui)?;
    ui.check()?;
    for left in remove_unfinished(&args.output) {
        ui.note(format_args!("removed `{}`, which an interrupted run left", shown(&left)));
    }
    let file = NewArchive::create(&args.output, part)?;
    let failed = |error: Error| match error {
        Error::Io { path: None, action: "write the archive", .. } => error.within(&args.output).into(),
        other => Failure::Importing(other.within(&args.file)),
    };
    let mut writer = builder.create(file).map_err(|error| error.within(&args.output))?;
    let progress = ui.progress("importing", Some(backup.content()));
    backup.copy_into(&mut writer, &progress).map_err(failed)?;
    drop(progress);
    let verifier = writer.verifier();
    let progress = ui.progress("adding parity", None);
    let (file, summary) = writer.finish_with(&progress).map_err(|error| error.within(&args.output))?;
    drop(progress);
    read_back(&file, &args.output, &verifier, &summary, ui)?;
    let files = file.persist()?;
    say(args, &files, &summary, ui)?;
    Ok(if lacks { Exit::Attention } else { Exit::Done })
}

fn say(args: &Args, files: &[PathBuf], summary: &Summary, ui: &Ui) -> Result<(), Failure> {
    let output = files.first().map_or(args.output.as_path(), PathBuf::as_path);
    if ui.json {
        let payload = |payload: &PayloadSummary| {
            json!({
                "role": payload.role.as_str(),
                "entries": payload.entries,
                "skipped": payload.skipped,
                "attention": payload.attention,
                "content_bytes": payload.content,
            })
        };
        let parts = if files.len() > 1 { files } else { &[] };
        let mut document = json!({
            "file": json::path(&args.file),
            "output": json::path(output),
            "parts": parts.iter().map(|file| json::path(file)).collect::<Vec<_>>(),
            "archive": hex::encode(summary.archive_id),
            "bytes": summary.length,
            "payloads": summary.payloads.iter().map(payload).collect::<Vec<_>>(),
            "parity_bytes": summary.parity,
            "verified": true,
        });
        json::put_warnings(&mut document, ui);
        return ui::document(&document);
    }
    if ui.quiet {
        return Ok(());
    }
    let mut text = Output::new();
    text.line(format_args!("{}  {}", shown(output), size(summary.length)))?;
    for payload in &summary.payloads {
        let entries = count(payload.entries, "entry", "entries");
        text.line(format_args!(
            "  {:<9}  {entries}, {} of content",
            payload.role.as_str(),
            size(payload.content)
        ))?;
    }
    if files.len() > 1 {
        text.line(format_args!("  in {} parts, of which the first stands for all", files.len()))?;
    }
    text.line("  read back and found sound")?;
    text.line(format_args!("`{}` is still there, and still unencrypted", shown(&args.file)))?;
    text.finish()
}
