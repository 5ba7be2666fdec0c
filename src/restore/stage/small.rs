//! A file whose content is in memory: proven before it is made.

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Xattr};
use crate::payload::digest::compare;

use super::content::write_with_holes;
use super::directory::{raw_mode, shown};
use super::{Directory, FILE_BITS, Facts, finish_file, set_xattrs};

/// A file to be made.
pub(in crate::restore) struct SmallFile<'a> {
    pub(in crate::restore) entry: &'a Entry,
    /// What it is called in its directory.
    pub(in crate::restore) name: Box<[u8]>,
    pub(in crate::restore) xattrs: Vec<Xattr>,
    /// What the hash must be, unless it was compared.
    pub(in crate::restore) hash: Option<[u8; 32]>,
    /// Length of the content.
    pub(in crate::restore) length: usize,
}

impl SmallFile<'_> {
    /// Makes the file, once its content matched its hash; returns remarks on it.
    ///
    /// # Errors
    ///
    /// `Tampered` where the hash is another one; `Io`.
    pub(in crate::restore) fn make(&self, directory: &Directory, content: &[u8]) -> Result<Vec<String>> {
        if let Some(hash) = &self.hash {
            compare(&self.entry.path, content, hash)?;
        }
        let facts = Facts { mode: self.entry.mode, mtime: self.entry.mtime };
        // Attributes can be set by whom the mode lets write.
        let mode = if self.xattrs.is_empty() { facts.mode & FILE_BITS } else { PRIVATE };
        let file = directory.create_file_with(&self.name, raw_mode(mode))?;
        let path = directory.path().join(shown(&self.name));
        let size = content.len() as u64;
        let written = write_with_holes(&file, content, 0).and_then(|end| {
            // A hole at the end is not in the file's length yet.
            if end < size { file.set_len(size) } else { Ok(()) }
        });
        written.map_err(|source| Error::io("write", &path, source))?;
        let mut notes = set_xattrs(&file, &self.xattrs, &path);
        notes.extend(finish_file(&file, facts, &path)?);
        Ok(notes)
    }
}

const PRIVATE: u32 = 0o600;
