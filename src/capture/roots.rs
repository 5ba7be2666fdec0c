//! Turns an installation into the roots of an archive.
//!
//! Every directory belongs to exactly one root: one that lies inside another is known by its
//! identity and left out of the enclosing one (spec §8.2).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, statat};

use crate::capture::CaptureOptions;
use crate::capture::meta::{Id, Meta};
use crate::error::Result;
use crate::format::entry::{Role, Root};
use crate::observer::Observer;
use crate::openclaw::policy::Policy;
use crate::openclaw::{Installation, Workspace, agent_id};
use crate::path::ArchivePath;

/// What is captured, and what is not.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) policy: Policy,
    roots: Vec<PlannedRoot>,
    directories: HashMap<Id, ArchivePath>,
    files: HashMap<(Id, Vec<u8>), ArchivePath>,
}

/// A root before it is read.
#[derive(Debug)]
pub(crate) struct PlannedRoot {
    pub(crate) role: Role,
    pub(crate) path: ArchivePath,
    pub(crate) source: PathBuf,
    /// The one file that is taken of a directory that is not OpenClaw's own.
    pub(crate) only: Option<Vec<u8>>,
    agents: Vec<String>,
}

impl Scope {
    /// Plans the roots of an installation.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a pattern that does not parse.
    pub(crate) fn new(
        installation: &Installation,
        options: &CaptureOptions,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut scope = Self {
            policy: Policy::new(&options.exclude, &options.include, options.all)?,
            roots: Vec::new(),
            directories: HashMap::new(),
            files: HashMap::new(),
        };
        let state = &installation.state_dir;
        scope.directory(Role::State, "state", state, vec![], observer)?;
        for agent in &installation.agent_dirs {
            let (name, agents) = (format!("agent/{}", agent.agent), vec![agent.agent.clone()]);
            scope.directory(Role::State, &name, &agent.path, agents, observer)?;
        }
        // Agents' own workspaces first: their ids make the names.
        let (claimed, others): (Vec<_>, Vec<_>) = installation
            .workspaces
            .iter()
            .filter(|workspace| workspace.present)
            .partition(|workspace| !workspace.agents.is_empty());
        let mut names = HashSet::new();
        for workspace in claimed.into_iter().chain(others) {
            let name = format!("workspace/{}", unused_name(workspace, &mut names));
            let agents = workspace.agents.clone();
            scope.directory(Role::Workspace, &name, &workspace.path, agents, observer)?;
        }
        if let Some(config) = &installation.config {
            scope.file("config", config, state)?;
        }
        if let Some(gateway_env) = &installation.gateway_env {
            scope.file("env", gateway_env, state)?;
        }
        let mut outside = 0;
        for include in &installation.includes {
            outside += usize::from(scope.file(&format!("include/{outside}"), include, state)?);
        }
        scope.roots.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(scope)
    }

    /// The roots of a role, ascending.
    pub(crate) fn roots(&self, role: Role) -> impl Iterator<Item = &PlannedRoot> {
        self.roots.iter().filter(move |root| root.role == role)
    }

    /// The same as they stand in the index.
    pub(crate) fn index_roots(&self, role: Role) -> Vec<Root> {
        let root = |root: &PlannedRoot| Root {
            path: root.path.clone(),
            source: root.source.as_os_str().as_bytes().to_vec(),
            agents: root.agents.clone(),
        };
        self.roots(role).map(root).collect()
    }

    /// The root that a directory is.
    pub(crate) fn root_directory(&self, id: Id) -> Option<&ArchivePath> {
        self.directories.get(&id)
    }

    /// The root that a file, by its directory and name, is stored under.
    pub(crate) fn root_of_file(&self, directory: Id, name: &[u8]) -> Option<&ArchivePath> {
        // Nearly always there is no such file at all, and no need for a key.
        if self.files.is_empty() {
            return None;
        }
        self.files.get(&(directory, name.to_vec()))
    }

    fn directory(
        &mut self,
        role: Role,
        name: &str,
        source: &Path,
        agents: Vec<String>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let path = ArchivePath::parse(name.as_bytes())?;
        // One that cannot be looked at stays a root, and the walk says why it is empty.
        if let Some(id) = identity(source) {
            if let Some(other) = self.directories.get(&id) {
                observer
                    .warn(&format!("`{}` is stored as `{other}`, not again as `{name}`", source.display()));
                return Ok(());
            }
            self.directories.insert(id, path.clone());
        }
        self.roots.push(PlannedRoot { role, path, source: source.to_owned(), only: None, agents });
        Ok(())
    }

    /// Plans a root for a file, unless it lies in the state directory; tells whether it did.
    ///
    /// Goes by the file's own place: a link in the state directory is stored as the link that it is.
    fn file(&mut self, name: &str, file: &Path, state_dir: &Path) -> Result<bool> {
        let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let state_dir = fs::canonicalize(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let (Some(source), Some(file_name)) = (file.parent(), file.file_name()) else {
            return Ok(false);
        };
        if file.starts_with(&state_dir) {
            return Ok(false);
        }
        let path = ArchivePath::parse(name.as_bytes())?;
        if let Some(id) = identity(source) {
            let file_name = file_name.as_bytes().to_vec();
            self.files.insert((id, file_name), path.clone());
        }
        self.roots.push(PlannedRoot {
            role: Role::State,
            path,
            source: source.to_owned(),
            only: Some(file_name.as_bytes().to_vec()),
            agents: Vec::new(),
        });
        Ok(true)
    }
}

/// The identity of a directory, links followed.
fn identity(directory: &Path) -> Option<Id> {
    let stat = statat(CWD, directory, AtFlags::empty()).ok()?;
    Some(Meta::of(&stat).id)
}

/// A name for a workspace: its first agent's, else what its own name tells.
fn unused_name(workspace: &Workspace, used: &mut HashSet<String>) -> String {
    let base = workspace.agents.first().cloned().unwrap_or_else(|| {
        let name = workspace.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        agent_id(name.strip_prefix("workspace-").unwrap_or(&name))
    });
    let mut name = base.clone();
    let mut number = 2_u32;
    while !used.insert(name.clone()) {
        let suffix = format!("-{number}");
        // Ids are ASCII, and at most 64 bytes long with the suffix as well.
        let end = base.len().min(64 - suffix.len());
        name = format!("{}{suffix}", &base[..end]);
        number += 1;
    }
    name
}
