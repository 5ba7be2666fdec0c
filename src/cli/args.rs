//! The grammar of the command line that all commands share.
//!
//! Each command's own arguments stand in its file.

use std::path::{Path, PathBuf, absolute};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

use ocbak::{Role, Search};

use super::failure::Failure;
use super::{
    check, completions, config, create, diff, export, extract, failure, help, import, info, keygen, list,
    locate, man, passwd, prune, rekey, repair, restore, schedule, undo, verify,
};

/// Encrypted backup archives of OpenClaw, which `tar`, `age` and `zstd` alone can open too.
#[derive(Debug, Parser)]
#[command(
    name = "ocbak",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = failure::meanings()
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    Info(info::Args),
    List(list::Args),
    Verify(verify::Args),
    Repair(repair::Args),
    Restore(restore::Args),
    Undo(undo::Args),
    Extract(extract::Args),
    Diff(diff::Args),
    Export(export::Args),
    Import(import::Args),
    Keygen(keygen::Args),
    Passwd(passwd::Args),
    Rekey(rekey::Args),
    Prune(prune::Args),
    Where(locate::Args),
    Check(check::Args),
    Config(config::Args),
    Schedule(schedule::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Options that every command takes.
#[derive(Debug, Default, Group)]
#[command(next_help_heading = "General options")]
pub(crate) struct Global {
    /// Say only what was asked for: no progress, no closing summary. Warnings still appear.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about what is done.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Write one JSON document to standard output, with the same facts as the text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Number of threads that compress, decompress, or make and check files; 0 takes one for each core.
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
    /// When to colour what is written to a terminal; `NO_COLOR` and `TERM=dumb` count as well.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Take options from this file instead of `~/.config/ocbak/config.toml`; `/dev/null` for none.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
}

/// Where OpenClaw's state lies, or shall lie.
#[derive(Debug, Group)]
#[command(next_help_heading = "Which OpenClaw installation (as OpenClaw itself decides, by default)")]
pub(crate) struct Place {
    /// Home directory in which OpenClaw looks for its state, instead of `OPENCLAW_HOME` or `HOME`.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// State directory, instead of `OPENCLAW_STATE_DIR` or `.openclaw` in the home directory.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Profile, as in `openclaw --profile NAME`.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl Place {
    pub(crate) fn search(&self) -> Search {
        Search {
            home: self.home.clone(),
            state_dir: self.state_dir.clone(),
            config: None,
            profile: self.profile.clone(),
        }
    }
}

/// Which OpenClaw installation is meant, one that exists.
#[derive(Debug, Group)]
pub(crate) struct Existing {
    #[command(flatten)]
    place: Place,
    /// Configuration file, instead of `OPENCLAW_CONFIG_PATH` or `openclaw.json` in the state
    /// directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Existing {
    pub(crate) fn search(&self) -> Search {
        Search { config: self.config.clone(), ..self.place.search() }
    }

    /// What of it the user said: each option with the variable in whose place it stands, and its value, which means the
    /// same in another directory.
    pub(crate) fn said(&self) -> Result<Vec<(&'static str, &'static str, PathBuf)>, Failure> {
        let Self { place: Place { home, state_dir, profile }, config } = self;
        let mut said = Vec::new();
        for (option, variable, path) in [
            ("--home", "OPENCLAW_HOME", home),
            ("--state-dir", "OPENCLAW_STATE_DIR", state_dir),
            ("--config", "OPENCLAW_CONFIG_PATH", config),
        ] {
            if let Some(path) = path {
                said.push((option, variable, in_full(path)?));
            }
        }
        said.extend(profile.iter().map(|name| ("--profile", "OPENCLAW_PROFILE", name.into())));
        Ok(said)
    }
}

/// Takes the name of a file to be made; `-` is none, as it is standard output for others.
pub(crate) fn new_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() {
        name if name == "-" => Err("that is no name of a file here; a file of this name is `./-`"),
        _ => Ok(path),
    })
}

/// A path that means the same in another directory.
pub(crate) fn in_full(path: &Path) -> Result<PathBuf, Failure> {
    absolute(path).map_err(|source| Failure::File { action: "find", path: path.to_owned(), source })
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

/// A payload's role as a word of the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RoleName {
    /// Configuration, credentials, channel logins and sessions.
    State,
    /// The agents' workspaces.
    Workspace,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::State => Self::State,
            RoleName::Workspace => Self::Workspace,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Args;

    #[test]
    fn the_grammar_is_consistent() {
        Args::command().debug_assert();
    }
}
