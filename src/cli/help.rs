//! `ocbak help`: the help of commands, and of what concerns all of them.

use clap::{Args as Group, CommandFactory};
use serde_json::json;

use super::args;
use super::failure::{self, Exit, Failure};
use super::nearest::nearest_word;
use super::ui::{self, Output, Ui};

/// Show the help of a command, or of a topic: `exit-codes`, `format`.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// A command, `exit-codes` or `format`; what commands there are, if none is given.
    topic: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Exit, Failure> {
    let topic = args.topic.as_deref();
    let text = text(topic)?;
    if ui.json {
        ui::document(&json!({ "topic": topic, "text": text, "warnings": ui.warnings() }))?;
    } else {
        let mut output = Output::new();
        output.bytes(text.as_bytes())?;
        output.finish()?;
    }
    Ok(Exit::Done)
}

fn text(topic: Option<&str>) -> Result<String, Failure> {
    let mut grammar = args::Args::command();
    grammar.build();
    let Some(topic) = topic else {
        return Ok(grammar.render_long_help().to_string());
    };
    match topic {
        "exit-codes" => {
            let lines = failure::MEANINGS.map(|(exit, meaning)| format!("{:>3}  {meaning}\n", exit as u8));
            return Ok(lines.concat());
        }
        "format" => return Ok(format!("{FORMAT}{RECOVERY}")),
        _ => {}
    }
    if let Some(command) = grammar.find_subcommand_mut(topic) {
        return Ok(command.render_long_help().to_string());
    }
    let commands = grammar.get_subcommands().map(clap::Command::get_name);
    let nearest = nearest_word(topic, commands.chain(["exit-codes", "format"]));
    Err(Failure::UnknownTopic { topic: topic.to_owned(), nearest: nearest.map(ToOwned::to_owned) })
}

const FORMAT: &str = "\
An .ocbak file is a tar of a few members: a header region of 32 KiB (manifest, its MAC, key slots,
checksums, these instructions), the payloads with their indexes, parity, and the header region
once more. Payloads are tar in frames of zstd in age; a key slot holds the private key to them,
encrypted with a passphrase or to public keys. `spec/ocbak-v1.md` in the sources says it all.
Every archive carries what follows as ocbak/RECOVERY.txt.

";
/// What every archive carries.
const RECOVERY: &str = include_str!("../format/RECOVERY.txt");
