//! The config file: options that need not be given in every call.
//!
//! What stands in it becomes words of the command line ([`words`]), so that no command knows where an option comes from;
//! what the user writes there wins. No secret is in it: it says where a passphrase is kept.

mod rehearse;
mod show;
mod words;

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Unusable, Why};
use super::nearest::nearest_word;

pub(crate) use rehearse::{blame, rehearse};
pub(crate) use show::{Args, run};
pub(crate) use words::extend;

/// What a config file says. Each may be left out.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The directory that archives go to: `create --output`, and what `list`, `verify` and `prune` look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<Place>,
    /// `--recipient` of new archives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients: Vec<String>,
    /// `--recipients-file` of new archives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recipients_files: Vec<Place>,
    /// `--passphrase-file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    passphrase_file: Option<Place>,
    /// `--passphrase-command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    passphrase_command: Option<String>,
    /// `--identity`, for what opens archives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    identities: Vec<Place>,
    /// `create --exclude`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<String>,
    /// `--level` of new archives.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u32>,
    /// `--parity` of new archives.
    #[serde(skip_serializing_if = "Option::is_none")]
    parity: Option<u32>,
    /// `prune --keep-…`.
    #[serde(skip_serializing_if = "Keep::is_empty")]
    pub(crate) keep: Keep,
}

/// What `prune` keeps.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case", expecting = "a table `[keep]`")]
pub(crate) struct Keep {
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hourly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weekly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yearly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<String>,
}

/// A path that means the same wherever the program is started.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Place(PathBuf);

/// A config file and what it says.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    /// There is such a file.
    pub(crate) exists: bool,
    /// Somebody else may write to it.
    shared: bool,
    pub(crate) config: Config,
}

impl Loaded {
    /// Reads the file that the user names, or the one at its usual place, which need not exist.
    ///
    /// # Errors
    ///
    /// `File` and `Config`.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = named.map(Path::to_owned).or_else(usual_place) else {
            return Ok(Self {
                path: PathBuf::new(),
                exists: false,
                shared: false,
                config: Config::default(),
            });
        };
        let failed = |source| Failure::File { action: "read", path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, exists: false, shared: false, config: Config::default() });
            }
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        let mut bytes = Vec::new();
        file.by_ref().take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        let is_long = bytes.len() as u64 > LONGEST;
        let text = match String::from_utf8(bytes) {
            Ok(text) if !is_long => text,
            text => {
                let what = if text.is_err() && !is_long {
                    "is not UTF-8"
                } else {
                    "is longer than 64 KiB, which no config file is"
                };
                let why = Why::Wrong { line: None, what: what.to_owned(), nearest: None };
                return Err(Failure::Config(Unusable { path, why }));
            }
        };
        refuse_private_keys(&path, &text)?;
        let config = toml::from_str(&text).map_err(|error| wrong(&path, &text, &error))?;
        let shared = metadata.is_file() && metadata.permissions().mode() & 0o022 != 0;
        Ok(Self { path, exists: true, shared, config })
    }

    /// What to say about the file itself.
    pub(crate) fn warning(&self) -> Option<String> {
        let path = self.path.display();
        self.shared.then(|| {
            format!(
                "others may write to `{path}`, which says what is encrypted to which keys; `chmod go-w` it"
            )
        })
    }
}

impl Config {
    /// Says by what a new archive is encrypted without anybody being asked.
    pub(crate) fn seals(&self) -> bool {
        !self.recipients.is_empty()
            || !self.recipients_files.is_empty()
            || self.passphrase_file.is_some()
            || self.passphrase_command.is_some()
    }
}

impl Keep {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl TryFrom<String> for Place {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let path = match text.strip_prefix("~/") {
            Some(below) => home().ok_or("`~` needs the variable `HOME`")?.join(below),
            None => PathBuf::from(text),
        };
        if path.is_absolute() { Ok(Self(path)) } else { Err("a path here begins with `/` or `~/`") }
    }
}

/// Before anything could repeat it: `ocbak config` shows what stands in the file, and errors do.
fn refuse_private_keys(path: &Path, text: &str) -> Result<(), Failure> {
    let holds_one = |line: &str| {
        let line = line.to_ascii_uppercase();
        PRIVATE.iter().any(|mark| line.contains(mark))
    };
    let Some(line) = text.lines().position(holds_one) else { return Ok(()) };
    let what = "a private key stands here: remove it, and name the file that holds it in `identities`; a recipient is a public key"
        .to_owned();
    let why = Why::Wrong { line: Some(line + 1), what, nearest: None };
    Err(Failure::Config(Unusable { path: path.to_owned(), why }))
}

/// Tells what is wrong in which line.
fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    let message = error.message();
    // Serde names the unknown field first and then those that it knows.
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = message.strip_prefix("unknown field `").and_then(|_| names.next());
    let what = match unknown {
        Some(key) => format!("`{key}` is no key of it"),
        // Serde calls numbers by their types.
        None => {
            message.lines().collect::<Vec<_>>().join(", ").replace("expected u32", "expected a whole number")
        }
    };
    let nearest = unknown.and_then(|key| nearest_word(key, names)).map(ToOwned::to_owned);
    Failure::Config(Unusable { path: path.to_owned(), why: Why::Wrong { line, what, nearest } })
}

/// By the XDG base directory specification.
fn usual_place() -> Option<PathBuf> {
    let base = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    Some(base.or_else(|| Some(home()?.join(".config")))?.join("ocbak/config.toml"))
}

fn home() -> Option<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())
}

const LONGEST: u64 = 64 * 1024;
/// What private keys of age and SSH begin with.
const PRIVATE: [&str; 2] = ["AGE-SECRET-KEY-", "PRIVATE KEY-----"];
