//! What differs between an archive and an installation, or another archive.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::mem::discriminant;
use std::path::Path;

use crate::archive::Archive;
use crate::capture::{Contents, Fingerprint};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node, SkipReason, Skipped};
use crate::format::index::Index;
use crate::observer::Observer;
use crate::path::ArchivePath;
use crate::pattern::Patterns;

/// One of two payloads that are compared.
pub struct Side<'a> {
    entries: &'a [Entry],
    left_out: HashSet<&'a ArchivePath>,
    origin: Origin<'a>,
}

enum Origin<'a> {
    Archive(&'a Archive, &'a Index, &'a Path),
    Installation(&'a Contents),
}

/// A name that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct Difference<'a> {
    /// What there was before; `None` where the name was added.
    pub before: Option<&'a Entry>,
    /// What there is after; `None` where the name was removed.
    pub after: Option<&'a Entry>,
    /// In what they differ; empty where one of them is not there.
    pub aspects: Vec<Aspect>,
}

/// In what two entries of one name differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// One is a file, the other a directory or a link.
    Type,
    /// The content of a file.
    Content,
    /// Permissions.
    Mode,
    /// Where a link leads, or which names are one file.
    Link,
    /// The time of the last change.
    Mtime,
}

impl Aspect {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Content => "content",
            Self::Mode => "mode",
            Self::Link => "link",
            Self::Mtime => "mtime",
        }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Differences<'a> {
    /// What differs, ascending by name.
    pub list: Vec<Difference<'a>>,
    /// Number of names that are the same.
    pub equal: u64,
    /// Names that one side left out although they may have been there.
    pub unknown: Vec<&'a ArchivePath>,
}

impl<'a> Side<'a> {
    /// The payload of an archive; errors about it name `file`.
    #[must_use]
    pub fn archive(archive: &'a Archive, index: &'a Index, file: &'a Path) -> Self {
        // What could not be read is not in the archive, which a user wants to know.
        let left_out = left_out(&index.skipped, &[SkipReason::Policy]);
        Self { entries: &index.entries, left_out, origin: Origin::Archive(archive, index, file) }
    }

    /// A role of an installation.
    #[must_use]
    pub fn installation(contents: &'a Contents) -> Self {
        // What cannot be read is there all the same.
        let left_out = left_out(&contents.skipped, &[SkipReason::Policy, SkipReason::Unreadable]);
        Self { entries: &contents.entries, left_out, origin: Origin::Installation(contents) }
    }

    fn leaves_out(&self, path: &ArchivePath) -> bool {
        let mut above = Some(path.clone());
        while let Some(path) = above {
            if self.left_out.contains(&path) {
                return true;
            }
            above = path.parent();
        }
        false
    }

    /// The entry with the content of a file or of a further name of one.
    fn file(&self, entry: &'a Entry) -> Option<(&'a Entry, u64, [u8; 32])> {
        match &entry.node {
            Node::File { size, sha256 } => Some((entry, *size, *sha256)),
            Node::Hardlink { target } => {
                let at = self.entries.binary_search_by(|other| other.path.cmp(target)).ok()?;
                let Node::File { size, sha256 } = self.entries[at].node else { return None };
                Some((&self.entries[at], size, sha256))
            }
            Node::Directory | Node::Symlink { .. } => None,
        }
    }

    /// The hash of a database without what SQLite counts; `None` for other files.
    fn database(&self, entry: &Entry, observer: &dyn Observer) -> Result<Option<[u8; 32]>> {
        let (archive, index, file) = match self.origin {
            Origin::Installation(contents) => return Ok(contents.databases.get(&entry.path).copied()),
            Origin::Archive(archive, index, file) => (archive, index, file),
        };
        let hash = || {
            let mut content = archive.read(index, entry)?;
            let mut fingerprint = Fingerprint::default();
            let mut buffer = vec![0; PIECE];
            while fingerprint.may_be_database() {
                observer.check()?;
                match content.read(&mut buffer) {
                    Ok(0) => return Ok(fingerprint.finish().1),
                    Ok(count) => fingerprint.update(&buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(Error::stream("read", error)),
                }
            }
            Ok(None)
        };
        hash().map_err(|error: Error| error.within(file))
    }
}

impl Difference<'_> {
    /// Returns the name.
    #[must_use]
    pub fn path(&self) -> Option<&ArchivePath> {
        self.after.or(self.before).map(|entry| &entry.path)
    }
}

/// Compares two payloads of one role, as far as the patterns select names.
///
/// Content, modes, types and the targets of links count, and times where `mtimes` says so. Databases are the same where
/// they differ in nothing but what SQLite counts in their headers. Names that one side left out by its policy are not
/// compared.
///
/// # Errors
///
/// Those of [`Archive::read`], for databases; [`Interrupted`](crate::ErrorKind::Interrupted).
pub fn diff<'a>(
    before: &Side<'a>,
    after: &Side<'a>,
    patterns: &Patterns,
    mtimes: bool,
    observer: &dyn Observer,
) -> Result<Differences<'a>> {
    let mut found = Differences::default();
    let selected = |entry: &&Entry| patterns.select(&entry.path);
    let mut olds = before.entries.iter().filter(selected).peekable();
    let mut news = after.entries.iter().filter(selected).peekable();
    loop {
        let order = match (olds.peek(), news.peek()) {
            (Some(old), Some(new)) => old.path.cmp(&new.path),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(found),
        };
        // Both have names ascending.
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        let (aspects, unknown) = match (old, new) {
            (Some(old), Some(new)) => {
                let aspects = aspects((before, old), (after, new), mtimes, observer)?;
                if aspects.is_empty() {
                    found.equal += 1;
                    continue;
                }
                (aspects, false)
            }
            (Some(old), None) => (Vec::new(), after.leaves_out(&old.path)),
            (None, Some(new)) => (Vec::new(), before.leaves_out(&new.path)),
            (None, None) => continue,
        };
        if unknown {
            found.unknown.extend(old.or(new).map(|entry| &entry.path));
        } else {
            found.list.push(Difference { before: old, after: new, aspects });
        }
    }
}

fn aspects<'a>(
    (before, old): (&Side<'a>, &'a Entry),
    (after, new): (&Side<'a>, &'a Entry),
    mtimes: bool,
    observer: &dyn Observer,
) -> Result<Vec<Aspect>> {
    let mut aspects = Vec::new();
    let files = before.file(old).zip(after.file(new));
    if files.is_none() && discriminant(&old.node) != discriminant(&new.node) {
        return Ok(vec![Aspect::Type]);
    }
    if let Some(((old, old_size, old_hash), (new, new_size, new_hash))) = files
        && old_hash != new_hash
    {
        // The installation's hash is there; the archive's costs a look.
        let same = old_size == new_size && {
            let hash = after.database(new, observer)?;
            hash.is_some() && hash == before.database(old, observer)?
        };
        if !same {
            aspects.push(Aspect::Content);
        }
    }
    let is_symlink = matches!(old.node, Node::Symlink { .. });
    // Systems differ in what modes links have, and none uses them.
    if old.mode != new.mode && !is_symlink {
        aspects.push(Aspect::Mode);
    }
    let both_files = matches!((&old.node, &new.node), (Node::File { .. }, Node::File { .. }));
    if old.node != new.node && !both_files {
        aspects.push(Aspect::Link);
    }
    if mtimes && old.mtime != new.mtime {
        aspects.push(Aspect::Mtime);
    }
    Ok(aspects)
}

fn left_out<'a>(skipped: &'a [Skipped], reasons: &[SkipReason]) -> HashSet<&'a ArchivePath> {
    skipped.iter().filter(|skipped| reasons.contains(&skipped.why)).map(|skipped| &skipped.path).collect()
}

const PIECE: usize = 128 * 1024;

#[cfg(test)]
mod tests;
