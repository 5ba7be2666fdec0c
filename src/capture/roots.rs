//! Turns an installation into the roots of an archive.
//!
//! Every directory belongs to exactly one root: one that lies inside another is known by its
//! identity and left out of the enclosing one (spec §8.2).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, statat};

use crate::capture::CaptureOptions;
use crate::capture::meta::{Id, Meta};
use crate::capture::missed::Patience;
use crate::error::{Error, Result};
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
    /// The state directory itself is left out.
    pub(crate) only_config: bool,
    pub(crate) patience: Patience,
}

/// A root before it is read.
#[derive(Debug)]
pub(crate) struct PlannedRoot {
    pub(crate) role: Role,
    pub(crate) path: ArchivePath,
    pub(crate) source: PathBuf,
    /// The files that are taken of a directory that holds others as well, ascending; `None` is all.
    pub(crate) only: Option<Vec<Vec<u8>>>,
    agents: Vec<String>,
}

impl PlannedRoot {
    /// Where what has a name in it lies.
    pub(crate) fn place_of(&self, path: &ArchivePath) -> PathBuf {
        let below = path.relative_to(&self.path).unwrap_or_default();
        self.source.join(OsStr::from_bytes(below))
    }
}

impl Scope {
    /// Plans the roots of an installation.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a pattern that does not parse;
    /// [`NotFound`](crate::ErrorKind::NotFound) where only a configuration is wanted that is not there.
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
            only_config: options.only_config,
            patience: Patience::default(),
        };
        if !options.only_config {
            scope.directories(installation, observer)?;
        } else if installation.config.is_none() {
            let what = format!("no configuration file in `{}`", installation.state_dir.display());
            return Err(Error::NotFound { what });
        }
        scope.configuration(installation)?;
        scope.roots.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(scope)
    }

    /// Plans what is stored with all that is in it.
    fn directories(&mut self, installation: &Installation, observer: &dyn Observer) -> Result<()> {
        self.directory(Role::State, "state", &installation.state_dir, vec![], observer)?;
        for agent in &installation.agent_dirs {
            let (name, agents) = (format!("agent/{}", agent.agent), vec![agent.agent.clone()]);
            self.directory(Role::State, &name, &agent.path, agents, observer)?;
        }
        if let Some(credentials) = &installation.credentials {
            self.directory(Role::State, "credentials", credentials, vec![], observer)?;
        }
        // Agents' own workspaces first: their ids make the names.
        let (claimed, others): (Vec<_>, Vec<_>) = installation
            .workspaces
            .iter()
            // One that is named and not there is told of in the archive.
            .filter(|workspace| workspace.present || workspace.is_named())
            .partition(|workspace| !workspace.agents.is_empty());
        let mut names = HashSet::new();
        for workspace in claimed.into_iter().chain(others) {
            let name = format!("workspace/{}", unused_name(workspace, &mut names));
            let agents = workspace.agents.clone();
            self.directory(Role::Workspace, &name, &workspace.path, agents, observer)?;
        }
        Ok(())
    }

    /// Plans the files of the configuration, as far as they are not stored with the state directory: those in a workspace
    /// within it are not, and nobody expects secrets there.
    fn configuration(&mut self, installation: &Installation) -> Result<()> {
        let named = |name, file: &'_ Option<PathBuf>| file.clone().map(|file| (Some(name), file));
        let own = [
            named("config", &installation.config),
            named("config", &installation.env_file),
            named("env", &installation.gateway_env),
        ];
        let includes = installation.includes.iter().map(|file| (None, file.clone()));
        let mut others = 0;
        for (name, file) in own.into_iter().flatten().chain(includes) {
            for place in places(&file) {
                if self.only_config || !self.is_of_state(&place) {
                    self.file(name, &place, &mut others)?;
                }
            }
        }
        Ok(())
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

    /// Whether a root holds what lies at a place, which is one without links.
    pub(crate) fn holds(&self, place: &Path) -> bool {
        let below = || place.ancestors().filter_map(identity).any(|id| self.directories.contains_key(&id));
        let alone = || {
            let parent = identity(place.parent()?)?;
            self.root_of_file(parent, place.file_name()?.as_bytes())
        };
        alone().is_some() || below()
    }

    /// Whether what lies at a place, which is one without links, is stored with the state directory itself.
    fn is_of_state(&self, place: &Path) -> bool {
        let mut above = place.ancestors().skip(1).filter_map(identity);
        above.find_map(|id| self.directories.get(&id)).is_some_and(|root| root.as_bytes() == b"state")
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

    /// Plans a file, each once: in the root of this name where that stands for the file's directory or
    /// for none yet, else in one of the numbered others.
    fn file(&mut self, name: Option<&str>, place: &Path, others: &mut u64) -> Result<()> {
        let (Some(source), Some(file)) = (place.parent(), place.file_name()) else {
            return Ok(());
        };
        let key = identity(source).map(|id| (id, file.as_bytes().to_vec()));
        if key.as_ref().is_some_and(|key| self.files.contains_key(key)) {
            return Ok(());
        }
        let name = name.map(|name| ArchivePath::parse(name.as_bytes())).transpose()?;
        let known = self.roots.iter_mut().find(|root| Some(&root.path) == name.as_ref());
        let path = match (known, name) {
            (Some(PlannedRoot { path, source: same, only: Some(names), .. }), _) if same == source => {
                names.push(file.as_bytes().to_vec());
                names.sort();
                path.clone()
            }
            (known, name) => {
                let path = if let Some(name) = name.filter(|_| known.is_none()) {
                    name
                } else {
                    *others += 1;
                    ArchivePath::parse(format!("include/{}", *others - 1).as_bytes())?
                };
                self.roots.push(PlannedRoot {
                    role: Role::State,
                    path: path.clone(),
                    source: source.to_owned(),
                    only: Some(vec![file.as_bytes().to_vec()]),
                    agents: Vec::new(),
                });
                path
            }
        };
        self.files.extend(key.map(|key| (key, path)));
        Ok(())
    }
}

/// Where a file lies: its own place, and where that is a link those that it leads to, to the last.
fn places(file: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut next = Some(file.to_owned());
    while let Some(path) = next.take().filter(|_| places.len() < MAX_LINKS) {
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
            let parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
            next = fs::read_link(parent.join(name)).ok().map(|target| parent.join(target));
            places.push(parent.join(name));
        }
    }
    places
}

/// What the system follows.
const MAX_LINKS: usize = 40;

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
