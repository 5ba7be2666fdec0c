//! `ocbak rekey`: the content of an archive in a new one, under another identity and other keys.

use std::path::PathBuf;

use clap::Args as Group;
use serde_json::json;

use ocbak::{
    Archive, ArchiveBuilder, Error, Estimate, NewArchive, Sealed, Summary, Verifier, remove_unfinished,
};

use super::args::new_file;
use super::create::{Shape, part_size};
use super::destination::vacant;
use super::failure::{Exit, Failure, Wanted};
use super::json;
use super::make::read_back;
use super::ui::{self, Output, Ui, count, shown, size};
use super::unlock::{NewSealArgs, SealWish, UnlockArgs, unseal};

/// Encrypt what an archive holds anew, under other keys: for when a passphrase or a private key leaked.
///
/// Writes a new archive with an identity of its own, checks every byte of the old one on the way,
/// and reads the new one back before it gets its name. No plaintext is written anywhere. Content,
/// date and series stay the same.
///
/// What leaked does not open the new archive. The old file, and every copy of it, still opens as
/// before: destroy them. Whoever opened one has read it: change the logins and tokens that it holds.
/// `ocbak passwd` is for another passphrase where nobody else knows the old one: it is done at once
/// and in place, but copies of the old file, or of its header, still open this one too.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// The new archive; never replaces a file.
    #[arg(short, long, value_name = "NEW", value_parser = new_file())]
    output: PathBuf,
    /// Write a new archive that is larger than this in parts of this size, as `ocbak create` does.
    #[arg(long, value_name = "SIZE", value_parser = part_size)]
    split: Option<u64>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    new: NewSealArgs,
    #[command(flatten)]
    unlock: UnlockArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    if args.new.takes_stdin() && args.unlock.takes_stdin() {
        return Err(Failure::Conflict {
            first: "the passphrase on standard input",
            second: "the new one there too",
        });
    }
    // What cannot work is said before anybody types.
    let sealed = Sealed::open(&args.file)?;
    // With another level of compression and other parity, the length may be another one.
    let estimate = Estimate { least: 0, about: sealed.length(), copies: 0 };
    let part = vacant(&args.output, args.split, &estimate, ui)?;
    let wish = SealWish::read(&args.new, ui)?;
    let archive = unseal(sealed, &args.unlock, &args.file, ui)?;
    let builder = ArchiveBuilder::new().level(args.shape.level).threads(ui.threads).parity(args.shape.parity);
    let builder = wish.seal(builder, Failure::NobodyToAsk(Wanted::New), ui)?;
    ui.check()?;
    for left in remove_unfinished(&args.output) {
        ui.note(format_args!("removed `{}`, which an interrupted run left", shown(&left)));
    }
    let file = NewArchive::create(&args.output, part)?;
    let (file, summary, verifier) = write(&archive, builder, file, args, ui)?;
    read_back(&file, &args.output, &verifier, &summary, ui)?;
    let files = file.persist()?;
    say(args, &files, &summary, ui)?;
    Ok(Exit::Done)
}

fn write(
    archive: &Archive,
    builder: ArchiveBuilder,
    file: NewArchive,
    args: &Args,
    ui: &Ui,
) -> Result<(NewArchive, Summary, Verifier), Failure> {
    let failed = |error: Error| match error {
        Error::Io { path: None, action: WRITING, .. } => error.within(&args.output),
        other => other.within(&args.file),
    };
    let mut content = 0;
    for role in archive.roles() {
        content += archive.index(role).map_err(failed)?.content;
    }
    let builder = archive.successor(builder).map_err(failed)?;
    let mut writer = builder.create(file).map_err(|error| error.within(&args.output))?;
    let progress = ui.progress("encrypting anew", Some(content));
    archive.copy_into(&mut writer, ui.threads, &progress).map_err(failed)?;
    drop(progress);
    let verifier = writer.verifier();
    let progress = ui.progress("adding parity", None);
    let (file, summary) = writer.finish_with(&progress).map_err(failed)?;
    Ok((file, summary, verifier))
}

fn say(args: &Args, files: &[PathBuf], summary: &Summary, ui: &Ui) -> Result<(), Failure> {
    let entries: u64 = summary.payloads.iter().map(|payload| payload.entries).sum();
    let content: u64 = summary.payloads.iter().map(|payload| payload.content).sum();
    let output = files.first().map_or(args.output.as_path(), PathBuf::as_path);
    if ui.json {
        let mut document = json!({
            "file": json::path(&args.file),
            "output": json::path(output),
            "parts": parts(files).iter().map(|file| json::path(file)).collect::<Vec<_>>(),
            "archive": hex::encode(summary.archive_id),
            "bytes": summary.length,
            "entries": entries,
            "content_bytes": content,
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
    let entries = count(entries, "entry", "entries");
    text.line(format_args!("  {entries}, {} of content, as before", size(content)))?;
    if files.len() > 1 {
        text.line(format_args!("  in {} parts, of which the first stands for all", files.len()))?;
    }
    text.line("  read back and found sound")?;
    text.line(format_args!(
        "`{}` and its copies still open as before: remove them where their key leaked",
        shown(&args.file)
    ))?;
    text.finish()
}

/// The files, where they are parts.
fn parts(files: &[PathBuf]) -> &[PathBuf] {
    if files.len() > 1 { files } else { &[] }
}

/// What the library says it does when it writes an archive.
const WRITING: &str = "write the archive";
