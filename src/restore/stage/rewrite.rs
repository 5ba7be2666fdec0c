//! Changes files of a stage that were made from the archive already; times and modes stay those
//! of the archive.

use std::io::{Read, Write};
use std::path::PathBuf;

use rustix::fs::{Mode, fchmod};

use crate::error::{Error, Result};
use crate::path::{ArchivePath, sanitize};

use super::directory::{is_same, shown};
use super::{Directory, Facts, Stage};

impl Stage {
    /// Reads a file; `None` where it is longer than `limit`.
    pub(in crate::restore) fn read(&self, place: &ArchivePath, limit: u64) -> Result<Option<Vec<u8>>> {
        let directory = self.root.walk(place.parent().as_ref())?;
        let file = directory.open_file(place.file_name())?;
        let mut content = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| Error::io("read", &self.root.path_of(place), error))?;
        Ok((content.len() as u64 <= limit).then_some(content))
    }

    /// Gives a file other content.
    pub(in crate::restore) fn rewrite(
        &mut self,
        place: &ArchivePath,
        facts: Facts,
        content: &[u8],
    ) -> Result<()> {
        let directory = self.unlocked(place)?;
        let path = self.root.path_of(place);
        let mut file = directory.open_to_write(place.file_name())?;
        file.set_len(0)
            .and_then(|()| file.write_all(content))
            .map_err(|error| Error::io("write", &path, error))?;
        self.finish_file(&file, facts, &path)
    }

    /// Lends a file to a library that takes only paths; to be taken back.
    ///
    /// Nobody else can enter a stage, and no link stands in it yet.
    pub(in crate::restore) fn lend(&self, place: &ArchivePath) -> Result<PathBuf> {
        self.unlocked(place)?;
        let stage = self.parent.path_of(&self.name);
        if !is_same(&Directory::open(&stage)?.stat()?, &self.root.stat()?) {
            let stage = sanitize(stage.as_os_str().as_encoded_bytes());
            return Err(Error::invalid(format!("another process changed `{stage}`")));
        }
        Ok(stage.join(shown(place.as_bytes())))
    }

    /// Gives a file that was lent its mode and time again.
    pub(in crate::restore) fn take_back(&mut self, place: &ArchivePath, facts: Facts) -> Result<()> {
        let file = self.root.walk(place.parent().as_ref())?.open_file(place.file_name())?;
        let path = self.root.path_of(place);
        self.finish_file(&file, facts, &path)
    }

    /// Makes sure that the owner may write a file; returns the directory that it lies in.
    fn unlocked(&self, place: &ArchivePath) -> Result<Directory> {
        let directory = self.root.walk(place.parent().as_ref())?;
        let file = directory.open_file(place.file_name())?;
        fchmod(&file, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| directory.error("set the mode of", place.file_name(), errno))?;
        Ok(directory)
    }
}
