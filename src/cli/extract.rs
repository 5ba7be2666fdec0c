//! `ocbak extract`: a few entries out of an archive.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::PathBuf;

use clap::Args as Group;

use ocbak::{Archive, ArchivePath, Entry, Index, Node, extract, sanitize};

use super::failure::{Exit, Failure};
use super::json;
use super::nearest::nearest;
use super::ui::{self, Output, Ui, closed_stdout, count, size};
use super::unlock::{UnlockArgs, unlock};

/// Take single files or directories out of an archive.
///
/// Reads only the index and the part of the payload that holds them. Names are those that
/// `ocbak list` shows; a directory brings what is below it.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// The archive.
    file: PathBuf,
    /// Names in the archive, such as `workspace/main/MEMORY.md`.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Put them below this directory, which exists, under their full names. Nothing in it is
    /// replaced.
    #[arg(short = 'C', long, value_name = "DIR", required_unless_present = "stdout")]
    directory: Option<PathBuf>,
    /// Write the content of exactly one file to standard output. Its digest is compared at its
    /// end: only exit code 0 says that all of it is right.
    #[arg(long, conflicts_with_all = ["directory", "json"])]
    stdout: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    if args.stdout && args.paths.len() > 1 {
        return Err(Failure::OneFileOnly);
    }
    if args.stdout {
        closed_stdout()?;
    }
    if let Some(directory) = &args.directory
        && !directory.is_dir()
    {
        return Err(Failure::NoDirectory { directory: directory.clone() });
    }
    let archive = unlock(&args.unlock, &args.file, ui)?;
    let mut indexes = Vec::new();
    for role in archive.roles() {
        indexes.push(archive.index(role).map_err(|error| error.within(&args.file))?);
    }
    let paths = args.paths.iter().map(|name| find(name, &indexes, args)).collect::<Result<Vec<_>, _>>()?;
    let Some(directory) = &args.directory else {
        return print(&archive, &indexes, &paths[0], args, ui);
    };
    // The library reads its own; two at a time would take more memory than the entries may.
    drop(indexes);
    let restored = {
        let progress = ui.progress("extracting", None);
        extract(&archive, &paths, directory, &progress)
            .map_err(|error| Failure::of_archive(error, &args.file))?
    };
    for note in &restored.notes {
        ui.warn(note);
    }
    if ui.json {
        let mut document = json::restored(&restored);
        document["file"] = json::path(&args.file);
        document["directory"] = json::path(directory);
        json::put_warnings(&mut document, ui);
        ui::document(&document)?;
    } else if !ui.quiet {
        let mut output = Output::new();
        output.line(format_args!(
            "extracted {}, {}, into {}",
            count(restored.entries, "entry", "entries"),
            size(restored.bytes),
            directory.display()
        ))?;
        output.finish()?;
    }
    Ok(Exit::Done)
}

/// Finds the entry that the user names.
fn find(name: &OsStr, indexes: &[Index], args: &Args) -> Result<ArchivePath, Failure> {
    let name = name.as_encoded_bytes();
    let slashes = name.iter().rev().take_while(|byte| **byte == b'/').count();
    let wanted = &name[..name.len() - slashes];
    let names = || indexes.iter().flat_map(|index| &index.entries).map(|entry| &entry.path);
    // What lay there on the machine that was backed up.
    let here = || {
        let roots = indexes.iter().flat_map(|index| &index.source.roots);
        let below =
            roots.filter_map(|root| Some((root, wanted.strip_prefix(&root.source[..])?.strip_prefix(b"/")?)));
        let (root, below) = below.min_by_key(|(_, below)| below.len())?;
        let path = root.path.join(below).ok()?;
        names().find(|name| **name == path)
    };
    match names().find(|path| path.as_bytes() == wanted) {
        Some(path) => Ok(path.clone()),
        None => Err(Failure::UnknownName {
            name: sanitize(name),
            file: args.file.clone(),
            nearest: here().or_else(|| nearest(wanted, names())).map(ToString::to_string),
        }),
    }
}

fn print(
    archive: &Archive,
    indexes: &[Index],
    path: &ArchivePath,
    args: &Args,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let (index, entry) = file(indexes, path).ok_or_else(|| Failure::NotAFile { name: path.to_string() })?;
    let mut content = archive.read(index, entry).map_err(|error| error.within(&args.file))?;
    let mut output = Output::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        ui.check()?;
        let count = content.read(&mut buffer).map_err(|source| read_failure(source, args))?;
        // Whoever stopped reading has all that was wanted.
        if count == 0 || output.closed() {
            break;
        }
        output.bytes(&buffer[..count])?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

/// Finds the entry that holds the content of a file, by whichever of its names.
fn file<'a>(indexes: &'a [Index], path: &ArchivePath) -> Option<(&'a Index, &'a Entry)> {
    let (index, entry) = indexes.iter().find_map(|index| {
        let found = index.entries.iter().find(|entry| entry.path == *path);
        found.map(|entry| (index, entry))
    })?;
    match &entry.node {
        Node::File { .. } => Some((index, entry)),
        Node::Hardlink { target } => {
            let first = index.entries.iter().find(|entry| entry.path == *target)?;
            matches!(first.node, Node::File { .. }).then_some((index, first))
        }
        Node::Directory | Node::Symlink { .. } => None,
    }
}

/// Takes the library's error out of the one that `Read` can carry.
fn read_failure(source: std::io::Error, args: &Args) -> Failure {
    match source.downcast::<ocbak::Error>() {
        Ok(error) => error.within(&args.file).into(),
        Err(source) => Failure::File { action: "read", path: args.file.clone(), source },
    }
}
