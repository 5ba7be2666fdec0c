//! The content of an archive in a new one, under another identity and other keys (spec §14.3).

use std::io::{self, Read, Seek, Write};

use crate::archive::builder::ArchiveBuilder;
use crate::archive::open::Archive;
use crate::archive::writer::ArchiveWriter;
use crate::error::{Error, Result};
use crate::format::entry::{Item, Role};
use crate::observer::Observer;
use crate::payload::stream::PayloadStream;

impl Archive {
    /// Gives a new archive the series of this one, and the time that its content is of.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) where that is no time.
    pub fn successor(&self, builder: ArchiveBuilder) -> Result<ArchiveBuilder> {
        let created: jiff::Timestamp =
            self.manifest.created.parse().map_err(|_| Error::malformed("manifest: `created` is no time"))?;
        let builder = builder.created(created.as_second());
        Ok(match self.manifest.series {
            Some(series) => builder.series(series),
            None => builder,
        })
    }

    /// Writes what this archive holds into a new one, decrypted and encrypted again.
    ///
    /// Everything is checked as by [`Archive::verify`] on the way, and no plaintext goes anywhere else. `threads`
    /// decompress. The observer hears of bytes of file content.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::index`], [`PayloadStream`] and [`ArchiveWriter`];
    /// [`Interrupted`](crate::ErrorKind::Interrupted). The new archive is worth nothing then.
    ///
    /// # Security
    ///
    /// Whoever has a copy of this archive, and its key, still reads that copy.
    pub fn copy_into<W: Write + Seek + Send + 'static>(
        &self,
        writer: &mut ArchiveWriter<W>,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<()> {
        self.roles().try_for_each(|role| self.copy(role, writer, threads, observer))
    }

    fn copy<W: Write + Seek + Send + 'static>(
        &self,
        role: Role,
        writer: &mut ArchiveWriter<W>,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<()> {
        let index = self.index(role)?;
        writer.begin(index.source.clone(), role)?;
        let mut stream = self.stream(&index, threads)?;
        while let Some((entry, xattrs)) = stream.next_entry()? {
            observer.check()?;
            let item = Item {
                path: &entry.path,
                mode: entry.mode,
                mtime: entry.mtime,
                xattrs: &xattrs,
                kind: entry.node.kind(),
            };
            writer.append(&item, &mut Content { stream: &mut stream, observer })?;
            // A file is proven only when its end was read.
            if stream.read(&mut [0])? > 0 {
                return Err(Error::tampered(format!("`{}` is longer than its index says", entry.path)));
            }
        }
        for skipped in index.skipped {
            writer.skip(skipped)?;
        }
        for noted in index.noted {
            writer.note(noted)?;
        }
        Ok(())
    }
}

/// The content of the entry that a stream stands at.
struct Content<'a, 'b> {
    stream: &'a mut PayloadStream<'b>,
    observer: &'a dyn Observer,
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.observer.check()?;
        let count = self.stream.read(buffer)?;
        self.observer.advance(count as u64);
        Ok(count)
    }
}
