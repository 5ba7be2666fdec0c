//! Which roots the directories and files of a backup make.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::openclaw::agent_id;
use crate::openclaw::native::{Covered, NativeManifest};
use crate::path::ArchivePath;

/// The symbolic links of a backup by their places, as far as they matter for the roots.
pub(super) type Links = HashMap<PathBuf, Vec<u8>>;

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

/// The roots, ascending by name.
#[derive(Debug, Default)]
pub(super) struct Roots {
    list: Vec<NativeRoot>,
    /// Their names by what they stand for: directories, or names in one.
    places: HashMap<PathBuf, ArchivePath>,
}

impl Roots {
    /// Plans the roots of a backup, as [`create`](crate::capture) would for the same installation.
    ///
    /// # Errors
    ///
    /// `Malformed` for a manifest that has two directories for what there is one of.
    pub(super) fn new(manifest: &NativeManifest, links: &Links) -> Result<Self> {
        let mut planned =
            Planned { manifest, roots: Self::default(), names: HashSet::new(), numbers: HashMap::new() };
        planned.state(links)?;
        planned.workspaces(links)?;
        planned.roots.list.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(planned.roots)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &NativeRoot> {
        self.list.iter()
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
        place.ancestors().filter_map(|above| self.named(self.places.get(above)?))
    }

    fn named(&self, name: &ArchivePath) -> Option<&NativeRoot> {
        let index = self.list.binary_search_by(|root| root.path.cmp(name)).ok()?;
        self.list.get(index)
    }

    /// The whole directories that lie in others, with these.
    pub(super) fn nested(&self) -> impl Iterator<Item = (&NativeRoot, &NativeRoot)> {
        let whole = self.list.iter().filter(|root| root.whole);
        whole.filter_map(|root| Some((root, self.enclosing(root.place.parent()?)?)))
    }

    /// Where what has a name lies.
    pub(super) fn place_of(&self, path: &ArchivePath) -> Option<PathBuf> {
        let above = std::iter::successors(Some(path.clone()), ArchivePath::parent);
        let root = { above }.find_map(|name| self.named(&name))?;
        Some(root.place.join(OsStr::from_bytes(path.relative_to(&root.path)?)))
    }
}

struct Planned<'a> {
    manifest: &'a NativeManifest,
    roots: Roots,
    names: HashSet<Vec<u8>>,
    /// The number that was used last for a name.
    numbers: HashMap<String, u32>,
}

impl Planned<'_> {
    fn state(&mut self, links: &Links) -> Result<()> {
        let manifest = self.manifest;
        let config = self.config(links);
        // Others of one directory share a root.
        let mut shared: HashMap<&Path, ArchivePath> = HashMap::new();
        for asset in &manifest.assets {
            let place = &asset.source_path;
            if asset.kind == "agent"
                && let Some(agent) = self.agent(place)
            {
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

    fn agent(&self, place: &Path) -> Option<String> {
        let mut agents = self.manifest.paths.agent_roots.iter();
        agents.find(|agent| agent.source_path == place).map(|agent| agent_id(&agent.agent_id))
    }

    /// Which of the files of the configuration is the one that includes the others.
    fn config(&self, links: &Links) -> Option<PathBuf> {
        let files = || self.manifest.assets.iter().filter(|asset| asset.kind == "config");
        let path = self.manifest.paths.config_path.as_deref()?;
        let place = resolve(self.manifest, links, path);
        let is = |place: &Path| files().any(|file| file.source_path == place);
        if is(path) {
            return Some(path.to_owned());
        }
        if is(&place) {
            return Some(place);
        }
        // Behind a link that is not in the backup.
        let mut alike = files().filter(|file| file.source_path.file_name() == path.file_name());
        let found =
            alike.next().filter(|_| alike.next().is_none() && self.manifest.covers(&place) != Covered::Yes);
        found.map(|file| file.source_path.clone())
    }

    fn workspaces(&mut self, links: &Links) -> Result<()> {
        let manifest = self.manifest;
        let named = &manifest.paths.workspace_dirs;
        let agents = &manifest.paths.agent_roots;
        // OpenClaw: agent by agent, but each directory once. With as many as agents it is known whose they are.
        let owner = |index: usize| (named.len() == agents.len()).then(|| agent_id(&agents[index].agent_id));
        let mut owners: HashMap<PathBuf, Vec<String>> = HashMap::new();
        let mut places = Vec::new();
        let mut unknown = Vec::new();
        for (index, path) in named.iter().enumerate() {
            let place = resolve(manifest, links, path);
            let covered = manifest.covers(&place) == Covered::Yes;
            if covered {
                owners.entry(place.clone()).or_default().extend(owner(index));
                places.push(place);
            } else if manifest.skipped.iter().all(|left| left.source_path != *path) {
                unknown.extend(owner(index));
            }
        }
        let stored =
            manifest.assets.iter().filter(|asset| asset.kind == "workspace").map(|asset| &asset.source_path);
        let within = manifest.skipped.iter().filter(|left| left.kind == "workspace" && left.is_covered());
        let within =
            within.map(|left| &left.source_path).filter(|place| manifest.covers(place) == Covered::Yes);
        places.extend(stored.chain(within).cloned());
        let mut seen = HashSet::new();
        places.retain(|place| seen.insert(place.clone()));
        // What a link outside the backup leads to is found by elimination.
        let mut strays = places.iter().filter(|place| !owners.contains_key(*place));
        if let (Some(stray), None, [agent]) = (strays.next(), strays.next(), &unknown[..]) {
            owners.insert(stray.clone(), vec![agent.clone()]);
        }
        for place in places {
            // One that is the state directory is stored as that.
            if self.roots.places.contains_key(&place) {
                continue;
            }
            let agents = owners.remove(&place).filter(|agents| !agents.is_empty());
            let agents = agents.unwrap_or_else(|| self.agent_by_name(&place).into_iter().collect());
            let id = agents.first().cloned();
            let id = id.unwrap_or_else(|| agent_id(&place.file_name().unwrap_or_default().to_string_lossy()));
            let name = format!("workspace/{id}");
            let name = if self.names.contains(name.as_bytes()) {
                // Ids are ASCII, and at most 64 bytes long with a number as well.
                self.numbered(&format!("workspace/{}", &id[..id.len().min(50)]), 2, "-")
            } else {
                name
            };
            self.directory(Role::Workspace, &name, &place, agents)?;
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
            if !self.names.contains(name.as_bytes()) {
                break name;
            }
        };
        self.numbers.insert(base.to_owned(), number);
        name
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
        let (place, source) = (place.to_owned(), self.manifest.known_as(place));
        Ok(NativeRoot { role, path, place, source, agents: vec![], whole: true })
    }

    fn add(&mut self, stands_for: &Path, root: NativeRoot) -> Result<ArchivePath> {
        let path = root.path.clone();
        if !self.names.insert(path.as_bytes().to_vec()) {
            return Err(Error::malformed(format!("`manifest.json` has two directories for `{path}`")));
        }
        self.roots.places.insert(stands_for.to_owned(), path.clone());
        self.roots.list.push(root);
        Ok(path)
    }
}

/// Where a path leads in the backup, links followed as far as they are in it.
pub(super) fn resolve(manifest: &NativeManifest, links: &Links, path: &Path) -> PathBuf {
    let mut place = manifest.place_of(path);
    for _ in 0..MAX_LINKS {
        let mut above: Vec<&Path> = place.ancestors().collect();
        above.reverse();
        let Some((link, target)) = above.into_iter().find_map(|link| Some((link, links.get(link)?))) else {
            break;
        };
        let below = place.strip_prefix(link).unwrap_or(Path::new(""));
        let next = target_of(link, target);
        let next = if below.as_os_str().is_empty() { next } else { next.join(below) };
        place = manifest.place_of(&next);
    }
    place
}

/// Where a link at a place leads to, without a look at what is there.
pub(super) fn target_of(link: &Path, target: &[u8]) -> PathBuf {
    let mut place = PathBuf::new();
    for component in link.parent().unwrap_or(link).join(OsStr::from_bytes(target)).components() {
        match component {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            other => place.push(other),
        }
    }
    place
}

/// What the system follows.
const MAX_LINKS: usize = 40;
