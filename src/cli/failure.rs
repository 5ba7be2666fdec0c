//! How a command ends badly: exit codes and hint lines, which live only here.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ocbak::{Error, ErrorKind, Lookalike, sanitize};

use super::ui::{Ui, lines};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Done, but something should have been in or needs a look.
    Attention = 3,
    Damaged = 4,
    NoKey = 5,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
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
    /// Standard output cannot be written.
    Output(io::Error),
    /// A file that the command line itself reads or writes.
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Two options that exclude each other.
    Conflict {
        first: &'static str,
        second: &'static str,
    },
    /// A passphrase is needed, none is given, and nobody is there to ask.
    NobodyToAsk { creating: bool },
    /// A question is to be asked, and nobody is there to ask.
    NotConfirmed,
    /// The question was answered with no.
    Declined,
    /// The passphrase from this place is empty.
    EmptyPassphrase { place: String },
    /// The passphrase from this place cannot be one.
    BadPassphrase { place: String, what: &'static str },
    /// The passphrase from this place is too short to protect anything.
    ShortPassphrase { place: String, least: usize },
    /// The two passphrases typed differ.
    Mismatch,
    /// An archive would be written to a terminal.
    ArchiveToTerminal,
    /// The output would lie inside what it is a backup of.
    InsideSource { output: PathBuf, source: PathBuf },
    /// A directory to write into does not exist.
    NoDirectory { directory: PathBuf },
    /// A pattern is not one.
    BadGlob { glob: String, what: String },
    /// A pattern selects nothing.
    NoMatch { glob: String, file: PathBuf },
    /// A name is not in the archive.
    UnknownName {
        name: String,
        file: PathBuf,
        nearest: Option<String>,
    },
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
    /// Says what happened on stderr, and as the document of `--json`; returns the exit code.
    pub(crate) fn report(&self, ui: &Ui) -> Exit {
        let message = one_line(self);
        let causes: Vec<String> = self.causes();
        let hints: Vec<String> = self.hint().into_iter().collect();
        lines(
            std::iter::once(format!("error: {message}"))
                .chain(causes.iter().map(|cause| format!("caused by: {cause}")))
                .chain(hints.iter().map(|hint| format!("hint: {hint}"))),
        );
        let exit = self.exit();
        ui.json_failure(&message, &causes, &hints, exit as u8);
        exit
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Library(error) | Self::Locating(error) | Self::Targeting(error) => match error
                .kind()
            {
                ErrorKind::Malformed | ErrorKind::Truncated | ErrorKind::Tampered => Exit::Damaged,
                ErrorKind::WrongKey => Exit::NoKey,
                ErrorKind::Interrupted => Exit::Interrupted,
                _ => Exit::Failed,
            },
            Self::Argument(_)
            | Self::Conflict { .. }
            | Self::NobodyToAsk { .. }
            | Self::NotConfirmed
            | Self::ArchiveToTerminal
            | Self::BadGlob { .. }
            | Self::OneFileOnly => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    fn causes(&self) -> Vec<String> {
        let mut next = match self {
            Self::Library(error)
            | Self::Locating(error)
            | Self::Argument(error)
            | Self::Targeting(error) => error.source(),
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

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Locating(error) if error.kind() == ErrorKind::NotFound => {
                "name the installation with `--state-dir DIR`, `--profile NAME` or `--home DIR`"
            }
            Self::Targeting(error) if error.kind() == ErrorKind::Invalid => {
                "a new or empty directory takes any archive: `--to DIR`"
            }
            Self::Library(error)
            | Self::Locating(error)
            | Self::Argument(error)
            | Self::Targeting(error) => {
                return library_hint(error, None);
            }
            Self::Output(source) | Self::File { source, .. } => return system_hint(source),
            Self::NobodyToAsk { creating: true } => {
                "give one with `--passphrase-file FILE`, `--passphrase-fd N` or the variable \
                 `OCBAK_PASSPHRASE`, or encrypt to a public key with `--recipient age1…`"
            }
            Self::NobodyToAsk { creating: false } => {
                "give one with `--passphrase-file FILE`, `--passphrase-fd N` or the variable \
                 `OCBAK_PASSPHRASE`, or a private key with `--identity FILE`"
            }
            Self::NotConfirmed => {
                "look at the plan with `--dry-run`, then give `--yes`; or restore elsewhere with \
                 `--to DIR`"
            }
            Self::EmptyPassphrase { .. } => "a passphrase is the first line, without its newline",
            Self::ShortPassphrase { .. } => {
                "an empty answer at the prompt makes a strong one of ten words"
            }
            Self::ArchiveToTerminal => {
                "redirect it (`> FILE`), or name a file with `--output FILE`"
            }
            Self::InsideSource { .. } => {
                "the next backup would hold this one; name another place with `--output`"
            }
            Self::NoDirectory { .. } => "create it first, or name another one",
            Self::BadGlob { .. } => {
                "`*` matches within a name, `**` any number of directories; put `\\` before a \
                 character that shall mean itself"
            }
            Self::NoMatch { file, .. } => {
                return Some(format!(
                    "patterns match whole names such as `state/openclaw.json`; \
                     `ocbak list {}` shows them all",
                    shown(file)
                ));
            }
            Self::UnknownName {
                nearest: Some(nearest),
                ..
            } => return Some(format!("did you mean `{nearest}`?")),
            Self::UnknownName { file, .. } => {
                return Some(format!("`ocbak list {}` shows all names", shown(file)));
            }
            Self::NotAFile { .. } | Self::OneFileOnly => "several go into a directory: `-C DIR`",
            Self::Conflict { .. }
            | Self::Declined
            | Self::BadPassphrase { .. }
            | Self::Mismatch => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(error)
            | Self::Locating(error)
            | Self::Argument(error)
            | Self::Targeting(error) => error.fmt(f),
            Self::Output(_) => f.write_str("cannot write to standard output"),
            Self::File { action, path, .. } => write!(f, "cannot {action} `{}`", path.display()),
            Self::Conflict { first, second } => {
                write!(f, "{first} and {second} exclude each other")
            }
            Self::NobodyToAsk { .. } => {
                f.write_str("no passphrase is given and there is no terminal to ask for one")
            }
            Self::NotConfirmed => f.write_str(
                "restoring in place needs a yes, and there is no terminal to ask for it",
            ),
            Self::Declined => f.write_str("not restored: nothing was changed"),
            Self::EmptyPassphrase { place } => write!(f, "the passphrase from {place} is empty"),
            Self::BadPassphrase { place, what } => {
                write!(f, "the passphrase from {place} {what}")
            }
            Self::ShortPassphrase { place, least } => write!(
                f,
                "the passphrase from {place} is too short: fewer than {least} characters"
            ),
            Self::Mismatch => f.write_str("the two passphrases differ"),
            Self::ArchiveToTerminal => f.write_str("an archive is not written to a terminal"),
            Self::InsideSource { output, source } => write!(
                f,
                "`{}` lies inside `{}`, which is to be backed up",
                output.display(),
                source.display()
            ),
            Self::NoDirectory { directory } => {
                write!(f, "there is no directory `{}`", directory.display())
            }
            Self::BadGlob { glob, what } => write!(f, "pattern `{glob}`: {what}"),
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

/// Advice for an error of the library about `file`.
fn library_hint(error: &Error, file: Option<&Path>) -> Option<String> {
    let named = file.map_or_else(|| "FILE".to_owned(), shown);
    let hint = match error {
        Error::In { path, source } => return library_hint(source, Some(path)),
        Error::Io { source, .. } => return system_hint(source),
        Error::NoKeyFits { .. } => key_hint(error)?,
        Error::NotAnArchive(lookalike) => match lookalike {
            Lookalike::Empty => "copying it may have failed; take another copy",
            Lookalike::OpenclawArk => "open it with that plugin; ocbak cannot read it",
            Lookalike::Gzip => {
                "an archive of `openclaw backup create` is opened with `openclaw backup restore`"
            }
            Lookalike::Tar { .. } => "`tar -tf` shows what is in it",
            Lookalike::Age => "`age -d` opens it",
            Lookalike::Zstd => "`zstd -d` opens it",
            _ => "archives of ocbak begin with the name `ocbak/manifest.toml`",
        },
        Error::UnsupportedVersion { .. } | Error::UnsupportedFeature { .. } => {
            return Some(format!(
                "a later ocbak reads it; `tar -xOf {named} ocbak/RECOVERY.txt` says how to open \
                 it without ocbak"
            ));
        }
        Error::Malformed { .. } | Error::Truncated { .. } | Error::Tampered { .. } => {
            return Some(format!(
                "`ocbak verify --quick {named}` says what is damaged; another copy of the archive \
                 may be whole"
            ));
        }
        Error::LimitExceeded { what, found, .. } if what.contains("work factor") => {
            return Some(format!(
                "if you trust where the archive comes from, give `--max-work-factor {found}`; each \
                 step doubles time and memory"
            ));
        }
        Error::NotFound { what } if what.contains("nothing matches") => {
            "patterns match whole names such as `state/openclaw.json`; `ocbak list` shows them all"
        }
        Error::AlreadyExists { .. } => {
            "ocbak never overwrites: name another place, or move this one away"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn key_hint(error: &Error) -> Option<&'static str> {
    let Error::NoKeyFits {
        passphrase_slot,
        recipients_slot,
        passphrase_tried,
        identity_tried,
    } = *error
    else {
        return None;
    };
    if recipients_slot && !identity_tried {
        Some(if passphrase_slot {
            "it also has a recipients slot; try `--identity FILE`"
        } else {
            "it has no passphrase slot; give the private key with `--identity FILE`"
        })
    } else if passphrase_slot && !passphrase_tried {
        Some(if recipients_slot {
            "it also has a passphrase slot; try it without `--identity`, or add \
             `--passphrase-file FILE`"
        } else {
            "it has no recipients slot; try it without `--identity`, or give \
             `--passphrase-file FILE`"
        })
    } else {
        None
    }
}

fn system_hint(source: &io::Error) -> Option<String> {
    let hint = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "there is no space left; free some, or name a place on another drive"
        }
        io::ErrorKind::ReadOnlyFilesystem => "that drive is read-only; name a place on another one",
        io::ErrorKind::PermissionDenied => "run ocbak as the user to whom the file belongs",
        io::ErrorKind::FileTooLarge => {
            "the file system there cannot hold a file of this size; name a place on another drive"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn one_line(text: impl fmt::Display) -> String {
    sanitize(text.to_string().as_bytes())
}

fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}
