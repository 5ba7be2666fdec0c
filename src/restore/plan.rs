//! What a restore will do, decided before anything is touched.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, Source};
use crate::format::index::Index;
use crate::openclaw::Environment;
use crate::path::ArchivePath;

use super::cautions::Scene;
use super::layout::{Contents, Layout};
use super::locate::{absolute, resolve};
use super::migrate::{Adaptation, Migration, moves};
use super::place::Places;
use super::select::{Selection, Wanted};

/// Where a restore goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A directory that is new or empty; each root gets its name in the archive there.
    Directory(PathBuf),
    /// Back where each root came from, what lay in home and state directory in those given here.
    Original {
        /// Home directory of the user that is restored for.
        home: PathBuf,
        /// The state directory to be replaced.
        state_dir: PathBuf,
    },
}

/// A restore that can be done: made from the indexes of an archive, looking at the disk only.
pub struct Plan {
    indexes: Vec<Index>,
    layout: Layout,
    rewrites: Vec<PathBuf>,
    target: Target,
    /// When the archive was made, as its manifest has it.
    created: String,
    warnings: Vec<String>,
}

/// What happens with one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRoot {
    /// Its name in the archive.
    pub root: ArchivePath,
    /// Where it goes.
    pub target: PathBuf,
    /// Whether something is there, which will be kept under another name.
    pub replaces: bool,
    /// Entries that will be made.
    pub entries: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Plan {
    /// Decides what goes where.
    ///
    /// # Errors
    ///
    /// `NotFound` where the archive lacks every payload asked for, or nothing matches a
    /// pattern; `Invalid` where the target cannot take the archive; `Malformed` where the
    /// entries contradict each other; and the errors of [`Archive::index`].
    pub fn new(
        archive: &Archive,
        selection: &Selection,
        target: &Target,
        adaptation: &Adaptation,
    ) -> Result<Self> {
        let wanted = Wanted::parse(&selection.globs)?;
        let mut indexes = Vec::new();
        let mut others = Vec::new();
        for role in archive.roles() {
            let index = archive.index(role)?;
            if selection.roles.contains(&role) {
                indexes.push(index);
            } else {
                others.push(index.source);
            }
        }
        if indexes.is_empty() {
            return Err(no_payload(selection));
        }
        let contents = contents(&indexes);
        let mut layout = lay_out(&contents, &others, &wanted, target, adaptation)?;
        let rewrites = match &mut layout.migration {
            Some(migration) => migration.foresee(&contents, &layout.picks, |payload, number, limit| {
                read(archive, &indexes[payload], number, limit)
            })?,
            None => Vec::new(),
        };
        let warnings = warnings(&indexes, &layout);
        Ok(Self {
            indexes,
            layout,
            rewrites,
            target: target.clone(),
            created: archive.manifest().created.clone(),
            warnings,
        })
    }

    /// What happens with each root of which something is wanted.
    #[must_use]
    pub fn roots(&self) -> &[PlannedRoot] {
        &self.layout.roots
    }

    /// Old absolute paths and what they become in configuration and databases.
    #[must_use]
    pub fn moves(&self) -> Vec<(PathBuf, PathBuf)> {
        self.layout.migration.as_ref().map(|migration| moves(&migration.relocation)).unwrap_or_default()
    }

    /// The files in which paths are rewritten, as far as the configuration tells.
    #[must_use]
    pub fn rewrites(&self) -> &[PathBuf] {
        &self.rewrites
    }

    /// Where the configuration goes that no link or file of the state directory brings OpenClaw to.
    #[must_use]
    pub fn configuration(&self) -> Option<PathBuf> {
        let fact = self.indexes.iter().find_map(|index| index.source.facts.get("config"))?;
        let name = Path::new(fact).file_name()?;
        let comes = |path: &[u8]| {
            self.indexes.iter().zip(&self.layout.picks).any(|(index, picks)| {
                let number = index.entries.iter().position(|entry| entry.path.as_bytes() == path);
                number.is_some_and(|number| picks.contains(number))
            })
        };
        let root = self.layout.roots.iter().find(|root| root.root.as_bytes() == b"config")?;
        let elsewhere = comes(&[b"config/", name.as_bytes()].concat()) && !comes(b"state/openclaw.json");
        elsewhere.then(|| root.target.join(name))
    }

    /// Where credentials go that OpenClaw is to find, if any are restored.
    #[must_use]
    pub fn credentials(&self) -> Option<PathBuf> {
        let target = |name: &str| {
            let root = self.layout.roots.iter().find(|root| root.root.as_bytes() == name.as_bytes());
            root.map(|root| root.target.clone())
        };
        let inside = self.indexes.iter().zip(&self.layout.picks).find_map(|(index, picks)| {
            let is_it = |entry: &Entry| entry.path.as_bytes() == b"state/credentials";
            let number = index.entries.iter().position(is_it).filter(|&number| picks.contains(number))?;
            Some(&index.entries[number].node)
        });
        let own = target("credentials");
        // A link may be what leads to those outside.
        if inside.is_none() || (own.is_some() && !matches!(inside, Some(Node::Symlink { .. }))) {
            return own;
        }
        Some(target("state")?.join("credentials"))
    }

    /// What a person should know before it happens.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What a person should know before an installation is replaced; nothing for a directory that
    /// OpenClaw does not look into.
    #[must_use]
    pub fn cautions(&self, environment: &Environment) -> Vec<String> {
        let Target::Original { home, state_dir } = &self.target else {
            return Vec::new();
        };
        let contents = contents(&self.indexes);
        let scene =
            Scene { contents: &contents, layout: &self.layout, home, state_dir, created: &self.created };
        scene.cautions(environment)
    }

    pub(super) fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// Takes what a plan needs from indexes.
pub(super) fn contents(indexes: &[Index]) -> Vec<Contents<'_>> {
    let content = |index| {
        let Index { source, entries, skipped, .. }: &Index = index;
        Contents { source, entries, skipped }
    };
    indexes.iter().map(content).collect()
}

/// Lays out what is wanted at a target; `others` are the sources of payloads left out.
pub(super) fn lay_out(
    contents: &[Contents<'_>],
    others: &[Source],
    wanted: &Wanted,
    target: &Target,
    adaptation: &Adaptation,
) -> Result<Layout> {
    let (home, state_dir) = match target {
        Target::Directory(directory) => {
            let mut layout =
                Layout::new(contents, wanted, |_, _| Places::in_new_directory(contents, directory))?;
            layout.owner = adaptation.owner;
            return Ok(layout);
        }
        Target::Original { home, state_dir } => (home, state_dir),
    };
    let sources: Vec<&Source> = contents.iter().map(|content| content.source).chain(others).collect();
    let mut migration = Migration::new(&sources, home, state_dir, adaptation)?;
    let relocation = migration.as_ref().map(|migration| migration.relocation.clone()).unwrap_or_default();
    let mut layout = Layout::new(contents, wanted, |picks, counts| {
        Places::original(contents, picks, counts, wanted.is_all(), others, &relocation)
    })?;
    for (payload, content) in contents.iter().enumerate() {
        for (number, root) in content.source.roots.iter().enumerate() {
            if let (Some(migration), Some(target)) = (&mut migration, layout.target(payload, number)) {
                migration.settle(&absolute(root)?, &target);
            }
        }
    }
    layout.migration = migration.filter(|_| !adaptation.keep_paths);
    layout.owner = adaptation.owner;
    // The same for every restore of the installation, whatever is wanted of it.
    layout.place = resolve(state_dir)?;
    layout.lasting = true;
    Ok(layout)
}

/// Reads a file of an archive; `None` where it is longer than `limit`.
fn read(archive: &Archive, index: &Index, number: usize, limit: u64) -> Result<Option<Vec<u8>>> {
    let entry = &index.entries[number];
    if !matches!(entry.node, Node::File { size, .. } if size <= limit) {
        return Ok(None);
    }
    let mut content = Vec::new();
    let mut reader = archive.read(index, entry)?;
    reader.read_to_end(&mut content).map_err(|error| Error::stream("read the archive", error))?;
    Ok(Some(content))
}

/// What was wrong with the wanted entries when they were stored.
pub(super) fn warnings(indexes: &[Index], layout: &Layout) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, picks) in indexes.iter().zip(&layout.picks) {
        for noted in &index.noted {
            let entry = index.entries.binary_search_by(|entry| entry.path.cmp(&noted.path));
            if noted.why.needs_attention() && entry.is_ok_and(|number| picks.contains(number)) {
                warnings.push(format!("`{}` in the archive: {}", noted.path, noted.detail));
            }
        }
    }
    warnings
}

/// What to say where an archive has none of the payloads asked for.
pub(super) fn no_payload(selection: &Selection) -> Error {
    let words: Vec<&str> = selection.roles.iter().map(|role| role.as_str()).collect();
    Error::NotFound { what: format!("the archive has no payload `{}`", words.join("` or `")) }
}
