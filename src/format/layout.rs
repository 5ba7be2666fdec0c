//! Where everything stands in an archive, computed from its manifest (spec §3).

use crate::error::{Error, Result};
use crate::format::block::{BLOCK, Header, OCTAL_END, base256_size, octal_size, padded};
use crate::format::limits::LIMITS;
use crate::format::manifest::{Manifest, Member};

/// Positions of the members after the head region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Members in order.
    pub(crate) places: Vec<Place>,
    /// Offset of the tail copy of the header region.
    pub(crate) tail: u64,
    /// Length of the whole file.
    pub(crate) length: u64,
}

/// A member and where its content begins; its header block stands right before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name of the member.
    pub(crate) name: String,
    /// Offset of the content in the file.
    pub(crate) content: u64,
    /// Length and digest of the content.
    pub(crate) member: Member,
}

impl Layout {
    /// Computes the positions.
    ///
    /// # Errors
    ///
    /// `Malformed` when the lengths add up to more than a file can have.
    pub(crate) fn new(manifest: &Manifest) -> Result<Self> {
        let too_long = || Error::malformed("manifest: lengths are beyond any file");
        let mut at = LIMITS.region as u64;
        let mut places = Vec::new();
        for (name, member) in manifest.members() {
            let content = at.checked_add(BLOCK as u64).ok_or_else(too_long)?;
            at = padded(member.length).and_then(|length| content.checked_add(length)).ok_or_else(too_long)?;
            places.push(Place { name, content, member });
        }
        let length = at
            .checked_add(LIMITS.region as u64)
            .and_then(|end| end.checked_add(END as u64))
            .filter(|length| *length < LIMITS.length)
            .ok_or_else(too_long)?;
        Ok(Self { places, tail: at, length })
    }

    /// Finds a member by name.
    pub(crate) fn place(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == name)
    }
}

/// The header block of an outer member (§3.2).
pub(crate) fn member_header(name: &str, length: u64) -> [u8; BLOCK] {
    let size = if length < OCTAL_END { octal_size(length) } else { base256_size(length) };
    Header { name: name.as_bytes(), mode: 0o600, size, mtime: MEMBER_TIME, kind: b'0', link: b"" }.encode()
}

/// Length of the zero blocks that end a tar.
pub(crate) const END: usize = 1024;

/// 2026-01-01T00:00:00Z.
const MEMBER_TIME: u64 = 1_767_225_600;

#[cfg(test)]
mod tests {
    use super::{Layout, member_header};
    use crate::format::block;
    use crate::format::manifest::tests::sample;

    #[test]
    fn positions_follow_from_lengths() {
        let manifest = sample();
        let layout = Layout::new(&manifest).unwrap();
        assert_eq!(layout.places[0].content, 32768 + 512);
        assert_eq!(layout.places[1].content, 32768 + 512 + 1024 + 512);
        assert_eq!(layout.tail, 32768 + 4 * 1536);
        assert_eq!(layout.length, layout.tail + 32768 + 1024);
    }

    #[test]
    fn lengths_that_overflow_are_refused() {
        let mut manifest = sample();
        for members in &mut manifest.payloads {
            members.payload.length = (1 << 63) - 1;
            members.index.length = (1 << 63) - 1;
        }
        assert!(Layout::new(&manifest).is_err());
    }

    #[test]
    fn a_header_of_eight_gib_is_base_256() {
        let small = member_header("ocbak/parity", (1 << 33) - 1);
        let large = member_header("ocbak/parity", 1 << 33);
        assert_eq!(&small[124..136], b"77777777777\0");
        assert_eq!(large[124], 0x80);
        assert_eq!(block::size(&large), Some(1 << 33));
        assert_eq!(&small[136..148], b"15125334400\0");
    }
}
