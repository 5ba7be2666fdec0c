//! Fits what is restored to the place it goes to: which paths become which.

mod rewrite;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::entry::{Node, Role, Source};
use crate::openclaw::relocate::Relocation;
use crate::openclaw::relocate::database::Database;
use crate::openclaw::relocate::former;
use crate::openclaw::{MAX_CONFIG_SIZE, SHARED_DATABASE};
use crate::path::ArchivePath;

use super::layout::Contents;
use super::locate::{absolute, as_path, is_same_place, resolve, without_dots};
use super::select::Picks;
use rewrite::Config;

/// How a restore fits what it restores to the place it goes to.
#[derive(Clone, Debug, Default)]
pub struct Adaptation {
    /// Further absolute paths and what they become; they win over what is found.
    pub maps: Vec<(PathBuf, PathBuf)>,
    /// To leave the paths in configuration and databases alone.
    pub keep_paths: bool,
    /// Whom everything restored shall belong to, instead of the user of this process.
    pub owner: Option<Owner>,
}

/// A user and a group, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Number of the user.
    pub user: u32,
    /// Number of the group.
    pub group: u32,
}

/// What was rewritten for the new place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Old paths and what they became.
    pub moves: Vec<(PathBuf, PathBuf)>,
    /// Configuration files, and how many paths were rewritten in each.
    pub files: Vec<(PathBuf, u64)>,
    /// Symbolic links that lead to another place.
    pub links: u64,
    /// Rows of the shared database, by table.
    pub tables: BTreeMap<String, u64>,
    /// What stays as it is: rows because others are there at the new place, files because they
    /// are not readable as what they are.
    pub left: Vec<String>,
}

/// A move to another place.
#[derive(Clone, Debug)]
pub(super) struct Migration {
    pub(super) relocation: Relocation,
    /// Home and state directory that the archive is of.
    from: Place,
    to: Place,
    /// The configuration file, where the archive is of one.
    config: Option<PathBuf>,
    /// Every directory that the archive has as a root, wanted or not.
    roots: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct Place {
    home: PathBuf,
    state_dir: PathBuf,
}

impl Migration {
    /// Decides which paths become which; `None` where all stay.
    pub(super) fn new(
        sources: &[&Source],
        home: &Path,
        state_dir: &Path,
        adaptation: &Adaptation,
    ) -> Result<Option<Self>> {
        let fact = |name: &str| {
            let value = sources.iter().find_map(|source| source.facts.get(name));
            value.map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let mut roots = Vec::new();
        let mut state_root = None;
        for root in sources.iter().flat_map(|source| &source.roots) {
            let source = absolute(root)?;
            if root.path.as_bytes() == b"state" {
                state_root = Some(source.clone());
            }
            roots.push(source);
        }
        // What is the same place under another name keeps the name that it had.
        let kept = |recorded: Option<PathBuf>, target: &Path| match recorded {
            Some(recorded) if !is_same_place(&recorded, target) => (recorded, target.to_owned()),
            Some(recorded) => (recorded.clone(), recorded),
            None => (target.to_owned(), target.to_owned()),
        };
        let (from_state, to_state) = kept(fact("state_dir").or(state_root), state_dir);
        let (from_home, to_home) = kept(fact("home"), home);
        let mut migration = Self {
            relocation: Relocation::default(),
            from: Place { home: from_home.clone(), state_dir: from_state.clone() },
            to: Place { home: to_home.clone(), state_dir: to_state.clone() },
            config: fact("config"),
            roots,
        };
        for (old, new) in
            adaptation.maps.iter().cloned().chain([(from_state, to_state), (from_home, to_home)])
        {
            migration.relocation.add(&old, &new, &resolve(&new)?);
        }
        Ok((!migration.relocation.is_identity()).then_some(migration))
    }

    /// Takes over where a root really goes, links resolved.
    pub(super) fn settle(&mut self, source: &Path, target: &Path) {
        let new = self.relocation.place(source);
        self.relocation.add(source, &new, target);
    }

    /// Finds out from the configuration in the archive whether that is of a copy, whose own home is
    /// another one; returns the files that will be rewritten. `read` gives the content of an entry,
    /// up to a limit.
    pub(super) fn foresee(
        &mut self,
        contents: &[Contents<'_>],
        picks: &[Picks],
        read: impl Fn(usize, usize, u64) -> Result<Option<Vec<u8>>>,
    ) -> Result<Vec<PathBuf>> {
        let files = self.files(
            contents,
            |source| {
                let Some((payload, number)) = find_file(contents, picks, source) else { return Ok(None) };
                let file = picks[payload].file_of(number).unwrap_or(number);
                Ok(Some((payload, number, read(payload, file, MAX_CONFIG_SIZE)?)))
            },
            // Said when it is restored.
            &mut Vec::new(),
        )?;
        self.adopt(contents, &files, None)?;
        let changing = files.iter().filter(|file| file.relocated(&self.relocation).1 > 0);
        let mut changing: Vec<&PathBuf> = changing.map(|file| &file.source).collect();
        let database = self.from.state_dir.join(SHARED_DATABASE);
        changing.extend(find_file(contents, picks, &database).map(|_| &database));
        Ok(changing.into_iter().map(|file| self.relocation.place(file)).collect())
    }

    /// The new target of a link that leads to what moves. Links in workspaces are the user's own.
    pub(super) fn link(&self, path: &ArchivePath, target: &[u8]) -> Option<Vec<u8>> {
        let is_workspace = path.components().next() == Some(Role::Workspace.as_str().as_bytes());
        let target = str::from_utf8(target).ok().filter(|_| !is_workspace)?;
        self.relocation.text(target).map(String::into_bytes)
    }

    /// Takes over the home that configuration and database speak of, where the archive is of a
    /// copy at another place.
    fn adopt(
        &mut self,
        contents: &[Contents<'_>],
        files: &[Config],
        database: Option<&Database>,
    ) -> Result<()> {
        let mut former_states = BTreeSet::new();
        for path in files.iter().flat_map(Config::agent_paths) {
            former_states.extend(self.former(contents, &path));
        }
        if let Some(database) = database {
            let state_dirs = database.state_dirs()?;
            let workspaces = database.workspaces()?;
            // Rows of an earlier place beside those of the own one are history.
            let is_own = |path: &PathBuf| path.starts_with(&self.from.state_dir);
            if !state_dirs.iter().chain(&workspaces).any(is_own) {
                for path in &workspaces {
                    former_states.extend(self.former(contents, path));
                }
                let name = self.from.state_dir.file_name();
                former_states.extend(state_dirs.into_iter().filter(|path| path.file_name() == name));
            }
        }
        for former in former_states {
            self.relocation.add(&former, &self.to.state_dir, &resolve(&self.to.state_dir)?);
            if let Some(home) = former.parent()
                && !self.relocation.covers(home)
            {
                self.relocation.add(home, &self.to.home, &resolve(&self.to.home)?);
            }
        }
        Ok(())
    }

    /// The state directory of another place that a path lies in, if the archive has at its own
    /// what lay there, and not the path itself.
    fn former(&self, contents: &[Contents<'_>], path: &Path) -> Option<PathBuf> {
        let former = former::state_dir(path, &self.from.state_dir)?;
        let own = self.from.state_dir.join(path.strip_prefix(&former).ok()?);
        let has = |path: &Path| self.roots.iter().any(|root| root == path) || find(contents, path).is_some();
        (former != self.from.state_dir && !has(path) && has(&own)).then_some(former)
    }
}

/// The moves of a relocation, for a person.
pub(super) fn moves(relocation: &Relocation) -> Vec<(PathBuf, PathBuf)> {
    let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
    // What a shorter path says already is not said again.
    let all: Vec<_> = relocation.moves().collect();
    for (old, new) in all.iter().rev() {
        let is_said =
            moves.iter().any(|(outer, to)| old.strip_prefix(outer).is_ok_and(|below| to.join(below) == *new));
        if !is_said {
            moves.push(((*old).to_owned(), (*new).to_owned()));
        }
    }
    moves
}

/// Finds the file to be made that came from a path; the number is that of the entry it is made as.
pub(super) fn find_file(contents: &[Contents<'_>], picks: &[Picks], source: &Path) -> Option<(usize, usize)> {
    let (payload, number) = find(contents, source)?;
    let is_file = matches!(contents[payload].entries[number].node, Node::File { .. } | Node::Hardlink { .. });
    let picks = &picks[payload];
    // A further name of a file has its content from there.
    (is_file && picks.contains(number)).then(|| (payload, picks.linked_to(number).unwrap_or(number)))
}

/// Finds where the symbolic link led that came from a path.
fn find_link(contents: &[Contents<'_>], source: &Path) -> Option<PathBuf> {
    let (payload, number) = find(contents, source)?;
    match &contents[payload].entries[number].node {
        Node::Symlink { target } => Some(without_dots(&source.parent()?.join(as_path(target)))),
        _ => None,
    }
}

/// Finds the entry that came from a path.
fn find(contents: &[Contents<'_>], source: &Path) -> Option<(usize, usize)> {
    let mut best: Option<(usize, (usize, usize))> = None;
    for (payload, content) in contents.iter().enumerate() {
        for root in &content.source.roots {
            let Some(below) =
                absolute(root).ok().and_then(|from| Some(source.strip_prefix(from).ok()?.to_owned()))
            else {
                continue;
            };
            let below = below.as_os_str().as_bytes();
            let name = if below.is_empty() { Ok(root.path.clone()) } else { root.path.join(below) };
            let Ok(name) = name else { continue };
            let Some(number) = content.entries.iter().position(|entry| entry.path == name) else {
                continue;
            };
            let length = root.source.len();
            if best.is_none_or(|(longest, _)| length > longest) {
                best = Some((length, (payload, number)));
            }
        }
    }
    best.map(|(_, found)| found)
}
