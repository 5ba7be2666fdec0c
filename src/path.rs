//! Names inside an archive (spec §8.2).
//!
//! An [`ArchivePath`] exists only where its bytes passed every rule, so whoever holds one
//! may join it to a directory without looking again.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use crate::error::{Error, Result};

/// A relative name inside an archive: `state/openclaw.json`.
///
/// The bytes need not be UTF-8. Components are never empty, `.` or `..`; there is no leading
/// or trailing slash and no NUL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ArchivePath(Box<[u8]>);

impl ArchivePath {
    /// Longest name in bytes (spec §12).
    pub const MAX_LEN: usize = 4096;
    /// Longest component in bytes (spec §12).
    pub const MAX_COMPONENT: usize = 255;

    /// Parses a name.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) when a rule of the spec is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let problem = |what: &str| Err(Error::malformed(format!("name `{}` {what}", bytes.escape_ascii())));
        if bytes.is_empty() {
            return problem("is empty");
        }
        if bytes.len() > Self::MAX_LEN {
            return Err(Error::malformed("a name is longer than 4096 bytes"));
        }
        if bytes.contains(&0) {
            return problem("has a NUL byte");
        }
        for component in bytes.split(|&byte| byte == b'/') {
            match component {
                b"" => return problem("is absolute or has an empty component"),
                b"." | b".." => return problem("has a component `.` or `..`"),
                _ if component.len() > Self::MAX_COMPONENT => {
                    return problem("has a component longer than 255 bytes");
                }
                _ => {}
            }
        }
        Ok(Self(bytes.into()))
    }

    /// Appends names below this one.
    ///
    /// # Errors
    ///
    /// As [`ArchivePath::parse`], for the whole name.
    pub fn join(&self, below: &[u8]) -> Result<Self> {
        Self::parse(&[&*self.0, b"/", below].concat())
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Iterates over the components.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// Returns the name without its last component, if more than one is there.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|&byte| byte == b'/')?;
        Some(Self(self.0[..slash].into()))
    }

    /// Returns the last component.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|&byte| byte == b'/');
        &self.0[start.map_or(0, |slash| slash + 1)..]
    }

    /// Tells whether this name is `other` or lies below it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.relative_to(other).is_some()
    }

    /// Returns the bytes of this name below `base`; empty where both are the same.
    #[must_use]
    pub fn relative_to(&self, base: &Self) -> Option<&[u8]> {
        let rest = self.0.strip_prefix(base.as_bytes())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
    }
}

impl Ord for ArchivePath {
    /// The order of an archive: a directory is followed by what is below it (spec §8.2).
    fn cmp(&self, other: &Self) -> Ordering {
        // No name has a NUL, so that a slash counted as one sorts before every other byte.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(rank).cmp(other.0.iter().map(rank))
    }
}

impl PartialOrd for ArchivePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ArchivePath {
    /// Writes the name with control characters, bidirectional marks and bytes that are not
    /// UTF-8 escaped, fit for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitize(&self.0))
    }
}

impl fmt::Debug for ArchivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArchivePath(\"{self}\")")
    }
}

/// Makes bytes from an archive or a disk fit for a terminal.
#[must_use]
pub fn sanitize(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_hazard(character) {
                text.extend(character.escape_unicode());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that move the cursor, hide, or reorder what stands around them.
#[must_use]
pub fn is_hazard(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{ArchivePath, sanitize};

    #[test]
    fn names_that_break_a_rule_are_refused() {
        let long = vec![b'a'; 256];
        for bad in [
            &b""[..],
            b"/",
            b"/state",
            b"state/",
            b"state//a",
            b".",
            b"..",
            b"state/..",
            b"state/./a",
            b"../state",
            b"a\0b",
            &long,
        ] {
            assert!(ArchivePath::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert!(ArchivePath::parse(&b"a/".repeat(2049)[..4097]).is_err());
    }

    #[test]
    fn names_of_any_bytes_are_kept() {
        for good in [&b"state"[..], b"state/...", b"state/..a", b"state/\xff\n", b"a/\\/c:"] {
            assert_eq!(ArchivePath::parse(good).unwrap().as_bytes(), good);
        }
    }

    #[test]
    fn relations_end_at_component_borders() {
        let path = |text: &str| ArchivePath::parse(text.as_bytes()).unwrap();
        assert!(path("state/a/b").starts_with(&path("state/a")));
        assert!(path("state/a").starts_with(&path("state/a")));
        assert!(!path("state/ab").starts_with(&path("state/a")));
        assert_eq!(path("state/a/b").relative_to(&path("state")), Some(&b"a/b"[..]));
        assert_eq!(path("state/a").parent(), Some(path("state")));
        assert_eq!(path("state").parent(), None);
        assert_eq!(path("state/a").file_name(), b"a");
        assert_eq!(path("state").file_name(), b"state");
    }

    #[test]
    fn a_directory_is_followed_by_what_is_below_it() {
        let path = |text: &str| ArchivePath::parse(text.as_bytes()).unwrap();
        let sorted = ["state", "state/a", "state/a/b", "state/a-b", "state/a.b", "state/b"];
        for pair in sorted.windows(2) {
            assert!(path(pair[0]) < path(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn terminal_hazards_are_escaped() {
        assert_eq!(sanitize(b"a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(sanitize("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(sanitize(b"\xffz"), "\\xffz");
        assert_eq!(sanitize("Grüße 東京".as_bytes()), "Grüße 東京");
    }
}
