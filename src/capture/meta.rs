//! What the file system says about one file.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Stat, fstat, statat};

use crate::format::entry::Mtime;
use crate::format::limits::LIMITS;

/// The identity of a file whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id {
    device: u64,
    inode: u64,
}

/// Facts of one file at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) mtime: Mtime,
    changed: (i64, i64),
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    /// A socket, FIFO or device, by its name.
    Other(&'static str),
}

impl Meta {
    /// Looks at a name without following a link.
    pub(crate) fn at(directory: impl AsFd, name: impl rustix::path::Arg) -> io::Result<Self> {
        Ok(Self::of(&statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Looks at an open file.
    pub(crate) fn open(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&fstat(file)?))
    }

    /// Whether a file's content is the same as at the other moment, as far as its facts tell.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        self.id == other.id
            && self.size == other.size
            && self.mtime == other.mtime
            && self.changed == other.changed
    }

    #[allow(
        clippy::cast_lossless,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the widths and signs of these fields differ from platform to platform"
    )]
    pub(crate) fn of(stat: &Stat) -> Self {
        let most = LIMITS.mtime_seconds;
        Self {
            id: Id { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Symlink,
                FileType::Socket => Kind::Other("socket"),
                FileType::Fifo => Kind::Other("FIFO"),
                FileType::CharacterDevice | FileType::BlockDevice => Kind::Other("device"),
                FileType::Unknown => Kind::Other("file of an unknown kind"),
            },
            mode: stat.st_mode as u32 & 0o7777,
            links: stat.st_nlink as u64,
            size: (stat.st_size as i64).max(0) as u64,
            mtime: Mtime {
                seconds: (stat.st_mtime as i64).clamp(-most, most),
                nanoseconds: stat.st_mtime_nsec as u32,
            },
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}
