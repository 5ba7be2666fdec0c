//! The one error type of the library and its kinds.
//!
//! An error says what happened, with the facts; what to do about it is said by the command line alone.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file is something else than an ocbak archive.
    NotAnArchive(Lookalike),
    /// The archive is of a later version of the format.
    UnsupportedVersion {
        /// Version that the manifest names.
        found: u64,
    },
    /// The archive needs a feature that this program does not have.
    UnsupportedFeature {
        /// Name in the manifest's `features`.
        feature: String,
    },
    /// The bytes do not follow the format.
    Malformed {
        /// What is wrong, with the member's name.
        what: String,
    },
    /// The file or a member ends early.
    Truncated {
        /// What ends early.
        what: String,
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Parts of an archive are not there.
    MissingParts {
        /// The first of them.
        first: PathBuf,
        /// How many in a row.
        count: u64,
    },
    /// A digest, an authentication code or a cross-check does not hold.
    Tampered {
        /// What does not hold.
        what: String,
    },
    /// No key slot opens with the keys given.
    NoKeyFits {
        /// The archive has a passphrase slot.
        passphrase_slot: bool,
        /// The archive has a recipients slot.
        recipients_slot: bool,
        /// A passphrase was among the keys tried.
        passphrase_tried: bool,
        /// An identity was among the keys tried.
        identity_tried: bool,
    },
    /// The passphrase that protects a private key is another one.
    WrongPassphrase,
    /// Something is larger than the limits allow.
    LimitExceeded {
        /// What is too large.
        what: String,
        /// Largest value allowed.
        limit: u64,
        /// Value found.
        found: u64,
    },
    /// The caller gave something that cannot be used.
    Invalid {
        /// What was given and why it cannot be used.
        what: String,
    },
    /// Something that was asked for does not exist.
    NotFound {
        /// What was looked for, and where.
        what: String,
    },
    /// A file that must not be replaced exists.
    AlreadyExists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    Io {
        /// What was being done, as a verb in the infinitive: `read`, `create`.
        action: &'static str,
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// The system's word.
        source: io::Error,
    },
    /// The observer asked to stop.
    Interrupted,
    /// An error about one file.
    In {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: Box<Error>,
    },
}

/// The class of an [`Error`]; never mixed with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Not an ocbak archive at all.
    NotAnArchive,
    /// A valid archive that this program is too old for.
    Unsupported,
    /// Bytes against the grammar.
    Malformed,
    /// The end is missing.
    Truncated,
    /// Well-formed, but a digest or the authentication does not hold.
    Tampered,
    /// No key fits.
    WrongKey,
    /// Over a limit.
    LimitExceeded,
    /// Unusable input of the caller.
    Invalid,
    /// Not there.
    NotFound,
    /// Already there.
    AlreadyExists,
    /// The operating system.
    Io,
    /// Stopped by the observer.
    Interrupted,
}

/// What a file that is not an ocbak archive looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// No bytes at all.
    Empty,
    /// The `OCBAK1` container of the openclaw-ark plugin, another program's format.
    OpenclawArk,
    /// A tar archive whose first member has another name.
    Tar {
        /// Name of the first member, sanitised.
        first: String,
    },
    /// A gzip stream, such as the archives of `openclaw backup create`.
    Gzip,
    /// A bare age file.
    Age,
    /// A bare zstd stream.
    Zstd,
    /// What an ocbak archive leaves behind whose header regions are both lost.
    Headless,
    /// Nothing known.
    Unknown,
}

impl Error {
    /// Returns the class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnArchive(_) => ErrorKind::NotAnArchive,
            Self::UnsupportedVersion { .. } | Self::UnsupportedFeature { .. } => ErrorKind::Unsupported,
            Self::Malformed { .. } => ErrorKind::Malformed,
            Self::Truncated { .. } | Self::MissingParts { .. } => ErrorKind::Truncated,
            Self::Tampered { .. } => ErrorKind::Tampered,
            Self::NoKeyFits { .. } | Self::WrongPassphrase => ErrorKind::WrongKey,
            Self::LimitExceeded { .. } => ErrorKind::LimitExceeded,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::Io { .. } => ErrorKind::Io,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::In { source, .. } => source.kind(),
        }
    }

    /// Whether bytes are not what they were: what else there is may be whole.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Malformed | ErrorKind::Truncated | ErrorKind::Tampered | ErrorKind::LimitExceeded
        )
    }

    /// Names the file that this error is about.
    #[must_use]
    pub fn within(self, path: &Path) -> Self {
        match self {
            // These name their file themselves, or have none.
            Self::In { .. }
            | Self::Io { path: Some(_), .. }
            | Self::AlreadyExists { .. }
            | Self::MissingParts { .. }
            | Self::Interrupted => self,
            Self::Io { action, source, .. } => Self::io(action, path, source),
            other => Self::In { path: path.to_owned(), source: Box::new(other) },
        }
    }

    /// An error of the operating system about a file.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: Some(path.to_owned()), source }
    }

    /// An error of the operating system where the caller knows the file.
    pub(crate) fn stream(action: &'static str, source: io::Error) -> Self {
        // An error of ours that travelled through `std::io` comes out as it went in.
        match source.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Io { action, path: None, source },
        }
    }

    /// A violation of the grammar.
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    /// A cross-check that does not hold.
    pub(crate) fn tampered(what: impl Into<String>) -> Self {
        Self::Tampered { what: what.into() }
    }

    /// Unusable input.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { path: None, source, .. } => source,
            other => Self::other(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArchive(lookalike) => write!(f, "not an ocbak archive: {lookalike}"),
            Self::UnsupportedVersion { found } => {
                write!(f, "archive of format version {found}; this program reads version 1")
            }
            Self::UnsupportedFeature { feature } => {
                write!(f, "archive needs the feature `{feature}`, which this program does not have")
            }
            Self::Malformed { what }
            | Self::Tampered { what }
            | Self::Invalid { what }
            | Self::NotFound { what } => f.write_str(what),
            Self::Truncated { what, expected, found } => {
                write!(f, "{what} ends early: {found} bytes of {expected}")
            }
            Self::MissingParts { first, count: 1 } => write!(f, "`{}` is missing", first.display()),
            Self::MissingParts { first, count } => {
                write!(f, "`{}` is missing, and the {} parts after it", first.display(), count - 1)
            }
            Self::NoKeyFits { passphrase_tried, identity_tried, .. } => {
                f.write_str(match (passphrase_tried, identity_tried) {
                    (true, false) => "no key slot opens with this passphrase",
                    (false, true) => "no key slot opens with these identities",
                    (true, true) => "no key slot opens with this passphrase or these identities",
                    (false, false) => "no key was given",
                })
            }
            Self::WrongPassphrase => f.write_str("does not open with this passphrase"),
            Self::LimitExceeded { what, limit, found } => {
                write!(f, "{what} is {found}, more than the limit of {limit}")
            }
            Self::AlreadyExists { path } => write!(f, "`{}` exists already", path.display()),
            Self::Io { action, path: Some(path), .. } => write!(f, "cannot {action} `{}`", path.display()),
            Self::Io { action, .. } => write!(f, "cannot {action}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::In { path, source } => write!(f, "`{}`: {source}", path.display()),
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::OpenclawArk => {
                f.write_str("this is an `OCBAK1` file of the openclaw-ark plugin, another program's format")
            }
            Self::Tar { first } => write!(f, "this is a tar archive that begins with `{first}`"),
            Self::Gzip => f.write_str("this is a gzip file"),
            Self::Age => f.write_str("this is a bare age file"),
            Self::Zstd => f.write_str("this is a bare zstd file"),
            Self::Headless => f.write_str(
                "this was one, but both copies of its header region are lost, and with them the key slots and \
                 the manifest",
            ),
            Self::Unknown => f.write_str("the file begins with unknown bytes"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            // Its text is part of `Display` already.
            Self::In { source, .. } => std::error::Error::source(source.as_ref()),
            _ => None,
        }
    }
}
