//! What is mounted inside a tree: no rename moves it away, and none leads from around it into it. So
//! it stays where it is, and what goes there is a tree of its own, staged in the mount.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::path::ArchivePath;

use super::layout::{Contents, Manner, Tree};
use super::locate::{as_path, below, joined, shown};
use super::place::{Places, is_mounted};
use super::select::Picks;

/// A mount inside a tree, to which entries go.
pub(super) struct Mounted {
    outer: usize,
    place: ArchivePath,
    own: usize,
}

/// Returns where in which tree a place really lies.
pub(super) fn settle(
    mounts: &[Mounted],
    mut tree: usize,
    mut place: Option<ArchivePath>,
) -> Result<(usize, Option<ArchivePath>)> {
    let leads = |mounted: &&Mounted, tree, place: &ArchivePath| {
        mounted.outer == tree && place.starts_with(&mounted.place)
    };
    while let Some(inner) = &place
        && let Some(mounted) = mounts.iter().find(|mounted| leads(mounted, tree, inner))
    {
        let rest = inner.relative_to(&mounted.place).unwrap_or_default();
        (tree, place) = (mounted.own, joined(None, rest)?);
    }
    Ok((tree, place))
}

impl Places {
    /// Finds the mounts inside all trees.
    pub(super) fn find_mounts(&mut self, contents: &[Contents<'_>], picks: &[Picks]) -> Result<()> {
        let all = all();
        let mut number = 0;
        // Those that are found may hold others.
        while number < self.trees.len() {
            let target = self.trees[number].target.clone();
            for mount in all.iter().filter(|mount| **mount != target && mount.starts_with(&target)) {
                let is_known = self.trees.iter().enumerate().any(|(other, tree)| {
                    other != number && tree.target.starts_with(&target) && mount.starts_with(&tree.target)
                });
                if let (Some(place), false) = (below(mount, &target)?, is_known || !is_mounted(mount)) {
                    self.add_mount(number, mount, place, contents, picks)?;
                }
            }
            number += 1;
        }
        let files: Vec<&PathBuf> = all.iter().filter(|mount| mount.is_file()).collect();
        files.into_iter().try_for_each(|file| self.refuse_mounted_file(file, contents, picks))
    }

    /// Refuses what would have to take the place of a file that is mounted by itself.
    fn refuse_mounted_file(&self, file: &Path, contents: &[Contents<'_>], picks: &[Picks]) -> Result<()> {
        let around = self.trees.iter().enumerate().filter(|(_, tree)| file.starts_with(&tree.target));
        // The innermost.
        let Some((number, tree)) = around.max_by_key(|(_, tree)| tree.target.components().count()) else {
            return Ok(());
        };
        let Some(place) = below(file, &tree.target)? else { return Ok(()) };
        let is_in_the_way = match tree.manner {
            Manner::Swap if tree.staying.iter().any(|staying| place.starts_with(staying)) => false,
            // Else it moves away with the directory that it lies in.
            Manner::Swap => tree.inside || is_mounted(&tree.target),
            _ => self.leads_to(number, &place, contents, picks)?,
        };
        if is_in_the_way {
            let file = shown(file);
            return Err(Error::invalid(format!("`{file}` is mounted by itself and cannot be replaced")));
        }
        Ok(())
    }

    fn add_mount(
        &mut self,
        outer: usize,
        mount: &Path,
        place: ArchivePath,
        contents: &[Contents<'_>],
        picks: &[Picks],
    ) -> Result<()> {
        let tree = &mut self.trees[outer];
        if tree.staying.iter().any(|staying| place.starts_with(staying)) {
            return Ok(());
        }
        let mut own = Tree::new(mount.to_owned(), tree.manner);
        own.inside = true;
        if tree.manner == Manner::Swap {
            tree.inside = true;
            let (inner, others) = tree.staying.drain(..).partition(|staying| staying.starts_with(&place));
            tree.staying = others;
            tree.staying.push(place.clone());
            let inner: Vec<ArchivePath> = inner;
            let relative = inner.iter().map(|staying| staying.relative_to(&place).unwrap_or_default());
            own.staying = relative.map(ArchivePath::parse).collect::<Result<_>>()?;
        }
        if self.leads_to(outer, &place, contents, picks)? {
            self.mounts.push(Mounted { outer, place, own: self.trees.len() });
            self.trees.push(own);
        }
        Ok(())
    }

    /// Tells whether an entry goes to a place or below it.
    fn leads_to(
        &self,
        tree: usize,
        place: &ArchivePath,
        contents: &[Contents<'_>],
        picks: &[Picks],
    ) -> Result<bool> {
        let mut base = tree;
        while let Some(mounted) = self.mounts.iter().find(|mounted| mounted.own == base) {
            base = mounted.outer;
        }
        for ((content, picks), places) in contents.iter().zip(picks).zip(&self.roots) {
            for (root, placed) in content.source.roots.iter().zip(places) {
                let Some(placed) = placed.as_ref().filter(|placed| placed.tree == base) else { continue };
                for entry in picks.numbers().map(|number| &content.entries[number].path) {
                    let Some(rest) = entry.relative_to(&root.path) else { continue };
                    let (of, at) = settle(&self.mounts, placed.tree, joined(placed.prefix.as_ref(), rest)?)?;
                    if of == tree && at.is_some_and(|at| at.starts_with(place)) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

/// Every mount point, those around others first.
fn all() -> Vec<PathBuf> {
    // Only Linux has this; elsewhere a mount inside a tree makes a restore fail, with nothing changed.
    let mut all = parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default());
    all.sort();
    all.dedup();
    all
}

/// The fifth word of each line, in which some characters stand as three octal digits.
fn parse(table: &[u8]) -> Vec<PathBuf> {
    let lines = table.split(|&byte| byte == b'\n');
    let points = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    points.map(|point| as_path(&unescape(point)).to_owned()).collect()
}

fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let code = rest.get(..3).filter(|_| first == b'\\');
        let code = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 8).ok());
        plain.push(code.unwrap_or(first));
        text = if code.is_some() { &rest[3..] } else { rest };
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    #[test]
    fn mount_points_are_read_with_their_odd_characters() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            36 22 98:0 /a /mnt/two\\040words\\134n rw,noatime master:1 - ext3 /dev/root rw\n\
            37 22 98:0 /a /mnt/\\9 rw - ext3 /dev/root rw\n\nshort\n";
        let expected = ["/", "/mnt/two words\\n", "/mnt/\\9"].map(Path::new);
        assert_eq!(parse(table), expected);
    }
}
