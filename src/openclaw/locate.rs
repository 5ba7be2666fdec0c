//! Finds an installation: home, state directory, configuration, profile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};

use crate::error::{Error, Result};
use crate::openclaw::config::Config;
use crate::openclaw::config_file::{config_dir, find_config};
use crate::openclaw::environment::{Environment, expand};
use crate::openclaw::profile;
use crate::openclaw::variables::Variables;
use crate::openclaw::workspaces::{self, AgentDir, Place, Workspace};

/// What the user says about where to look; each part wins over the environment.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Home directory.
    pub home: Option<PathBuf>,
    /// State directory.
    pub state_dir: Option<PathBuf>,
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// Profile, whose state directory is `<home>/.openclaw-NAME`.
    pub profile: Option<String>,
}

impl Search {
    /// Finds every installation in the home: the one that is found without options, and each profile's.
    ///
    /// # Errors
    ///
    /// Those of [`Installation::locate`] where there is none at all.
    pub fn every(&self, environment: &Environment) -> Result<Vec<Self>> {
        let usual = Self { home: self.home.clone(), ..Self::default() };
        let location = Location::find(&usual, environment)?;
        let of = |name: &String| Self { profile: Some(name.clone()), ..usual.clone() };
        let profiles = profile::all(&location.home);
        let others =
            profiles.iter().filter(|name| location.home.join(profile::directory(name)) != location.state_dir);
        let mut all: Vec<Self> = others.map(of).collect();
        if all.is_empty() || location.state_dir.is_dir() {
            all.insert(0, usual);
        }
        Ok(all)
    }
}

/// Where an installation lies, or would lie if there were one.
#[derive(Clone, Debug)]
pub struct Location {
    /// Home directory.
    pub home: PathBuf,
    /// State directory; need not exist.
    pub state_dir: PathBuf,
    profile: Option<String>,
    rule: &'static str,
    /// It is what the environment leads to without options.
    usual: bool,
}

impl Location {
    /// Finds the place, whether or not anything is there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no home;
    /// [`Invalid`](crate::ErrorKind::Invalid) for an impossible profile.
    pub fn find(search: &Search, environment: &Environment) -> Result<Self> {
        let surroundings = environment.home();
        let home = match (&search.home, &surroundings) {
            (Some(home), _) | (None, Some(home)) => full(home)?,
            (None, None) => {
                return Err(Error::NotFound { what: "no home directory is set".to_owned() });
            }
        };
        let profile = search.profile.as_deref().map(profile::parse).transpose()?.flatten();
        let same_home = search.home.is_none() || surroundings.as_ref() == Some(&home);
        let (usual, rule) = usual_state_dir(&home, environment, same_home);
        let usual = full(&usual)?;
        let (state_dir, rule) = match (&search.state_dir, &profile) {
            (Some(given), _) => (full(given)?, "as given"),
            (None, Some(name)) => (home.join(profile::directory(name)), "of the profile"),
            (None, None) => (usual.clone(), rule),
        };
        Ok(Self { usual: same_home && state_dir == usual, home, state_dir, profile, rule })
    }

    /// Where OpenClaw looks for credentials there.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where `OPENCLAW_OAUTH_DIR` is relative to a directory that is gone.
    pub fn credentials(&self, environment: &Environment) -> Result<PathBuf> {
        match environment.value(CREDENTIALS).filter(|_| self.usual) {
            Some(value) => full(&expand(&value, &self.home)),
            None => Ok(self.state_dir.join("credentials")),
        }
    }
}

/// An OpenClaw installation on this machine.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Home directory.
    pub home: PathBuf,
    /// State directory; exists.
    pub state_dir: PathBuf,
    /// What led to the state directory, in a few words.
    pub rule: &'static str,
    /// Configuration file, where there is one.
    pub config: Option<PathBuf>,
    /// Profile, where it is not the default one.
    pub profile: Option<String>,
    /// Profiles with state directories in the same home, where nobody said which is meant.
    pub other_profiles: Vec<String>,
    /// Release that wrote the configuration last.
    pub openclaw_version: Option<String>,
    /// It is a client: the gateway runs on another machine, and most of the state lies there.
    pub remote: bool,
    /// Name of the user, as the environment has it.
    pub user: Option<String>,
    /// Workspaces of all agents, each directory once.
    pub workspaces: Vec<Workspace>,
    /// Agents' private directories outside the state directory.
    pub agent_dirs: Vec<AgentDir>,
    /// Directory of credentials, where it is outside the state directory; need not exist.
    pub credentials: Option<PathBuf>,
    /// `.env` in the configuration's directory, where there is one.
    pub env_file: Option<PathBuf>,
    /// Environment file of the gateway's service, where there is one.
    pub gateway_env: Option<PathBuf>,
    /// Files that the configuration includes, wherever they lie.
    pub includes: Vec<PathBuf>,
    /// Under which paths cron jobs are kept in the shared database, the first being OpenClaw's own choice.
    pub(crate) cron_stores: Vec<PathBuf>,
    /// Where the logins of configured channels are kept.
    pub(crate) logins: Vec<Login>,
    /// Absolute paths in the configuration, behind the names of their settings.
    pub(crate) configured_paths: Vec<(String, String)>,
    /// What a person should look at, one line each.
    pub warnings: Vec<String>,
}

/// The place of a channel's login, whether or not it is there.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) channel: &'static str,
    pub(crate) account: String,
    pub(crate) path: PathBuf,
}

impl Installation {
    /// Finds the installation.
    ///
    /// The environment describes one installation; where the options lead to another state
    /// directory, its variables for the finer places (`OPENCLAW_CONFIG_PATH`,
    /// `OPENCLAW_WORKSPACE_DIR`) do not count.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no home, no state directory or no file at
    /// `search.config`; [`Invalid`](crate::ErrorKind::Invalid) for an impossible profile;
    /// [`Io`](crate::ErrorKind::Io) when the state directory cannot be looked at.
    pub fn locate(search: &Search, environment: &Environment) -> Result<Self> {
        let location = Location::find(search, environment)?;
        let credentials = workspaces::settle(location.credentials(environment)?, &location.home);
        let credentials =
            Some(credentials).filter(|directory| !workspaces::lies_in(directory, &location.state_dir));
        let (home, state_dir) = (location.home, location.state_dir);
        must_be_directory(&state_dir, || others(&home, location.profile.as_deref(), location.rule))?;
        let other_profiles = if is_default(location.rule) { profile::all(&home) } else { Vec::new() };
        let profile = location.profile;
        let variable = |name| environment.value(name).filter(|_| location.usual);

        let mut warnings = Vec::new();
        let chosen = search.state_dir.is_some() || profile.is_some();
        let config =
            find_config(search, variable("OPENCLAW_CONFIG_PATH"), &home, &state_dir, chosen, &mut warnings)?;
        let directory = config_dir(search, config.as_deref(), &state_dir, environment);
        let variables = Variables::new(environment, &home, &directory);
        let settings = match config.as_deref().map(|path| Config::read(path, &variables)) {
            Some(Ok(mut settings)) => {
                warnings.append(&mut settings.problems);
                settings
            }
            Some(Err(problem)) => {
                warnings.push(problem);
                Config::default()
            }
            None => Config::default(),
        };
        let profile = profile
            .or_else(|| profile::of_state_dir(&state_dir))
            .or_else(|| profile::parse(variable("OPENCLAW_PROFILE")?.to_str()?).ok()?);
        let place = Place {
            home: &home,
            state_dir: &state_dir,
            default_profile: profile.is_none(),
            default_workspace: variable("OPENCLAW_WORKSPACE_DIR")
                .map(|value| full(&expand(&value, &home)))
                .transpose()?,
        };
        let own_store = settings.cron_store.as_ref().map(|path| expand(path.as_ref(), &home));
        let cron_stores = [&directory, &state_dir].map(|directory| directory.join("cron/jobs.json"));
        let cron_stores = own_store.into_iter().chain(cron_stores).collect();
        let of_channels = credentials.clone().unwrap_or_else(|| state_dir.join("credentials"));
        let logins = settings.whatsapp.iter().map(|(account, named)| {
            let own = named.as_ref().map(|path| expand(path.as_ref(), &home));
            let directory = own.unwrap_or_else(|| of_channels.join("whatsapp").join(account));
            Login { channel: "whatsapp", account: account.clone(), path: directory.join("creds.json") }
        });
        let logins = logins.collect();
        let found = workspaces::find(&settings, &place);
        // The service's file stands for the home, not for a state directory elsewhere.
        let belongs_to_home = location.usual || state_dir.parent() == Some(&home);
        let env_file = Some(directory.join(".env")).filter(|file| file.is_file());
        let gateway_env = home.join(".config/openclaw/gateway.env");
        let gateway_env = (belongs_to_home && gateway_env.is_file()).then_some(gateway_env);
        Ok(Self {
            user: environment.user(),
            openclaw_version: settings.version,
            remote: settings.remote,
            workspaces: found.workspaces,
            agent_dirs: found.agent_dirs,
            home,
            state_dir,
            rule: location.rule,
            config,
            profile,
            other_profiles,
            credentials,
            env_file,
            gateway_env,
            includes: settings.includes,
            cron_stores,
            logins,
            configured_paths: settings.paths,
            warnings,
        })
    }

    /// Finds the other installations of a home directory than the one in `state_dir`.
    pub(crate) fn neighbours(home: &Path, state_dir: &Path, environment: &Environment) -> Vec<Self> {
        let profiles = profile::all(home).into_iter().map(|name| profile::directory(&name));
        let names = STATE_DIRS.map(ToOwned::to_owned).into_iter().chain(profiles);
        let own = fs::canonicalize(state_dir).ok();
        let mut seen: Vec<PathBuf> = own.into_iter().collect();
        let mut found = Vec::new();
        for directory in names.map(|name| home.join(name)) {
            let Ok(real) = fs::canonicalize(&directory) else { continue };
            if seen.contains(&real) {
                continue;
            }
            seen.push(real);
            let search =
                Search { home: Some(home.to_owned()), state_dir: Some(directory), ..Search::default() };
            found.extend(Self::locate(&search, environment));
        }
        found
    }
}

/// Name, below the state directory, of the database that all agents share.
pub(crate) const SHARED_DATABASE: &str = "state/openclaw.sqlite";

/// OpenClaw: the variable, else the first default directory that exists, else the first one.
fn usual_state_dir(home: &Path, environment: &Environment, same_home: bool) -> (PathBuf, &'static str) {
    let variables = [
        ("OPENCLAW_STATE_DIR", "named by OPENCLAW_STATE_DIR"),
        ("CLAWDBOT_STATE_DIR", "named by CLAWDBOT_STATE_DIR"),
    ];
    for (name, rule) in variables.into_iter().filter(|_| same_home) {
        if let Some(value) = environment.value(name) {
            return (expand(&value, home), rule);
        }
    }
    let older = STATE_DIRS[1..].iter().map(|name| home.join(name)).find(|path| path.is_dir());
    let usual = home.join(STATE_DIRS[0]);
    match older {
        Some(older) if !usual.is_dir() => (older, EARLY_RULE),
        _ => (usual, DEFAULT_RULE),
    }
}

fn must_be_directory(path: &Path, others: impl FnOnce() -> String) -> Result<()> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("open", path, error)),
        _ => Err(Error::NotFound {
            what: format!("no OpenClaw state directory at `{}`{}", path.display(), others()),
        }),
    }
}

/// Which profiles there are, where a default or a profile was looked for in vain.
fn others(home: &Path, profile: Option<&str>, rule: &str) -> String {
    if profile.is_none() && !is_default(rule) {
        return String::new();
    }
    let names = profile::all(home);
    match names.len() {
        0 => String::new(),
        1 => format!("; there is the profile `{}`", names[0]),
        _ => format!("; there are the profiles `{}`", names.join("`, `")),
    }
}

/// Nobody named the state directory.
fn is_default(rule: &str) -> bool {
    rule == DEFAULT_RULE || rule == EARLY_RULE
}

pub(super) fn full(path: &Path) -> Result<PathBuf> {
    absolute(path).map_err(|error| Error::io("resolve", path, error))
}

const CREDENTIALS: &str = "OPENCLAW_OAUTH_DIR";
const DEFAULT_RULE: &str = "default directory";
const EARLY_RULE: &str = "default of early releases";
/// Default state directories, newest first.
pub(super) const STATE_DIRS: [&str; 4] = [".openclaw", ".clawdbot", ".moldbot", ".moltbot"];

#[cfg(test)]
mod tests;
