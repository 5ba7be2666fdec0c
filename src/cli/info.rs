//! `ocbak info`: what an archive says about itself without a key.

use std::path::PathBuf;

use clap::Args as Group;
use serde_json::{Value, json};

use ocbak::{Parity, Sealed, SlotKind, sanitize};

use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, count, size};
use super::unlock::slot_word;

/// Show what an archive says about itself; needs no key.
///
/// Without a key nothing of it is authenticated: whoever can write the file can make it say
/// anything. Exit code 0 even where a copy of the header is damaged, which is then said.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let sealed = Sealed::open(&args.file)?;
    for damage in sealed.damage() {
        ui.warn(format_args!("`{}`: {}", args.file.display(), damage.what));
    }
    let manifest = sealed.manifest();
    let kinds = [SlotKind::Passphrase, SlotKind::Recipients].into_iter();
    let slots: Vec<&str> = kinds.filter(|kind| sealed.has_slot(*kind)).map(slot_word).collect();
    if ui.json {
        let mut document = json::manifest(manifest);
        document["version"] = 1.into();
        document["file"] = json::path(&args.file);
        document["authenticated"] = false.into();
        document["slots"] = json!(slots);
        document["parity"] = sealed.parity().map_or(
            Value::Null,
            |parity| json!({ "length": parity.length, "blocks": parity.blocks, "rebuilt": parity.rebuilt }),
        );
        document["damage"] = json::damage(&sealed.damage());
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
        return Ok(Exit::Done);
    }
    let mut output = Output::new();
    let mut fact =
        |name: &str, value: &str| output.line(format_args!("{name:<10} {}", sanitize(value.as_bytes())));
    fact("archive", &hex::encode(manifest.archive))?;
    // Opening refuses every other version, and every feature that must be understood.
    fact("format", "version 1, not authenticated: no key was used")?;
    fact("created", &manifest.created)?;
    fact("writer", &manifest.writer)?;
    if let Some(series) = manifest.series {
        fact("series", &hex::encode(series))?;
    }
    fact("key slots", &slots.join(", "))?;
    for payload in &manifest.payloads {
        let text = format!(
            "{} encrypted, and {} of index",
            size(payload.payload.length),
            size(payload.index.length)
        );
        fact(payload.role.as_str(), &text)?;
    }
    fact("parity", &parity(sealed.parity()))?;
    output.finish()?;
    Ok(Exit::Done)
}

/// How much damage can be put right.
fn parity(parity: Option<Parity>) -> String {
    match parity {
        None => "none".to_owned(),
        Some(Parity { length, blocks: 0, .. }) => {
            format!("{}, of a kind that this program does not know", size(length))
        }
        Some(Parity { length, blocks, rebuilt }) if rebuilt >= blocks => {
            format!("{}: all {} of 4 KiB can be rebuilt", size(length), count(blocks, "block", "blocks"))
        }
        Some(Parity { length, blocks, rebuilt }) => {
            let (whole, tenth) = (rebuilt * 100 / blocks, rebuilt * 1000 / blocks % 10);
            let length = size(length);
            format!(
                "{length}: {rebuilt} of every {blocks} blocks of 4 KiB can be rebuilt ({whole}.{tenth} %)"
            )
        }
    }
}
