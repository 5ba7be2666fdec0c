//! Archive to disk: a plan that only looks, stages that are the only writers, and renames
//! that put them into place (spec §10 step 6).

mod activate;
mod cautions;
mod extract;
mod feed;
mod fill;
mod gather;
mod journal;
mod keep;
mod layout;
mod locate;
mod migrate;
mod mounts;
mod moves;
mod names;
mod past;
mod place;
mod plan;
mod reverse;
mod salvage;
mod select;
mod stage;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use jiff::Timestamp;

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::format::entry::Node;
use crate::format::index::Index;
use crate::observer::Observer;
use crate::path::ArchivePath;

pub use extract::extract;
pub use migrate::{Adaptation, Owner, Rewritten};
pub use past::{PastRestore, TakenBack};
pub use plan::{Plan, PlannedRoot, Target};
pub use salvage::{SalvagedPayload, salvage};
pub use select::Selection;

use feed::{Chosen, Feed, Whole};
use fill::{Filling, Totals};
use journal::{Purpose, Record, StagedTree};
use layout::{Contents, Layout};
use locate::shown;
use moves::Moves;
use stage::Facts;

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Entries that were made.
    pub entries: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Where what was replaced is kept.
    pub kept: Vec<PathBuf>,
    /// What could not be made as it was: attributes refused, dangerous mode bits dropped.
    pub notes: Vec<String>,
    /// What was rewritten because it went to another place.
    pub rewritten: Rewritten,
    /// What a damaged archive could not give; only [`salvage`] goes on without it.
    pub lost: Vec<ArchivePath>,
}

/// Does what a plan says.
///
/// Everything is staged beside its target and checked against the archive; only then, by
/// renames that are taken back if one fails, it becomes visible. What it replaces is kept.
///
/// # Errors
///
/// Those of reading the archive; `Io` naming the file that could not be made; `AlreadyExists`
/// or `Invalid` where the target changed since the plan; `Interrupted`. After an error the
/// targets are as they were.
pub fn restore(archive: &Archive, plan: &Plan, threads: usize, observer: &dyn Observer) -> Result<Restored> {
    let contents = plan::contents(plan.indexes());
    run(&contents, plan.layout(), &stamp(), threads, observer, |payload| {
        feed(archive, &plan.indexes()[payload], plan.layout(), payload, threads)
    })
}

/// Opens a payload the cheaper way: as a whole, or each wanted file on its own.
fn feed<'a>(
    archive: &'a Archive,
    index: &'a Index,
    layout: &Layout,
    payload: usize,
    threads: usize,
) -> Result<Box<dyn Feed + 'a>> {
    let numbers = layout.picks[payload].read();
    // One or two frames are decoded for a file, whatever its size.
    let frame = u64::from(index.frame_size);
    let size = |number: &usize| match index.entries[*number].node {
        Node::File { size, .. } => size.saturating_add(frame),
        _ => 0,
    };
    let files = numbers.iter().filter(|number| size(number) > 0).count();
    let sought: u64 = numbers.iter().map(size).fold(0, u64::saturating_add);
    if numbers.len() == index.entries.len() || (files > FEW && sought > index.tar) {
        Ok(Box::new(Whole::new(archive, index, threads)?))
    } else {
        Ok(Box::new(Chosen::new(archive, index, numbers)))
    }
}

/// Stages, fills, and puts into place.
fn run<'f>(
    contents: &[Contents<'_>],
    layout: &Layout,
    stamp: &str,
    threads: usize,
    observer: &dyn Observer,
    feeds: impl FnMut(usize) -> Result<Box<dyn Feed + 'f>>,
) -> Result<Restored> {
    // Dropped in reverse: renames are taken back into the stages, the stages removed, then the
    // directories that were made for them, the journal, and those made for it.
    let mut foundation = Moves::new(observer, layout.owner, None);
    let journal = Rc::new(activate::begin(layout, stamp, &mut foundation)?);
    // With a journal of its own: of two that begin at once, each sees the other's.
    settle(layout, journal.name())?;
    let mut ground = Moves::new(observer, layout.owner, Some(journal.clone()));
    let mut stages = Vec::new();
    for tree in &layout.trees {
        stages.push(activate::prepare(tree, &mut ground, &journal)?);
    }
    let (rewritten, lost) = (Rewritten::default(), BTreeSet::new());
    let mut filling = Filling { contents, layout, observer, threads, stages, current: 0, rewritten, lost };
    let Totals { entries, bytes } = filling.fill(feeds)?;
    let Filling { stages, rewritten, lost, .. } = filling;
    let roots = root_facts(contents, layout)?;
    let mut ready = Vec::new();
    for ((tree, stage), root) in layout.trees.iter().zip(&stages).zip(&roots) {
        ready.push(StagedTree::new(tree, stage, *root)?);
    }
    journal.append(&[Record::Ready(ready)])?;
    let moves = Moves::new(observer, layout.owner, Some(journal.clone()));
    let mut restored = activate::all(&layout.trees, stages, &roots, stamp, moves, &journal)?;
    if layout.lasting && !restored.kept.is_empty() {
        journal.keep();
    }
    ground.commit();
    foundation.commit();
    restored.entries = entries;
    restored.bytes = bytes;
    restored.rewritten = rewritten;
    let path = |(payload, number): (usize, usize)| contents[payload].entries[number].path.clone();
    restored.lost = lost.into_iter().map(path).collect();
    Ok(restored)
}

/// Removes what an interrupted run left of a directory that is to be made; refuses to replace
/// an installation that is between two states.
fn settle(layout: &Layout, own: &[u8]) -> Result<()> {
    let earlier = match PastRestore::find_beside(&layout.place, Some(own), Purpose::Change) {
        // Others may extract into the same directory.
        Err(_) if !layout.lasting => return Ok(()),
        outcome => outcome?,
    };
    let earlier = earlier.into_iter().filter_map(PastRestore::remembered);
    for past in earlier.filter(PastRestore::is_interrupted) {
        if layout.lasting || past.replaces() {
            return Err(Error::invalid(format!(
                "a restore to `{}` was interrupted and is neither finished nor taken back",
                shown(&layout.place)
            )));
        }
        past.take_back()?;
    }
    Ok(())
}

/// Finds what the archive says of the directories that are trees themselves.
fn root_facts(contents: &[Contents<'_>], layout: &Layout) -> Result<Vec<Option<Facts>>> {
    let mut roots = vec![None; layout.trees.len()];
    for &(payload, number) in &layout.directories {
        let entry = &contents[payload].entries[number];
        if let (tree, None) = layout.place(&contents[payload], payload, &entry.path)? {
            roots[tree] = Some(Facts { mode: entry.mode, mtime: entry.mtime });
        }
    }
    Ok(roots)
}

/// The time in the names of kept trees.
fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Files that are always sought one by one.
const FEW: usize = 16;
