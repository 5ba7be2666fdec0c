//! Where the agents of an installation work: their workspaces and private directories.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::openclaw::config::{Agent, Config};
use crate::openclaw::environment::expand;
use crate::openclaw::relocate::former;

/// A directory that agents work in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Ids of the agents that use it; empty for a directory that no agent claims.
    pub agents: Vec<String>,
    /// Where it lies; a symbolic link only where that is in nothing else that is stored.
    pub path: PathBuf,
    /// Whether there is a directory.
    pub present: bool,
    /// What the configuration says instead, where it was written for another home.
    pub configured: Option<PathBuf>,
    /// What led there, in a few words.
    pub rule: &'static str,
}

impl Workspace {
    /// Whether the configuration or the environment names it, so that it should be there.
    pub(crate) fn is_named(&self) -> bool {
        self.rule == CONFIGURED || self.rule == NAMED
    }
}

/// An agent's private directory outside the state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDir {
    /// Id of the agent.
    pub agent: String,
    /// Where it lies; exists.
    pub path: PathBuf,
}

/// The places that the rules start from.
pub(crate) struct Place<'a> {
    pub(crate) home: &'a Path,
    pub(crate) state_dir: &'a Path,
    /// No profile is in use.
    pub(crate) default_profile: bool,
    /// Default workspace that the environment names.
    pub(crate) default_workspace: Option<PathBuf>,
}

/// What [`find`] finds.
pub(crate) struct Found {
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) agent_dirs: Vec<AgentDir>,
}

/// Finds all workspaces and agent directories, each directory once.
pub(crate) fn find(config: &Config, place: &Place<'_>) -> Found {
    let mut workspaces: Vec<Workspace> = Vec::new();
    let implicit = [Agent { id: "main".to_owned(), workspace: None, directory: None, legacy: false }];
    let agents = match &config.agents[..] {
        [] => &implicit,
        agents => agents,
    };
    let resolver = Resolver { config, place };
    let choices = agents.iter().enumerate();
    let choices: Vec<Choice> = choices
        .map(|(position, agent)| resolver.workspace(agent, position == config.default_agent))
        .collect();
    let stored: Vec<PathBuf> =
        choices.iter().map(|choice| choice.path.clone()).chain([place.state_dir.to_owned()]).collect();
    for (agent, choice) in agents.iter().zip(choices) {
        let present = choice.path.is_dir();
        // A link that is stored as an entry comes back as one, and leads to where the workspace is then. Any other is
        // not in the archive, and its name is where the configuration looks for the workspace.
        let is_entry = stored.iter().any(|root| *root != choice.path && holds_name(root, &choice.path));
        let path = if is_entry { settle(choice.path, place.home) } else { choice.path };
        match workspaces.iter_mut().find(|other| same(&other.path, &path)) {
            Some(shared) => shared.agents.push(agent.id.clone()),
            None => workspaces.push(Workspace {
                agents: vec![agent.id.clone()],
                path,
                present,
                configured: choice.former,
                rule: choice.rule,
            }),
        }
    }
    for path in named_workspaces(place.state_dir) {
        let path = settle(path, place.home);
        if workspaces.iter().any(|other| same(&other.path, &path)) {
            continue;
        }
        let id = id_of(&path).filter(|id| agents.iter().all(|agent| agent.id != *id));
        workspaces.push(Workspace {
            agents: id.into_iter().collect(),
            path,
            present: true,
            configured: None,
            rule: "lies in the state directory",
        });
    }
    Found { workspaces, agent_dirs: resolver.agent_dirs(agents, &stored) }
}

/// Brings an agent's name into the form of OpenClaw's ids: 1 to 64 of `a-z 0-9 _ -`.
pub(crate) fn agent_id(name: &str) -> String {
    let mut id = String::new();
    for character in name.trim().to_lowercase().chars() {
        match character {
            'a'..='z' | '0'..='9' | '_' | '-' => id.push(character),
            // A run of other characters is one dash.
            _ if !id.ends_with('-') => id.push('-'),
            _ => {}
        }
    }
    let id = id.trim_matches('-');
    let id = &id[..id.len().min(64)];
    if id.is_empty() { "main" } else { id }.to_owned()
}

struct Resolver<'a> {
    config: &'a Config,
    place: &'a Place<'a>,
}

struct Choice {
    path: PathBuf,
    rule: &'static str,
    /// The path that the configuration names, where it was found elsewhere.
    former: Option<PathBuf>,
}

impl Resolver<'_> {
    /// OpenClaw: the agent's own entry; the default agent the default workspace; others a directory
    /// below it if the configuration names one, else beside it in the state directory.
    fn workspace(&self, agent: &Agent, default: bool) -> Choice {
        let named = agent.workspace.as_deref();
        let shared = self.config.default_workspace.as_deref();
        if let Some(text) = named {
            return self.configured(text);
        }
        let other = self.other(agent);
        // Where ownership is explicit, none of several agents has the default workspace, but one that had it may keep it.
        if !default || (self.config.explicit && other.path.is_dir()) {
            return other;
        }
        shared.map_or_else(|| self.default_workspace(), |text| self.configured(text))
    }

    /// The workspace of an agent that is not the default one, and has no entry for it.
    fn other(&self, agent: &Agent) -> Choice {
        let beside = Choice {
            path: self.place.state_dir.join(format!("workspace-{}", agent.id)),
            rule: "default of the agent",
            former: None,
        };
        let Some(shared) = self.config.default_workspace.as_deref() else {
            let early = self.place.home.join(format!("clawd-{}", agent.id));
            return self.or_early(beside, early);
        };
        let below = Choice {
            path: self.configured(shared).path.join(&agent.id),
            rule: "below the configured default workspace",
            former: None,
        };
        // Releases differ here; what exists tells which one made it.
        let (first, second) = if agent.legacy { (beside, below) } else { (below, beside) };
        if !first.path.is_dir() && second.path.is_dir() { second } else { first }
    }

    fn default_workspace(&self) -> Choice {
        match &self.place.default_workspace {
            Some(path) => Choice { path: path.clone(), rule: NAMED, former: None },
            None => self.or_early(
                Choice {
                    path: self.place.state_dir.join("workspace"),
                    rule: "default workspace",
                    former: None,
                },
                self.place.home.join("clawd"),
            ),
        }
    }

    /// OpenClaw: releases of January 2026 had the workspaces in the home directory.
    fn or_early(&self, choice: Choice, early: PathBuf) -> Choice {
        if self.place.default_profile && !choice.path.is_dir() && early.is_dir() {
            return Choice { path: early, rule: "default of early releases", former: None };
        }
        choice
    }

    fn configured(&self, text: &str) -> Choice {
        let (path, former) = self.resolve(text);
        let rule = if former.is_some() { "configured for another home" } else { CONFIGURED };
        Choice { path, rule, former }
    }

    /// A configured path where it is on this machine, and as it is configured if that is elsewhere.
    fn resolve(&self, text: &str) -> (PathBuf, Option<PathBuf>) {
        // OpenClaw resolves relative paths from where it was started, which nobody knows
        // afterwards; a service starts in the home directory.
        let path = self.place.home.join(expand(text.as_ref(), self.place.home));
        if !path.is_dir() {
            let (home, state_dir) = (self.place.home, self.place.state_dir);
            if let Some(found) = former::find(&path, self.paths(), state_dir, home) {
                return (found, Some(path));
            }
        }
        (path, None)
    }

    /// Every absolute path that the configuration has for agents.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let agents = self.config.agents.iter();
        agents
            .flat_map(|agent| [&agent.directory, &agent.workspace])
            .chain([&self.config.default_workspace])
            .filter_map(|path| path.as_deref().map(Path::new))
            .filter(|path| path.is_absolute())
    }

    /// OpenClaw: an agent's private directory may lie anywhere, and need not exist.
    fn agent_dirs(&self, agents: &[Agent], stored: &[PathBuf]) -> Vec<AgentDir> {
        let mut found: Vec<AgentDir> = Vec::new();
        for agent in agents {
            let path = if let Some(text) = &agent.directory {
                let path = self.resolve(text).0;
                let is_entry = stored.iter().any(|root| holds_name(root, &path));
                if is_entry { settle(path, self.place.home) } else { path }
            } else {
                // Behind a link in the state directory, which comes back and leads there.
                let path = self.place.state_dir.join("agents").join(&agent.id).join("agent");
                real(&path, self.place.home).unwrap_or(path)
            };
            let state_dir = self.place.state_dir;
            // Nobody expects secrets in a workspace, wherever that is.
            let among_papers =
                |root: &PathBuf| lies_in(&path, root) && lies_in(root, state_dir) && !same(root, state_dir);
            let inside = lies_in(&path, state_dir) && !stored.iter().any(among_papers);
            if path.is_dir() && !inside && found.iter().all(|other| !same(&other.path, &path)) {
                found.push(AgentDir { agent: agent.id.clone(), path });
            }
        }
        found
    }
}

/// Whether the name at the end of a path stands in a directory or below it, wherever it leads.
fn holds_name(directory: &Path, path: &Path) -> bool {
    path.parent().is_some_and(|parent| lies_in(parent, directory))
}

/// What the names of trees have that a restore, or its undoing, kept.
const KEPT: [&[u8]; 2] = [b".before-restore-", b".before-undo-"];

/// Directories of a state directory that are workspaces by their name.
pub(crate) fn named_workspaces(state_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state_dir).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
            // Old trees that a restore kept have such names too.
            let kept = KEPT.iter().any(|mark| name.windows(mark.len()).any(|part| part == *mark));
            let workspace = name == b"workspace" || name.starts_with(b"workspace-");
            workspace && !kept && path.is_dir()
        })
        .collect();
    paths.sort();
    paths
}

/// The agent that a workspace's name tells, where it is exactly an id.
fn id_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if name == "workspace" {
        return Some("main".to_owned());
    }
    let suffix = name.strip_prefix("workspace-")?;
    (agent_id(suffix) == suffix).then(|| suffix.to_owned())
}

/// Follows a symbolic link at the end of a path, so that the directory is known by its own place
/// and not by the link's, which the state directory may hold as an entry.
pub(super) fn settle(path: PathBuf, home: &Path) -> PathBuf {
    if !path.is_symlink() {
        return path;
    }
    real(&path, home).unwrap_or(path)
}

/// Follows all links of a path that exists, and tells it relative to the home as the user knows that, for a restore in
/// another home.
fn real(path: &Path, home: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    match fs::canonicalize(home) {
        Ok(real_home) => Some(real.strip_prefix(real_home).map_or(real.clone(), |below| home.join(below))),
        Err(_) => Some(real),
    }
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(a), Ok(b)) if a == b)
}

pub(super) fn lies_in(path: &Path, directory: &Path) -> bool {
    match (fs::canonicalize(path), fs::canonicalize(directory)) {
        (Ok(path), Ok(directory)) => path.starts_with(directory),
        _ => path.starts_with(directory),
    }
}

const CONFIGURED: &str = "configured";
const NAMED: &str = "named by OPENCLAW_WORKSPACE_DIR";

#[cfg(test)]
mod tests;
