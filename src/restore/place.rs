//! Where each root of an archive goes on the disk; looks, and touches nothing.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Root, SkipReason, Source};
use crate::openclaw::named_workspaces;
use crate::openclaw::relocate::Relocation;
use crate::path::ArchivePath;

use super::layout::{Contents, Manner, Placed, Tree};
use super::locate::{absolute, as_path, below, joined, resolve, shown, without_dots};
use super::mounts::Mounted;
use super::select::Picks;
use super::stage::Directory;

/// The trees to be made, and for each payload and root its place in one of them.
pub(super) struct Places {
    pub(super) trees: Vec<Tree>,
    /// By payload, then by root; `None` for a root of which nothing is wanted.
    pub(super) roots: Vec<Vec<Option<Placed>>>,
    /// What is mounted inside the trees.
    pub(super) mounts: Vec<Mounted>,
}

impl Places {
    /// Puts every root under its own name in a directory that is new or empty.
    pub(super) fn in_new_directory(contents: &[Contents<'_>], directory: &Path) -> Result<Self> {
        let target = resolve(directory)?;
        match fs::read_dir(&target) {
            Ok(mut names) => {
                if names.next().is_some() {
                    return Err(Error::invalid(format!("`{}` exists and is not empty", shown(directory))));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(Error::invalid(format!("`{}` exists and is not a directory", shown(directory))));
            }
            Err(error) => return Err(Error::io("list", directory, error)),
        }
        Ok(Self::in_one(contents, Tree::new(target, Manner::New)))
    }

    /// Puts every root under its own name in a directory that exists, beside what is there.
    pub(super) fn in_directory(contents: &[Contents<'_>], picks: &[Picks], directory: &Path) -> Result<Self> {
        let target = fs::canonicalize(directory).map_err(|error| Error::io("open", directory, error))?;
        if !target.is_dir() {
            return Err(Error::invalid(format!("`{}` is not a directory", shown(directory))));
        }
        let mut places = Self::in_one(contents, Tree::new(target, Manner::Add));
        places.find_mounts(contents, picks)?;
        Ok(places)
    }

    fn in_one(contents: &[Contents<'_>], tree: Tree) -> Self {
        let place = |root: &Root| Some(Placed { tree: 0, prefix: Some(root.path.clone()) });
        Self {
            trees: vec![tree],
            roots: contents.iter().map(|content| content.source.roots.iter().map(place).collect()).collect(),
            mounts: Vec::new(),
        }
    }

    /// Puts every root back where it was, or where that moved to.
    ///
    /// `wanted` counts the entries by payload and root; `whole` tells that nothing was
    /// selected out of a root; `others` are the sources of payloads that are left out.
    pub(super) fn original(
        contents: &[Contents<'_>],
        picks: &[Picks],
        wanted: &[Vec<u64>],
        whole: bool,
        others: &[Source],
        relocation: &Relocation,
    ) -> Result<Self> {
        let mut found = Vec::new();
        for (payload, content) in contents.iter().enumerate() {
            for (number, root) in content.source.roots.iter().enumerate() {
                if wanted[payload][number] > 0 {
                    let source = relocation.place(&absolute(root)?);
                    let kind = Kind::of(root, content, whole);
                    found.push((source, payload, number, kind));
                }
            }
        }
        // What encloses comes before what is enclosed, a directory before names in it.
        found.sort_by_key(|(source, payload, number, kind)| {
            let depth = source.components().count();
            (depth, *kind != Kind::Whole, *payload, *number)
        });
        let mut layout = Self {
            trees: Vec::new(),
            roots: contents.iter().map(|content| vec![None; content.source.roots.len()]).collect(),
            mounts: Vec::new(),
        };
        let mut wholes: Vec<Enclosing<'_>> = Vec::new();
        let mut staying = Vec::new();
        for (source, payload, number, kind) in found {
            let enclosing = wholes.iter().rev().find(|whole| source.starts_with(&whole.source));
            let outcome = match enclosing {
                Some(outer) if is_mounted(&source) => {
                    staying.push((outer.placed.tree, outer.place_of(&source)?));
                    Enclosed::At(source.clone())
                }
                Some(outer) => outer.enclose(&source, contents, picks, relocation)?,
                None => Enclosed::At(source.clone()),
            };
            let placed = match outcome {
                Enclosed::Within(placed) => placed,
                Enclosed::At(path) => layout.own_tree(&path, kind)?,
            };
            if kind == Kind::Whole {
                wholes.push(Enclosing {
                    source,
                    payload,
                    root: &contents[payload].source.roots[number],
                    placed: placed.clone(),
                });
            }
            layout.roots[payload][number] = Some(placed);
        }
        layout.find_staying(contents, &wholes, others, staying, relocation)?;
        layout.find_mounts(contents, picks)?;
        layout.refuse_overlaps(contents)?;
        Ok(layout)
    }

    /// Refuses places that live links lead into each other: the second to be put there would move
    /// away what the first just brought, or mix with it.
    fn refuse_overlaps(&self, contents: &[Contents<'_>]) -> Result<()> {
        for outer in self.trees.iter().filter(|tree| tree.manner == Manner::Swap) {
            for inner in self.trees.iter().filter(|tree| !std::ptr::eq(*tree, outer)) {
                if inner.target.starts_with(&outer.target)
                    && !outer
                        .staying
                        .iter()
                        .any(|place| inner.target.starts_with(outer.target.join(as_path(place.as_bytes()))))
                {
                    return Err(Error::invalid(format!(
                        "links lead `{}` into `{}`, which is replaced as a whole",
                        shown(&inner.target),
                        shown(&outer.target)
                    )));
                }
            }
        }
        let mut taken: HashMap<PathBuf, &ArchivePath> = HashMap::new();
        for (content, places) in contents.iter().zip(&self.roots) {
            for (root, placed) in content.source.roots.iter().zip(places) {
                let (Some(placed), true) = (placed, is_whole(root)) else { continue };
                let mut target = self.trees[placed.tree].target.clone();
                target.extend(placed.prefix.iter().map(|prefix| as_path(prefix.as_bytes())));
                if let Some(other) = taken.insert(target, &root.path) {
                    return Err(Error::invalid(format!(
                        "`{other}` and `{}` go to the same place",
                        root.path
                    )));
                }
            }
        }
        Ok(())
    }

    fn own_tree(&mut self, path: &Path, kind: Kind) -> Result<Placed> {
        let resolved = resolve(path)?;
        let around = self
            .trees
            .iter()
            .position(|tree| tree.manner == Manner::Swap && resolved.starts_with(&tree.target));
        if let (Some(tree), false) = (around, is_mounted(&resolved)) {
            let prefix = below(&resolved, &self.trees[tree].target)?;
            return Ok(Placed { tree, prefix });
        }
        let tree = self.trees.len();
        let mut prefix = None;
        self.trees.push(match (kind, resolved.parent()) {
            (Kind::Whole, Some(_)) => Tree::new(resolved, Manner::Swap),
            (Kind::Names, Some(_)) => Tree::new(resolved, Manner::Merge),
            (Kind::Single, Some(parent)) => {
                prefix = below(&resolved, parent)?;
                let mut tree = Tree::new(parent.to_owned(), Manner::Merge);
                // The directory is not the archive's; a sibling of it might be anywhere.
                tree.inside = true;
                tree
            }
            (_, None) => {
                return Err(Error::invalid("a root of the file system cannot be replaced"));
            }
        });
        Ok(Placed { tree, prefix })
    }

    /// Finds live directories inside a tree that is to be swapped which are not in the new
    /// one because they are stored under another root: they stay where they are, as do the
    /// mount points in `staying`, which no rename moves.
    fn find_staying(
        &mut self,
        contents: &[Contents<'_>],
        wholes: &[Enclosing<'_>],
        others: &[Source],
        mut staying: Vec<(usize, Option<ArchivePath>)>,
        relocation: &Relocation,
    ) -> Result<()> {
        let left_out = others.iter().flat_map(|source| &source.roots);
        // One that could not be read when the archive was made has no entries.
        let empty = contents.iter().zip(&self.roots).flat_map(|(content, places)| {
            let roots = content.source.roots.iter().zip(places);
            roots.filter(|(_, place)| place.is_none()).map(|(root, _)| root)
        });
        for root in left_out.chain(empty) {
            let source = relocation.place(&absolute(root)?);
            if let Some(outer) = wholes.iter().rev().find(|whole| source.starts_with(&whole.source)) {
                staying.push((outer.placed.tree, outer.place_of(&source)?));
            }
        }
        for outer in wholes {
            for skipped in contents[outer.payload].skipped {
                if let (SkipReason::Root, Some(rest)) =
                    (skipped.why, skipped.path.relative_to(&outer.root.path))
                {
                    staying.push((outer.placed.tree, joined(outer.placed.prefix.as_ref(), rest)?));
                }
            }
        }
        staying.extend(self.live_workspaces(contents, wholes)?);
        let restored: Vec<&Placed> = self.roots.iter().flatten().flatten().collect();
        staying.sort();
        staying.dedup();
        for (tree, place) in staying {
            let Some(place) = place else { continue };
            let is_restored = restored.iter().any(|placed| {
                placed.tree == tree && placed.prefix.as_ref().is_some_and(|prefix| place.starts_with(prefix))
            });
            let tree = &mut self.trees[tree];
            let is_inside = tree.staying.iter().any(|outer| place.starts_with(outer));
            if tree.manner == Manner::Swap && !is_restored && !is_inside {
                tree.inside |= is_mounted(&tree.target.join(as_path(place.as_bytes())));
                tree.staying.push(place);
            }
        }
        Ok(())
    }

    /// Finds workspaces in a state directory that the archive knows nothing of: where none is
    /// restored, they are no part of what is replaced.
    fn live_workspaces(
        &self,
        contents: &[Contents<'_>],
        wholes: &[Enclosing<'_>],
    ) -> Result<Vec<(usize, Option<ArchivePath>)>> {
        let is_workspace = |root: &Root| root.path.components().next() == Some(b"workspace");
        let mut placed = contents.iter().zip(&self.roots).flat_map(|(content, places)| {
            content.source.roots.iter().zip(places).filter(|(_, place)| place.is_some())
        });
        if placed.any(|(root, _)| is_workspace(root)) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for outer in wholes.iter().filter(|outer| outer.root.path.as_bytes() == b"state") {
            for live in named_workspaces(&outer.source) {
                let Some(below) = below(&live, &outer.source)? else { continue };
                let name = outer.root.path.join(below.as_bytes())?;
                let is_saved = contents[outer.payload].entries.iter().any(|entry| entry.path == name);
                if !is_saved {
                    found.push((outer.placed.tree, outer.place_of(&live)?));
                }
            }
        }
        Ok(found)
    }
}

/// Tells whether something is mounted at a path: a container's workspace in its state directory.
pub(super) fn is_mounted(path: &Path) -> bool {
    Directory::open(path).is_ok_and(|directory| directory.is_mount_point().unwrap_or(false))
}

/// How much of its source directory a root stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The directory with all that is in it.
    Whole,
    /// Some names of a directory that holds others as well (spec §8.2: `config`, `env`, `include`).
    Names,
    /// One file.
    Single,
}

impl Kind {
    fn of(root: &Root, content: &Contents<'_>, whole: bool) -> Self {
        let entry = content.entries.iter().find(|entry| entry.path == root.path);
        match entry.map(|entry| &entry.node) {
            Some(Node::Directory) if whole && is_whole(root) => Self::Whole,
            Some(Node::Directory) | None => Self::Names,
            Some(_) => Self::Single,
        }
    }
}

/// Tells whether a root stands for a directory of its own, with all that is in it (spec §8.2).
fn is_whole(root: &Root) -> bool {
    matches!(root.path.components().next(), Some(b"state" | b"agent" | b"credentials" | b"workspace"))
}

/// A whole root that may enclose others.
struct Enclosing<'a> {
    source: PathBuf,
    payload: usize,
    root: &'a Root,
    placed: Placed,
}

enum Enclosed {
    Within(Placed),
    At(PathBuf),
}

impl Enclosing<'_> {
    /// Places a root whose source lies below this one's.
    fn enclose(
        &self,
        source: &Path,
        contents: &[Contents<'_>],
        picks: &[Picks],
        relocation: &Relocation,
    ) -> Result<Enclosed> {
        let entries = contents[self.payload].entries;
        let Some(below) = below(source, &self.source)? else {
            return Ok(Enclosed::Within(self.placed.clone()));
        };
        // Where this root holds a link on the way, the other root lies at the link's end.
        let mut way = Some(self.root.path.join(below.as_bytes())?);
        while let Some(name) = way {
            if let Some(Entry { node: Node::Symlink { target }, .. }) = entries
                .iter()
                .enumerate()
                .find(|(number, entry)| entry.path == name && picks[self.payload].contains(*number))
                .map(|(_, entry)| entry)
            {
                let link = self.source.join(as_path(name.relative_to(&self.root.path).unwrap_or_default()));
                let rest = source.strip_prefix(&link).unwrap_or(Path::new(""));
                let end = link.parent().unwrap_or(&link).join(relocation.place(as_path(target)));
                return Ok(Enclosed::At(without_dots(&end.join(rest))));
            }
            way = name.parent().filter(|parent| *parent != self.root.path);
        }
        Ok(Enclosed::Within(Placed { tree: self.placed.tree, prefix: self.place_of(source)? }))
    }

    fn place_of(&self, source: &Path) -> Result<Option<ArchivePath>> {
        match below(source, &self.source)? {
            None => Ok(self.placed.prefix.clone()),
            Some(below) => joined(self.placed.prefix.as_ref(), below.as_bytes()),
        }
    }
}
