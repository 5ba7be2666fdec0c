//! Which directories of a backup are workspaces, and whose.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::import::names::Names;
use crate::openclaw::agent_id;
use crate::openclaw::native::{Covered, NativeManifest};

/// A workspace of a backup.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Free of links.
    pub(super) place: PathBuf,
    /// As it is configured, where that is no link in the backup.
    pub(super) told: Option<PathBuf>,
    pub(super) agents: Vec<String>,
}

/// Finds them by how OpenClaw was told of them, and by what it stored; takes in what that tells of links.
///
/// The second are those that OpenClaw was told of, and of which it is not known which of the first they are.
pub(super) fn find(manifest: &NativeManifest, names: &mut Names<'_>) -> (Vec<Workspace>, Vec<PathBuf>) {
    let (told, agents) = (&manifest.paths.workspace_dirs, &manifest.paths.agent_roots);
    // OpenClaw: agent by agent, but each directory once. The first is the first one's; with as many as agents, all are known.
    let owner = |index: usize| {
        let known = if index == 0 { told.len() <= agents.len() } else { told.len() == agents.len() };
        agents.get(index).filter(|_| known).map(|agent| agent_id(&agent.agent_id))
    };
    let gone: HashSet<&Path> = manifest.skipped.iter().map(|left| left.source_path.as_path()).collect();
    let mut found: Vec<Workspace> = Vec::new();
    let mut lost: Vec<Workspace> = Vec::new();
    for (index, path) in told.iter().enumerate() {
        let (direct, place) = (names.place(path), names.resolve(path));
        let agents = owner(index).into_iter().collect();
        if manifest.covers(&place) == Covered::Yes {
            let told = (direct == place).then(|| path.clone());
            found.push(Workspace { place, told, agents });
        } else if !gone.contains(path.as_path()) {
            lost.push(Workspace { place, told: Some(path.clone()), agents });
        }
    }
    let stored = manifest.assets.iter().filter(|asset| asset.kind == "workspace");
    let within = manifest.skipped.iter().filter(|left| left.kind == "workspace" && left.is_covered());
    let places = stored.map(|asset| &asset.source_path).chain(within.map(|left| &left.source_path));
    let mut seen: HashSet<PathBuf> = found.iter().map(|workspace| workspace.place.clone()).collect();
    let strays: Vec<&PathBuf> = places
        .filter(|place| manifest.covers(place) == Covered::Yes && seen.insert((*place).clone()))
        .collect();
    let (matched, lost) = matched(&strays, lost, names);
    found.extend(matched);
    (merged(found), lost)
}

/// Gives what was stored to those who were told of it behind links that are not in the backup: by its name, else by
/// elimination.
fn matched(
    strays: &[&PathBuf],
    lost: Vec<Workspace>,
    names: &mut Names<'_>,
) -> (Vec<Workspace>, Vec<PathBuf>) {
    let stored = by_name(strays.iter().map(|place| place.as_path()));
    let told: Vec<PathBuf> = lost.iter().filter_map(|one| one.told.clone()).collect();
    let wanted = by_name(told.iter().map(PathBuf::as_path));
    let mut lost: Vec<Option<Workspace>> = lost.into_iter().map(Some).collect();
    let mut found: Vec<Option<Workspace>> = strays
        .iter()
        .map(|place| {
            let name = place.file_name()?;
            let index = wanted.get(name).copied().flatten().filter(|_| stored.get(name) != Some(&None))?;
            lost.get_mut(index)?.take()
        })
        .collect();
    let mut lost: Vec<Workspace> = lost.into_iter().flatten().collect();
    if let (Some(index), 1) = (alone((0..found.len()).filter(|&index| found[index].is_none())), lost.len()) {
        found[index] = lost.pop();
    }
    let settle = |(place, known): (&&PathBuf, Option<Workspace>)| {
        let place = (*place).clone();
        match known {
            Some(known) => {
                known.told.iter().for_each(|told| names.learn(told, &place));
                Workspace { place, ..known }
            }
            None => Workspace { place, told: None, agents: vec![] },
        }
    };
    let found = strays.iter().zip(found).map(settle).collect();
    (found, lost.into_iter().filter_map(|one| one.told).collect())
}

/// The paths by their last names; `None` where several have one.
fn by_name<'a>(paths: impl Iterator<Item = &'a Path>) -> HashMap<&'a OsStr, Option<usize>> {
    let mut names = HashMap::new();
    for (index, path) in paths.enumerate() {
        if let Some(name) = path.file_name() {
            names.entry(name).and_modify(|index| *index = None).or_insert(Some(index));
        }
    }
    names
}

/// Makes one of those that are one directory.
fn merged(found: Vec<Workspace>) -> Vec<Workspace> {
    let mut merged: Vec<Workspace> = Vec::new();
    let mut known: HashMap<PathBuf, usize> = HashMap::new();
    for workspace in found {
        if let Some(same) = known.get(&workspace.place).and_then(|&index| merged.get_mut(index)) {
            same.agents.extend(workspace.agents);
        } else {
            known.insert(workspace.place.clone(), merged.len());
            merged.push(workspace);
        }
    }
    merged
}

/// What there is, where that is one.
pub(super) fn alone<T>(mut them: impl Iterator<Item = T>) -> Option<T> {
    them.next().filter(|_| them.next().is_none())
}
