//! The 512-byte ustar header block, of the outer tar and of the payload's (spec §3.2, §8.3).

/// Length of a block, and what everything is padded to.
pub(crate) const BLOCK: usize = 512;

/// First size that eleven octal digits cannot hold: 8 GiB.
pub(crate) const OCTAL_END: u64 = 1 << 33;

/// The fields of a header block that are not the same in all of them.
pub(crate) struct Header<'a> {
    /// Name; what is over 100 bytes is cut.
    pub(crate) name: &'a [u8],
    /// Permission bits.
    pub(crate) mode: u32,
    /// The twelve bytes of the size field.
    pub(crate) size: [u8; 12],
    /// Seconds since 1970, below [`OCTAL_END`].
    pub(crate) mtime: u64,
    /// Type flag.
    pub(crate) kind: u8,
    /// Link name; what is over 100 bytes is cut.
    pub(crate) link: &'a [u8],
}

impl Header<'_> {
    /// Encodes the block.
    pub(crate) fn encode(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put(&mut block, NAME, self.name);
        put(&mut block, 100, &octal_digits::<7>(self.mode.into()));
        put(&mut block, 108, b"0000000");
        put(&mut block, 116, b"0000000");
        put(&mut block, 124, &self.size);
        put(&mut block, 136, &octal_digits::<11>(self.mtime));
        put(&mut block, 148, b"        ");
        put(&mut block, 156, &[self.kind]);
        put(&mut block, LINK, self.link);
        put(&mut block, 257, b"ustar\x0000");
        put(&mut block, 329, b"0000000");
        put(&mut block, 337, b"0000000");
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        put(&mut block, 148, &octal_digits::<6>(sum.into()));
        put(&mut block, 154, b"\0 ");
        block
    }
}

/// A size field of eleven octal digits.
pub(crate) fn octal_size(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    field[..11].copy_from_slice(&octal_digits::<11>(size));
    field
}

/// A size field in base-256, for 8 GiB and more.
pub(crate) fn base256_size(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    field[0] = 0x80;
    field[4..].copy_from_slice(&size.to_be_bytes());
    field
}

/// The name field without its zero bytes.
pub(crate) fn name(block: &[u8; BLOCK]) -> &[u8] {
    until_zero(&block[NAME..100])
}

/// The link name field without its zero bytes.
pub(crate) fn link(block: &[u8; BLOCK]) -> &[u8] {
    until_zero(&block[LINK..257])
}

/// The type flag.
pub(crate) fn kind(block: &[u8; BLOCK]) -> u8 {
    block[156]
}

/// The size field, octal or base-256.
pub(crate) fn size(block: &[u8; BLOCK]) -> Option<u64> {
    if block[124] == 0x80 {
        return u128_be(&block[125..136])?.try_into().ok();
    }
    octal(&block[124..135])
}

/// The mode field.
pub(crate) fn mode(block: &[u8; BLOCK]) -> Option<u32> {
    octal(&block[100..107])?.try_into().ok()
}

/// The time field.
pub(crate) fn mtime(block: &[u8; BLOCK]) -> Option<u64> {
    octal(&block[136..147])
}

/// Number of zero bytes after a content of `length`.
pub(crate) fn padding(length: u64) -> usize {
    // A remainder of a power of two below 512.
    let over = usize::try_from(length & (BLOCK as u64).wrapping_sub(1)).unwrap_or(0);
    BLOCK.wrapping_sub(over) & BLOCK.wrapping_sub(1)
}

/// A content's length with its padding.
pub(crate) fn padded(length: u64) -> Option<u64> {
    length.checked_add(padding(length) as u64)
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    let space = if at == NAME || at == LINK { 100 } else { 12 };
    let bytes = &bytes[..bytes.len().min(space)];
    block[at..][..bytes.len()].copy_from_slice(bytes);
}

/// The last digits of a number, as many as the field has.
fn octal_digits<const LENGTH: usize>(mut value: u64) -> [u8; LENGTH] {
    let mut digits = [0; LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | (value.to_le_bytes()[0] & 7);
        value >>= 3;
    }
    digits
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(field)
}

fn octal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

fn u128_be(bytes: &[u8]) -> Option<u128> {
    bytes.iter().try_fold(0_u128, |value, byte| value.checked_mul(256)?.checked_add(u128::from(*byte)))
}

const NAME: usize = 0;
const LINK: usize = 157;

#[cfg(test)]
mod tests {
    use super::{BLOCK, base256_size, octal_size, padded, padding, size};

    #[test]
    fn padding_fills_the_block() {
        for (length, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(length), expected, "{length}");
        }
        assert_eq!(padded(u64::MAX), None);
    }

    #[test]
    fn sizes_come_back_from_either_encoding() {
        let mut block = [0; BLOCK];
        for value in [0, 1, 0o7_777_777, (1 << 33) - 1] {
            block[124..136].copy_from_slice(&octal_size(value));
            assert_eq!(size(&block), Some(value));
        }
        for value in [1 << 33, u64::MAX] {
            block[124..136].copy_from_slice(&base256_size(value));
            assert_eq!(size(&block), Some(value));
        }
        block[125] = 1;
        assert_eq!(size(&block), None);
    }
}
