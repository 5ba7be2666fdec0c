//! Which entries are wanted.

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Role};
use crate::path::ArchivePath;
use crate::pattern::Patterns;

/// What a restore takes from an archive.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Payloads to take from; those that the archive lacks are passed over.
    pub roles: Vec<Role>,
    /// Patterns of whole names; a pattern that matches a directory takes what is below it.
    /// None at all takes everything.
    pub globs: Vec<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { roles: Role::ALL.to_vec(), globs: Vec::new() }
    }
}

/// Parsed wishes.
pub(super) enum Wanted {
    All,
    Globs(Patterns),
    Paths(Vec<ArchivePath>),
}

impl Wanted {
    /// Parses patterns; none means everything.
    pub(super) fn parse(globs: &[String]) -> Result<Self> {
        if globs.is_empty() {
            return Ok(Self::All);
        }
        Patterns::parse(globs).map(Self::Globs)
    }

    /// Picks from the entries of all payloads.
    ///
    /// # Errors
    ///
    /// `NotFound` for the first wish that nothing fits.
    pub(super) fn pick(&self, payloads: &[&[Entry]]) -> Result<Vec<Picks>> {
        let mut all = Vec::with_capacity(payloads.len());
        for entries in payloads {
            let picked = entries.iter().map(|entry| self.wants(&entry.path)).collect();
            all.push(Picks::new(entries, picked)?);
        }
        let unmet = match self {
            Self::All => None,
            Self::Globs(patterns) => patterns.unused().map(|glob| format!("nothing matches `{glob}`")),
            Self::Paths(paths) => {
                let is_there = |path| payloads.iter().any(|entries| has(entries, path));
                paths.iter().find(|path| !is_there(path)).map(|path| format!("there is no entry `{path}`"))
            }
        };
        unmet.map_or(Ok(all), |what| Err(Error::NotFound { what }))
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    fn wants(&self, path: &ArchivePath) -> bool {
        match self {
            Self::All => true,
            Self::Globs(patterns) => patterns.select(path),
            Self::Paths(paths) => paths.iter().any(|wish| path.starts_with(wish)),
        }
    }
}

/// Tells whether an entry is `path` or lies below it.
fn has(entries: &[Entry], path: &ArchivePath) -> bool {
    entries.iter().any(|entry| entry.path.starts_with(path))
}

/// The entries of one payload that are to be made, by their number in the index.
#[derive(Debug, Default)]
pub(super) struct Picks {
    picked: Vec<bool>,
    /// The file that each hard link is a name of.
    files: HashMap<usize, usize>,
    /// The picked hard link that takes the content of a file that is not picked itself.
    stand_ins: HashMap<usize, usize>,
}

impl Picks {
    /// Checks the links, and adds the directories above what is picked.
    fn new(entries: &[Entry], mut picked: Vec<bool>) -> Result<Self> {
        let files = resolve_hardlinks(entries)?;
        let mut stand_ins = HashMap::new();
        if picked.contains(&false) {
            pick_parents(entries, &mut picked);
            let mut links: Vec<_> = files.iter().map(|(&link, &file)| (link, file)).collect();
            links.sort_unstable();
            for (link, file) in links {
                if picked[link] && !picked[file] {
                    stand_ins.entry(file).or_insert(link);
                }
            }
        }
        Ok(Self { picked, files, stand_ins })
    }

    /// Tells whether an entry is to be made.
    pub(super) fn contains(&self, number: usize) -> bool {
        self.picked[number]
    }

    /// Returns the numbers of the entries to be made, ascending.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.picked.len()).filter(|&number| self.picked[number])
    }

    /// Returns the entry that the content of file `number` is made as.
    pub(super) fn made_as(&self, number: usize) -> Option<usize> {
        if self.picked[number] { Some(number) } else { self.stand_ins.get(&number).copied() }
    }

    /// Returns the file that hard link `number` is a name of.
    pub(super) fn file_of(&self, number: usize) -> Option<usize> {
        self.files.get(&number).copied()
    }

    /// Returns the entry that hard link `number` is to be linked to; `None` where it is the
    /// one that took the content.
    pub(super) fn linked_to(&self, number: usize) -> Option<usize> {
        let made = self.made_as(*self.files.get(&number)?)?;
        (made != number).then_some(made)
    }

    /// Returns the numbers of entries that must be read: picked ones, and files whose content
    /// goes to a hard link; ascending.
    pub(super) fn read(&self) -> Vec<usize> {
        let needed = |&number: &usize| self.made_as(number).is_some();
        (0..self.picked.len()).filter(needed).collect()
    }
}

/// Finds the file of every hard link: one that stands earlier in the same payload (spec §8.3).
fn resolve_hardlinks(entries: &[Entry]) -> Result<HashMap<usize, usize>> {
    let targets: HashSet<&ArchivePath> = entries
        .iter()
        .filter_map(|entry| match &entry.node {
            Node::Hardlink { target } => Some(target),
            _ => None,
        })
        .collect();
    let mut files = HashMap::new();
    if targets.is_empty() {
        return Ok(files);
    }
    let mut earlier = HashMap::new();
    for (number, entry) in entries.iter().enumerate() {
        match &entry.node {
            Node::File { .. } if targets.contains(&entry.path) => {
                earlier.insert(&entry.path, number);
            }
            Node::Hardlink { target } => {
                let file = earlier.get(target).ok_or_else(|| {
                    Error::malformed(format!(
                        "hard link `{}` to `{target}`, which is no earlier file",
                        entry.path
                    ))
                })?;
                files.insert(number, *file);
            }
            _ => {}
        }
    }
    Ok(files)
}

fn pick_parents(entries: &[Entry], picked: &mut [bool]) {
    let numbers: HashMap<&[u8], usize> =
        entries.iter().enumerate().map(|(number, entry)| (entry.path.as_bytes(), number)).collect();
    for number in 0..entries.len() {
        if !picked[number] {
            continue;
        }
        let mut path = entries[number].path.parent();
        while let Some(parent) = path {
            match numbers.get(parent.as_bytes()) {
                Some(&above) if picked[above] => break,
                // Whether it is a directory is checked with all that is picked.
                Some(&above) => picked[above] = true,
                None => {}
            }
            path = parent.parent();
        }
    }
}
