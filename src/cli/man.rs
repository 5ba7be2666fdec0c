//! `ocbak man`: the manual pages, made of the grammar that parses the command line.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args as Group, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use super::args;
use super::failure::{self, Exit, Failure};
use super::json;
use super::ui::{self, Output, Ui, count};

/// Print the manual page, or write one for each command into a directory.
///
/// `ocbak man | man -l -` shows it; `ocbak man -o ~/.local/share/man/man1` installs all for `man ocbak-create` and so on.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// Write `ocbak.1`, `ocbak-create.1` and so on into this directory, over those that are there.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let pages = pages().map_err(Failure::Output)?;
    if let Some(directory) = &args.output {
        if !directory.is_dir() {
            return Err(Failure::NoDirectory { directory: directory.clone() });
        }
        for (name, page) in &pages {
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o644).open(&path);
            let written = file.and_then(|mut file| file.write_all(page));
            written.map_err(|source| Failure::File { action: "write", path, source })?;
        }
        if !ui.json {
            ui.note(format_args!("wrote {}", count(pages.len() as u64, "page", "pages")));
        }
    }
    if ui.json {
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let directory = args.output.as_deref().map(json::path);
        ui::document(&json!({ "directory": directory, "pages": names, "warnings": ui.warnings() }))?;
    } else if args.output.is_none() {
        let mut output = Output::new();
        output.bytes(&pages[0].1)?;
        output.finish()?;
    }
    Ok(Exit::Done)
}

/// All pages with their names, that of the program first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut grammar = args::Args::command();
    grammar.build();
    let commands: Vec<_> = grammar.get_subcommands().cloned().collect();
    let names: Vec<String> = commands.iter().map(|command| format!("ocbak-{}", command.get_name())).collect();
    let mut pages = vec![("ocbak.1".to_owned(), page(grammar, "ocbak", &names, true)?)];
    for (command, name) in commands.into_iter().zip(&names) {
        pages.push((format!("{name}.1"), page(command, name, &["ocbak".to_owned()], false)?));
    }
    Ok(pages)
}

fn page(command: clap::Command, name: &str, others: &[String], is_main: bool) -> io::Result<Vec<u8>> {
    let man = Man::new(command.name(name.to_owned()))
        .title(name)
        .date(DATE)
        .source(concat!("ocbak ", env!("CARGO_PKG_VERSION")))
        .manual("Backups of OpenClaw");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::default();
    if is_main {
        man.render_subcommands_section(&mut page)?;
        list(&mut roff, "ENVIRONMENT", &VARIABLES);
        list(&mut roff, "FILES", &FILES);
    }
    let codes = failure::MEANINGS.map(|(exit, meaning)| ((exit as u8).to_string(), meaning));
    list(&mut roff, "EXIT STATUS", &codes.each_ref().map(|(code, meaning)| (code.as_str(), *meaning)));
    roff.control("SH", ["SEE ALSO"]);
    let others: Vec<String> = others.iter().map(|other| format!("{other}(1)")).collect();
    roff.text([roman(format!("{}, age(1), zstd(1), tar(1)", others.join(", ")))]);
    roff.to_writer(&mut page)?;
    // Two breaks with an empty line between are one.
    Ok(String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.br\n").into_bytes())
}

fn list(roff: &mut Roff, title: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, meaning) in rows {
        roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
}

/// Of the last change to what the pages say.
const DATE: &str = "2026-11-26";
const VARIABLES: [(&str, &str); 6] = [
    ("OCBAK_PASSPHRASE", "The passphrase; every process of the same user can read it."),
    ("OCBAK_PASSPHRASE_COMMAND", "A command that prints the passphrase."),
    (
        "OCBAK_NEW_PASSPHRASE, OCBAK_NEW_PASSPHRASE_COMMAND",
        "The same for the new passphrase of passwd and rekey.",
    ),
    ("OPENCLAW_HOME, OPENCLAW_STATE_DIR, OPENCLAW_CONFIG_PATH", "Where OpenClaw is, as for OpenClaw itself."),
    ("NO_COLOR", "If set, nothing is coloured."),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME",
        "Where the files below are, instead of ~/.config and ~/.local/state.",
    ),
];
const FILES: [(&str, &str); 2] = [
    ("~/.config/ocbak/config.toml", "Options that need not be given in every call; see ocbak-config(1)."),
    ("~/.local/state/ocbak", "The series of each installation, and when each archive was last verified."),
];
