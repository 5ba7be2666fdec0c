//! The digests of all shards, as far as the check blocks still tell them.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;

use crate::archive::parity::shards::{Checks, read_check};
use crate::archive::parity::sift::sift;
use crate::error::Result;
use crate::format::parity::{DIGESTS, Geometry};
use crate::observer::Observer;

/// The check blocks, the damaged ones rebuilt.
pub(super) struct Table<'a> {
    geometry: &'a Geometry,
    /// What damaged blocks carried. The others are read when they are needed.
    rebuilt: BTreeMap<u64, Vec<u8>>,
}

impl<'a> Table<'a> {
    /// Looks at all check blocks, and rebuilds the damaged ones where that can be done.
    pub(super) fn open<S: Read + Seek>(
        source: &mut S,
        geometry: &'a Geometry,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut rebuilt = BTreeMap::new();
        sift(&mut Checks::new(source, geometry), observer, |_, group| {
            let number = |row| geometry.checks.number(row, group.number);
            rebuilt.extend(group.rebuild().into_iter().map(|(row, carried)| (number(row), carried)));
            Ok(())
        })?;
        Ok(Self { geometry, rebuilt })
    }

    /// Returns the digests of some groups, of each the data shards and then the recovery shards; `None` where
    /// the check block is lost.
    pub(super) fn digests<S: Read + Seek>(
        &self,
        source: &mut S,
        groups: &Range<u64>,
    ) -> Result<Vec<Option<u64>>> {
        let each = self.geometry.data.positions() as u64;
        let (first, last) = (groups.start * each, groups.end * each);
        let (in_block, mut digests) = (DIGESTS as u64, Vec::new());
        for number in first / in_block..last.div_ceil(in_block) {
            let found = match self.rebuilt.get(&number) {
                Some(carried) => Some(carried.clone()),
                None => read_check(source, self.geometry, number)?,
            };
            for at in 0..DIGESTS {
                if (first..last).contains(&(number * in_block + at as u64)) {
                    let digest = found.as_ref().and_then(|carried| carried[8 * at..].first_chunk());
                    digests.push(digest.map(|bytes| u64::from_le_bytes(*bytes)));
                }
            }
        }
        Ok(digests)
    }
}
