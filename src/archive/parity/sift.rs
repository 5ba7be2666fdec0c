//! Finds the damaged shards of all groups, and rebuilds them.

use std::io::{Read, Seek, Write};

use crate::archive::parity::code::rebuild;
use crate::archive::parity::shards::{Data, Shards, batches, count, fold};
use crate::archive::parity::table::Table;
use crate::archive::parity::write::write_at;
use crate::error::Result;
use crate::format::parity::{Geometry, SHARD, Spread};
use crate::observer::{Observer, Silent};

/// How much of the protected bytes is damaged, in shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::archive) struct Loss {
    /// Damaged shards.
    pub(in crate::archive) shards: u64,
    /// Damaged shards that cannot be rebuilt.
    pub(in crate::archive) for_good: u64,
}

/// A group with damaged data shards.
pub(super) struct Group {
    pub(super) number: u64,
    spread: Spread,
    missing: Vec<usize>,
    /// Recovery shards that are there, less those of the data as it is.
    differences: Vec<(usize, Vec<u8>)>,
}

impl Group {
    /// Returns the missing shards with their rows; none where too many are missing.
    pub(super) fn rebuild(&self) -> Vec<(usize, Vec<u8>)> {
        if !self.can_be_rebuilt() {
            return Vec::new();
        }
        let Spread { rows, recovery, .. } = self.spread;
        let shards = rebuild(rows, recovery, &self.missing, &self.differences);
        self.missing.iter().copied().zip(shards).collect()
    }

    fn can_be_rebuilt(&self) -> bool {
        self.missing.len() <= self.differences.len()
    }
}

/// Looks at the shards of all groups; `damaged` gets every group with damaged data.
pub(super) fn sift<S: Shards>(
    shards: &mut S,
    observer: &dyn Observer,
    mut damaged: impl FnMut(&mut S, Group) -> Result<()>,
) -> Result<()> {
    let spread = shards.spread();
    for groups in batches(spread, S::LENGTH) {
        shards.turn_to(&groups)?;
        let group = |number| Group { number, spread, missing: Vec::new(), differences: Vec::new() };
        let mut found: Vec<Group> = groups.clone().map(group).collect();
        let folded = fold(shards, &groups, observer, |row, _, damaged| {
            for group in damaged {
                found[*group].missing.push(row);
            }
        })?;
        if found.iter().all(|group| group.missing.is_empty()) {
            continue;
        }
        let mut run = vec![0; count(&groups) * S::LENGTH];
        for place in 0..spread.recovery {
            let mut lost = Vec::new();
            shards.read(spread.rows + place, &groups, &mut run, &mut |group| lost.push(group))?;
            for (at, (group, stored)) in found.iter_mut().zip(run.chunks_exact(S::LENGTH)).enumerate() {
                if !group.missing.is_empty() && !lost.contains(&at) {
                    let pairs = stored.iter().zip(folded.shard(at, place));
                    group.differences.push((place, pairs.map(|(stored, folded)| stored ^ folded).collect()));
                }
            }
        }
        drop(folded);
        for group in found.into_iter().filter(|group| !group.missing.is_empty()) {
            damaged(shards, group)?;
        }
    }
    Ok(())
}

/// Counts what is damaged. The observer hears of the bytes protected.
pub(in crate::archive) fn survey<S: Read + Seek>(
    source: &mut S,
    geometry: &Geometry,
    observer: &dyn Observer,
) -> Result<Loss> {
    look(source, geometry, observer, |_, _, _| Ok(()))
}

/// Rebuilds what is damaged, as far as it can be.
pub(in crate::archive) fn mend<S: Read + Write + Seek>(
    file: &mut S,
    geometry: &Geometry,
    observer: &dyn Observer,
) -> Result<Loss> {
    look(file, geometry, observer, |file, group, geometry| {
        for (row, shard) in group.rebuild() {
            let offset = geometry.data_offset(row, group.number);
            let there = usize::try_from(geometry.end.saturating_sub(offset)).unwrap_or(SHARD).min(SHARD);
            write_at(file, offset, &shard[..there])?;
        }
        Ok(())
    })
}

fn look<S: Read + Seek>(
    source: &mut S,
    geometry: &Geometry,
    observer: &dyn Observer,
    mut damaged: impl FnMut(&mut S, &Group, &Geometry) -> Result<()>,
) -> Result<Loss> {
    let table = Table::open(source, geometry, &Silent)?;
    let mut loss = Loss::default();
    sift(&mut Data::compared(source, geometry, &table), observer, |data, group| {
        let missing = group.missing.len() as u64;
        loss.shards += missing;
        loss.for_good += if group.can_be_rebuilt() { 0 } else { missing };
        damaged(data.source(), &group, geometry)
    })?;
    Ok(loss)
}
