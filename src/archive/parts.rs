//! The file or the files that an archive lies in, read as one (spec §3.5).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::archive::header::read_up_to;
use crate::archive::source::{Medium, ReadAt};
use crate::error::{Error, Result};
use crate::format::layout::{END, Layout};
use crate::format::limits::LIMITS;
use crate::format::manifest::Manifest;
use crate::format::region::{Found, Region};

/// An archive on the disk, in one file or in numbered parts.
pub(crate) struct Parts {
    /// Their name without its number; `None` for a single file.
    name: Option<PathBuf>,
    /// In order; `None` where one is missing.
    files: Vec<Option<Part>>,
    /// Length of every part but the last.
    size: u64,
    /// Of all of them together, the missing ones counted.
    length: u64,
}

struct Part {
    file: File,
    length: u64,
}

impl Parts {
    /// Opens the file of this name, and all parts after it where it is named as the first one.
    ///
    /// # Errors
    ///
    /// `Invalid` for a directory, `Io`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true))
    }

    /// Opens an archive of `whole` bytes for writing in place, as [`Parts::open`] does for reading.
    ///
    /// # Errors
    ///
    /// As [`Parts::open`].
    pub(super) fn open_for_change(path: &Path, whole: u64) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let opened = Self::single_with(path, &options).and_then(|first| {
            // A whole archive may be named like a part.
            if first.length == whole { Ok(first) } else { Self::open_with(path, &options) }
        });
        opened.map_err(|error| match error {
            Error::Io { action: "open", path, source } => {
                Error::Io { action: "open for writing", path, source }
            }
            other => other,
        })
    }

    fn open_with(path: &Path, options: &OpenOptions) -> Result<Self> {
        let Some((name, 1)) = part_number(path) else {
            return Self::single_with(path, options);
        };
        let mut found = numbered(&name)?;
        if found.is_empty() {
            // Nothing else is there: its absence is what there is to say.
            return Self::single_with(path, options);
        }
        let last = found.last_entry().map_or(1, |entry| *entry.key());
        let mut parts = Vec::new();
        for number in 1..=last {
            let file = found.remove(&number).map(|path| open(&path, options)).transpose()?;
            parts.push(file);
        }
        Ok(Self::new(Some(name), parts))
    }

    /// Opens a file by itself, whatever its name.
    ///
    /// # Errors
    ///
    /// As [`Parts::open`].
    pub(crate) fn single(path: &Path) -> Result<Self> {
        Self::single_with(path, OpenOptions::new().read(true))
    }

    fn single_with(path: &Path, options: &OpenOptions) -> Result<Self> {
        Ok(Self::new(None, vec![Some(open(path, options)?)]))
    }

    /// Takes files that are open already, the parts of an archive or all of it.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub(super) fn of(files: Vec<File>) -> io::Result<Self> {
        let part = |file: File| Ok(Some(Part { length: file.length()?, file }));
        Ok(Self::new(None, files.into_iter().map(part).collect::<io::Result<_>>()?))
    }

    /// Tells whether there are several.
    pub(crate) fn is_many(&self) -> bool {
        self.files.len() > 1
    }

    /// The file that the head of the archive lies in.
    pub(super) fn head(&self) -> Option<&File> {
        self.part(0).map(|part| &part.file)
    }

    fn new(name: Option<PathBuf>, parts: Vec<Option<Part>>) -> Self {
        let size = length_by_manifest(&parts).unwrap_or_else(|| usual_length(&parts));
        let last = parts.last().and_then(Option::as_ref).map_or(0, |part| part.length);
        let length = (parts.len() as u64).saturating_sub(1).saturating_mul(size).saturating_add(last);
        Self { name, files: parts, size, length }
    }

    /// Where a part is found; `number` counts from 0 here.
    fn part(&self, number: u64) -> Option<&Part> {
        self.files.get(usize::try_from(number).ok()?)?.as_ref()
    }

    /// The part that holds a byte, and what remains of it from there.
    fn place(&self, offset: u64) -> Result<(&Part, Range<u64>)> {
        let last = self.files.len() as u64 - 1;
        let number = offset.checked_div(self.size).map_or(last, |number| number.min(last));
        let within = offset - number * self.size;
        let part = self.part(number).ok_or_else(|| self.missing(number, 1))?;
        let end = if number == last { part.length } else { part.length.min(self.size) };
        if within >= end {
            return Err(self.cut(number, self.size, part.length));
        }
        Ok((part, within..end))
    }

    fn missing(&self, number: u64, count: u64) -> Error {
        let name = self.name.as_deref().unwrap_or(Path::new(""));
        Error::MissingParts { first: part_name(name, number + 1), count }
    }

    fn cut(&self, number: u64, expected: u64, found: u64) -> Error {
        let name = self.name.as_deref().unwrap_or(Path::new(""));
        let shown = part_name(name, number + 1);
        Error::Truncated { what: format!("`{}`", shown.display()), expected, found }
    }
}

impl ReadAt for Parts {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.length {
            return Ok(0);
        }
        let (part, place) = self.place(offset)?;
        let left = place.end - place.start;
        let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        ReadAt::read_at(&part.file, &mut buffer[..room], place.start)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn faults(&self, whole: u64) -> Vec<Error> {
        let Some(name) = &self.name else {
            return Vec::new();
        };
        let count = self.files.len() as u64;
        let too_long = |number: u64, expected: u64, found: u64| {
            let shown = part_name(name, number + 1);
            Error::malformed(format!("`{}` is too long: {found} bytes of {expected}", shown.display()))
        };
        // The last one is as long as is left of the whole, or one like the others.
        let needed = whole.div_ceil(self.size.max(1)).max(1);
        let expected = |number: u64| self.size.min(whole.saturating_sub(number * self.size));
        let mut faults = Vec::new();
        for number in 0..count {
            match self.part(number) {
                None => faults.push(self.missing(number, 1)),
                Some(_) if number >= needed => {
                    let shown = part_name(name, number + 1);
                    let what = format!("`{}` does not belong to this archive", shown.display());
                    faults.push(Error::malformed(what));
                }
                Some(part) if part.length < expected(number) => {
                    faults.push(self.cut(number, expected(number), part.length));
                }
                Some(part) if part.length > expected(number) => {
                    faults.push(too_long(number, expected(number), part.length));
                }
                Some(_) => {}
            }
        }
        if needed > count {
            faults.push(self.missing(count, needed - count));
        }
        faults
    }
}

impl Medium for Parts {
    fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let (part, place) = self.place(offset)?;
            let left = place.end - place.start;
            let room = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            part.file.write_all_at(&bytes[..room], place.start)?;
            bytes = &bytes[room..];
            offset += room as u64;
        }
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        self.files.iter().flatten().try_for_each(|part| part.file.settle())
    }
}

/// Finds the files of the archive that a file of this name begins: itself, or all its parts in order.
/// `None` for a part that is not the first.
///
/// # Errors
///
/// `Io` where the directory cannot be read.
pub(crate) fn files_of(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    match part_number(path) {
        Some((name, 1)) => Ok(Some(numbered(&name)?.into_values().collect())),
        Some(_) => Ok(None),
        None => Ok(Some(vec![path.to_owned()])),
    }
}

/// The length of every part but the last as it follows from the manifest, where the last part has its end: then only others
/// can be of a wrong length.
fn length_by_manifest(parts: &[Option<Part>]) -> Option<u64> {
    let (first, last) = (parts.first()?.as_ref()?, parts.last()?.as_ref()?);
    let head = read_up_to(&first.file, 0, LIMITS.region).ok()?;
    let manifests = Found::merge(&head, &[]).manifests;
    let layout = manifests.iter().find_map(|manifest| Layout::new(&Manifest::decode(manifest).ok()?).ok())?;
    let tail = last.length.checked_sub((LIMITS.region + END) as u64)?;
    Region::decode(&read_up_to(&last.file, tail, LIMITS.region).ok()?)?;
    let (rest, count) = (layout.length.checked_sub(last.length)?, parts.len() as u64 - 1);
    (rest.checked_rem(count)? == 0).then(|| rest / count)
}

/// The length that most parts have; the last one may be shorter.
fn usual_length(parts: &[Option<Part>]) -> u64 {
    let before_last = parts.len().saturating_sub(1).max(1);
    let mut counts = BTreeMap::<u64, usize>::new();
    for part in parts[..before_last].iter().flatten() {
        *counts.entry(part.length).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    // Between several, the first part's; it holds the head.
    let first = parts[0].as_ref().map(|part| part.length).filter(|length| counts.get(length) == Some(&most));
    first
        .or_else(|| counts.into_iter().find(|(_, count)| *count == most).map(|(length, _)| length))
        .unwrap_or(0)
}

/// Opens a file; a pipe under this name keeps nobody waiting.
pub(crate) fn open_at_once(path: &Path, options: &OpenOptions) -> Result<(File, FileType)> {
    let failed = |error| Error::io("open", path, error);
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = options.clone().custom_flags(flags).open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    Ok((file, kind))
}

fn open(path: &Path, options: &OpenOptions) -> Result<Part> {
    let (file, kind) = open_at_once(path, options)?;
    if kind.is_dir() {
        return Err(Error::invalid("is a directory, not an archive").within(path));
    }
    if !kind.is_file() && !kind.is_block_device() {
        return Err(Error::invalid("is neither a file nor a drive").within(path));
    }
    let length = file.length().map_err(|error| Error::io("read", path, error))?;
    Ok(Part { file, length })
}

/// Makes the name of a part; they count from 1.
pub(super) fn part_name(name: &Path, number: u64) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(format!(".{number:03}"));
    name.into()
}

/// Takes the name of a part apart; `None` for any other name.
pub(super) fn part_number(path: &Path) -> Option<(PathBuf, u64)> {
    let bytes = path.as_os_str().as_bytes();
    let (name, digits) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let number = digits.strip_prefix(b".").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = std::str::from_utf8(number).ok()?.parse().ok().filter(|number| *number > 0)?;
    let whole = !name.is_empty() && !name.ends_with(b"/");
    whole.then(|| (OsString::from_vec(name.to_vec()).into(), number))
}

/// Finds the parts of an archive by their numbers.
///
/// # Errors
///
/// `Io` where the directory cannot be read.
pub(super) fn numbered(name: &Path) -> Result<BTreeMap<u64, PathBuf>> {
    let directory = match name.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |error| Error::io("read", directory, error);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Others may have such names; a file behind a link is one.
        if !fs::metadata(entry.path()).is_ok_and(|facts| facts.is_file()) {
            continue;
        }
        let file = entry.file_name();
        if let Some((base, number)) = part_number(file.as_ref())
            && Some(base.as_os_str()) == name.file_name()
        {
            found.insert(number, part_name(name, number));
        }
    }
    Ok(found)
}

/// Parts are numbered with three digits, so that `cat NAME.*` takes them in their order (spec §3.5).
pub(super) const MOST: u64 = 999;
