//! Reads files that others may change meanwhile, and knows whether they did.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::capture::meta::{Kind, Meta};
use crate::error::Error;
use crate::format::entry::{NoteReason, SkipReason};
use crate::observer::Observer;

/// Why a file cannot be stored: the reason and the detail of a skip line.
pub(crate) type Trouble = (SkipReason, String);

/// A remark about a file that is stored.
pub(crate) type Remark = (NoteReason, String);

/// Opens a regular file by its name in a directory, without following links and without waiting.
///
/// A file that was replaced since `expected` was seen is taken as it is then.
pub(crate) fn open(
    directory: BorrowedFd<'_>,
    name: &CStr,
    expected: &Meta,
) -> Result<(File, Meta), Trouble> {
    let mut expected = *expected;
    for _ in 0..TRIES {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(
            openat(directory, name, flags, Mode::empty()).map_err(|e| trouble(e.into()))?,
        );
        let meta = Meta::open(file.as_fd()).map_err(trouble)?;
        if meta.kind == Kind::File && meta.id == expected.id {
            return Ok((file, meta));
        }
        expected = Meta::at(directory, name).map_err(trouble)?;
        if expected.kind != Kind::File {
            break;
        }
    }
    Err((
        SkipReason::Vanished,
        "replaced while it was opened".to_owned(),
    ))
}

/// Tells a file that is gone from one that cannot be read.
pub(crate) fn trouble(error: io::Error) -> Trouble {
    let gone = matches!(
        Errno::from_io_error(&error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
    );
    let reason = if gone {
        SkipReason::Vanished
    } else {
        SkipReason::Unreadable
    };
    (reason, error.to_string())
}

/// What [`read`] got of a file.
pub(crate) enum Content {
    /// All of it, the facts that belong to it and what is to say about it.
    Whole(Vec<u8>, Meta, Option<Remark>),
    /// It is too large for memory.
    Large(Meta),
}

/// Reads a file of at most 4 MiB until its facts before and after are the same.
pub(crate) fn read(file: &mut File, meta: Meta) -> Result<Content, Trouble> {
    let mut before = meta;
    let mut last = Vec::new();
    for _ in 0..TRIES {
        if before.size > WHOLE {
            return Ok(Content::Large(before));
        }
        let mut bytes = Vec::new();
        let size = usize::try_from(before.size).unwrap_or(0);
        // One more than expected, so that the end is seen without growing.
        bytes.reserve_exact(size + 1);
        file.seek(SeekFrom::Start(0)).map_err(trouble)?;
        let result = (&mut *file).take(WHOLE + 1).read_to_end(&mut bytes);
        if let Err(error) = result {
            if bytes.is_empty() {
                return Err(trouble(error));
            }
            let remark = incomplete(bytes.len() as u64, Some(&error));
            bytes.resize(bytes.len().max(size), 0);
            return Ok(Content::Whole(bytes, before, Some(remark)));
        }
        let after = Meta::open(&*file).map_err(trouble)?;
        if bytes.len() as u64 > WHOLE {
            return Ok(Content::Large(after));
        }
        if before.same_content(&after) {
            return Ok(Content::Whole(bytes, before, None));
        }
        (before, last) = (after, bytes);
    }
    Ok(Content::Whole(last, before, Some(changed())))
}

/// A file on its way to the archive, whose read errors end it instead of the archive.
pub(crate) struct Stream<'a> {
    pub(crate) file: &'a File,
    pub(crate) observer: &'a dyn Observer,
    /// Bytes read.
    pub(crate) read: u64,
    /// The error that ended it.
    pub(crate) failure: Option<io::Error>,
}

impl Stream<'_> {
    /// What is to say about the file when `missing` of its bytes had to be made up.
    pub(crate) fn remark(&self, missing: u64, before: &Meta) -> Option<Remark> {
        if missing > 0 {
            return Some(incomplete(self.read, self.failure.as_ref()));
        }
        match Meta::open(self.file) {
            Ok(after) if after.same_content(before) => None,
            _ => Some(changed()),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.observer.cancelled() {
            return Err(Error::Interrupted.into());
        }
        match self.file.read(buffer) {
            Ok(length) => {
                self.read += length as u64;
                self.observer.advance(length as u64);
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failure = Some(error);
                Ok(0)
            }
        }
    }
}

pub(crate) fn changed() -> Remark {
    (NoteReason::Changed, "changed while it was read".to_owned())
}

fn incomplete(read: u64, failure: Option<&io::Error>) -> Remark {
    let detail = match failure {
        Some(error) => format!("reading failed after {read} bytes: {error}"),
        None => format!("shrank to {read} bytes while it was read"),
    };
    (NoteReason::Incomplete, detail)
}

/// Files up to this size are read into memory, so that a change can be answered by reading again.
const WHOLE: u64 = 4 << 20;
const TRIES: usize = 3;
