//! `ocbak passwd`: another passphrase for an archive that exists.

use std::path::PathBuf;

use clap::Args as Group;
use serde_json::json;

use ocbak::sanitize;

use super::failure::{Exit, Failure, Wanted};
use super::json;
use super::passphrase::{NewPassphraseArgs, Secret, ask_new};
use super::ui::{self, Output, Ui};
use super::unlock::{UnlockArgs, slot_word, unlock};

/// Change, add or remove the passphrase of an archive, in place.
///
/// Takes 64 KiB of writes, whatever the size of the archive, and may be interrupted at any moment:
/// the archive then opens with the old passphrase or with the new one. A damaged copy of the header
/// is made good first. What private keys open stays so.
///
/// Copies of the archive that were made before still open with the old passphrase, and who has such
/// a copy can open this archive too. Where a passphrase became known to others, encrypt the content
/// anew with `ocbak rekey`, and destroy the old archive.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// Remove the passphrase, so that only private keys open the archive. Try one of them before.
    #[arg(long, conflicts_with = "NewPassphraseArgs")]
    remove: bool,
    #[command(flatten)]
    new: New,
    #[command(flatten)]
    unlock: UnlockArgs,
}

#[derive(Debug, Group)]
#[command(
    next_help_heading = "New passphrase (by default asked for on the terminal; or `OCBAK_NEW_PASSPHRASE`)"
)]
struct New {
    #[command(flatten)]
    passphrase: NewPassphraseArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let given = &args.new.passphrase;
    if given.takes_stdin() && args.unlock.takes_stdin() {
        return Err(Failure::Conflict {
            first: "the passphrase on standard input",
            second: "the new one there too",
        });
    }
    let mut new = None;
    if !args.remove {
        new = given.read(ui)?.map(Secret::long_enough).transpose()?;
    }
    let archive = unlock(&args.unlock, &args.file, ui)?;
    let new = match new {
        Some(secret) => Some(secret.passphrase()),
        None if args.remove => None,
        None => {
            let name = sanitize(args.file.as_os_str().as_encoded_bytes());
            let nobody = Failure::NobodyToAsk(Wanted::New);
            Some(ask_new(&format!("New passphrase of `{name}`"), nobody, ui)?)
        }
    };
    ui.check()?;
    let changed = archive.change_passphrase(&args.file, new.as_ref(), WORK_FACTOR)?;
    let done = match new {
        Some(_) if changed.replaced => "changed",
        Some(_) => "added",
        None => "removed",
    };
    if ui.json {
        let mut document = json!({
            "file": json::path(&args.file),
            "passphrase": done,
            "slot": slot_word(archive.opened_by()),
            "healed": changed.healed,
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else if !ui.quiet {
        let mut output = Output::new();
        if changed.healed {
            output.line("both copies of the header are the same again")?;
        }
        output.line(format_args!("passphrase {done}"))?;
        if changed.replaced {
            output.line("copies of the archive made before still open with the old one")?;
        }
        output.finish()?;
    }
    Ok(Exit::Done)
}

/// What the format asks of writers (spec §5.2).
const WORK_FACTOR: u8 = 18;
