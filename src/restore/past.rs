//! What an earlier restore did, by its journal: finished where it was interrupted, or taken back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::entry::Mtime;
use crate::observer::Observer;
use crate::path::ArchivePath;

use super::activate;
use super::journal::{Bytes, Journal, Place, Purpose, Record, StagedTree, present};
use super::keep::Keep;
use super::layout::{Manner, Tree};
use super::locate::{resolve, shown};
use super::migrate::Owner;
use super::moves::Moves;
use super::reverse::reverse;
use super::stage::{Directory, Facts, Stage, is_directory};
use super::{Restored, stamp};

/// A restore of an earlier run that was interrupted, or whose work can be taken back.
///
/// While it is held no other process restores to the same place.
pub struct PastRestore {
    journal: Rc<Journal>,
    stamp: String,
    owner: Option<Owner>,
    /// In the order in which they were done, as far as they were not taken back.
    steps: Vec<Record>,
    /// How many of the steps made the stages, and what the stages are.
    ready: Option<(usize, Vec<StagedTree>)>,
    /// Where what was replaced is kept, once everything was in its place.
    done: Option<Vec<PathBuf>>,
    /// Whether it was begun to be taken back.
    taking_back: bool,
}

/// What came of taking a restore back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// What is in its place again.
    pub back: Vec<PathBuf>,
    /// Where what had been restored is kept.
    pub aside: Vec<PathBuf>,
    /// What was missing meanwhile.
    pub notes: Vec<String>,
}

impl PastRestore {
    /// Finds this user's restores to a state directory, or to a directory of its own, the latest first.
    ///
    /// # Errors
    ///
    /// `Invalid` where another process is restoring there; `Malformed` where a journal is damaged; `Io`.
    ///
    /// # Security
    ///
    /// A journal says what to rename; one that another user could have written is passed over.
    pub fn find(place: &Path) -> Result<Vec<Self>> {
        Self::find_beside(place, None, Purpose::Change)
    }

    /// As [`PastRestore::find`], to be looked at only: nothing is written, and neither
    /// [`PastRestore::resume`] nor [`PastRestore::take_back`] can begin.
    ///
    /// # Errors
    ///
    /// Those of [`PastRestore::find`].
    pub fn look(place: &Path) -> Result<Vec<Self>> {
        Self::find_beside(place, None, Purpose::Look)
    }

    /// As [`PastRestore::find`], without the restore that writes the journal of this name.
    pub(super) fn find_beside(place: &Path, own: Option<&[u8]>, purpose: Purpose) -> Result<Vec<Self>> {
        let place = resolve(place)?;
        let name = place.file_name().unwrap_or_default().as_encoded_bytes();
        let mut found = Vec::new();
        for (directory, name) in [(place.parent(), name), (Some(place.as_path()), b"")] {
            let Some(Ok(directory)) = directory.map(Directory::open) else {
                continue;
            };
            let directory = Arc::new(directory);
            let start = Keep::base(name, "");
            // One that cannot be listed is none that a journal was put into.
            for name in directory.names().unwrap_or_default() {
                let is_unborn = name.starts_with(&start) && name.ends_with(Journal::UNBORN);
                if is_unborn && purpose == Purpose::Change {
                    Journal::sweep(&directory, &name);
                }
                let is_other = own.is_none_or(|own| own != name);
                if name.starts_with(&start) && name.ends_with(Journal::SUFFIX) && is_other {
                    let Some((journal, records)) = Journal::open(directory.clone(), &name, &place, purpose)?
                    else {
                        continue;
                    };
                    // Of two in one second the later has the longer name.
                    found.push((name.len(), name, Self::new(journal, records)));
                }
            }
        }
        found.sort_by(|(length, name, past), (other_length, other_name, other)| {
            (&other.stamp, other_length, other_name).cmp(&(&past.stamp, length, name))
        });
        Ok(found.into_iter().map(|(.., past)| past).collect())
    }

    /// When the restore began, as it stands in the names of what it kept.
    #[must_use]
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// Whether the restore was interrupted before everything was in its place, or its taking back was.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.done.is_none() || self.taking_back
    }

    /// Whether it was begun to take the restore back.
    #[must_use]
    pub fn is_taking_back(&self) -> bool {
        self.taking_back
    }

    /// Whether an interrupted restore can be finished: everything is unpacked and checked.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        self.done.is_none() && self.ready.is_some()
    }

    /// What the restore put into place, or would have.
    #[must_use]
    pub fn targets(&self) -> Vec<PathBuf> {
        let trees = self.ready.iter().flat_map(|(_, trees)| trees);
        trees.map(|tree| tree.target.path().to_owned()).collect()
    }

    /// Where what was replaced is kept.
    #[must_use]
    pub fn kept(&self) -> &[PathBuf] {
        self.done.as_deref().unwrap_or_default()
    }

    /// Forgets a finished restore of which nothing is kept any more; returns the others.
    pub(super) fn remembered(self) -> Option<Self> {
        // A drive that is not there keeps what is on it.
        let is_gone = |path: &PathBuf| {
            let there = path.symlink_metadata();
            there.is_err_and(|error| error.kind() == ErrorKind::NotFound)
                && path.parent().is_some_and(Path::is_dir)
        };
        if self.done.is_some() && !self.taking_back && self.kept().iter().all(is_gone) {
            self.journal.discard();
            return None;
        }
        Some(self)
    }

    /// Whether it replaces what is there, and does not only add to a directory.
    pub(super) fn replaces(&self) -> bool {
        let mut trees = self.ready.iter().flat_map(|(_, trees)| trees);
        trees.any(|tree| matches!(tree.manner, Manner::Swap | Manner::Merge))
    }

    /// Finishes an interrupted restore.
    ///
    /// # Errors
    ///
    /// `Invalid` where it cannot be resumed, or something else is where its files should be;
    /// `Io`; `Interrupted`. After an error it is as if the restore had not been begun.
    pub fn resume(mut self, observer: &dyn Observer) -> Result<Restored> {
        let Some((before, trees)) = self.ready.take().filter(|_| self.done.is_none()) else {
            return Err(Error::invalid("the restore stopped before everything was unpacked"));
        };
        let mut notes = Vec::new();
        self.reverse(before, &mut notes)?;
        let mut stages = Vec::new();
        let mut roots = Vec::new();
        for staged in &trees {
            let mut stage = staged.open()?;
            stage.journal = Some(self.journal.clone());
            stages.push(stage);
            roots.push(
                staged.root.map(|(mode, seconds, nanoseconds)| Facts {
                    mode,
                    mtime: Mtime { seconds, nanoseconds },
                }),
            );
        }
        let trees = trees.iter().map(StagedTree::tree).collect::<Result<Vec<Tree>>>()?;
        // From here on it is a restore like any other: what fails is taken back.
        self.journal.discard();
        let moves = Moves::new(observer, self.owner, Some(self.journal.clone()));
        let mut restored = activate::all(&trees, stages, &roots, &self.stamp, moves, &self.journal)?;
        if !restored.kept.is_empty() {
            self.journal.keep();
        }
        restored.notes.append(&mut notes);
        Ok(restored)
    }

    /// Puts back what the restore replaced; what it had put there is kept beside it, or, where it
    /// was interrupted, removed: it is in the archive.
    ///
    /// # Errors
    ///
    /// `NotFound` where what was replaced is not kept any more, `Invalid` where something else is
    /// in its place, both before anything is touched; `AlreadyExists`; `Io`. After an error it
    /// can be called again.
    pub fn take_back(mut self) -> Result<TakenBack> {
        self.refuse_what_cannot_be()?;
        self.journal.append(&[Record::TakingBack])?;
        let before = self.ready.as_ref().map_or(self.steps.len(), |(before, _)| *before);
        let mut taken = TakenBack { back: self.targets(), ..TakenBack::default() };
        self.reverse(before, &mut taken.notes)?;
        let stamp = self.done.is_some().then(stamp);
        for step in std::mem::take(&mut self.steps).iter().rev() {
            match step {
                Record::Staged(place) => taken.aside.extend(self.clear(place, stamp.as_deref())?),
                step => taken.notes.extend(reverse(step)?),
            }
        }
        for path in taken.back.iter().filter_map(|path| path.parent()) {
            if let Some(directory) = present(Directory::open(path))? {
                directory.sync_file_system()?;
            }
        }
        taken.back.retain(|path| path.symlink_metadata().is_ok());
        self.journal.discard();
        Ok(taken)
    }

    fn new(journal: Journal, records: Vec<Record>) -> Self {
        let mut past = Self {
            journal: Rc::new(journal),
            stamp: String::new(),
            owner: None,
            steps: Vec::new(),
            ready: None,
            done: None,
            taking_back: false,
        };
        for record in records {
            match record {
                Record::Started { stamp, owner, .. } => {
                    past.stamp = stamp;
                    past.owner = owner.map(|(user, group)| Owner { user, group });
                }
                Record::Ready(trees) => past.ready = Some((past.steps.len(), trees)),
                Record::TakingBack => past.taking_back = true,
                Record::TakenBack => {
                    past.steps.pop();
                }
                Record::Done { kept } => {
                    past.done = Some(kept.iter().map(|path| path.path().to_owned()).collect());
                }
                step => past.steps.push(step),
            }
        }
        past
    }

    /// Looks for all that would stop half-way.
    fn refuse_what_cannot_be(&self) -> Result<()> {
        if self.taking_back {
            return Ok(());
        }
        if let Some(gone) = self.kept().iter().find(|path| path.symlink_metadata().is_err()) {
            return Err(Error::NotFound {
                what: format!("what the restore replaced is not in `{}` any more", shown(gone)),
            });
        }
        Ok(())
    }

    /// Takes back the steps from the last to number `first`.
    fn reverse(&mut self, first: usize, notes: &mut Vec<String>) -> Result<()> {
        for step in self.steps.drain(first..).rev() {
            notes.extend(reverse(&step)?);
            #[cfg(test)]
            super::tests::crash::point();
            self.journal.append(&[Record::TakenBack])?;
        }
        Ok(())
    }

    /// Removes a stage; one whose content had been in use is put aside under a name with `stamp`,
    /// which is returned.
    fn clear(&self, place: &Place, stamp: Option<&str>) -> Result<Option<PathBuf>> {
        let name = place.name.parse()?;
        let is_stage = String::from_utf8_lossy(name.as_bytes()).contains(Stage::MARK);
        let (Some(parent), true) = (place.open()?.map(Arc::new), is_stage) else {
            return Ok(None);
        };
        if !parent.look(name.as_bytes())?.as_ref().is_some_and(is_directory) {
            return Ok(None);
        }
        let tree = self.ready.iter().flat_map(|(_, trees)| trees).find(|tree| tree.stage == *place);
        let target = tree.map_or_else(|| place.path(), |tree| tree.target.path().to_owned());
        let mut stage = match (tree, stamp) {
            // About to be removed: only what the restore made.
            (Some(tree), None) => tree.open()?,
            _ => Stage::open(parent.clone(), name.clone(), &target)?,
        };
        let Some(stamp) = stamp.filter(|_| stage.root.names().is_ok_and(|names| !names.is_empty())) else {
            return Ok(None);
        };
        // Directories that were made again in it are nobody's yet.
        if let Some(owner) = self.owner {
            stage.give(owner)?;
        }
        let base = if parent.path() == target { None } else { target.file_name() };
        let base = base.unwrap_or_default().as_encoded_bytes();
        let aside = Keep::undone(parent.clone(), base, stamp).free_name(b"")?;
        parent.rename(name.as_bytes(), &parent, aside.as_bytes())?;
        Ok(Some(parent.path_of(&aside)))
    }
}

impl StagedTree {
    fn tree(&self) -> Result<Tree> {
        let staying = self.staying.iter().map(Bytes::parse).collect::<Result<Vec<ArchivePath>>>()?;
        Ok(Tree { staying, ..Tree::new(self.target.path().to_owned(), self.manner) })
    }

    fn open(&self) -> Result<Stage> {
        let gone = || Error::NotFound { what: format!("`{}` is gone", shown(&self.stage.path())) };
        let parent = self.stage.open()?.ok_or_else(gone)?;
        let found = parent.look(self.stage.last())?.ok_or_else(gone)?;
        if found.st_ino != self.inode {
            return Err(Error::invalid(format!(
                "`{}` is not what the restore made",
                shown(&self.stage.path())
            )));
        }
        Stage::open(Arc::new(parent), self.stage.name.parse()?, self.target.path())
    }
}
