//! Sends what a walk finds into an archive.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::mem;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use crate::archive::ArchiveWriter;
use crate::capture::ahead::Ahead;
use crate::capture::meta::Meta;
use crate::capture::readahead::Pace;
use crate::capture::scratch::Scratch;
use crate::capture::sqlite::{self, Database, Snapshot};
use crate::capture::stable::{self, Content, Remark, Stream};
use crate::capture::tally::LARGE;
use crate::capture::visitor::{Found, Stored, Visitor};
use crate::capture::xattr::{self, NONE, Xattrs};
use crate::error::Result;
use crate::format::entry::{Item, ItemKind, NoteReason, Noted, Role, Skipped, Source, Xattr, clip};
use crate::observer::Observer;
use crate::path::ArchivePath;

/// Where the entries of an archive go.
pub(crate) trait Sink {
    /// Starts a payload.
    fn begin(&mut self, source: Source, role: Role) -> Result<()>;
    /// Adds an entry; returns how many bytes of its content were missing.
    fn append(&mut self, item: &Item<'_>, content: &mut dyn Read) -> Result<u64>;
    /// Adds something left out.
    fn skip(&mut self, skipped: Skipped) -> Result<()>;
    /// Adds a remark.
    fn note(&mut self, noted: Noted) -> Result<()>;
}

impl<W: Write + Seek + Send + 'static> Sink for ArchiveWriter<W> {
    fn begin(&mut self, source: Source, role: Role) -> Result<()> {
        Self::begin(self, source, role)
    }

    fn append(&mut self, item: &Item<'_>, content: &mut dyn Read) -> Result<u64> {
        Self::append(self, item, content)
    }

    fn skip(&mut self, skipped: Skipped) -> Result<()> {
        Self::skip(self, skipped)
    }

    fn note(&mut self, noted: Noted) -> Result<()> {
        Self::note(self, noted)
    }
}

/// The visitor that reads.
pub(crate) struct Recorder<'a> {
    pub(crate) sink: &'a mut dyn Sink,
    pub(crate) scratch: &'a Scratch,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) ahead: Ahead,
    /// Hears how long reading takes.
    pub(crate) pace: &'a Pace,
    /// For the content of small files.
    pub(crate) buffer: Vec<u8>,
}

impl Visitor for Recorder<'_> {
    fn directory(&mut self, path: &ArchivePath, meta: &Meta, handle: BorrowedFd<'_>) -> Result<()> {
        let xattrs = xattr::read(handle);
        self.append(path, meta, &xattrs, ItemKind::Directory)
    }

    fn symlink(&mut self, path: &ArchivePath, meta: &Meta, target: &[u8]) -> Result<()> {
        // Links have no attributes in the `user.` namespace.
        self.append(path, meta, &NONE, ItemKind::Symlink { target })
    }

    fn hardlink(&mut self, path: &ArchivePath, meta: &Meta, target: &ArchivePath) -> Result<()> {
        self.append(path, meta, &NONE, ItemKind::Hardlink { target })
    }

    fn file(&mut self, found: &Found<'_>) -> Result<Stored> {
        // Before anything else opens it.
        let early = (found.meta.size >= LARGE).then(|| self.ahead.take(&found.location())).flatten();
        if early.is_none() && self.small(found)? {
            return Ok(Stored::File);
        }
        let (file, meta) = match stable::open(found.directory, found.name, found.meta) {
            Ok(opened) => opened,
            Err(trouble) => return self.leave_out(found.path, trouble),
        };
        let Some(logged) = sqlite::recognise(&file) else {
            return self.plain(found.path, file, meta);
        };
        let xattrs = xattr::read(&file);
        // Closed before SQLite opens it: closing it later would drop SQLite's locks.
        drop(file);
        let database = Database {
            directory: found.directory,
            name: found.name,
            path: &found.location(),
            meta: &meta,
            logged,
        };
        match early.unwrap_or_else(|| sqlite::snapshot(&database, self.scratch)) {
            Ok(snapshot) => self.snapshot(found.path, &meta, &xattrs, &snapshot),
            Err(remark) => self.plain_database(found, remark),
        }
    }

    fn skip(&mut self, skipped: Skipped) -> Result<()> {
        if skipped.why.needs_attention() {
            self.observer.warn(&format!("`{}` is left out: {}", skipped.path, skipped.detail));
        }
        self.sink.skip(skipped)
    }

    fn note(&mut self, noted: Noted) -> Result<()> {
        if noted.why.needs_attention() {
            self.observer.warn(&format!("`{}`: {}", noted.path, noted.detail));
        }
        self.sink.note(noted)
    }
}

impl Recorder<'_> {
    /// Stores a small file that nobody is writing to, as nearly all are; false where it is none, or a database.
    fn small(&mut self, found: &Found<'_>) -> Result<bool> {
        if let Some(early) = found.early {
            if sqlite::is_database(&early.bytes) {
                return Ok(false);
            }
            let size = early.bytes.len() as u64;
            self.append_file(found.path, found.meta, &early.xattrs, size, &mut early.bytes.as_slice())?;
            self.observer.advance(size);
            return Ok(true);
        }
        let mut bytes = mem::take(&mut self.buffer);
        let start = Instant::now();
        let file = stable::read_at_once(found.directory, found.name, found.meta, &mut bytes);
        let file = file.filter(|_| !sqlite::is_database(&bytes));
        if let Some(file) = &file {
            let (size, xattrs) = (bytes.len() as u64, xattr::read(file));
            self.pace.took(start.elapsed());
            self.append_file(found.path, found.meta, &xattrs, size, &mut bytes.as_slice())?;
            self.observer.advance(size);
        }
        self.buffer = bytes;
        Ok(file.is_some())
    }

    /// Stores a file as its bytes are.
    fn plain(&mut self, path: &ArchivePath, mut file: File, meta: Meta) -> Result<Stored> {
        let xattrs = xattr::read(&file);
        let remark = match stable::read(&mut file, meta) {
            Err(trouble) => return self.leave_out(path, trouble),
            Ok(Content::Whole(bytes, meta, remark)) => {
                let size = bytes.len() as u64;
                self.append_file(path, &meta, &xattrs, size, &mut bytes.as_slice())?;
                self.observer.advance(size);
                remark
            }
            Ok(Content::Large(meta)) => {
                if let Err(error) = file.rewind() {
                    return self.leave_out(path, stable::trouble(error));
                }
                let mut stream = Stream { file: &file, observer: self.observer, read: 0, failure: None };
                let missing = self.append_file(path, &meta, &xattrs, meta.size, &mut stream)?;
                stream.remark(missing, &meta)
            }
        };
        self.remark(path, remark)?;
        Ok(Stored::File)
    }

    /// Stores the consistent copy of a database under the facts of the original.
    fn snapshot(
        &mut self,
        path: &ArchivePath,
        meta: &Meta,
        xattrs: &Xattrs,
        snapshot: &Snapshot,
    ) -> Result<Stored> {
        let mut stream = Stream { file: &snapshot.file, observer: self.observer, read: 0, failure: None };
        let missing = self.append_file(path, meta, xattrs, snapshot.size, &mut stream)?;
        // Nobody else writes to the copy: only a failing scratch disk makes this.
        let failure = (missing > 0).then(|| stream.remark(missing, meta)).flatten();
        self.remark(path, snapshot.remark.clone())?;
        self.remark(path, failure)?;
        Ok(Stored::Snapshot)
    }

    fn plain_database(&mut self, found: &Found<'_>, remark: Remark) -> Result<Stored> {
        let (file, meta) = match stable::open(found.directory, found.name, found.meta) {
            Ok(opened) => opened,
            Err(trouble) => return self.leave_out(found.path, trouble),
        };
        if self.plain(found.path, file, meta)? == Stored::Nothing {
            return Ok(Stored::Nothing);
        }
        self.remark(found.path, Some(remark))?;
        Ok(Stored::PlainDatabase)
    }

    fn append(
        &mut self,
        path: &ArchivePath,
        meta: &Meta,
        (xattrs, dropped): &Xattrs,
        kind: ItemKind<'_>,
    ) -> Result<()> {
        self.append_item(path, meta, xattrs, kind, &mut std::io::empty())?;
        self.remark_dropped(path, *dropped)
    }

    fn append_file(
        &mut self,
        path: &ArchivePath,
        meta: &Meta,
        (xattrs, dropped): &Xattrs,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<u64> {
        let kind = ItemKind::File { size };
        let missing = self.append_item(path, meta, xattrs, kind, content)?;
        self.remark_dropped(path, *dropped)?;
        Ok(missing)
    }

    fn append_item(
        &mut self,
        path: &ArchivePath,
        meta: &Meta,
        xattrs: &[Xattr],
        kind: ItemKind<'_>,
        content: &mut dyn Read,
    ) -> Result<u64> {
        let item = Item { path, mode: meta.mode, mtime: meta.mtime, xattrs, kind };
        self.sink.append(&item, content)
    }

    fn remark_dropped(&mut self, path: &ArchivePath, dropped: usize) -> Result<()> {
        let detail = || format!("{dropped} extended attributes are too large for the archive");
        let remark = (dropped > 0).then(|| (NoteReason::Incomplete, detail()));
        self.remark(path, remark)
    }

    fn remark(&mut self, path: &ArchivePath, remark: Option<Remark>) -> Result<()> {
        let Some((why, detail)) = remark else {
            return Ok(());
        };
        self.note(Noted { path: path.clone(), why, detail: clip(detail) })
    }

    fn leave_out(&mut self, path: &ArchivePath, (why, detail): stable::Trouble) -> Result<Stored> {
        self.skip(Skipped { path: path.clone(), why, detail })?;
        Ok(Stored::Nothing)
    }
}
