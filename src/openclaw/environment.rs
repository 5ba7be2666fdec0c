//! The variables of the process that decide where OpenClaw looks, read once.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::system::uname;

/// What the process's surroundings say about OpenClaw's places.
///
/// A value, so that tests need no variables of the real process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    account_home: Option<PathBuf>,
    /// The process's other variables may be asked for; they are not kept, since many are secrets.
    of_process: bool,
}

impl Environment {
    /// Reads the variables that matter and the account's home directory.
    #[must_use]
    pub fn current() -> Self {
        let variables =
            NAMES.iter().filter_map(|&name| Some((name.to_owned(), env::var_os(name)?))).collect();
        Self {
            variables,
            // Only looked at where `HOME` is unset, and then this is the user database's word.
            account_home: env::home_dir().filter(|home| home.is_absolute()),
            of_process: true,
        }
    }

    /// Returns surroundings that say nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// The value of a variable as OpenClaw takes it: trimmed, and unset where it is empty or a
    /// JavaScript program's idea of nothing.
    pub(crate) fn value(&self, name: &str) -> Option<OsString> {
        let value = self.variables.get(name)?.as_bytes().trim_ascii();
        let unset = matches!(value, b"" | b"undefined" | b"null");
        (!unset).then(|| OsString::from_vec(value.to_vec()))
    }

    /// The value of any variable, as it is.
    pub(crate) fn any(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned().or_else(|| env::var_os(name).filter(|_| self.of_process))
    }

    /// OpenClaw: home is `OPENCLAW_HOME`, else `HOME`, else `USERPROFILE`, else the account's.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let system = self
            .value("HOME")
            .or_else(|| self.value("USERPROFILE"))
            .map(PathBuf::from)
            .or_else(|| self.account_home.clone());
        match self.value("OPENCLAW_HOME") {
            Some(own) => match &system {
                Some(system) => Some(expand(&own, system)),
                None => Some(own.into()),
            },
            None => system,
        }
    }

    /// The directories for temporary files that a process of this user may use.
    pub(crate) fn temporary(&self) -> Vec<PathBuf> {
        let own = self.value("TMPDIR").map(PathBuf::from);
        // A service has other variables than this process.
        let usual = PathBuf::from("/tmp");
        own.into_iter().filter(|own| *own != usual).chain([usual.clone()]).collect()
    }

    /// The user's name.
    pub(crate) fn user(&self) -> Option<String> {
        let name = self.value("USER").or_else(|| self.value("LOGNAME"))?;
        Some(name.to_string_lossy().into_owned())
    }
}

/// The name of this machine.
pub(crate) fn host() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

/// Replaces a leading `~` by `home`.
pub(crate) fn expand(path: &OsStr, home: &Path) -> PathBuf {
    match path.as_bytes() {
        b"~" => home.to_owned(),
        [b'~', b'/', rest @ ..] => home.join(OsStr::from_bytes(rest)),
        _ => path.into(),
    }
}

const NAMES: [&str; 15] = [
    "OPENCLAW_HOME",
    "OPENCLAW_STATE_DIR",
    "CLAWDBOT_STATE_DIR",
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_WORKSPACE_DIR",
    "OPENCLAW_OAUTH_DIR",
    "OPENCLAW_INCLUDE_ROOTS",
    "OPENCLAW_GATEWAY_PORT",
    "OPENCLAW_PROFILE",
    "HOME",
    "USERPROFILE",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "PATH",
];

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Environment;

    #[test]
    fn home_follows_the_precedence() {
        let home = |environment: &Environment| environment.home();
        let environment = Environment::empty();
        assert_eq!(home(&environment), None);
        let environment = environment.with("USERPROFILE", "/u");
        assert_eq!(home(&environment), Some(PathBuf::from("/u")));
        let environment = environment.with("HOME", "/h");
        assert_eq!(home(&environment), Some(PathBuf::from("/h")));
        let environment = environment.with("OPENCLAW_HOME", " ~/oc ");
        assert_eq!(home(&environment), Some(PathBuf::from("/h/oc")));
        for nothing in ["", "  ", "undefined", "null"] {
            let environment = environment.clone().with("OPENCLAW_HOME", nothing);
            assert_eq!(home(&environment), Some(PathBuf::from("/h")));
        }
    }
}
