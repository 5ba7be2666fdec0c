//! The further readings: everything in the archive's order, however it lies in the backup.
//!
//! What is next goes straight through; of what comes too early, as much is held as fits into a fixed amount of memory,
//! the next ones first. The rest waits for another reading.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use crate::archive::ArchiveWriter;
use crate::error::{Error, Result};
use crate::format::entry::{Item, ItemKind, NoteReason, Noted};
use crate::import::plan::{Payload, Planned, What};
use crate::import::tape::{self, Kind};
use crate::observer::Observer;

/// Writes a payload, holding contents of at most so many bytes in memory.
pub(super) fn write<W: Write + Seek + Send + 'static>(
    file: &File,
    payload: &Payload,
    writer: &mut ArchiveWriter<W>,
    observer: &dyn Observer,
    most: u64,
) -> Result<()> {
    writer.begin(payload.source.clone(), payload.role)?;
    let mut pass = Pass { items: &payload.items, next: 0, held: Held::new(most), writer, observer };
    pass.settle()?;
    let places = places(&payload.items);
    while pass.next < payload.items.len() {
        let before = pass.next;
        tape::play(file, observer, &mut |number, record, content| {
            let Some(&place) = places.get(&number) else { return Ok(()) };
            let What::File { size, .. } = payload.items[place].what else { return Ok(()) };
            if !matches!(record.kind, Kind::File(found) if found == size) {
                return Err(changed());
            }
            pass.meet(place, size, content)
        })?;
        if pass.next == before {
            return Err(changed());
        }
    }
    for skipped in &payload.skipped {
        pass.writer.skip(skipped.clone())?;
    }
    payload.noted.iter().try_for_each(|noted| pass.writer.note(noted.clone()))
}

/// Where in the order the files stand that have these numbers in the backup.
fn places(items: &[Planned]) -> HashMap<u32, usize> {
    let number = |item: &Planned| if let What::File { number, .. } = item.what { Some(number) } else { None };
    items.iter().enumerate().filter_map(|(place, item)| Some((number(item)?, place))).collect()
}

fn changed() -> Error {
    Error::invalid("the backup changed while it was read")
}

/// One reading.
struct Pass<'a, W> {
    items: &'a [Planned],
    /// Place of what is to be written next.
    next: usize,
    held: Held,
    writer: &'a mut ArchiveWriter<W>,
    observer: &'a dyn Observer,
}

impl<W: Write + Seek + Send + 'static> Pass<'_, W> {
    /// Comes across the content of a file.
    fn meet(&mut self, place: usize, size: u64, content: &mut dyn Read) -> Result<()> {
        match place.cmp(&self.next) {
            Ordering::Less => Ok(()),
            Ordering::Equal => {
                self.append(size, content)?;
                self.settle()
            }
            Ordering::Greater => self.held.offer(place, size, content),
        }
    }

    /// Writes what needs no more reading.
    fn settle(&mut self) -> Result<()> {
        while let Some(item) = self.items.get(self.next) {
            match item.what {
                What::File { size, .. } => match self.held.take(self.next) {
                    Some(content) => self.append(size, &mut content.as_slice())?,
                    None => return Ok(()),
                },
                _ => self.append(0, &mut io::empty())?,
            }
        }
        Ok(())
    }

    fn append(&mut self, size: u64, content: &mut dyn Read) -> Result<()> {
        self.observer.check()?;
        let item = &self.items[self.next];
        let kind = match &item.what {
            What::Directory => ItemKind::Directory,
            What::Symlink(target) => ItemKind::Symlink { target },
            What::Hardlink(target) => ItemKind::Hardlink { target },
            What::File { size, .. } => ItemKind::File { size: *size },
        };
        let mut start = Vec::new();
        let failed = |error| Error::stream("read the backup", error);
        (&mut *content).take(SQLITE.len() as u64).read_to_end(&mut start).map_err(failed)?;
        let entry = Item { path: &item.path, mode: item.mode, mtime: item.mtime, xattrs: &[], kind };
        let missing = self.writer.append(&entry, &mut start.as_slice().chain(content))?;
        if missing > 0 {
            return Err(Error::malformed(format!("tar: ends in the middle of `{}`", item.path)));
        }
        if start == SQLITE {
            let detail = "a database, stored as it is in the backup".to_owned();
            self.writer.note(Noted { path: item.path.clone(), why: NoteReason::Unchecked, detail })?;
        }
        self.observer.advance(size);
        self.next += 1;
        Ok(())
    }
}

/// Contents that wait for their turn.
struct Held {
    contents: BTreeMap<usize, Vec<u8>>,
    bytes: u64,
    most: u64,
}

impl Held {
    fn new(most: u64) -> Self {
        Self { contents: BTreeMap::new(), bytes: 0, most }
    }

    /// Keeps a content if it fits, at the cost of those that are wanted later.
    fn offer(&mut self, place: usize, size: u64, content: &mut dyn Read) -> Result<()> {
        if cost(size) > self.most || self.contents.contains_key(&place) {
            return Ok(());
        }
        while self.bytes + cost(size) > self.most {
            match self.contents.last_entry().filter(|last| *last.key() > place) {
                Some(last) => self.bytes -= cost(last.remove().len() as u64),
                None => return Ok(()),
            }
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| Error::stream("read the backup", error))?;
        // Shorter than it says is what the tape complains of.
        self.bytes += cost(bytes.len() as u64);
        self.contents.insert(place, bytes);
        Ok(())
    }

    fn take(&mut self, place: usize) -> Option<Vec<u8>> {
        let content = self.contents.remove(&place)?;
        self.bytes -= cost(content.len() as u64);
        Some(content)
    }
}

/// What a content takes, with what keeps it.
fn cost(size: u64) -> u64 {
    size.saturating_add(128)
}

/// Bytes of contents that are held.
pub(super) const HELD: u64 = 64 << 20;

const SQLITE: &[u8] = b"SQLite format 3\0";

#[cfg(test)]
mod tests {
    use super::Held;

    #[test]
    fn what_is_wanted_first_is_held_and_no_more_than_fits() {
        let mut held = Held::new(4 * (100 + 128));
        for place in [9_u8, 8, 7, 6, 5, 4, 3, 8] {
            held.offer(usize::from(place), 100, &mut [place; 100].as_slice()).unwrap();
            assert!(held.bytes <= held.most);
        }
        assert_eq!(held.contents.keys().copied().collect::<Vec<_>>(), [3, 4, 5, 6]);
        held.offer(2, 1000, &mut [0; 1000].as_slice()).unwrap();
        assert_eq!(held.contents.len(), 4, "made room for what never fits");
        assert_eq!(held.take(4), Some(vec![4; 100]));
        assert_eq!(held.take(4), None);
        held.offer(7, 100, &mut [7; 100].as_slice()).unwrap();
        assert_eq!(held.contents.keys().copied().collect::<Vec<_>>(), [3, 5, 6, 7]);
    }
}
