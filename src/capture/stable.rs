//! Reads files that others may change meanwhile, and knows whether they did.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek};
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
pub(crate) fn open(directory: BorrowedFd<'_>, name: &CStr, expected: &Meta) -> Result<(File, Meta), Trouble> {
    let mut expected = *expected;
    for _ in 0..TRIES {
        let file = File::from(openat(directory, name, FLAGS, Mode::empty()).map_err(trouble)?);
        let meta = Meta::open(file.as_fd()).map_err(trouble)?;
        if meta.kind == Kind::File && meta.id == expected.id {
            return Ok((file, meta));
        }
        expected = Meta::at(directory, name).map_err(trouble)?;
        if expected.kind != Kind::File {
            break;
        }
    }
    Err((SkipReason::Vanished, "replaced while it was opened".to_owned()))
}

/// Tells a file that is gone from one that cannot be read.
pub(crate) fn trouble(error: impl Into<io::Error>) -> Trouble {
    let error = error.into();
    let gone = matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP));
    let reason = if gone { SkipReason::Vanished } else { SkipReason::Unreadable };
    (reason, error.to_string())
}

/// Opens and reads a file of at most 4 MiB in as few system calls as there can be, into `bytes`.
///
/// `None` unless it is the regular file that was seen, and the same after reading as it was then: everything else is
/// for [`open`] and [`read`], which also say what is wrong.
pub(crate) fn read_at_once(
    directory: BorrowedFd<'_>,
    name: &CStr,
    seen: &Meta,
    bytes: &mut Vec<u8>,
) -> Option<File> {
    if seen.size > WHOLE {
        return None;
    }
    let file = File::from(openat(directory, name, FLAGS, Mode::empty()).ok()?);
    bytes.clear();
    let count = (&file).take(seen.size).read_to_end(bytes).ok()?;
    let after = Meta::open(&file).ok()?;
    // Of a FIFO or device in its place nothing more was read than of the file, and nothing of it is used.
    let is_whole = count as u64 == seen.size && after.kind == Kind::File && after.same_content(seen);
    is_whole.then_some(file)
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
    settle(file, meta, |file| Meta::open(file))
}

fn settle<F: Read + Seek>(
    file: &mut F,
    meta: Meta,
    facts: impl Fn(&F) -> io::Result<Meta>,
) -> Result<Content, Trouble> {
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
        file.rewind().map_err(trouble)?;
        let result = file.by_ref().take(WHOLE + 1).read_to_end(&mut bytes);
        if let Err(error) = result {
            if bytes.is_empty() {
                return Err(trouble(error));
            }
            let remark = incomplete(bytes.len() as u64, Some(&error));
            bytes.resize(bytes.len().max(size), 0);
            return Ok(Content::Whole(bytes, before, Some(remark)));
        }
        let after = facts(file).map_err(trouble)?;
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

/// Follows no link, waits for nobody.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Files up to this size are read into memory, so that a change can be answered by reading again.
const WHOLE: u64 = 4 << 20;
const TRIES: usize = 3;

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, File};
    use std::io::{self, Read, Seek, SeekFrom};
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{Content, Stream, WHOLE, open, read, read_at_once, settle};
    use crate::capture::meta::Meta;
    use crate::format::entry::{NoteReason, SkipReason};
    use crate::observer::Silent;

    /// A file that something happens to after every read that returns bytes.
    struct Haunted<F: FnMut() -> io::Result<()>>(File, F);

    impl<F: FnMut() -> io::Result<()>> Read for Haunted<F> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.read(buffer)?;
            if length == 0 {
                self.1()?;
            }
            Ok(length)
        }
    }

    impl<F: FnMut() -> io::Result<()>> Seek for Haunted<F> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn haunted(path: &Path, ghost: impl FnMut() -> io::Result<()>) -> Content {
        let mut file = Haunted(File::open(path).unwrap(), ghost);
        let meta = Meta::open(&file.0).unwrap();
        settle(&mut file, meta, |file| Meta::open(&file.0)).ok().unwrap()
    }

    #[test]
    fn a_change_is_answered_by_reading_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut times = 0;
        let content = haunted(&path, || {
            times += 1;
            if times < 3 {
                fs::write(&path, "x".repeat(10 * times))?;
            }
            Ok(())
        });
        let Content::Whole(bytes, meta, remark) = content else {
            panic!("a small file");
        };
        assert_eq!((bytes.len(), meta.size, remark), (20, 20, None));
    }

    #[test]
    fn what_keeps_changing_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "").unwrap();
        let mut size = 0;
        let content = haunted(&path, || {
            size += 1;
            fs::write(&path, "x".repeat(size))
        });
        let Content::Whole(bytes, _, Some((why, _))) = content else {
            panic!("a remark");
        };
        assert_eq!((bytes.len(), why), (2, NoteReason::Changed));
    }

    #[test]
    fn what_grows_too_large_is_streamed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "x").unwrap();
        let content = haunted(&path, || File::options().write(true).open(&path)?.set_len(WHOLE + 1));
        assert!(matches!(content, Content::Large(meta) if meta.size == WHOLE + 1));
    }

    #[test]
    fn a_read_error_midway_keeps_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "abc").unwrap();
        let content = haunted(&path, || Err(io::Error::other("broken disk")));
        let Content::Whole(bytes, _, Some((why, detail))) = content else {
            panic!("a remark");
        };
        assert_eq!((&bytes[..], why), (&b"abc"[..], NoteReason::Incomplete));
        assert_eq!(detail, "reading failed after 3 bytes: broken disk");
    }

    #[test]
    fn a_read_error_at_once_is_unreadable() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = File::open(directory.path()).unwrap();
        let mut meta = Meta::open(&file).unwrap();
        let (why, _) = read(&mut file, meta).err().unwrap();
        assert_eq!(why, SkipReason::Unreadable);
        let mut stream = Stream { file: &file, observer: &Silent, read: 0, failure: None };
        let mut bytes = Vec::new();
        assert_eq!(stream.read_to_end(&mut bytes).unwrap(), 0);
        meta.size = 1;
        let (why, detail) = stream.remark(1, &meta).unwrap();
        assert_eq!(why, NoteReason::Incomplete);
        assert!(detail.starts_with("reading failed after 0 bytes: "));
    }

    #[test]
    fn at_once_is_read_only_what_stayed_as_it_was_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let handle = File::open(directory.path()).unwrap();
        let name = CString::new("a").unwrap();
        let seen = || Meta::at(&handle, &*name).unwrap();
        let read = |seen: &Meta| {
            let mut bytes = b"before".to_vec();
            read_at_once(handle.as_fd(), &name, seen, &mut bytes).map(|_| bytes)
        };
        for content in ["", "x", &"long".repeat(10_000)] {
            fs::write(&path, content).unwrap();
            assert_eq!(read(&seen()).unwrap(), content.as_bytes());
        }
        let before = seen();
        fs::write(&path, "longer".repeat(10_000)).unwrap();
        assert_eq!(read(&before), None);
        fs::write(&path, "short").unwrap();
        assert_eq!(read(&before), None);
        File::options().write(true).open(&path).unwrap().set_len(WHOLE + 1).unwrap();
        assert_eq!(read(&seen()), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&before), None);
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(read(&before), None);
        assert_eq!(read(&seen()), None);
    }

    #[test]
    fn only_the_file_that_was_seen_or_its_successor_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let handle = File::open(directory.path()).unwrap();
        let name = CString::new("a").unwrap();
        fs::write(at("a"), "first").unwrap();
        let seen = Meta::at(&handle, &*name).unwrap();
        let opened = || open(handle.as_fd(), &name, &seen).map(|(_, meta)| meta.size);

        fs::write(at("b"), "successor").unwrap();
        fs::rename(at("b"), at("a")).unwrap();
        assert_eq!(opened(), Ok(9));

        fs::remove_file(at("a")).unwrap();
        assert_eq!(opened().unwrap_err().0, SkipReason::Vanished);
        fs::write(at("secret"), "").unwrap();
        symlink("secret", at("a")).unwrap();
        assert_eq!(opened().unwrap_err().0, SkipReason::Vanished);
        fs::remove_file(at("a")).unwrap();
        mknodat(CWD, at("a"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(opened().unwrap_err().0, SkipReason::Vanished);
    }
}
