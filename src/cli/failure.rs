//! How a command ends badly: what it says here, its exit code in [`exit`] and hint lines in [`hint`], and nowhere else.

mod config;
mod exit;
mod hint;
mod keys;
pub(crate) mod usage;

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::{Value, json};

use ocbak::{Error, ErrorKind, Holder, sanitize};

use super::ui::{Ui, label, lines, size};
pub(crate) use config::{Unusable, Why};
pub(crate) use exit::{Exit, MEANINGS, meanings};

/// What a passphrase is wanted for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// To open an archive.
    Open,
    /// To make an archive.
    Create,
    /// To take the place of another one.
    New,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the library says.
    Library(Error),
    /// What the library says about finding the installation.
    Locating(Error),
    /// What the library says about a value on the command line.
    Argument(Error),
    /// What the library says about where a restore shall go.
    Targeting(Error),
    /// What the library says about a backup that is to be imported.
    Importing(Error),
    /// Standard output cannot be written.
    Output(io::Error),
    /// A file that the command line itself reads or writes.
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// Two options that exclude each other.
    Conflict { first: &'static str, second: &'static str },
    /// A passphrase is needed, none is given, and nobody is there to ask.
    NobodyToAsk(Wanted),
    /// A passphrase protects a private key, and nobody is there to ask for it.
    ProtectedKey { path: PathBuf },
    /// A question is to be asked, and nobody is there to ask.
    NotConfirmed,
    /// A policy that would keep nothing.
    KeepsNothing,
    /// A file is not what it was a moment ago.
    Changed { path: PathBuf },
    /// The question was answered with no.
    Declined,
    /// The passphrase from this place is empty.
    EmptyPassphrase { place: String },
    /// The passphrase from this place cannot be one.
    BadPassphrase { place: String, what: &'static str },
    /// The command that was to print a passphrase failed.
    PassphraseCommand { place: String, status: ExitStatus },
    /// The passphrase from this place is too short to protect anything.
    ShortPassphrase { place: String, least: usize },
    /// A passphrase for a new archive that nobody could type at a prompt.
    UntypablePassphrase { place: String },
    /// The two passphrases typed differ.
    Mismatch,
    /// An archive would be written to a terminal.
    ArchiveToTerminal,
    /// A file system has no room for the archive.
    NoRoom { directory: PathBuf, needed: u64, free: u64 },
    /// An archive just written reads back as something else.
    ReadBack { path: PathBuf, damage: String },
    /// The output would lie inside what it is a backup of.
    InsideSource { output: PathBuf, source: PathBuf },
    /// A state directory is in use.
    InUse { state_dir: PathBuf, holders: Vec<Holder> },
    /// No restore to a state directory was interrupted.
    NothingInterrupted { state_dir: PathBuf },
    /// A restore was interrupted too early to be finished.
    NotUnpacked { state_dir: PathBuf },
    /// A restore is half taken back.
    HalfUndone { state_dir: PathBuf },
    /// No restore to a state directory can be taken back.
    NothingToUndo { state_dir: PathBuf },
    /// OpenClaw's own checks are asked for, and there is no OpenClaw.
    NoOpenClaw,
    /// A directory to write into does not exist.
    NoDirectory { directory: PathBuf },
    /// A directory is to hold archives, and holds none.
    NoArchives { directory: PathBuf },
    /// A config file cannot be used.
    Config(Unusable),
    /// A path that cannot stand in a unit.
    Unquotable { path: PathBuf },
    /// There is no help on this.
    UnknownTopic { topic: String, nearest: Option<String> },
    /// A pattern is not one.
    BadGlob(Error),
    /// A pattern selects nothing.
    NoMatch { glob: String, file: PathBuf },
    /// A name is not in the archive.
    UnknownName { name: String, file: PathBuf, nearest: Option<String> },
    /// A name is there, but is no file.
    NotAFile { name: String },
    /// Standard output takes exactly one file.
    OneFileOnly,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl Failure {
    /// Names the archive where an error speaks of its bytes; else the error names what it is about.
    pub(crate) fn of_archive(error: Error, file: &Path) -> Error {
        match error.kind() {
            ErrorKind::Malformed | ErrorKind::Truncated | ErrorKind::Tampered => error.within(file),
            _ => error,
        }
    }

    /// Says what happened on stderr, and as the document of `--json`; returns the exit code.
    pub(crate) fn report(&self, ui: &Ui) -> Exit {
        let exit = self.say();
        ui.json_failure(&self.document());
        exit
    }

    /// Says what happened on stderr; returns the exit code.
    pub(crate) fn say(&self) -> Exit {
        // An answer is no error.
        let first = match self {
            Self::Declined => one_line(self),
            _ => format!("{} {}", label("error:").red(), one_line(self)),
        };
        let causes = self.causes();
        let causes = causes.iter().map(|cause| format!("{} {cause}", label("caused by:").dim()));
        let hint = hint::hint(self);
        let hint = hint.iter().map(|hint| format!("{} {hint}", label("hint:").cyan()));
        lines(std::iter::once(first).chain(causes).chain(hint));
        self.exit()
    }

    /// The same facts for `--json`.
    pub(crate) fn document(&self) -> Value {
        json!({
            "message": one_line(self),
            "causes": self.causes(),
            "hints": hint::hint(self).into_iter().collect::<Vec<_>>(),
            "exit_code": self.exit() as u8,
        })
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Library(error)
            | Self::Locating(error)
            | Self::Targeting(error)
            | Self::Importing(error) => match error.kind() {
                ErrorKind::Malformed | ErrorKind::Truncated | ErrorKind::Tampered => Exit::Damaged,
                ErrorKind::WrongKey => Exit::NoKey,
                ErrorKind::Interrupted => Exit::Interrupted,
                // A name on the command line that cannot be one.
                ErrorKind::Invalid if matches!(self, Self::Locating(_)) => Exit::Usage,
                _ => Exit::Failed,
            },
            Self::Argument(_)
            | Self::Conflict { .. }
            | Self::NobodyToAsk(_)
            | Self::ProtectedKey { .. }
            | Self::NotConfirmed
            | Self::KeepsNothing
            | Self::ArchiveToTerminal
            | Self::BadGlob(_)
            | Self::Config(_)
            | Self::Unquotable { .. }
            | Self::UnknownTopic { .. }
            | Self::OneFileOnly => Exit::Usage,
            Self::ReadBack { .. } => Exit::Damaged,
            _ => Exit::Failed,
        }
    }

    fn causes(&self) -> Vec<String> {
        let mut next = match self {
            Self::Library(error)
            | Self::Locating(error)
            | Self::Argument(error)
            | Self::Targeting(error)
            | Self::Importing(error) => error.source(),
            Self::Output(source) | Self::File { source, .. } => {
                return vec![one_line(source)];
            }
            _ => None,
        };
        let mut causes = Vec::new();
        while let Some(cause) = next {
            causes.push(one_line(cause));
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error)
            | Self::Locating(error)
            | Self::Argument(error)
            | Self::Targeting(error)
            | Self::Importing(error)
            | Self::BadGlob(error) => error.fmt(f),
            Self::Output(_) => f.write_str("cannot write to standard output"),
            Self::File { action, path, .. } => write!(f, "cannot {action} `{}`", path.display()),
            Self::Conflict { first, second } => {
                write!(f, "{first} and {second} exclude each other")
            }
            Self::NobodyToAsk(_) => {
                f.write_str("no passphrase is given and there is no terminal to ask for one")
            }
            Self::ProtectedKey { path } => write!(
                f,
                "a passphrase protects the key `{}`, and there is no terminal to ask for it",
                path.display()
            ),
            Self::NotConfirmed => f.write_str("this needs a yes, and there is no terminal to ask for it"),
            Self::KeepsNothing => f.write_str("a policy that keeps nothing removes nothing"),
            Self::Changed { path } => {
                write!(f, "`{}` became another archive meanwhile", path.display())
            }
            Self::Declined => f.write_str("not done: nothing was replaced or removed"),
            Self::EmptyPassphrase { place } => write!(f, "the passphrase from {place} is empty"),
            Self::BadPassphrase { place, what } => {
                write!(f, "the passphrase from {place} {what}")
            }
            Self::PassphraseCommand { place, status } => write!(f, "{place} ended with {status}"),
            Self::UntypablePassphrase { place } => {
                write!(f, "the passphrase from {place} has a control character")
            }
            Self::ShortPassphrase { place, least } => {
                write!(f, "the passphrase from {place} is too short: fewer than {least} characters")
            }
            Self::Mismatch => f.write_str("the two passphrases differ"),
            Self::ArchiveToTerminal => f.write_str("an archive is not written to a terminal"),
            Self::NoRoom { directory, needed, free } => write!(
                f,
                "the archive does not fit into `{}`: about {} are needed, and {} are free",
                directory.display(),
                size(*needed),
                size(*free)
            ),
            Self::ReadBack { path, damage } => {
                write!(f, "`{}` reads back otherwise than it was written: {damage}", path.display())
            }
            Self::InsideSource { output, source } => write!(
                f,
                "`{}` lies inside `{}`, which is to be backed up",
                output.display(),
                source.display()
            ),
            Self::InUse { state_dir, holders } => {
                let holders: Vec<String> = holders.iter().map(ToString::to_string).collect();
                write!(f, "`{}` is in use: {}", state_dir.display(), holders.join(", "))
            }
            Self::NothingInterrupted { state_dir } => {
                write!(f, "no restore to `{}` was interrupted", state_dir.display())
            }
            Self::NotUnpacked { state_dir } => write!(
                f,
                "the restore to `{}` was interrupted before anything was replaced: what it left is removed",
                state_dir.display()
            ),
            Self::HalfUndone { state_dir } => {
                write!(f, "the restore to `{}` is half taken back", state_dir.display())
            }
            Self::NothingToUndo { state_dir } => {
                write!(f, "no restore to `{}` is there to be taken back", state_dir.display())
            }
            Self::NoOpenClaw => f.write_str("there is no `openclaw` in PATH to run its own checks with"),
            Self::NoDirectory { directory } => {
                write!(f, "there is no directory `{}`", directory.display())
            }
            Self::NoArchives { directory } => {
                write!(f, "there is no archive in `{}`", directory.display())
            }
            Self::Config(unusable) => unusable.fmt(f),
            Self::Unquotable { path } => {
                write!(f, "`{}` cannot stand in a unit", path.display())
            }
            Self::UnknownTopic { topic, .. } => write!(f, "there is no help on `{topic}`"),
            Self::NoMatch { glob, file } => {
                write!(f, "`{}`: nothing matches `{glob}`", file.display())
            }
            Self::UnknownName { name, file, .. } => {
                write!(f, "`{}`: no entry `{name}`", file.display())
            }
            Self::NotAFile { name } => {
                write!(f, "`{name}` is not a file, which standard output needs")
            }
            Self::OneFileOnly => f.write_str("`--stdout` takes exactly one file"),
        }
    }
}

fn one_line(text: impl fmt::Display) -> String {
    sanitize(text.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io;

    use ocbak::Error;

    use super::{Exit, Failure};

    #[test]
    fn every_kind_of_error_has_its_exit_code() {
        let what = || "x".to_owned();
        let truncated = Error::Truncated { what: what(), expected: 2, found: 1 };
        let no_key = Error::NoKeyFits {
            passphrase_slot: true,
            recipients_slot: false,
            passphrase_tried: true,
            identity_tried: false,
        };
        for (error, exit) in [
            (Error::Malformed { what: what() }, Exit::Damaged),
            (truncated, Exit::Damaged),
            (Error::Tampered { what: what() }, Exit::Damaged),
            (no_key, Exit::NoKey),
            (Error::UnsupportedVersion { found: 2 }, Exit::Failed),
            (Error::Invalid { what: what() }, Exit::Failed),
            (Error::NotFound { what: what() }, Exit::Failed),
            (Error::Interrupted, Exit::Interrupted),
        ] {
            let error = error.within("box.ocbak".as_ref());
            assert_eq!(Failure::from(error).exit(), exit);
        }
        let error = Error::Invalid { what: what() };
        assert_eq!(Failure::Argument(error).exit(), Exit::Usage);
    }

    #[test]
    fn causes_follow_the_error() {
        let error =
            Error::Io { action: "read", path: Some("f".into()), source: io::Error::other("the reason\x1b") };
        let failure = Failure::from(error);
        assert_eq!(failure.to_string(), "cannot read `f`");
        assert_eq!(failure.causes(), ["the reason\\u{1b}"]);
    }
}
