//! Gathers small files by directory, to be made on several threads.

use std::sync::Arc;

use crate::error::Result;
use crate::observer::Observer;
use crate::payload::crew::Crew;

use super::stage::{Directory, SmallFile};

/// Files of one directory with their content, one after the other.
pub(super) struct Batch<'a> {
    stage: usize,
    directory: Arc<Directory>,
    content: Vec<u8>,
    files: Vec<SmallFile<'a>>,
}

/// Remarks on files, and the number of the stage that they were made in.
pub(super) type Remarks = (usize, Vec<String>);

impl Batch<'_> {
    /// Makes the files.
    ///
    /// # Errors
    ///
    /// That of the first file that cannot be made or is not as its hash says; `Interrupted`.
    pub(super) fn make(&self, observer: &dyn Observer) -> Result<Remarks> {
        let mut remarks = Vec::new();
        let mut rest = &self.content[..];
        for file in &self.files {
            observer.check()?;
            let (content, after) = rest.split_at(file.length);
            remarks.extend(file.make(&self.directory, content)?);
            rest = after;
        }
        observer.advance(self.content.len() as u64);
        Ok((self.stage, remarks))
    }
}

/// Hands small files to a crew.
pub(super) struct Gatherer<'scope, 'a> {
    crew: Crew<'scope, Batch<'a>, Remarks>,
    batch: Option<Batch<'a>>,
}

impl<'scope, 'a: 'scope> Gatherer<'scope, 'a> {
    pub(super) fn new(crew: Crew<'scope, Batch<'a>, Remarks>) -> Self {
        Self { crew, batch: None }
    }

    /// Takes a file that is to be made in a directory; `read` brings its content onto the end of what it is given, and
    /// returns the file.
    ///
    /// # Errors
    ///
    /// That of `read`; then there is no file.
    pub(super) fn take(
        &mut self,
        stage: usize,
        directory: &Arc<Directory>,
        read: impl FnOnce(&mut Vec<u8>) -> Result<SmallFile<'a>>,
    ) -> Result<()> {
        if self
            .batch
            .as_ref()
            .is_some_and(|batch| batch.is_full() || !Arc::ptr_eq(&batch.directory, directory))
        {
            self.flush();
        }
        let batch = self.batch.get_or_insert_with(|| Batch {
            stage,
            directory: directory.clone(),
            content: Vec::new(),
            files: Vec::new(),
        });
        let start = batch.content.len();
        let file = read(&mut batch.content).inspect_err(|_| batch.content.truncate(start))?;
        batch.files.push(file);
        Ok(())
    }

    /// Tells whether a file could not be made, so that it is no use to go on.
    pub(super) fn has_failed(&self) -> bool {
        self.crew.has_failed()
    }

    /// Waits until all are made.
    ///
    /// # Errors
    ///
    /// That of the first file, in the order in which they were taken.
    pub(super) fn finish(mut self) -> Result<Vec<Remarks>> {
        self.flush();
        let (remarks, outcome) = self.crew.finish();
        outcome.map(|()| remarks)
    }

    fn flush(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.crew.give(batch);
        }
    }
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.content.len() >= BATCH || self.files.len() >= FILES
    }
}

/// Files up to this size are made from memory.
pub(super) const SMALL: u64 = 256 * 1024;
/// What a batch holds at most, before its last file: as a rule a whole directory, since two threads that make names in
/// one directory wait for each other.
const BATCH: usize = 1024 * 1024;
const FILES: usize = 1024;
