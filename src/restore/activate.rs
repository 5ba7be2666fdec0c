//! Puts finished stages into their places by renaming.
//!
//! What is replaced is kept under a name that says when; where a step fails, all steps before
//! it are taken back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::format::entry::Mtime;
use crate::path::ArchivePath;

use super::layout::{Manner, Tree};
use super::locate::shown;
use super::moves::{Keep, Moves};
use super::stage::{Directory, Facts, Stage, is_directory, is_same};

/// Makes the stage of a tree: beside its target, so that one rename puts it there; inside
/// where the target is a mount point or the directory around it is not ours to write.
pub(super) fn prepare(tree: &Tree, ground: &mut Moves<'_>) -> Result<Stage> {
    let target = &tree.target;
    let inside = || Stage::create(Rc::new(Directory::open(target)?), target);
    let is_there = target.is_dir();
    if is_there && (tree.inside || Directory::open(target)?.is_mount_point()?) {
        return inside();
    }
    let around =
        target.parent().ok_or_else(|| Error::invalid(format!("`{}` cannot be replaced", shown(target))))?;
    match ground.open_or_make(around).and_then(|parent| Stage::create(parent, target)) {
        Err(Error::Io { source, .. })
            if is_there
                && matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
        {
            inside()
        }
        outcome => outcome,
    }
}

/// Puts a finished stage into its place; returns where the old tree is kept, if there was one.
///
/// `root` is what the archive says of the directory itself.
pub(super) fn activate(
    tree: &Tree,
    stage: &Stage,
    root: Option<Facts>,
    stamp: &str,
    moves: &mut Moves<'_>,
) -> Result<Option<PathBuf>> {
    let is_inside = stage.parent.path() == tree.target;
    if !is_inside {
        let name = last(&tree.target)?;
        let there = stage.parent.look(name.as_bytes())?;
        if matches!(tree.manner, Manner::New | Manner::Swap) || there.is_none() {
            return swap(tree, stage, &name, stamp, moves);
        }
        let live = Rc::new(stage.parent.enter(name.as_bytes())?);
        let mut keep = Keep::new(stage.parent.clone(), name.as_bytes(), stamp);
        moves.merge(&stage.root, &live, Some(&mut keep))?;
        return Ok(keep.path());
    }
    let live = &stage.parent;
    match tree.manner {
        Manner::New | Manner::Add => {
            moves.merge(&stage.root, live, None)?;
            Ok(None)
        }
        Manner::Merge => {
            let mut keep = Keep::new(live.clone(), b"", stamp);
            moves.merge(&stage.root, live, Some(&mut keep))?;
            Ok(keep.path())
        }
        Manner::Swap => {
            let mut keep = Keep::new(live.clone(), b"", stamp);
            clear(tree, stage, &mut keep, moves)?;
            moves.merge(&stage.root, live, None)?;
            if let Some(old) = keep.directory() {
                for place in &tree.staying {
                    stay(&old, live, place, moves)?;
                }
            }
            if let Some(root) = root {
                moves.set_mode(live, root.directory_mode())?;
            }
            Ok(keep.path())
        }
    }
}

/// Exchanges whole directories by two renames in the directory around them.
fn swap(
    tree: &Tree,
    stage: &Stage,
    name: &ArchivePath,
    stamp: &str,
    moves: &mut Moves<'_>,
) -> Result<Option<PathBuf>> {
    let parent = &stage.parent;
    let mut kept = None;
    if let (Manner::Swap, Some(old)) = (tree.manner, parent.look(name.as_bytes())?) {
        let keep = Keep::new(parent.clone(), name.as_bytes(), stamp);
        let kept_name = keep.free_name()?;
        moves.rename(parent, name, parent, &kept_name)?;
        kept = Some((kept_name, is_directory(&old)));
    }
    if tree.manner == Manner::New {
        moves.rename_over_empty(parent, &stage.name, parent, name)?;
    } else {
        moves.rename(parent, &stage.name, parent, name)?;
    }
    // Where others may write around the target, the name could have been given to a tree of theirs.
    let now = parent.look(name.as_bytes())?;
    let ours = stage.root.stat()?;
    if !now.is_some_and(|now| is_same(&now, &ours)) {
        return Err(Error::invalid(format!(
            "another process changed `{}` during the restore",
            shown(&tree.target)
        )));
    }
    if let Some((kept_name, true)) = &kept {
        let old = Rc::new(parent.enter(kept_name.as_bytes())?);
        for place in &tree.staying {
            stay(&old, &stage.root, place, moves)?;
        }
    }
    Ok(kept.map(|(name, _)| parent.path_of(&name)))
}

/// Moves what is in a live directory away, apart from what stays.
fn clear(tree: &Tree, stage: &Stage, keep: &mut Keep, moves: &mut Moves<'_>) -> Result<()> {
    let live = &stage.parent;
    for name in live.names()? {
        let name = ArchivePath::parse(&name)?;
        let stays = name == stage.name
            || tree.staying.contains(&name)
            // Trees kept by earlier restores are a person's to remove.
            || name.as_bytes().starts_with(Keep::INSIDE)
            // Belongs to the file system that is mounted here.
            || name.as_bytes() == b"lost+found";
        if !stays {
            let old = keep.make(moves)?;
            moves.rename(live, &name, &old, &name)?;
        }
    }
    Ok(())
}

/// Moves a live directory that is not restored from the old tree into the new one.
fn stay(old: &Rc<Directory>, new: &Rc<Directory>, place: &ArchivePath, moves: &mut Moves<'_>) -> Result<()> {
    let Some(live) = old.look_below(place)? else {
        return Ok(());
    };
    moves.make_parents(new, place)?;
    let above = new.walk(place.parent().as_ref())?;
    let mtime: Mtime = above.mtime()?;
    match new.look_below(place)? {
        None => moves.rename(old, place, new, place)?,
        Some(there) if is_directory(&there) && is_directory(&live) => {
            moves.rename_over_empty(old, place, new, place)?;
        }
        // A link to it, or the file under another root: the archive's own is the one wanted.
        Some(_) => {}
    }
    above.set_mtime(mtime)
}

fn last(path: &Path) -> Result<ArchivePath> {
    ArchivePath::parse(path.file_name().unwrap_or_default().as_encoded_bytes())
}
