//! What `openclaw backup create` writes about a backup, and which roots its paths make.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::openclaw::{agent_id, profile};
use crate::path::ArchivePath;

/// The `manifest.json` of a backup.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeManifest {
    pub(crate) created_at: String,
    /// First component of all names.
    pub(crate) archive_root: String,
    #[serde(default)]
    runtime_version: Option<String>,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    options: Options,
    paths: Paths,
    assets: Vec<Asset>,
    #[serde(default)]
    pub(crate) skipped: Vec<NativeSkipped>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    include_workspace: bool,
    only_config: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { include_workspace: true, only_config: false }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paths {
    state_dir: PathBuf,
    #[serde(default)]
    config_path: Option<PathBuf>,
    #[serde(default)]
    workspace_dirs: Vec<PathBuf>,
    #[serde(default)]
    agent_roots: Vec<AgentRoot>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgentRoot {
    agent_id: String,
    source_path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    kind: String,
    source_path: PathBuf,
    archive_path: String,
}

/// Something that a backup says it has not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeSkipped {
    pub(crate) kind: String,
    pub(crate) source_path: PathBuf,
    pub(crate) reason: String,
}

impl NativeSkipped {
    /// It is in the backup all the same, within something else.
    pub(crate) fn is_covered(&self) -> bool {
        self.reason == "covered"
    }
}

/// A root that a backup has, and the directory that it stands for.
#[derive(Clone, Debug)]
pub(crate) struct NativeRoot {
    pub(crate) role: Role,
    pub(crate) path: ArchivePath,
    pub(crate) source: PathBuf,
    pub(crate) agents: Vec<String>,
    /// It stands for the whole directory, not for single names in it.
    pub(crate) whole: bool,
}

impl NativeManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// `Invalid` for another version of it, a backup of Windows, or what is no such manifest.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let invalid =
            |error| Error::invalid(format!("`manifest.json` is none of `openclaw backup`: {error}"));
        let value: Value = serde_json::from_slice(json).map_err(invalid)?;
        match &value["schemaVersion"] {
            version if *version == 1 => {}
            Value::Null => return Err(Error::invalid("`manifest.json` names no version of its schema")),
            other => {
                let version = other.to_string().escape_debug().to_string();
                return Err(Error::invalid(format!(
                    "a backup of schema version {version}; this program reads version 1"
                )));
            }
        }
        let manifest: Self = serde_json::from_value(value).map_err(invalid)?;
        let paths = &manifest.paths;
        let sources = manifest.assets.iter().map(|asset| &asset.source_path);
        for path in sources.chain([&paths.state_dir]).chain(&paths.workspace_dirs) {
            let normal = |component| matches!(component, Component::RootDir | Component::Normal(_));
            if !path.is_absolute() || !path.components().all(normal) {
                let path = path.display().to_string();
                return Err(Error::invalid(format!("`{}` is no absolute path of Unix", path.escape_debug())));
            }
        }
        let wrong = |asset: &&Asset| {
            let (prefix, place) = (manifest.prefix(), asset.source_path.display());
            asset.archive_path.trim_end_matches('/') != format!("{prefix}{place}").trim_end_matches('/')
        };
        match manifest.assets.iter().find(wrong) {
            Some(asset) => {
                let path = asset.archive_path.escape_debug();
                Err(Error::malformed(format!("`{path}` in `manifest.json` does not fit where it comes from")))
            }
            None => Ok(manifest),
        }
    }

    /// What stands before the absolute path in the names of all that is backed up.
    pub(crate) fn prefix(&self) -> String {
        format!("{}/payload/posix", self.archive_root)
    }

    /// What was backed up, each with all below it.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Path> {
        self.assets.iter().map(|asset| asset.source_path.as_path())
    }

    /// Tells whether a path was to be backed up, or leads to one that was.
    pub(crate) fn covers(&self, path: &Path) -> Covered {
        let mut sources = self.assets.iter().map(|asset| &asset.source_path);
        if sources.clone().any(|source| path.starts_with(source)) {
            Covered::Yes
        } else if sources.any(|source| source.starts_with(path)) {
            Covered::Above
        } else {
            Covered::No
        }
    }

    /// The roots, ascending by name.
    ///
    /// # Errors
    ///
    /// `Malformed` when an id breaks the rules of names.
    pub(crate) fn roots(&self) -> Result<Vec<NativeRoot>> {
        let mut roots = Roots::default();
        let paths = &self.paths;
        for asset in &self.assets {
            let source = &asset.source_path;
            match asset.kind.as_str() {
                "state" => roots.add(Role::State, "state", source, vec![])?,
                "credentials" => roots.add(Role::State, "credentials", source, vec![])?,
                "workspace" => {}
                "agent" => {
                    let known = paths.agent_roots.iter().find(|agent| agent.source_path == *source);
                    match known.map(|agent| agent_id(&agent.agent_id)) {
                        Some(id) => roots.add(Role::State, &format!("agent/{id}"), source, vec![id])?,
                        None => roots.single(None, source)?,
                    }
                }
                "config" => roots.single(Some("config"), source)?,
                _ => roots.single(None, source)?,
            }
        }
        let stored = self.assets.iter().filter(|asset| asset.kind == "workspace");
        let mut seen = HashSet::new();
        for source in paths.workspace_dirs.iter().chain(stored.map(|asset| &asset.source_path)) {
            if seen.insert(source) && self.covers(source) == Covered::Yes {
                let (id, agents) = self.workspace(source);
                let name = roots.unused(&id);
                roots.add(Role::Workspace, &name, source, agents)?;
            }
        }
        roots.0.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(roots.0)
    }

    /// OpenClaw: a workspace in the state directory is named after its agent, that of `main` is not.
    fn workspace(&self, source: &Path) -> (String, Vec<String>) {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let own = source.parent() == Some(&self.paths.state_dir);
        match name.strip_prefix("workspace") {
            Some("") if own => ("main".to_owned(), vec!["main".to_owned()]),
            Some(rest) if own && rest.starts_with('-') => (agent_id(rest), vec![agent_id(rest)]),
            _ => (agent_id(&name), vec![]),
        }
    }

    /// What is known of the machine that it comes from.
    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned);
        let state_dir = &self.paths.state_dir;
        let name = state_dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // The default directories, and those of profiles, lie in the home.
        let in_home =
            [".openclaw", ".clawdbot"].contains(&name) || profile::of_state_dir(state_dir).is_some();
        [
            ("home", state_dir.parent().filter(|_| in_home).and_then(text)),
            ("state_dir", text(state_dir)),
            ("config", self.paths.config_path.as_deref().and_then(text)),
            ("profile", profile::of_state_dir(state_dir)),
            ("openclaw_version", self.runtime_version.clone()),
            ("platform", self.platform.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    /// It was asked to leave out the workspaces, which hold more than the configuration.
    pub(crate) fn lacks_workspaces(&self) -> bool {
        !self.options.include_workspace && !self.options.only_config
    }
}

/// Whether a path was to be backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covered {
    Yes,
    /// Only something below it.
    Above,
    No,
}

/// Tells whether a file is the list of the sessions of an old release, whose transcripts lie beside it.
///
/// OpenClaw's backup leaves these transcripts out.
pub(crate) fn lists_sessions(path: &ArchivePath) -> bool {
    path.as_bytes().ends_with(b"/sessions/sessions.json")
}

/// Tells whether a file can be such a transcript.
pub(crate) fn is_transcript(path: &ArchivePath) -> bool {
    path.as_bytes().ends_with(b".jsonl")
}

#[derive(Default)]
struct Roots(Vec<NativeRoot>);

impl Roots {
    fn add(&mut self, role: Role, name: &str, source: &Path, agents: Vec<String>) -> Result<()> {
        if self.0.iter().any(|root| root.path.as_bytes() == name.as_bytes()) {
            return Err(Error::malformed(format!("`manifest.json` has two directories for `{name}`")));
        }
        let path = ArchivePath::parse(name.as_bytes())?;
        self.0.push(NativeRoot { role, path, source: source.to_owned(), agents, whole: true });
        Ok(())
    }

    /// Adds a root for one name in a directory, where there is none for others in it already.
    fn single(&mut self, name: Option<&str>, source: &Path) -> Result<()> {
        let directory = source.parent().unwrap_or(source);
        if self.0.iter().any(|root| !root.whole && root.source == directory) {
            return Ok(());
        }
        let used = |name: &str| self.0.iter().any(|root| root.path.as_bytes() == name.as_bytes());
        let name = match name.filter(|name| !used(name)) {
            Some(name) => name.to_owned(),
            None => (0_u32..=u32::MAX)
                .map(|number| format!("include/{number}"))
                .find(|name| !used(name))
                .unwrap_or_default(),
        };
        self.add(Role::State, &name, directory, vec![])?;
        if let Some(root) = self.0.last_mut() {
            root.whole = false;
        }
        Ok(())
    }

    fn unused(&self, id: &str) -> String {
        let used = |name: &String| self.0.iter().any(|root| root.path.as_bytes() == name.as_bytes());
        // Ids are ASCII, and at most 64 bytes long with a number as well.
        let numbered = (2..).map(|number| format!("workspace/{}-{number}", &id[..id.len().min(50)]));
        let mut names = [format!("workspace/{id}")].into_iter().chain(numbered);
        names.find(|name| !used(name)).unwrap_or_default()
    }
}
