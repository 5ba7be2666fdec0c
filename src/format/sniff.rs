//! Tells what a file is that is not an archive (spec §3.4).

use crate::error::Lookalike;
use crate::format::block::{self, BLOCK};
use crate::path::sanitize;

/// The first bytes of every archive.
pub(crate) const MAGIC: &[u8; 20] = b"ocbak/manifest.toml\0";

/// Names what the beginning of a file looks like; `None` where it begins as an archive does.
pub(crate) fn lookalike(head: &[u8]) -> Option<Lookalike> {
    if head.starts_with(MAGIC) {
        return None;
    }
    let first_block = head.first_chunk::<BLOCK>();
    Some(match head {
        [] => Lookalike::Empty,
        _ if head.starts_with(b"OCBAK1") => Lookalike::OpenclawArk,
        _ if head.starts_with(b"\x1f\x8b") => Lookalike::Gzip,
        _ if head.starts_with(b"age-encryption.org/") => Lookalike::Age,
        _ if head.starts_with(b"\x28\xb5\x2f\xfd") => Lookalike::Zstd,
        _ => match first_block {
            Some(first) if first[257..].starts_with(b"ustar") => {
                Lookalike::Tar { first: sanitize(block::name(first)) }
            }
            _ => Lookalike::Unknown,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::lookalike;
    use crate::error::Lookalike;
    use crate::format::layout::member_header;

    #[test]
    fn every_lookalike_is_named() {
        assert_eq!(lookalike(b""), Some(Lookalike::Empty));
        assert_eq!(lookalike(b"OCBAK1\x01"), Some(Lookalike::OpenclawArk));
        assert_eq!(lookalike(b"\x1f\x8b\x08"), Some(Lookalike::Gzip));
        assert_eq!(lookalike(b"age-encryption.org/v1\n"), Some(Lookalike::Age));
        assert_eq!(lookalike(b"\x28\xb5\x2f\xfd\x04"), Some(Lookalike::Zstd));
        assert_eq!(lookalike(&[7; 600]), Some(Lookalike::Unknown));
        let tar = Lookalike::Tar { first: "notes/\\u{1b}".to_owned() };
        assert_eq!(lookalike(&member_header("notes/\x1b", 1)), Some(tar));
        assert_eq!(lookalike(&member_header("ocbak/manifest.toml", 1)), None);
    }
}
