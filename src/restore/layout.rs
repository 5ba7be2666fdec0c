//! Which entry goes to which place in which tree, checked before anything is touched.

use std::cmp::Ordering;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Skipped, Source};
use crate::path::ArchivePath;

use super::keep::Keep;
use super::locate::{as_path, joined, shown};
use super::migrate::{Migration, Owner};
use super::mounts::{Mounted, settle};
use super::place::Places;
use super::plan::PlannedRoot;
use super::select::{Picks, Wanted};

/// What a plan needs of an index.
#[derive(Clone, Copy)]
pub(super) struct Contents<'a> {
    pub(super) source: &'a Source,
    pub(super) entries: &'a [Entry],
    pub(super) skipped: &'a [Skipped],
}

/// One tree that is staged and then put into its place.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its place, links resolved.
    pub(super) target: PathBuf,
    /// How it gets there.
    pub(super) manner: Manner,
    /// To be staged inside its target even where there is room beside it.
    pub(super) inside: bool,
    /// Live directories inside the target that are to stay what they are.
    pub(super) staying: Vec<ArchivePath>,
}

impl Tree {
    pub(super) fn new(target: PathBuf, manner: Manner) -> Self {
        Self { target, inside: manner == Manner::Add, manner, staying: Vec::new() }
    }
}

/// How a tree gets into its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Manner {
    /// As a directory that was not there, or was empty.
    New,
    /// Whole, in the place of what is there, which is kept beside it.
    Swap,
    /// Name by name, what they replace being kept beside the directory.
    Merge,
    /// Name by name, replacing nothing.
    Add,
}

/// The place of a root: a tree, and what stands before the names in it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) tree: usize,
    pub(super) prefix: Option<ArchivePath>,
}

/// Everything decided.
pub(super) struct Layout {
    pub(super) trees: Vec<Tree>,
    pub(super) picks: Vec<Picks>,
    pub(super) roots: Vec<PlannedRoot>,
    /// Payload and number of every directory, those above before those below.
    pub(super) directories: Vec<(usize, usize)>,
    /// Paths to be rewritten.
    pub(super) migration: Option<Migration>,
    /// Whom everything shall belong to.
    pub(super) owner: Option<Owner>,
    /// What the journal stands beside.
    pub(super) place: PathBuf,
    /// Whether what is replaced can be put back later.
    pub(super) lasting: bool,
    places: Vec<Vec<Option<Placed>>>,
    mounts: Vec<Mounted>,
}

impl Layout {
    /// Lays out what is wanted; `places` decides on the trees, given the picks and how many
    /// entries of each payload and root they hold.
    pub(super) fn new(
        contents: &[Contents<'_>],
        wanted: &Wanted,
        places: impl FnOnce(&[Picks], &[Vec<u64>]) -> Result<Places>,
    ) -> Result<Self> {
        let entries: Vec<&[Entry]> = contents.iter().map(|content| content.entries).collect();
        let picks = wanted.pick(&entries)?;
        let mut counts = Vec::new();
        let mut bytes = Vec::new();
        let mut items = Vec::new();
        for (payload, content) in contents.iter().enumerate() {
            counts.push(vec![0; content.source.roots.len()]);
            bytes.push(vec![0_u64; content.source.roots.len()]);
            for (number, entry) in content.entries.iter().enumerate() {
                let root = root_of(content.source, &entry.path)?;
                if picks[payload].contains(number) {
                    if entry.path.components().any(Keep::is_journal) {
                        return Err(Error::invalid(format!(
                            "`{}` has the name of a journal, which says what to rename",
                            entry.path
                        )));
                    }
                    counts[payload][root] += 1;
                    if let Node::File { size, .. } = entry.node {
                        bytes[payload][root] = bytes[payload][root].saturating_add(size);
                    }
                    items.push(Item { payload, root, number });
                }
            }
        }
        let Places { trees, roots, mounts } = places(&picks, &counts)?;
        let mut planned = Vec::new();
        for (payload, content) in contents.iter().enumerate() {
            for (number, root) in content.source.roots.iter().enumerate() {
                if let (Some(placed), 1..) = (&roots[payload][number], counts[payload][number]) {
                    let mut target = trees[placed.tree].target.clone();
                    if let Some(prefix) = &placed.prefix {
                        target.push(as_path(prefix.as_bytes()));
                    }
                    if target.iter().any(|name| Keep::is_journal(name.as_encoded_bytes())) {
                        return Err(Error::invalid(format!(
                            "`{}` has the name of a journal, which says what to rename",
                            shown(&target)
                        )));
                    }
                    planned.push(PlannedRoot {
                        root: root.path.clone(),
                        replaces: fs::symlink_metadata(&target).is_ok(),
                        target,
                        entries: counts[payload][number],
                        bytes: bytes[payload][number],
                    });
                }
            }
        }
        let place = trees.first().map(|tree| tree.target.clone()).unwrap_or_default();
        let mut layout = Self {
            trees,
            picks,
            roots: planned,
            directories: Vec::new(),
            migration: None,
            owner: None,
            place,
            lasting: false,
            places: roots,
            mounts,
        };
        layout.check(contents, items)?;
        Ok(layout)
    }

    /// Returns the tree and the place in it of an entry; no place is the tree itself.
    pub(super) fn place(
        &self,
        content: &Contents<'_>,
        payload: usize,
        path: &ArchivePath,
    ) -> Result<(usize, Option<ArchivePath>)> {
        let root = root_of(content.source, path)?;
        let rest = path.relative_to(&content.source.roots[root].path).unwrap_or_default();
        match &self.places[payload][root] {
            Some(placed) => settle(&self.mounts, placed.tree, joined(placed.prefix.as_ref(), rest)?),
            None => Err(Error::invalid(format!("`{path}` has no place"))),
        }
    }

    /// Returns where a root goes; `None` where nothing of it is wanted.
    pub(super) fn target(&self, payload: usize, root: usize) -> Option<PathBuf> {
        let placed = self.places[payload][root].as_ref()?;
        let mut target = self.trees[placed.tree].target.clone();
        if let Some(prefix) = &placed.prefix {
            target.push(as_path(prefix.as_bytes()));
        }
        Some(target)
    }

    /// Checks that no two entries share a place and none lies below what is no directory.
    fn check(&mut self, contents: &[Contents<'_>], mut items: Vec<Item>) -> Result<()> {
        let entry = |item: &Item| &contents[item.payload].entries[item.number];
        let is_directory = |item: &Item| matches!(entry(item).node, Node::Directory);
        items.sort_by(|one, other| self.compare(contents, one, other));
        let mut before: Option<&Item> = None;
        let mut leaf: Option<&Item> = None;
        for item in &items {
            if let Some(before) = before
                && self.compare(contents, before, item) == Ordering::Equal
            {
                let (one, other) = (&entry(before).path, &entry(item).path);
                if one == other {
                    return Err(Error::malformed(format!("entry `{one}` stands twice")));
                }
                if !(is_directory(before) && is_directory(item)) {
                    return Err(Error::invalid(format!("`{one}` and `{other}` go to the same place")));
                }
            }
            // Sorted as they are, all that lies below a name follows it at once.
            if let Some(leaf) = leaf
                && self.is_below(contents, item, leaf)
            {
                return Err(Error::malformed(format!(
                    "entry `{}` lies below `{}`, which is no directory",
                    entry(item).path,
                    entry(leaf).path
                )));
            }
            if !is_directory(item) {
                leaf = Some(item);
            }
            before = Some(item);
        }
        self.directories =
            items.iter().filter(|item| is_directory(item)).map(|item| (item.payload, item.number)).collect();
        Ok(())
    }

    fn compare(&self, contents: &[Contents<'_>], one: &Item, other: &Item) -> Ordering {
        self.tree(one)
            .cmp(&self.tree(other))
            .then_with(|| self.components(contents, one).cmp(self.components(contents, other)))
    }

    fn is_below(&self, contents: &[Contents<'_>], item: &Item, leaf: &Item) -> bool {
        let mut components = self.components(contents, item);
        self.tree(item) == self.tree(leaf)
            && self.components(contents, leaf).all(|component| components.next() == Some(component))
            && components.next().is_some()
    }

    fn tree(&self, item: &Item) -> Option<usize> {
        self.places[item.payload][item.root].as_ref().map(|placed| placed.tree)
    }

    fn components<'a>(
        &'a self,
        contents: &[Contents<'a>],
        item: &Item,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let content = contents[item.payload];
        let rest = content.entries[item.number]
            .path
            .relative_to(&content.source.roots[item.root].path)
            .unwrap_or_default();
        let prefix = self.places[item.payload][item.root].as_ref().and_then(|placed| placed.prefix.as_ref());
        prefix
            .into_iter()
            .flat_map(ArchivePath::components)
            .chain(rest.split(|&byte| byte == b'/').filter(|part| !part.is_empty()))
    }
}

/// An entry to be made, found by its numbers: there may be millions.
struct Item {
    payload: usize,
    root: usize,
    number: usize,
}

/// Finds the root that a name lies in (spec §8.2).
fn root_of(source: &Source, path: &ArchivePath) -> Result<usize> {
    let roots = source.roots.iter().enumerate();
    roots
        .filter(|(_, root)| path.starts_with(&root.path))
        .max_by_key(|(_, root)| root.path.as_bytes().len())
        .map(|(number, _)| number)
        .ok_or_else(|| Error::malformed(format!("entry `{path}` lies outside every root")))
}
