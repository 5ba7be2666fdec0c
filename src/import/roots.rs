//! Which roots the directories and files of a backup make.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::import::names::Names;
use crate::import::workspaces::{self, Workspace, alone};
use crate::openclaw::agent_id;
use crate::openclaw::native::{Covered, NativeManifest};
use crate::path::ArchivePath;

/// A root that a backup has, and what it stands for.
#[derive(Debug)]
pub(super) struct NativeRoot {
    pub(super) role: Role,
    pub(super) path: ArchivePath,
    /// The directory in the backup, free of links.
    place: PathBuf,
    /// The same as OpenClaw was told of it.
    pub(super) source: PathBuf,
    pub(super) agents: Vec<String>,
    /// It stands for the whole directory, not for single names in it.
    pub(super) whole: bool,
}

impl NativeRoot {
    /// The name of what lies at a place in it.
    pub(super) fn name(&self, place: &Path) -> Result<ArchivePath> {
        match place.strip_prefix(&self.place) {
            Ok(below) if !below.as_os_str().is_empty() => self.path.join(below.as_os_str().as_bytes()),
            _ => Ok(self.path.clone()),
        }
    }

    /// Its own name, were it stored with the root that it lies in.
    pub(super) fn name_in(&self, above: &Self) -> Result<ArchivePath> {
        above.name(&self.place)
    }
}

/// The roots by their names.
#[derive(Debug, Default)]
pub(super) struct Roots {
    list: BTreeMap<ArchivePath, NativeRoot>,
    /// Their names by what they stand for: directories, or names in one.
    places: HashMap<PathBuf, ArchivePath>,
    /// Workspaces of which it is not known which root they are.
    pub(super) lost: Vec<PathBuf>,
}

impl Roots {
    /// Plans the roots of a backup, as [`create`](crate::capture) would for the same installation; `files` are those of
    /// the configuration that are in the backup.
    ///
    /// # Errors
    ///
    /// `Malformed` for a manifest that has two directories for what there is one of.
    pub(super) fn new(
        manifest: &NativeManifest,
        names: &mut Names<'_>,
        files: &HashSet<PathBuf>,
    ) -> Result<Self> {
        let (workspaces, lost) = workspaces::find(manifest, names);
        let mut planned =
            Planned { manifest, names, roots: Self { lost, ..Self::default() }, numbers: HashMap::new() };
        planned.state(files)?;
        planned.elsewhere(&|planned, place| !place.starts_with(&planned.manifest.paths.state_dir))?;
        planned.workspaces(workspaces)?;
        // Nobody expects secrets among an agent's papers.
        let in_workspace = |planned: &Planned<'_, '_>, place: &Path| {
            planned.roots.of(place).is_some_and(|root| root.role == Role::Workspace)
        };
        planned.elsewhere(&in_workspace)?;
        planned.configuration(&in_workspace, files)?;
        Ok(planned.roots)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &NativeRoot> {
        self.list.values()
    }

    /// The innermost root that a place lies in.
    pub(super) fn of(&self, place: &Path) -> Option<&NativeRoot> {
        self.above(place).next()
    }

    /// The same without those for single names.
    pub(super) fn enclosing(&self, place: &Path) -> Option<&NativeRoot> {
        self.above(place).find(|root| root.whole)
    }

    fn above(&self, place: &Path) -> impl Iterator<Item = &NativeRoot> {
        place.ancestors().filter_map(|above| self.list.get(self.places.get(above)?))
    }

    /// The whole directories that lie in others, with these.
    pub(super) fn nested(&self) -> impl Iterator<Item = (&NativeRoot, &NativeRoot)> {
        let whole = self.list.values().filter(|root| root.whole);
        whole.filter_map(|root| Some((root, self.enclosing(root.place.parent()?)?)))
    }

    /// The file that is the configuration, where it is stored apart from the state directory.
    pub(super) fn configuration(&self) -> Option<&Path> {
        let mut places = self.places.iter();
        places.find(|(_, root)| root.as_bytes() == b"config").map(|(place, _)| place.as_path())
    }

    /// Where what has a name lies.
    pub(super) fn place_of(&self, path: &ArchivePath) -> Option<PathBuf> {
        let above = std::iter::successors(Some(path.clone()), ArchivePath::parent);
        let root = { above }.find_map(|name| self.list.get(&name))?;
        Some(root.place.join(OsStr::from_bytes(path.relative_to(&root.path)?)))
    }
}

struct Planned<'a, 'n> {
    manifest: &'a NativeManifest,
    names: &'a Names<'n>,
    roots: Roots,
    /// The number that was used last for a name.
    numbers: HashMap<String, u32>,
}

type Condition<'a> = dyn Fn(&Planned<'_, '_>, &Path) -> bool + 'a;

impl Planned<'_, '_> {
    fn state(&mut self, files: &HashSet<PathBuf>) -> Result<()> {
        let manifest = self.manifest;
        let config = self.config(files);
        let agents = manifest.paths.agent_roots.iter();
        let agents: HashMap<&Path, &str> =
            agents.map(|agent| (agent.source_path.as_path(), agent.agent_id.as_str())).collect();
        // Others of one directory share a root.
        let mut shared: HashMap<&Path, ArchivePath> = HashMap::new();
        for asset in &manifest.assets {
            let place = &asset.source_path;
            if asset.kind == "agent"
                && let Some(agent) = agents.get(place.as_path())
            {
                let agent = agent_id(agent);
                self.directory(Role::State, &format!("agent/{agent}"), place, vec![agent])?;
                continue;
            }
            match asset.kind.as_str() {
                "state" | "credentials" => self.directory(Role::State, &asset.kind, place, vec![])?,
                "workspace" => {}
                "config" if Some(place) == config.as_ref() => self.single("config", place).map(drop)?,
                "config" => {
                    let name = self.numbered("include", 0, "/");
                    self.single(&name, place)?;
                }
                _ => {
                    let directory = place.parent().unwrap_or(place);
                    if let Some(name) = shared.get(directory) {
                        self.roots.places.insert(place.clone(), name.clone());
                    } else {
                        let name = self.numbered("include", 0, "/");
                        shared.insert(directory, self.single(&name, place)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds roots for directories of secrets that OpenClaw has no assets for, since they lie in one.
    fn elsewhere(&mut self, condition: &Condition<'_>) -> Result<()> {
        let paths = &self.manifest.paths;
        let oauth = paths.oauth_dir.as_ref().map(|path| self.names.resolve(path));
        let agents = paths.agent_roots.iter().map(|agent| {
            let id = agent_id(&agent.agent_id);
            (format!("agent/{id}"), vec![id], agent.source_path.clone())
        });
        let own = [("state", Some(paths.state_dir.clone())), ("credentials", oauth)];
        let own = own.into_iter().filter_map(|(name, place)| Some((name.to_owned(), vec![], place?)));
        for (name, agents, place) in own.chain(agents) {
            // OpenClaw's own place for the state directory counts even where it is everything.
            let wanted = name == "state" || condition(self, &place);
            if !self.roots.places.contains_key(&place)
                && wanted
                && !self.is_used(&name)
                && self.manifest.covers(&place) == Covered::Yes
            {
                self.directory(Role::State, &name, &place, agents)?;
            }
        }
        Ok(())
    }

    /// Adds roots for the files of the configuration that lie in something else than the state directory.
    fn configuration(&mut self, condition: &Condition<'_>, files: &HashSet<PathBuf>) -> Result<()> {
        let manifest = self.manifest;
        let own = manifest.paths.config_path.as_ref().map(|path| self.names.resolve(path));
        let others = manifest.skipped.iter().filter(|left| left.kind == "config" && left.is_covered());
        for place in own.iter().chain(others.map(|left| &left.source_path)) {
            if !files.contains(place) || !condition(self, place) || self.roots.places.contains_key(place) {
                continue;
            }
            let name = if Some(place) == own.as_ref() && !self.is_used("config") {
                "config".to_owned()
            } else {
                self.numbered("include", 0, "/")
            };
            self.single(&name, place)?;
        }
        Ok(())
    }

    /// Which of the files of the configuration is the one that includes the others.
    fn config(&self, files: &HashSet<PathBuf>) -> Option<PathBuf> {
        let stored = || {
            self.manifest.assets.iter().filter(|asset| asset.kind == "config").map(|asset| &asset.source_path)
        };
        let path = self.manifest.paths.config_path.as_ref()?;
        let place = self.names.resolve(path);
        if let Some(exact) = [path, &place].into_iter().find(|place| stored().any(|file| file == *place)) {
            return Some(exact.clone());
        }
        // Behind a link that is not in the backup.
        let alike = || stored().filter(|file| file.file_name() == path.file_name());
        let found = alone(alike()).or_else(|| alone(stored()));
        found.filter(|_| !files.contains(&place)).cloned()
    }

    fn workspaces(&mut self, workspaces: Vec<Workspace>) -> Result<()> {
        let ids: HashSet<String> =
            self.manifest.paths.agent_roots.iter().map(|agent| agent_id(&agent.agent_id)).collect();
        for Workspace { place, told, mut agents } in workspaces {
            // One that is the state directory, or an agent's own, is stored as that.
            if self.roots.places.contains_key(&place) {
                continue;
            }
            if agents.is_empty() {
                agents.extend(self.agent_by_name(&place));
            }
            let id = agents.first().cloned();
            let id = id.unwrap_or_else(|| agent_id(&place.file_name().unwrap_or_default().to_string_lossy()));
            let name = format!("workspace/{id}");
            // A directory with an agent's name need not be that agent's.
            let misleads = agents.is_empty() && ids.contains(&id);
            let name = if misleads || self.is_used(&name) {
                // Ids are ASCII, and at most 64 bytes long with a number as well.
                self.numbered(&format!("workspace/{}", &id[..id.len().min(50)]), 2, "-")
            } else {
                name
            };
            let root = self.root(Role::Workspace, &name, &place)?;
            let source = told.unwrap_or_else(|| root.source.clone());
            self.add(&place, NativeRoot { source, agents, ..root })?;
        }
        Ok(())
    }

    /// OpenClaw: a workspace in the state directory is named after its agent, that of `main` is not.
    fn agent_by_name(&self, place: &Path) -> Option<String> {
        let name = place.file_name()?.to_str()?;
        let rest = name.strip_prefix("workspace")?;
        let own = place.parent() == Some(&self.manifest.paths.state_dir);
        match rest.strip_prefix('-') {
            Some(id) if own => Some(agent_id(id)),
            None if own && rest.is_empty() => Some("main".to_owned()),
            _ => None,
        }
    }

    /// A name that no root has.
    fn numbered(&mut self, base: &str, first: u32, separator: &str) -> String {
        let mut number = self.numbers.get(base).copied().unwrap_or(first);
        let name = loop {
            let name = format!("{base}{separator}{number}");
            number = number.saturating_add(1);
            if !self.is_used(&name) {
                break name;
            }
        };
        self.numbers.insert(base.to_owned(), number);
        name
    }

    fn is_used(&self, name: &str) -> bool {
        ArchivePath::parse(name.as_bytes()).is_ok_and(|name| self.roots.list.contains_key(&name))
    }

    /// Adds a root for one name in a directory.
    fn single(&mut self, name: &str, place: &Path) -> Result<ArchivePath> {
        let directory = place.parent().unwrap_or(place);
        let root = self.root(Role::State, name, directory)?;
        self.add(place, NativeRoot { whole: false, ..root })
    }

    fn directory(&mut self, role: Role, name: &str, place: &Path, agents: Vec<String>) -> Result<()> {
        let root = self.root(role, name, place)?;
        self.add(place, NativeRoot { agents, ..root }).map(drop)
    }

    fn root(&self, role: Role, name: &str, place: &Path) -> Result<NativeRoot> {
        let path = ArchivePath::parse(name.as_bytes())?;
        let (place, source) = (place.to_owned(), self.names.told(place));
        Ok(NativeRoot { role, path, place, source, agents: vec![], whole: true })
    }

    fn add(&mut self, stands_for: &Path, root: NativeRoot) -> Result<ArchivePath> {
        let path = root.path.clone();
        self.roots.places.insert(stands_for.to_owned(), path.clone());
        if self.roots.list.insert(path.clone(), root).is_some() {
            return Err(Error::malformed(format!("`manifest.json` has two directories for `{path}`")));
        }
        Ok(path)
    }
}
