//! A new archive on the disk: one file, or numbered parts of a given size (spec §3.5, §11).
//!
//! Nothing has its final name before everything is on the disk, the first part last of all.

use std::cmp::min;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::file::{NewFile, settle_names};
use crate::archive::parts::{MOST, Parts, numbered, part_name};
use crate::archive::source::{ReadAt, sought};
use crate::error::{Error, Result};

/// An archive being written beside its final place, readable by its owner only.
///
/// Dropped before [`NewArchive::persist`], it is removed.
pub struct NewArchive {
    path: PathBuf,
    /// Length of every part but the last; `u64::MAX` where all goes into one file.
    size: u64,
    files: Vec<NewFile>,
    position: u64,
    length: u64,
    replaces: bool,
}

impl NewArchive {
    /// Size of the smallest parts.
    pub const SMALLEST_PART: u64 = 1 << 20;

    /// Number of the parts that there may be.
    pub const MOST_PARTS: u64 = MOST;

    /// Starts an archive that is to be found at `path`, or in parts of `part` bytes at `path` with `.001` and so on.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when something has one of these names;
    /// [`Invalid`](crate::ErrorKind::Invalid) for parts of less than [`NewArchive::SMALLEST_PART`];
    /// [`Io`](crate::ErrorKind::Io).
    pub fn create(path: &Path, part: Option<u64>) -> Result<Self> {
        if let Some(part) = part {
            if part < Self::SMALLEST_PART {
                return Err(Error::invalid(format!("parts of {part} bytes are too small")));
            }
            Self::vacant(path)?;
        }
        let files = vec![NewFile::create(path)?];
        let (path, size) = (path.to_owned(), part.unwrap_or(u64::MAX));
        Ok(Self { path, size, files, position: 0, length: 0, replaces: false })
    }

    /// Starts one that takes the place of the file of `length` bytes at `path`, with its mode, when it is whole. Until
    /// then a change of passphrase is kept from that one.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when that is no such file, or is being changed;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn replacing(path: &Path, length: u64) -> Result<Self> {
        // Behind links is what is to be replaced, not the link.
        let path = path.canonicalize().map_err(|error| Error::io("replace", path, error))?;
        let files = vec![NewFile::replacing(&path, length)?];
        Ok(Self { path, size: u64::MAX, files, position: 0, length: 0, replaces: true })
    }

    /// Fails when something has the name that the archive or one of its parts would get.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists); [`Io`](crate::ErrorKind::Io).
    pub fn vacant(path: &Path) -> Result<()> {
        // A dangling link is something that exists, too.
        if path.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists { path: path.to_owned() });
        }
        // Any number: what reads this archive would take an old part for one of its own.
        match numbered(path)?.into_values().next() {
            Some(path) => Err(Error::AlreadyExists { path }),
            None => Ok(()),
        }
    }

    /// Puts everything on the disk, and has the system forget its own copy of it, so that whoever reads it then
    /// reads the medium; false where the system knows no such wish.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io).
    pub fn settle(&self) -> Result<bool> {
        self.files.iter().try_fold(true, |all, file| Ok(file.settle()? && all))
    }

    /// Returns what was written, to be read.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io).
    pub fn reader(&self) -> Result<Arc<dyn ReadAt>> {
        let files = self.files.iter().map(NewFile::handle).collect::<Result<_>>()?;
        let parts = Parts::of(files).map_err(|error| Error::io("read back", &self.path, error))?;
        Ok(Arc::new(parts))
    }

    /// Puts everything on the disk and gives the files their names; returns these, the first part first.
    ///
    /// What fits into one part is a plain archive with the plain name.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when something took a name meanwhile;
    /// [`Io`](crate::ErrorKind::Io). Nothing has a final name then.
    pub fn persist(self) -> Result<Vec<PathBuf>> {
        self.settle()?;
        let Self { path, files, replaces, .. } = self;
        let mut names: Vec<PathBuf> =
            (1..=files.len() as u64).map(|number| part_name(&path, number)).collect();
        if files.len() == 1 {
            names = vec![path];
        }
        let mut placed = Placed(Vec::new());
        let mut pairs = files.into_iter().zip(&names);
        let first = pairs.next();
        for (file, name) in pairs {
            placed.add(file, name)?;
        }
        // A set without its first part is none: that one appears when all others are in their places.
        if let Some(other) = names.get(1) {
            settle_names(other)?;
        }
        if let Some((file, name)) = first {
            placed.add(file, name)?;
            if replaces {
                // What was there before is gone: this must stay, even where its name may not be on the disk yet.
                placed.0.clear();
            }
            settle_names(name)?;
        }
        placed.0.clear();
        Ok(names)
    }

    /// The part for a position, made where it is the next one, and the position in it.
    fn part(&mut self) -> io::Result<(&NewFile, u64)> {
        let number = self.position / self.size;
        let within = self.position % self.size;
        if number >= MOST {
            let what = "the number of parts".to_owned();
            let error = Error::LimitExceeded { what, limit: MOST, found: number + 1 };
            return Err(error.within(&self.path).into());
        }
        while self.files.len() as u64 <= number {
            // What was passed over by seeking is zeros, also at the end of a part.
            if let Some(last) = self.files.last() {
                last.set_length(self.size)?;
            }
            self.files.push(NewFile::create(&part_name(&self.path, self.files.len() as u64 + 1))?);
        }
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.files.get(number).map(|file| (file, within)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

/// Files that have their names, which they lose unless all others get theirs.
struct Placed(Vec<PathBuf>);

impl Placed {
    fn add(&mut self, file: NewFile, name: &Path) -> Result<()> {
        file.persist(name)?;
        self.0.push(name.to_owned());
        Ok(())
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.0 {
            // The failure that led here is the one to report.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Write for NewArchive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size - self.position % self.size;
        let wanted = usize::try_from(room).map_or(bytes.len(), |room| min(room, bytes.len()));
        let (file, within) = self.part()?;
        let count = file.write_at(&bytes[..wanted], within)?;
        self.position += count as u64;
        self.length = self.length.max(self.position);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for NewArchive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = min(self.size - self.position % self.size, self.length.saturating_sub(self.position));
        if room == 0 {
            return Ok(0);
        }
        let wanted = usize::try_from(room).map_or(buffer.len(), |room| min(room, buffer.len()));
        let (file, within) = self.part()?;
        let count = file.read_at(&mut buffer[..wanted], within)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for NewArchive {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, self.length)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::NewArchive;
    use crate::error::ErrorKind;

    const SIZE: u64 = NewArchive::SMALLEST_PART;

    fn bytes(length: u64) -> Vec<u8> {
        (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect()
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Writes so many bytes the way an archive is written: the beginning last.
    fn write(path: &Path, part: Option<u64>, length: u64) -> NewArchive {
        let mut archive = NewArchive::create(path, part).unwrap();
        let bytes = bytes(length);
        archive.seek(SeekFrom::Start(100)).unwrap();
        archive.write_all(&bytes[100..]).unwrap();
        assert_eq!(archive.stream_position().unwrap(), length);
        archive.seek(SeekFrom::Current(-50)).unwrap();
        archive.write_all(&bytes[bytes.len() - 50..]).unwrap();
        archive.rewind().unwrap();
        archive.write_all(&bytes[..100]).unwrap();
        archive
    }

    #[test]
    fn parts_join_to_what_was_written() {
        for (length, expected) in [(SIZE - 1, 1), (SIZE, 1), (SIZE + 1, 2), (2 * SIZE, 2), (3 * SIZE + 70, 4)]
        {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.ocbak");
            let mut archive = write(&path, Some(SIZE), length);
            let mut read = Vec::new();
            archive.rewind().unwrap();
            archive.read_to_end(&mut read).unwrap();
            assert!(read == bytes(length), "{length}");
            let reader = archive.reader().unwrap();
            assert_eq!(reader.length().unwrap(), length);
            let mut across = [0; 40];
            let at = length.min(SIZE) - 20;
            let count = reader.read_at(&mut across, at).unwrap();
            assert_eq!(across[..count], bytes(length)[usize::try_from(at).unwrap()..][..count]);
            let files = archive.persist().unwrap();
            assert_eq!(files.len(), expected);
            let joined: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
            assert!(joined == bytes(length), "{length}");
            let single = if expected == 1 { vec!["a.ocbak".to_owned()] } else { names(directory.path()) };
            assert_eq!(names(directory.path()), single);
            let sizes: Vec<_> = files.iter().map(|file| fs::metadata(file).unwrap().len()).collect();
            assert!(sizes[..expected - 1].iter().all(|size| *size == SIZE), "{sizes:?}");
        }
    }

    #[test]
    fn a_replacement_takes_the_place_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("a.ocbak"), directory.path().join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut file = NewArchive::replacing(&link, 3).unwrap();
        file.write_all(b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.persist().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        drop(NewArchive::replacing(&path, 5).unwrap());
        assert_eq!(names(directory.path()), ["a.ocbak", "link"]);
        let _one = NewArchive::replacing(&path, 5).unwrap();
        let says = |path: &Path, length| NewArchive::replacing(path, length).err().unwrap().to_string();
        assert!(says(&path, 5).contains("being changed"));
        assert!(says(&path, 6).contains("is not one file"));
        assert!(says(directory.path(), 5).contains("is not one file"));
    }

    #[test]
    fn an_abandoned_set_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        drop(write(&directory.path().join("a.ocbak"), Some(SIZE), 3 * SIZE));
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn a_name_that_is_taken_meanwhile_takes_the_others_back() {
        for taken in ["a.ocbak.001", "a.ocbak.002", "a.ocbak.003"] {
            let directory = tempfile::tempdir().unwrap();
            let archive = write(&directory.path().join("a.ocbak"), Some(SIZE), 3 * SIZE);
            fs::write(directory.path().join(taken), "mine").unwrap();
            assert_eq!(archive.persist().unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(names(directory.path()), [taken]);
            assert_eq!(fs::read(directory.path().join(taken)).unwrap(), b"mine");
        }
    }

    #[test]
    fn old_parts_are_never_mixed_with_new_ones() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.ocbak.017"), "mine").unwrap();
        let path = directory.path().join("a.ocbak");
        assert_eq!(NewArchive::create(&path, Some(SIZE)).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert!(NewArchive::create(&path, None).is_ok());
        assert!(NewArchive::create(&path, Some(SIZE - 1)).is_err());
        assert!(NewArchive::create(&directory.path().join("b.ocbak"), Some(SIZE)).is_ok());
    }

    #[test]
    fn there_are_no_more_parts_than_three_digits_count() {
        let directory = tempfile::tempdir().unwrap();
        let mut archive = NewArchive::create(&directory.path().join("a.ocbak"), Some(SIZE)).unwrap();
        archive.seek(SeekFrom::Start(999 * SIZE)).unwrap();
        let error = archive.write_all(b"more").unwrap_err().to_string();
        assert!(error.contains("the number of parts is 1000, more than the limit of 999"), "{error}");
    }
}
