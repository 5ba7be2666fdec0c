//! The content of the parity member, by the words of §18 and by arithmetic that is slow and plain.

use std::sync::LazyLock;

use twox_hash::XxHash64;

use super::{ARCHIVE, REGION};

/// Makes the content for the members between the header regions, with `recovery` shards for each group.
pub fn content(between: &[u8], recovery: usize) -> Vec<u8> {
    let data: Vec<Vec<u8>> = between.chunks(4096).map(|shard| padded(shard, 4096)).collect();
    let begins = REGION + between.len() + 512;
    let end = REGION + between.len();
    let (groups, rows, recovered) = recovered(&data, 4096, recovery);

    let mut digests = Vec::new();
    for group in 0..groups {
        let of_group = |row: usize| data.get(row * groups + group).cloned().unwrap_or(vec![0; 4096]);
        digests.extend((0..rows).map(|row| XxHash64::oneshot(0, &of_group(row))));
        digests.extend((0..recovery).map(|j| XxHash64::oneshot(0, &recovered[j * groups + group])));
    }
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.to_le_bytes()).collect();
    let carried: Vec<Vec<u8>> = bytes.chunks(4032).map(|carried| padded(carried, 4032)).collect();
    let (_, _, carried_recovered) = recovered_checks(&carried);

    let mut content = vec![0; begins.next_multiple_of(4096) - begins];
    let mut numbers = 0..;
    let mut check = |carried: &Vec<u8>| check_block(end, recovery, numbers.next().unwrap(), carried);
    let first: Vec<u8> = carried.iter().flat_map(&mut check).collect();
    let last: Vec<u8> = carried_recovered.iter().flat_map(&mut check).collect();
    content.extend(first);
    content.extend(recovered.concat());
    content.extend(last);
    content
}

fn check_block(end: usize, recovery: usize, number: u64, carried: &[u8]) -> Vec<u8> {
    let mut rest = ARCHIVE.to_vec();
    for fact in [end as u64, recovery as u64, number, 1] {
        rest.extend(fact.to_le_bytes());
    }
    rest.extend(carried);
    [b"ocbakpar".to_vec(), XxHash64::oneshot(0, &rest).to_le_bytes().to_vec(), rest].concat()
}

fn recovered_checks(carried: &[Vec<u8>]) -> (usize, usize, Vec<Vec<u8>>) {
    let groups = carried.len().div_ceil(1024);
    recovered(carried, 1024, carried.len().div_ceil(groups))
}

/// Groups, rows, and the recovery shards in the order in which they are stored.
fn recovered(shards: &[Vec<u8>], most: usize, recovery: usize) -> (usize, usize, Vec<Vec<u8>>) {
    let groups = shards.len().div_ceil(most);
    let rows = shards.len().div_ceil(groups);
    let m = recovery.next_power_of_two();
    let length = shards[0].len();
    let mut all = vec![vec![0; length]; recovery * groups];
    for j in 0..recovery {
        for row in 0..rows {
            let factor = weight(j, m, m + row);
            for group in 0..groups {
                if let Some(shard) = shards.get(row * groups + group) {
                    add(&mut all[j * groups + group], shard, factor);
                }
            }
        }
    }
    (groups, rows, all)
}

/// What a data symbol at point `at` gives to the recovery symbol at point `j`, so that the sums of §18.4 are zero: the
/// value at w(`at`) of the polynomial that is 1 at w(`j`) and 0 at the other points below `m`.
fn weight(j: usize, m: usize, at: usize) -> u32 {
    let others = || (0..m).filter(|other| *other != j);
    let above = others().fold(1, |product, other| times(product, element(at) ^ element(other)));
    let below = others().fold(1, |product, other| times(product, element(j) ^ element(other)));
    times(above, inverse(below))
}

fn add(sum: &mut [u8], shard: &[u8], factor: u32) {
    for (sum, piece) in sum.chunks_mut(64).zip(shard.chunks(64)) {
        for s in 0..32 {
            let symbol = element(usize::from(u16::from_le_bytes([piece[s], piece[s + 32]])));
            let [low, high] = number(times(symbol, factor)).to_le_bytes();
            sum[s] ^= low;
            sum[s + 32] ^= high;
        }
    }
}

/// w(n).
fn element(n: usize) -> u32 {
    (0..16).filter(|bit| n >> bit & 1 == 1).fold(0, |sum, bit| sum ^ BASIS[bit])
}

/// The number of which w is `element`.
fn number(element: u32) -> u16 {
    NUMBERS[usize::try_from(element).unwrap()]
}

/// The power of 2^16 - 2: the product of all squares of squares.
fn inverse(element: u32) -> u32 {
    let squares =
        std::iter::successors(Some(times(element, element)), |square| Some(times(*square, *square)));
    squares.take(15).fold(1, times)
}

/// The product modulo x^16 + x^5 + x^3 + x^2 + 1.
fn times(a: u32, b: u32) -> u32 {
    (0..16).rev().fold(0, |product, bit| {
        let doubled = product << 1;
        let reduced = if doubled > 0xffff { doubled ^ 0x1002d } else { doubled };
        if b >> bit & 1 == 1 { reduced ^ a } else { reduced }
    })
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(length, 0);
    bytes
}

static NUMBERS: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut numbers = vec![0; 1 << 16];
    for n in 0..=u16::MAX {
        numbers[usize::try_from(element(n.into())).unwrap()] = n;
    }
    numbers
});

const BASIS: [u32; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900, 0xfdb8,
    0xfb34, 0xff38, 0x991e,
];
