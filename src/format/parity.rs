//! The parity member: where its parts stand, and its check blocks (spec §18).
//!
//! Everything follows from where the member begins and how long it is; nothing in it needs to be believed.

use twox_hash::XxHash64;

use crate::format::block::BLOCK;
use crate::format::limits::LIMITS;

/// Length of a shard, and what shards are aligned to.
pub(crate) const SHARD: usize = 4096;

/// Length of what a check block carries: digests, or what rebuilds those of others.
pub(crate) const CARRIED: usize = SHARD - HEAD;

/// Digests in a check block.
pub(crate) const DIGESTS: usize = CARRIED / 8;

/// Shards dealt out to groups, each of which has recovery shards of its own (§18.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Number of groups: shard `i` is in group `i` modulo this.
    pub(crate) groups: u64,
    /// Data shards of a group, with those of zeros at the end of the last ones.
    pub(crate) rows: usize,
    /// Recovery shards of a group.
    pub(crate) recovery: usize,
}

/// Where the parts of a parity member stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    archive: [u8; 16],
    /// Offset in the file at which the protected bytes end.
    pub(crate) end: u64,
    /// The shards of the file.
    pub(crate) data: Spread,
    /// The check blocks.
    pub(crate) checks: Spread,
    /// Number of check blocks with digests.
    pub(crate) digest_blocks: u64,
    start: u64,
}

// Offsets are below 2^63, numbers of shards below 2^52: nothing here can overflow 64 bits.
#[allow(clippy::arithmetic_side_effects, reason = "see above")]
impl Geometry {
    /// The parts of a member whose content begins at `content` in an archive, with so many recovery shards a group.
    pub(crate) fn new(archive: [u8; 16], content: u64, recovery: usize) -> Option<Self> {
        Self::with_groups_of(ROWS, CHECK_ROWS, archive, content, recovery)
    }

    /// The same with groups of another size than the format's, for tests.
    pub(crate) fn with_groups_of(
        rows: usize,
        check_rows: usize,
        archive: [u8; 16],
        content: u64,
        recovery: usize,
    ) -> Option<Self> {
        let end = content.checked_sub(BLOCK as u64)?;
        let protected = end.checked_sub(LIMITS.region as u64).filter(|length| *length > 0)?;
        if content >= LIMITS.length || !(1..=ROWS).contains(&recovery) {
            return None;
        }
        let mut data = Spread::new(protected.div_ceil(SHARD as u64), rows)?;
        data.recovery = recovery;
        let digest_blocks = (data.groups * data.positions() as u64).div_ceil(DIGESTS as u64);
        let mut checks = Spread::new(digest_blocks, check_rows)?;
        checks.recovery = checks.rows;
        let start = content.next_multiple_of(SHARD as u64);
        Some(Self { archive, end, data, checks, digest_blocks, start })
    }

    /// The same for a percentage of recovery shards: at least four a group.
    pub(crate) fn for_percent(archive: [u8; 16], content: u64, percent: u8) -> Option<Self> {
        let rows = Self::new(archive, content, 1)?.data.rows;
        let recovery = (rows * usize::from(percent)).div_ceil(100).clamp(4, ROWS);
        Self::new(archive, content, recovery)
    }

    /// The same for a member of `length` bytes; none where no number of recovery shards gives it (§18.2).
    pub(crate) fn for_length(archive: [u8; 16], content: u64, length: u64) -> Option<Self> {
        let end = content.checked_add(length)?;
        (1..=ROWS)
            .map_while(|recovery| Self::new(archive, content, recovery))
            .find(|geometry| geometry.member_end() >= end)
            .filter(|geometry| geometry.member_end() == end)
    }

    /// Offset of a shard of the file.
    pub(crate) fn data_offset(&self, row: usize, group: u64) -> u64 {
        LIMITS.region as u64 + SHARD as u64 * self.data.number(row, group)
    }

    /// Offset of a recovery shard.
    pub(crate) fn recovery_offset(&self, place: usize, group: u64) -> u64 {
        self.at(self.digest_blocks + self.data.number(place, group))
    }

    /// Offset of a check block by its number: those with digests first.
    pub(crate) fn check_offset(&self, number: u64) -> u64 {
        let behind = if number < self.digest_blocks { 0 } else { self.data.recovery_shards() };
        self.at(number + behind)
    }

    /// Number of a recovery shard of the check blocks, among them.
    pub(crate) fn check_recovery(&self, place: usize, group: u64) -> u64 {
        self.digest_blocks + self.checks.number(place, group)
    }

    /// Where the first check block stands.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Where the member's content ends.
    pub(crate) fn member_end(&self) -> u64 {
        self.at(self.digest_blocks + self.data.recovery_shards() + self.checks.recovery_shards())
    }

    /// Encodes a check block (§18.3).
    pub(crate) fn check_block(&self, number: u64, carried: &[u8]) -> [u8; SHARD] {
        let mut block = [0; SHARD];
        block[..8].copy_from_slice(MAGIC);
        block[16..32].copy_from_slice(&self.archive);
        let facts = [self.end, self.data.recovery as u64, number, VERSION];
        for (field, fact) in block[32..HEAD].chunks_exact_mut(8).zip(facts) {
            field.copy_from_slice(&fact.to_le_bytes());
        }
        block[HEAD..].copy_from_slice(carried);
        let digest = digest(&block[16..]);
        block[8..16].copy_from_slice(&digest.to_le_bytes());
        block
    }

    /// Returns what a check block carries, unless it is another one or damaged.
    pub(crate) fn carried<'a>(&self, number: u64, block: &'a [u8; SHARD]) -> Option<&'a [u8]> {
        let carried = &block[HEAD..];
        (self.check_block(number, carried) == *block).then_some(carried)
    }

    fn at(&self, shard: u64) -> u64 {
        self.start + SHARD as u64 * shard
    }
}

#[allow(clippy::arithmetic_side_effects, reason = "as above")]
impl Spread {
    fn new(shards: u64, most: usize) -> Option<Self> {
        let groups = shards.div_ceil(most as u64);
        let rows = usize::try_from(shards.div_ceil(groups)).ok()?;
        Some(Self { groups, rows, recovery: 0 })
    }

    /// Data and recovery shards of a group.
    pub(crate) fn positions(&self) -> usize {
        self.rows + self.recovery
    }

    /// Number of a shard of a group among those of all groups.
    pub(crate) fn number(&self, row: usize, group: u64) -> u64 {
        row as u64 * self.groups + group
    }

    fn recovery_shards(&self) -> u64 {
        self.groups * self.recovery as u64
    }
}

/// The digest that finds damage, not forgery: `XXH64` with seed 0.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// Most data shards of a group.
const ROWS: usize = 4096;
/// Most check blocks of a group.
const CHECK_ROWS: usize = 1024;
/// Length of what stands before the carried bytes.
const HEAD: usize = 64;
const MAGIC: &[u8; 8] = b"ocbakpar";
const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::{CARRIED, DIGESTS, Geometry, SHARD, digest};

    const CONTENT: u64 = 32768 + 512;

    #[test]
    fn the_digest_is_the_one_of_zstd() {
        // Of the reference implementation.
        assert_eq!(digest(b""), 0xef46_db37_51d8_e999);
        assert_eq!(digest(b"abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn a_small_archive_has_one_group() {
        let geometry = Geometry::for_percent([1; 16], CONTENT + 5120, 2).unwrap();
        assert_eq!((geometry.data.groups, geometry.data.rows, geometry.data.recovery), (1, 2, 4));
        assert_eq!((geometry.digest_blocks, geometry.checks.rows, geometry.checks.recovery), (1, 1, 1));
        assert_eq!(geometry.start(), 40960);
        assert_eq!(geometry.check_offset(0), 40960);
        assert_eq!(geometry.recovery_offset(0, 0), 45056);
        assert_eq!(geometry.check_offset(geometry.check_recovery(0, 0)), 45056 + 4 * 4096);
        assert_eq!(geometry.member_end(), 45056 + 5 * 4096);
    }

    #[test]
    fn a_large_archive_is_dealt_out_evenly() {
        let geometry = Geometry::for_percent([1; 16], CONTENT + (200 << 20), 2).unwrap();
        assert_eq!((geometry.data.groups, geometry.data.rows, geometry.data.recovery), (13, 3939, 79));
        assert_eq!(geometry.digest_blocks, (13 * (3939 + 79_u64)).div_ceil(DIGESTS as u64));
        let overhead = geometry.member_end() - geometry.start();
        assert!(overhead < (200 << 20) / 40, "{overhead}");
    }

    #[test]
    fn the_length_tells_the_number_of_recovery_shards() {
        for (content, percents) in [(CONTENT + 512, 1..=100), (CONTENT + (1 << 30) + 1536, 1..=100)] {
            for percent in percents {
                let made = Geometry::for_percent([1; 16], content, percent).unwrap();
                let length = made.member_end() - content;
                assert_eq!(Geometry::for_length([1; 16], content, length), Some(made), "{percent}");
                assert_eq!(Geometry::for_length([1; 16], content, length - 1), None);
            }
        }
        assert_eq!(Geometry::for_length([1; 16], CONTENT, 11), None);
        assert_eq!(Geometry::for_length([1; 16], CONTENT + 512, u64::MAX), None);
        assert_eq!(Geometry::for_length([1; 16], (1 << 63) + 512, 1 << 20), None);
    }

    #[test]
    fn a_check_block_knows_itself() {
        let geometry = Geometry::new([1; 16], CONTENT + 512, 4).unwrap();
        let block = geometry.check_block(1, &[7; CARRIED]);
        assert_eq!(geometry.carried(1, &block), Some(&[7; CARRIED][..]));
        assert_eq!(geometry.carried(0, &block), None);
        assert_eq!(Geometry::new([2; 16], CONTENT + 512, 4).unwrap().carried(1, &block), None);
        for at in 0..SHARD {
            let mut bad = block;
            bad[at] ^= 1;
            assert_eq!(geometry.carried(1, &bad), None, "byte {at}");
        }
    }
}
