//! A gzipped tar, read from its start to its end in bounded memory.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::error::{Error, Result};
use crate::format::entry::Mtime;
use crate::observer::Observer;
use crate::path::sanitize;

/// What a tar says of an entry.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) mtime: Mtime,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    File(u64),
    Directory,
    Symlink(Vec<u8>),
    /// A further name of the file with this one.
    Hardlink(Vec<u8>),
}

/// Reads the whole of a file, and shows every entry with its number and content.
///
/// The file is whole where this ends without an error.
pub(super) fn play(
    file: &File,
    observer: &dyn Observer,
    visit: &mut dyn FnMut(u32, Record, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut start = file;
    start.rewind().map_err(|error| Error::stream("read the backup", error))?;
    let state = State { head: Cell::new(HEAD), trouble: RefCell::new(None) };
    let gate = Gate { gzip: MultiGzDecoder::new(BufReader::new(file)), observer, state: &state };
    let mut tar = tar::Archive::new(gate);
    let failed = |error: io::Error| state.trouble.take().unwrap_or_else(|| from_tar(&error));
    let mut entries = tar.entries().map_err(failed)?;
    for number in 0_u32.. {
        state.head.set(HEAD);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(failed)?;
        state.head.set(u64::MAX);
        let record = record(&mut entry).map_err(failed)??;
        let (size, name) = (entry.size(), sanitize(&record.name));
        let mut content = Counted { inner: &mut entry, count: 0 };
        let visited = visit(number, record, &mut content);
        // What stopped the tape is why its visitor stopped.
        visited.map_err(|error| state.trouble.take().unwrap_or(error))?;
        io::copy(&mut content, &mut io::sink()).map_err(failed)?;
        if content.count != size {
            return Err(Error::malformed(format!("tar: ends in the middle of `{name}`")));
        }
    }
    state.head.set(u64::MAX);
    let mut rest = tar.into_inner();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match rest.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            count if buffer[..count].iter().all(|&byte| byte == 0) => {}
            _ => return Err(Error::malformed("tar: goes on after its end")),
        }
    }
}

fn record<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Result<Record>> {
    let mut name = entry.path_bytes().into_owned();
    let link = entry.link_name_bytes().map(Cow::into_owned).unwrap_or_default();
    let mode = entry.header().mode()? & 0o7777;
    // Directories in these backups have none.
    let blank = entry.header().as_old().mtime.iter().all(|byte| matches!(byte, 0 | b' '));
    let seconds = if blank { 0 } else { entry.header().mtime()? };
    let mut mtime = Mtime { seconds: i64::try_from(seconds).unwrap_or(0), nanoseconds: 0 };
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        match extension.key_bytes() {
            b"mtime" => {
                let text = extension.value().ok();
                // More digits than a nanosecond has, or needs, are cut.
                let text = text.map(|text| text.split_at_checked(20).map_or(text, |(start, _)| start));
                let text =
                    text.map(|text| if text.contains('.') { text.trim_end_matches('0') } else { text });
                let time = text.and_then(|text| Mtime::from_text(text.trim_end_matches('.')));
                mtime = time.unwrap_or(mtime);
            }
            key if key.starts_with(b"GNU.sparse") => {
                return Ok(Err(strange(&name, "is stored with holes")));
            }
            _ => {}
        }
    }
    let kind = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => Kind::File(entry.size()),
        EntryType::Directory => Kind::Directory,
        EntryType::Symlink => Kind::Symlink(link),
        EntryType::Link => Kind::Hardlink(link),
        EntryType::XGlobalHeader => return Ok(Err(strange(&name, "is a global header"))),
        other => {
            let kind = format!("is of type `{}`", other.as_byte().escape_ascii());
            return Ok(Err(strange(&name, &kind)));
        }
    };
    if matches!(kind, Kind::Directory) && name.ends_with(b"/") {
        name.pop();
    }
    Ok(Ok(Record { name, mode, mtime, kind }))
}

fn strange(name: &[u8], what: &str) -> Error {
    Error::malformed(format!("tar: `{}` {what}, which no backup of OpenClaw has", sanitize(name)))
}

/// What the parser itself finds wrong.
fn from_tar(error: &io::Error) -> Error {
    let text = error.to_string();
    // The parser takes line ends for the ends of records.
    let why =
        if text.contains("malformed pax") { "; a long name with a line end in it looks so, too" } else { "" };
    Error::malformed(format!("tar: {}{why}", sanitize(text.as_bytes())))
}

/// What is known between the decompressor and the tar's parser.
struct State {
    /// Bytes that the blocks before the next content may still have.
    head: Cell<u64>,
    /// What went wrong below the parser, which only passes on a text.
    trouble: RefCell<Option<Error>>,
}

/// Decompresses, and bounds what the parser takes into memory.
struct Gate<'a, R> {
    gzip: MultiGzDecoder<R>,
    observer: &'a dyn Observer,
    state: &'a State,
}

impl<R: Read> Gate<'_, R> {
    fn stop<T>(&self, error: Error) -> io::Result<T> {
        *self.state.trouble.borrow_mut() = Some(error);
        Err(io::Error::other("stopped"))
    }
}

impl<R: Read> Read for Gate<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.observer.check() {
            return self.stop(error);
        }
        let head = self.state.head.get();
        let most = usize::try_from(head).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return self.stop(Error::malformed("tar: a name or header of more than 1 MiB"));
        }
        match self.gzip.read(&mut buffer[..most]) {
            Ok(count) => {
                self.state.head.set(head - count as u64);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) if error.raw_os_error().is_some() => {
                self.stop(Error::stream("read the backup", error))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.stop(Error::malformed("gzip: ends early"))
            }
            Err(_) => self.stop(Error::malformed("gzip: does not decompress")),
        }
    }
}

/// Counts what is read.
struct Counted<'a> {
    inner: &'a mut dyn Read,
    count: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

const HEAD: u64 = 1 << 20;
