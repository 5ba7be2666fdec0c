//! The two names of what lies behind links: the one that OpenClaw was told, and the one free of links.
//!
//! A backup names most of its content by the second, and what the configuration names by the first.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::openclaw::native::{Covered, NativeManifest};

/// What is known of the links of a backup, those in it and others.
#[derive(Debug)]
pub(super) struct Names<'a> {
    manifest: &'a NativeManifest,
    /// Targets of the links that are in the backup, by their places.
    links: HashMap<PathBuf, Vec<u8>>,
    /// Directories as OpenClaw was told of them, with their places.
    told: Vec<(PathBuf, PathBuf)>,
}

impl<'a> Names<'a> {
    pub(super) fn new(manifest: &'a NativeManifest, links: HashMap<PathBuf, Vec<u8>>) -> Self {
        let mut names = Self { manifest, links, told: Vec::new() };
        if let Some(told) = manifest.told_state_dir() {
            names.learn(told, &manifest.paths.state_dir);
        }
        names
    }

    /// Takes in that a directory has two names: the link is where they begin to be the same.
    pub(super) fn learn(&mut self, told: &Path, place: &Path) {
        let (mut told, mut place) = (told, place);
        while let (Some(above), Some(place_above)) = (told.parent(), place.parent())
            && told.file_name() == place.file_name()
            && above.parent().is_some()
            && place_above.parent().is_some()
        {
            (told, place) = (above, place_above);
        }
        if told != place {
            self.told.push((told.to_owned(), place.to_owned()));
        }
    }

    /// How OpenClaw was told of a place.
    pub(super) fn told(&self, place: &Path) -> PathBuf {
        let names = self.told.iter().filter_map(|(told, real)| Some((real, moved(place, real, told)?)));
        let innermost = names.max_by_key(|(real, _)| real.components().count());
        innermost.map_or_else(|| place.to_owned(), |(_, name)| name)
    }

    /// Where in the backup a path leads by what is known of links outside of it.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        let places = self.told.iter().filter_map(|(told, real)| Some((told, moved(path, told, real)?)));
        let covered = places.filter(|(_, place)| self.manifest.covers(place) == Covered::Yes);
        let innermost = covered.max_by_key(|(told, _)| told.components().count());
        innermost.map_or_else(|| path.to_owned(), |(_, place)| place)
    }

    /// The same, with the links in the backup followed as well.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        let mut place = self.place(path);
        for _ in 0..MAX_LINKS {
            let mut above: Vec<&Path> = place.ancestors().collect();
            above.reverse();
            let link = above.into_iter().find_map(|link| Some((link, self.links.get(link)?)));
            let Some((link, target)) = link else { break };
            let next = target_of(link, target);
            place = self.place(&moved(&place, link, &next).unwrap_or(next));
        }
        place
    }
}

/// Where a link at a place leads to, without a look at what is there.
pub(super) fn target_of(link: &Path, target: &[u8]) -> PathBuf {
    let mut place = PathBuf::new();
    for component in link.parent().unwrap_or(link).join(OsStr::from_bytes(target)).components() {
        match component {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            other => place.push(other),
        }
    }
    place
}

/// A path in one directory, told as one in another.
fn moved(path: &Path, from: &Path, to: &Path) -> Option<PathBuf> {
    let below = path.strip_prefix(from).ok()?;
    Some(if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) })
}

/// What the system follows.
const MAX_LINKS: usize = 40;
