//! Fills the stages: files and directories as they come, then links, then what directories
//! look like from outside.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node};
use crate::observer::Observer;
use crate::path::ArchivePath;
use crate::payload::crew::Crew;

use super::feed::Feed;
use super::gather::{Batch, Gatherer, SMALL};
use super::layout::{Contents, Layout};
use super::migrate::{Migration, Rewritten, find_file};
use super::stage::{Copier, Facts, SmallFile, Stage, expect_length};

/// The stages of a restore and what they are filled from.
pub(super) struct Filling<'a> {
    pub(super) contents: &'a [Contents<'a>],
    pub(super) layout: &'a Layout,
    pub(super) observer: &'a dyn Observer,
    /// Threads that make small files; 0 for all cores.
    pub(super) threads: usize,
    /// The stage of each tree.
    pub(super) stages: Vec<Stage>,
    /// The stage used last.
    pub(super) current: usize,
    /// What was rewritten for another place.
    pub(super) rewritten: Rewritten,
    /// Payload and number of what the archive could not give.
    pub(super) lost: BTreeSet<(usize, usize)>,
}

/// What was made.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl<'a> Filling<'a> {
    /// Makes everything that is picked; `feeds` opens a payload.
    pub(super) fn fill<'f>(
        &mut self,
        mut feeds: impl FnMut(usize) -> Result<Box<dyn Feed + 'f>>,
    ) -> Result<Totals> {
        self.refuse_collisions()?;
        let (observer, threads) = (self.observer, self.threads);
        let work = |batch: Batch<'a>| batch.make(observer);
        let mut totals = thread::scope(|scope| {
            let mut small = Gatherer::new(Crew::start(scope, threads, &work)?);
            let fed = self.feed(&mut feeds, &mut small);
            // What the crew met came before what ended the feeding.
            for (stage, remarks) in small.finish()? {
                self.stages[stage].add_notes(remarks);
            }
            fed
        })?;
        // Before there is a link that could lead anywhere, and with every directory still open to us.
        let mut migration = self.layout.migration.clone();
        if let Some(migration) = &mut migration {
            self.rewritten = migration.run(self)?;
        }
        self.for_each(Self::hardlink)?;
        self.for_each(|filling, payload, number| filling.symlink(payload, number, migration.as_ref()))?;
        for stage in &mut self.stages {
            // Each directory is found by its name once more: what was put in its place is noticed.
            stage.rest();
        }
        for &(payload, number) in self.layout.directories.iter().rev() {
            self.observer.check()?;
            let (stage, place) = self.stage(payload, number)?;
            let facts = facts(self.entry(payload, number));
            self.stages[stage].finish_directory(place.as_ref(), facts)?;
        }
        for stage in &mut self.stages {
            if let Some(owner) = self.layout.owner {
                stage.give(owner)?;
            }
            stage.sync()?;
        }
        for picks in &self.layout.picks {
            totals.entries += picks.numbers().count() as u64;
        }
        totals.entries -= self.lost.len() as u64;
        Ok(totals)
    }

    /// Makes the directories and files, large ones here, small ones through the gatherer.
    fn feed<'f>(
        &mut self,
        feeds: &mut impl FnMut(usize) -> Result<Box<dyn Feed + 'f>>,
        small: &mut Gatherer<'_, 'a>,
    ) -> Result<Totals> {
        let mut totals = Totals::default();
        let mut copier = Copier::new(self.observer);
        for payload in 0..self.contents.len() {
            let mut feed = feeds(payload)?;
            while let Some((number, xattrs)) = feed.next()? {
                self.observer.check()?;
                if small.has_failed() {
                    return Ok(totals);
                }
                let Some(made_as) = self.layout.picks[payload].made_as(number) else {
                    continue;
                };
                let entry = self.entry(payload, number);
                let Node::File { size, .. } = entry.node else {
                    // Links come after all files, lest one be written through them.
                    if entry.node == Node::Directory {
                        let (stage, place) = self.stage(payload, number)?;
                        self.stages[stage].directory(place.as_ref(), &xattrs)?;
                    }
                    continue;
                };
                let (stage, place) = self.stage_for_name(payload, made_as)?;
                let stages = &mut self.stages[stage];
                let made = match usize::try_from(size) {
                    Ok(length) if size <= SMALL => {
                        let directory = stages.enter(place.parent().as_ref())?;
                        let name = place.file_name().into();
                        small.take(stage, directory, |content| {
                            let start = content.len();
                            let hash = feed.read_whole(length, content)?;
                            expect_length((content.len() - start) as u64, size)?;
                            Ok(SmallFile { entry, name, xattrs, hash, length })
                        })
                    }
                    _ => stages.file(&place, facts(entry), size, &xattrs, &mut *feed, &mut copier),
                };
                match made {
                    Ok(()) => totals.bytes += size,
                    Err(error) if feed.is_lost() && error.is_damage() => {
                        self.lost.insert((payload, made_as));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(totals)
    }

    fn for_each(&mut self, mut make: impl FnMut(&mut Self, usize, usize) -> Result<()>) -> Result<()> {
        for (payload, picks) in self.layout.picks.iter().enumerate() {
            for number in picks.numbers() {
                self.observer.check()?;
                make(self, payload, number)?;
            }
        }
        Ok(())
    }

    fn hardlink(&mut self, payload: usize, number: usize) -> Result<()> {
        let Some(file) = self.layout.picks[payload].linked_to(number) else {
            return Ok(());
        };
        if self.lost.contains(&(payload, file)) {
            self.lost.insert((payload, number));
            return Ok(());
        }
        let (from, from_place) = self.stage_for_name(payload, file)?;
        let (to, place) = self.stage_for_name(payload, number)?;
        let from = self.stages[from].root.clone();
        let facts = facts(self.entry(payload, file));
        self.stages[to].hardlink(&from, &from_place, &place, facts)
    }

    fn symlink(&mut self, payload: usize, number: usize, migration: Option<&Migration>) -> Result<()> {
        let entry = self.entry(payload, number);
        let Node::Symlink { target } = &entry.node else {
            return Ok(());
        };
        let (stage, place) = self.stage_for_name(payload, number)?;
        let moved = migration.and_then(|migration| migration.link(&entry.path, target));
        self.rewritten.links += u64::from(moved.is_some());
        self.stages[stage].symlink(&place, moved.as_deref().unwrap_or(target), entry.mtime)
    }

    /// Refuses names that the target would take for one: the later would replace the earlier.
    fn refuse_collisions(&mut self) -> Result<()> {
        for tree in 0..self.stages.len() {
            let folding = self.stages[tree].folding()?;
            if folding.is_exact() {
                continue;
            }
            let mut places = Vec::new();
            for (payload, picks) in self.layout.picks.iter().enumerate() {
                for number in picks.numbers() {
                    let (of, place) = self.stage(payload, number)?;
                    places.extend(place.filter(|_| of == tree));
                }
            }
            if let Some((one, other)) = folding.collision(places.iter()) {
                return Err(Error::invalid(format!(
                    "`{one}` and `{other}` are one name on the file system of the target"
                )));
            }
        }
        Ok(())
    }

    fn entry(&self, payload: usize, number: usize) -> &'a Entry {
        let contents: &'a [Contents<'a>] = self.contents;
        &contents[payload].entries[number]
    }

    /// Finds the staged file that came from a path; the number is that of the entry it is made as.
    pub(super) fn find(&self, source: &Path) -> Option<(usize, usize)> {
        find_file(self.contents, &self.layout.picks, source)
    }

    /// Reads a staged file; `None` where it is longer than `limit`.
    pub(super) fn read(&mut self, payload: usize, number: usize, limit: u64) -> Result<Option<Vec<u8>>> {
        let (stage, place) = self.stage_for_name(payload, number)?;
        self.stages[stage].read(&place, limit)
    }

    /// Gives a staged file other content.
    pub(super) fn rewrite(&mut self, payload: usize, number: usize, content: &[u8]) -> Result<()> {
        let (stage, place) = self.stage_for_name(payload, number)?;
        let facts = self.file_facts(payload, number);
        self.stages[stage].rewrite(&place, facts, content)
    }

    /// Lends a staged file to a library that takes only paths.
    pub(super) fn lend(&mut self, payload: usize, number: usize) -> Result<PathBuf> {
        let (stage, place) = self.stage_for_name(payload, number)?;
        self.stages[stage].lend(&place)
    }

    /// Gives a file that was lent its mode and time again.
    pub(super) fn take_back(&mut self, payload: usize, number: usize) -> Result<()> {
        let (stage, place) = self.stage_for_name(payload, number)?;
        let facts = self.file_facts(payload, number);
        self.stages[stage].take_back(&place, facts)
    }

    /// Mode and time of a staged file, which a hard link has from the file that it is a name of.
    fn file_facts(&self, payload: usize, number: usize) -> Facts {
        let file = self.layout.picks[payload].file_of(number).unwrap_or(number);
        facts(self.entry(payload, file))
    }

    /// Returns the stage and the place in it of an entry.
    fn stage(&mut self, payload: usize, number: usize) -> Result<(usize, Option<ArchivePath>)> {
        let path = &self.entry(payload, number).path;
        let (tree, place) = self.layout.place(&self.contents[payload], payload, path)?;
        if self.current != tree {
            // Many trees, each with its directories held open, would use up the handles.
            self.stages[self.current].rest();
            self.current = tree;
        }
        Ok((tree, place))
    }

    /// As `stage`, for what cannot be the stage itself.
    fn stage_for_name(&mut self, payload: usize, number: usize) -> Result<(usize, ArchivePath)> {
        let (tree, place) = self.stage(payload, number)?;
        let path = &self.entry(payload, number).path;
        let place = place
            .ok_or_else(|| Error::malformed(format!("entry `{path}` takes the place of a directory")))?;
        Ok((tree, place))
    }
}

fn facts(entry: &Entry) -> Facts {
    Facts { mode: entry.mode, mtime: entry.mtime }
}
