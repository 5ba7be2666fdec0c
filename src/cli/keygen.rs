//! `ocbak keygen`: a key pair of age.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use ocbak::{Error, Identity};

use super::args::new_file;
use super::destination::parent;
use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, closed_stdout, shown};

/// Make a key pair: archives are encrypted to its public key and open with its private key.
///
/// Writes an age identity file, as `age-keygen` does: to standard output, or with `--output` to a new
/// file that its owner alone may read; then the public key goes to standard output, for
/// `ocbak create -r`. Nobody can make the private key again: keep a copy where the machine that is
/// backed up, and what befalls it, does not reach.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// Write the private key to this new file.
    #[arg(short, long, value_name = "FILE", value_parser = new_file())]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default().to_string();
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH));
    let recipient = Identity::generate_file(&now, &mut *text)?;
    let Some(path) = &args.output else {
        if ui.json {
            return Err(Failure::Conflict { first: "`--json`", second: "a private key on standard output" });
        }
        closed_stdout()?;
        let mut output = Output::new();
        output.bytes(&text)?;
        output.finish_whole()?;
        if !io::stdout().is_terminal() {
            ui::lines([format!("Public key: {recipient}")]);
        }
        return Ok(Exit::Done);
    };
    write(path, &text)?;
    ui.note(format_args!(
        "`{}` is the private key; it opens what is encrypted to this public key",
        shown(path)
    ));
    if ui.json {
        let mut document = json!({ "file": json::path(path), "recipient": recipient.to_string() });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else {
        let mut output = Output::new();
        output.line(&recipient)?;
        output.finish()?;
    }
    Ok(Exit::Done)
}

/// Writes a new file, on the disk before anything is encrypted to what it holds.
fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let failed = |action| move |source| Failure::File { action, path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(
        |error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: path.to_owned() }.into(),
            _ => failed("create")(error),
        },
    )?;
    let written = file.write_all(text).and_then(|()| file.sync_all()).and_then(|()| {
        let directory = File::open(parent(path))?;
        // Some file systems cannot do this to a directory.
        let _ = directory.sync_all();
        Ok(())
    });
    if written.is_err() {
        // Half a key is none.
        let _ = remove_file(path);
    }
    written.map_err(failed("write"))
}

/// A little more than such a file has: growing would leave copies behind.
const LENGTH: usize = 256;
