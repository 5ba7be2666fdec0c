//! Where the shards of a code stand: those of the file, and the check blocks.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use crate::archive::parity::code::{Fold, Recovery};
use crate::archive::parity::table::Table;
use crate::error::{Error, Result};
use crate::format::parity::{CARRIED, Geometry, SHARD, Spread, digest};
use crate::observer::Observer;

/// Reads the shards of a code.
pub(super) trait Shards {
    /// Length of a shard.
    const LENGTH: usize;

    /// How the shards are dealt out.
    fn spread(&self) -> Spread;

    /// Prepares for shards of these groups.
    fn turn_to(&mut self, groups: &Range<u64>) -> Result<()>;

    /// Reads the shards of neighbouring groups at one position, recovery shards after data; those known to be
    /// damaged come as zeros, and are told by their place among the groups.
    fn read(
        &mut self,
        position: usize,
        groups: &Range<u64>,
        run: &mut [u8],
        damaged: &mut dyn FnMut(usize),
    ) -> Result<()>;
}

/// Groups that are worked on together, one batch after another.
pub(super) fn batches(spread: Spread, length: usize) -> impl Iterator<Item = Range<u64>> {
    let step = Fold::groups_within(MEMORY, spread.recovery, length);
    let starts = (0..spread.groups).step_by(step);
    starts.map(move |start| start..spread.groups.min(start + step as u64))
}

/// Reads all data shards of some groups; `see` gets every row with what is damaged in it.
pub(super) fn fold<S: Shards>(
    shards: &mut S,
    groups: &Range<u64>,
    observer: &dyn Observer,
    mut see: impl FnMut(usize, &[u8], &[usize]),
) -> Result<Recovery> {
    let count = count(groups);
    let mut fold = Fold::new(count, shards.spread().recovery, S::LENGTH);
    let mut run = vec![0; count * S::LENGTH];
    let mut damaged = Vec::new();
    for row in 0..shards.spread().rows {
        observer.check()?;
        damaged.clear();
        shards.read(row, groups, &mut run, &mut |group| damaged.push(group))?;
        see(row, &run, &damaged);
        fold.row(&run);
        observer.advance(run.len() as u64);
    }
    Ok(fold.finish())
}

/// Number of groups in a batch.
pub(super) fn count(groups: &Range<u64>) -> usize {
    // A batch fits into memory.
    usize::try_from(groups.end - groups.start).expect("few groups")
}

/// The shards of the file.
pub(super) struct Data<'a, S> {
    source: &'a mut S,
    geometry: &'a Geometry,
    table: Option<&'a Table<'a>>,
    /// Expected digests of the groups turned to; those not known count as right.
    digests: Vec<Option<u64>>,
}

impl<'a, S: Read + Seek> Data<'a, S> {
    /// Shards that are taken as they are.
    pub(super) fn new(source: &'a mut S, geometry: &'a Geometry) -> Self {
        Self { source, geometry, table: None, digests: Vec::new() }
    }

    /// Shards that are compared with their digests.
    pub(super) fn compared(source: &'a mut S, geometry: &'a Geometry, table: &'a Table<'a>) -> Self {
        Self { source, geometry, table: Some(table), digests: Vec::new() }
    }

    /// Gives the source back.
    pub(super) fn source(&mut self) -> &mut S {
        self.source
    }
}

impl<S: Read + Seek> Shards for Data<'_, S> {
    const LENGTH: usize = SHARD;

    fn spread(&self) -> Spread {
        self.geometry.data
    }

    fn turn_to(&mut self, groups: &Range<u64>) -> Result<()> {
        if let Some(table) = self.table {
            self.digests = table.digests(self.source, groups)?;
        }
        Ok(())
    }

    fn read(
        &mut self,
        position: usize,
        groups: &Range<u64>,
        run: &mut [u8],
        damaged: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let spread = self.spread();
        let (offset, end) = match position.checked_sub(spread.rows) {
            // §18.1: what follows the protected bytes counts as zeros.
            None => (self.geometry.data_offset(position, groups.start), self.geometry.end),
            Some(place) => (self.geometry.recovery_offset(place, groups.start), u64::MAX),
        };
        let there =
            usize::try_from(end.saturating_sub(offset)).map_or(run.len(), |there| there.min(run.len()));
        if there > 0 {
            read_at(self.source, offset, &mut run[..there])?;
        }
        run[there..].fill(0);
        for (group, shard) in run.chunks_exact_mut(SHARD).enumerate() {
            let known = self.digests.get(group * spread.positions() + position).copied().flatten();
            if known.is_some_and(|known| known != digest(shard)) {
                shard.fill(0);
                damaged(group);
            }
        }
        Ok(())
    }
}

/// What the check blocks carry.
pub(super) struct Checks<'a, S> {
    source: &'a mut S,
    geometry: &'a Geometry,
}

impl<'a, S: Read + Seek> Checks<'a, S> {
    pub(super) fn new(source: &'a mut S, geometry: &'a Geometry) -> Self {
        Self { source, geometry }
    }
}

impl<S: Read + Seek> Shards for Checks<'_, S> {
    const LENGTH: usize = CARRIED;

    fn spread(&self) -> Spread {
        self.geometry.checks
    }

    fn turn_to(&mut self, _: &Range<u64>) -> Result<()> {
        Ok(())
    }

    fn read(
        &mut self,
        position: usize,
        groups: &Range<u64>,
        run: &mut [u8],
        damaged: &mut dyn FnMut(usize),
    ) -> Result<()> {
        for ((at, group), carried) in groups.clone().enumerate().zip(run.chunks_exact_mut(CARRIED)) {
            carried.fill(0);
            let number = match position.checked_sub(self.spread().rows) {
                None => self.geometry.checks.number(position, group),
                Some(place) => self.geometry.check_recovery(place, group),
            };
            let behind_the_last = position < self.spread().rows && number >= self.geometry.digest_blocks;
            if !behind_the_last {
                match read_check(self.source, self.geometry, number)? {
                    Some(found) => carried.copy_from_slice(&found),
                    None => damaged(at),
                }
            }
        }
        Ok(())
    }
}

/// Reads what a check block carries, unless it is damaged.
pub(super) fn read_check<S: Read + Seek>(
    source: &mut S,
    geometry: &Geometry,
    number: u64,
) -> Result<Option<Vec<u8>>> {
    let mut block = [0; SHARD];
    read_at(source, geometry.check_offset(number), &mut block)?;
    Ok(geometry.carried(number, &block).map(<[u8]>::to_vec))
}

fn read_at<S: Read + Seek>(source: &mut S, offset: u64, bytes: &mut [u8]) -> Result<()> {
    let read = source.seek(SeekFrom::Start(offset)).and_then(|_| source.read_exact(bytes));
    read.map_err(|error| Error::stream("read the archive", error))
}

/// What [`Fold`] may take: more means fewer and longer reads.
const MEMORY: usize = 24 << 20;
