//! Brings a backup that OpenClaw made itself (`openclaw backup create`) into an archive.
//!
//! It is read several times, since it has an order of its own, and no plaintext is kept on the disk.

mod names;
mod pass;
mod plan;
mod roots;
mod survey;
mod tape;
mod workspaces;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::archive::{ArchiveBuilder, ArchiveWriter, open_at_once};
use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::import::plan::Payload;
use crate::observer::Observer;
use crate::openclaw::native::NativeManifest;

/// A backup of `openclaw backup create`, a gzipped tar of schema version 1, that was read once and can be imported.
///
/// Nothing in it proves that it is what OpenClaw wrote: it has no digests but those of gzip.
pub struct NativeBackup {
    file: File,
    created: i64,
    payloads: Vec<Payload>,
    /// Bytes of content that may wait in memory for their turn.
    held: u64,
}

impl NativeBackup {
    /// Reads a backup to its end and plans what becomes of it. The observer hears of what the backup lacks.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for what is no such backup, or one of another version;
    /// [`Malformed`](crate::ErrorKind::Malformed) for one that is damaged, or holds what OpenClaw stores in none;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) for one of too many names;
    /// [`Interrupted`](crate::ErrorKind::Interrupted); [`Io`](crate::ErrorKind::Io).
    pub fn open(path: &Path, observer: &dyn Observer) -> Result<Self> {
        let (file, kind) = open_at_once(path, File::options().read(true))?;
        // It is read several times, which a pipe cannot be.
        if !kind.is_file() {
            return Err(Error::invalid("is no file").within(path));
        }
        Self::read(file, observer).map_err(|error| error.within(path))
    }

    fn read(mut file: File, observer: &dyn Observer) -> Result<Self> {
        let mut magic = Vec::new();
        (&mut file)
            .take(2)
            .read_to_end(&mut magic)
            .map_err(|error| Error::stream("read the backup", error))?;
        if magic != GZIP {
            return Err(Error::invalid("no gzip file, as backups of `openclaw backup create` are"));
        }
        let (records, json) = survey::read(&file, observer)?;
        let manifest = NativeManifest::parse(&json)?;
        let created: jiff::Timestamp = manifest
            .created_at
            .parse()
            .map_err(|_| Error::invalid("`manifest.json`: `createdAt` is no time"))?;
        if created < jiff::Timestamp::UNIX_EPOCH {
            return Err(Error::invalid("`manifest.json`: `createdAt` is before 1970"));
        }
        let payloads = plan::plan(&manifest, records, observer)?;
        Ok(Self { file, created: created.as_second(), payloads, held: pass::HELD })
    }

    /// Bytes of all files.
    #[must_use]
    pub fn content(&self) -> u64 {
        self.payloads.iter().map(Payload::content).sum()
    }

    /// The roles that it has something for, in the order of an archive.
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.payloads.iter().map(|payload| payload.role)
    }

    /// Gives a new archive the time that the backup is of.
    pub fn successor(&self, builder: ArchiveBuilder) -> ArchiveBuilder {
        builder.created(self.created)
    }

    /// Writes everything into a new archive, which the caller finishes. The observer hears of bytes of file content.
    ///
    /// # Errors
    ///
    /// As [`NativeBackup::open`], and those of the writer; [`Invalid`](crate::ErrorKind::Invalid) when the file is
    /// another one by now. The new archive is worth nothing then.
    pub fn copy_into<W: Write + Seek + Send + 'static>(
        &self,
        writer: &mut ArchiveWriter<W>,
        observer: &dyn Observer,
    ) -> Result<()> {
        self.payloads
            .iter()
            .try_for_each(|payload| pass::write(&self.file, payload, writer, observer, self.held))
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
