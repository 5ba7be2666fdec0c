//! Puts finished stages into their places by renaming.
//!
//! What is replaced is kept under a name that says when; where a step fails, all steps before
//! it are taken back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::entry::Mtime;
use crate::path::ArchivePath;

use super::Restored;
use super::journal::{Bytes, Journal, Place, Record};
use super::keep::Keep;
use super::layout::{Layout, Manner, Tree};
use super::locate::{as_path, joined, shown};
use super::moves::{Held, Moves};
use super::place::is_mounted;
use super::stage::{Directory, Facts, Stage, is_directory, is_same};

/// Begins the journal of a restore, where a later run for the same place finds it.
pub(super) fn begin(layout: &Layout, stamp: &str, ground: &mut Moves<'_>) -> Result<Journal> {
    let place = &layout.place;
    // The directory around what is added to may be anybody's.
    let inside = layout.trees.iter().any(|tree| tree.manner == Manner::Add);
    beside_or_inside(place, inside, ground, |directory| {
        let name = if directory.path() == *place { None } else { Some(last(place)?) };
        let name = name.as_ref().map_or(&b""[..], ArchivePath::as_bytes);
        let name = Keep::new(directory.clone(), name, stamp).free_name(Journal::SUFFIX)?;
        Journal::create(directory, &name, place, stamp, layout.owner)
    })
}

/// Makes the stage of a tree.
pub(super) fn prepare(tree: &Tree, ground: &mut Moves<'_>, journal: &Rc<Journal>) -> Result<Stage> {
    beside_or_inside(&tree.target, tree.inside, ground, |parent| {
        let name = Stage::free_name(&parent, &tree.target)?;
        journal.note(&Record::Staged(Place::new(&parent, name.as_bytes())))?;
        Stage::create(parent, name, &tree.target, Some(journal.clone()))
    })
}

/// Makes something beside a target, from where one rename puts it there; inside where the
/// target is a mount point or the directory around it is not ours to write.
fn beside_or_inside<T>(
    target: &Path,
    inside: bool,
    ground: &mut Moves<'_>,
    make: impl Fn(Arc<Directory>) -> Result<T>,
) -> Result<T> {
    let is_there = target.is_dir();
    // Resolved when it was planned: a link in it was put there since.
    if is_there && (inside || Directory::open_unlinked(target)?.is_mount_point()?) {
        return make(Arc::new(Directory::open_unlinked(target)?));
    }
    let around =
        target.parent().ok_or_else(|| Error::invalid(format!("`{}` cannot be replaced", shown(target))))?;
    match ground.open_or_make(around).and_then(&make) {
        Err(Error::Io { source, .. })
            if is_there
                && matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
        {
            make(Arc::new(Directory::open_unlinked(target)?))
        }
        outcome => outcome,
    }
}

/// Puts all finished stages into their places, and removes what is left of them.
pub(super) fn all(
    trees: &[Tree],
    mut stages: Vec<Stage>,
    roots: &[Option<Facts>],
    stamp: &str,
    mut moves: Moves<'_>,
    journal: &Journal,
) -> Result<Restored> {
    let mut restored = Restored::default();
    for ((tree, stage), root) in trees.iter().zip(&mut stages).zip(roots) {
        moves.check()?;
        restored.notes.append(&mut stage.take_notes());
        restored.kept.extend(activate(tree, stage, *root, stamp, &mut moves)?);
    }
    for stage in &stages {
        stage.parent.sync_file_system()?;
    }
    let kept = restored.kept.iter().map(|path| Bytes::of(path)).collect();
    journal.append(&[Record::Done { kept }])?;
    moves.commit();
    for ((tree, stage), root) in trees.iter().zip(stages).zip(roots) {
        let parent = stage.parent.clone();
        // What is left of a stage that was emptied into its target goes now.
        drop(stage);
        if let (Manner::Swap, Some(root), true) = (tree.manner, root, parent.path() == tree.target) {
            // Too late to fail: everything is in its place.
            if let Err(error) = parent.set_mtime(root.mtime) {
                restored.notes.push(error.to_string());
            }
        }
    }
    Ok(restored)
}

/// Puts a finished stage into its place; returns where the old tree is kept, if there was one.
///
/// `root` is what the archive says of the directory itself.
fn activate(
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
        let live = Arc::new(stage.parent.enter(name.as_bytes())?);
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
    let (new, live) = (Held::new(parent, &stage.name), Held::new(parent, name));
    let mut kept = None;
    match (tree.manner, parent.look(name.as_bytes())?) {
        (Manner::Swap, Some(old)) => {
            let kept_name = Keep::new(parent.clone(), name.as_bytes(), stamp).free_name(b"")?;
            moves.replace(&new, &live, &Held::new(parent, &kept_name))?;
            kept = Some((kept_name, is_directory(&old)));
        }
        (Manner::New, _) => moves.rename_over_empty(&new, &live)?,
        _ => moves.rename(&new, &live)?,
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
        let old = Arc::new(parent.enter(kept_name.as_bytes())?);
        let new = Arc::new(parent.enter(name.as_bytes())?);
        for place in &tree.staying {
            stay(&old, &new, place, moves)?;
        }
    }
    Ok(kept.map(|(name, _)| parent.path_of(&name)))
}

/// Moves what is in a live directory away, apart from what stays; what a mount lies in stays around it.
fn clear(tree: &Tree, stage: &Stage, keep: &mut Keep, moves: &mut Moves<'_>) -> Result<()> {
    let live = &stage.parent;
    let mut rest = vec![None];
    while let Some(at) = rest.pop() {
        for name in live.walk(at.as_ref())?.names()? {
            let Some(place) = joined(at.as_ref(), &name)? else { continue };
            let stays = place == stage.name
                || tree.staying.contains(&place)
                // Trees kept by earlier restores are a person's to remove.
                || place.as_bytes().starts_with(Keep::INSIDE)
                // Belongs to the file system that is mounted here.
                || place.as_bytes() == b"lost+found";
            if stays {
                continue;
            }
            let is_mount = |inner: &ArchivePath| is_mounted(&tree.target.join(as_path(inner.as_bytes())));
            if tree.staying.iter().any(|inner| inner.starts_with(&place) && is_mount(inner)) {
                rest.push(Some(place));
                continue;
            }
            let old = keep.make(moves)?;
            moves.make_parents(&old, &place)?;
            moves.rename(&Held::new(live, &place), &Held::new(&old, &place))?;
        }
    }
    Ok(())
}

/// Moves a live directory that is not restored from the old tree into the new one.
fn stay(
    old: &Arc<Directory>,
    new: &Arc<Directory>,
    place: &ArchivePath,
    moves: &mut Moves<'_>,
) -> Result<()> {
    let Some(live) = old.look_below(place)? else {
        return Ok(());
    };
    moves.make_parents(new, place)?;
    let above = new.walk(place.parent().as_ref())?;
    let mtime: Mtime = above.mtime()?;
    let (from, to) = (Held::new(old, place), Held::new(new, place));
    match new.look_below(place)? {
        None => moves.rename(&from, &to)?,
        Some(there) if is_directory(&there) && is_directory(&live) => {
            moves.rename_over_empty(&from, &to)?;
        }
        // A link to it, or the file under another root: the archive's own is the one wanted.
        Some(_) => {}
    }
    above.set_mtime(mtime)
}

fn last(path: &Path) -> Result<ArchivePath> {
    ArchivePath::parse(path.file_name().unwrap_or_default().as_encoded_bytes())
}
