//! `ocbak export`: payloads as the plain tar that they are.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args as Group;
use serde_json::json;

use ocbak::{Archive, Error, NewArchive, Role};

use super::args::RoleName;
use super::destination::existing_parent;
use super::failure::{Exit, Failure};
use super::json;
use super::ui::{self, Ui, closed_stdout};
use super::unlock::{UnlockArgs, unlock};

/// Write what an archive holds as a plain, unencrypted tar, to standard output or into a new file.
///
/// Names are those that `ocbak list` shows. One payload (`--only`) comes out byte for byte as `age -d | zstd -d`
/// gives it; both come in one tar. Everything is checked on the way, and the end of the tar is written only when
/// all of it held: without exit code 0, throw away what was written.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// Only this payload.
    #[arg(long, value_name = "ROLE")]
    only: Option<RoleName>,
    /// Write into this file, which only its owner may read and which appears when it is complete; never
    /// replaces one. `-` is standard output.
    #[arg(short, long, value_name = "TAR|-", default_value = "-", hide_default_value = true)]
    output: PathBuf,
    #[command(flatten)]
    unlock: UnlockArgs,
}

impl Args {
    /// `None` for standard output.
    fn file_to_write(&self) -> Option<&Path> {
        Some(&*self.output).filter(|path| path.as_os_str() != "-")
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    match args.file_to_write() {
        None if ui.json => {
            return Err(Failure::Conflict { first: "`--json`", second: "a tar on standard output" });
        }
        None if io::stdout().is_terminal() => return Err(Failure::ArchiveToTerminal),
        None => closed_stdout()?,
        Some(path) => {
            existing_parent(path)?;
            NewArchive::vacant(path)?;
        }
    }
    let archive = unlock(&args.unlock, &args.file, ui)?;
    let roles = args.only.map_or_else(|| archive.roles().collect(), |role| vec![Role::from(role)]);
    let Some(path) = args.file_to_write() else {
        let mut stdout = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        write(&archive, &roles, &mut stdout, args, ui)?;
        return Ok(Exit::Done);
    };
    let mut file = NewArchive::create(path, None)?;
    write(&archive, &roles, &mut file, args, ui)?;
    file.persist()?;
    if ui.json {
        let mut document = json!({
            "file": json::path(&args.file),
            "output": json::path(path),
            "roles": roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        });
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    }
    Ok(Exit::Done)
}

fn write(
    archive: &Archive,
    roles: &[Role],
    tar: &mut dyn Write,
    args: &Args,
    ui: &Ui,
) -> Result<(), Failure> {
    let progress = ui.progress("exporting", None);
    archive.export(roles, tar, ui.threads, &progress).map_err(|error| match error {
        Error::Io { path: None, action: "write the tar", source } => match args.file_to_write() {
            Some(path) => Failure::File { action: "write", path: path.to_owned(), source },
            None => Failure::Output(source),
        },
        other => other.within(&args.file).into(),
    })
}
