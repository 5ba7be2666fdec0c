//! What a config file adds to the command line: words, and identities.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};

use super::{Config, Keep, Loaded};
use crate::cli::args;
use crate::cli::failure::Failure;

/// The command line with what the config file adds to it.
#[derive(Default)]
pub(crate) struct Extended {
    pub(crate) words: Vec<OsString>,
    /// Apart from the words: unlike `--identity`, they do not say that no passphrase is meant.
    pub(crate) identities: Vec<PathBuf>,
    /// The config file, where it added anything.
    pub(crate) from: Option<PathBuf>,
    /// What to say about the config file.
    pub(crate) warning: Option<String>,
}

/// Adds what the config file says for the command that is called, where the user did not.
///
/// # Errors
///
/// Those of reading the file, which commands that need nothing of it do not read.
pub(crate) fn extend(words: Vec<OsString>) -> Result<Extended, Failure> {
    // What is wrong with the user's own words is told of them as they are; only what is missing may stand in the file.
    let matches = match args::Args::command().try_get_matches_from(&words) {
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            args::Args::command().ignore_errors(true).try_get_matches_from(&words)
        }
        whole => whole,
    };
    let called = matches.as_ref().ok().and_then(ArgMatches::subcommand);
    let Some((command, given)) = called.filter(|(command, _)| COMMANDS.contains(command)) else {
        return Ok(Extended { words, ..Extended::default() });
    };
    let named = given.try_get_one::<PathBuf>("config_file").ok().flatten();
    let loaded = Loaded::read(named.map(PathBuf::as_path))?;
    let mut more = More { command, given, words: Vec::new(), identities: Vec::new() };
    more.take(&loaded.config);
    let More { words: more, identities, .. } = more;
    if more.is_empty() && identities.is_empty() {
        return Ok(Extended { words, ..Extended::default() });
    }
    let warning = loaded.warning();
    let mut words = words;
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(end..end, more);
    Ok(Extended { words, identities, from: Some(loaded.path), warning })
}

struct More<'a> {
    command: &'a str,
    /// What the user wrote.
    given: &'a ArgMatches,
    words: Vec<OsString>,
    identities: Vec<PathBuf>,
}

impl More<'_> {
    fn take(&mut self, config: &Config) {
        let makes = matches!(self.command, "create" | "import");
        if makes || self.command == "rekey" {
            self.option("level", "--level", config.level.map(|level| level.to_string()));
            self.option("parity", "--parity", config.parity.map(|parity| parity.to_string()));
        }
        // Keys of the command line are meant instead of those of the file.
        let opens = !makes && self.command != "prune";
        // Of `rekey` and `passwd`, recipients are those of the new archive.
        let others = if makes { SEALS } else { &["identities"] };
        if (makes || opens) && !self.any(PASSPHRASE) && !self.any(others) {
            // A passphrase of the environment takes the place of the file's, and of nothing else: whoever has the key in the
            // drawer counts on it.
            if VARIABLES.iter().all(|name| env::var_os(name).is_none()) {
                self.all("--passphrase-file", config.passphrase_file.iter().map(|place| &place.0));
                self.all("--passphrase-command", &config.passphrase_command);
            }
            if makes {
                self.all("--recipient", &config.recipients);
                self.all("--recipients-file", config.recipients_files.iter().map(|place| &place.0));
            } else {
                self.identities = config.identities.iter().map(|place| place.0.clone()).collect();
            }
        }
        if self.command == "create" {
            self.all("--exclude", &config.exclude);
        }
        if let Some(destination) = &config.destination {
            // With a slash: a drive that is not there is no name for a file.
            let directory = destination.0.join("");
            match self.command {
                "create" => self.option("output", "--output", Some(&directory)),
                "list" | "verify" if !self.is_given("file") => self.words.push(directory.into()),
                "prune" if !self.is_given("directory") => self.words.push(directory.into()),
                _ => {}
            }
        }
        if self.command == "prune" && !self.any(KEEP) {
            self.keep(&config.keep);
        }
    }

    fn keep(&mut self, keep: &Keep) {
        let counts = [keep.last, keep.hourly, keep.daily, keep.weekly, keep.monthly, keep.yearly];
        for (name, count) in KEEP.iter().zip(counts) {
            self.all(&format!("--keep-{name}"), count.map(|count| count.to_string()));
        }
        self.all("--keep-within", &keep.within);
    }

    /// Adds an option that the user did not give.
    fn option(&mut self, id: &str, name: &str, value: Option<impl AsRef<OsStr>>) {
        if !self.is_given(id) {
            self.all(name, value);
        }
    }

    fn all(&mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<OsStr>>) {
        for value in values {
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value);
            self.words.push(word);
        }
    }

    fn any(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.is_given(id))
    }

    fn is_given(&self, id: &str) -> bool {
        self.given.try_contains_id(id).unwrap_or(false)
            && self.given.value_source(id) == Some(ValueSource::CommandLine)
    }
}

/// Those that take anything from a config file.
const COMMANDS: &[&str] = &[
    "create", "import", "list", "verify", "restore", "extract", "export", "diff", "passwd", "rekey", "prune",
];
/// What else than a passphrase says by what an archive is encrypted.
const SEALS: &[&str] = &["recipients", "recipients_files", "ask"];
const PASSPHRASE: &[&str] = &["passphrase_file", "passphrase_fd", "passphrase_command"];
const VARIABLES: [&str; 2] = ["OCBAK_PASSPHRASE", "OCBAK_PASSPHRASE_COMMAND"];
/// The counts in their order, and the time.
const KEEP: &[&str] = &["last", "hourly", "daily", "weekly", "monthly", "yearly", "within"];
