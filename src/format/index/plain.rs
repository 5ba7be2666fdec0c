//! The line of an entry in the form that nearly all have: a file or a directory, nothing escaped (spec §9.3).
//!
//! Says what the JSON parser would, in a fraction of the time: whoever opens an archive reads a line for every file.

use crate::format::entry::{Entry, Mtime, Node};
use crate::format::text::{decimal, unhex};
use crate::path::ArchivePath;

/// Decodes a line without its line feed; `None` where it has another form, or is wrong.
pub(super) fn decode(line: &[u8]) -> Option<Entry> {
    let (path, rest) = text(line.strip_prefix(br#"{"path":""#)?)?;
    let (kind, rest) = text(rest.strip_prefix(br#","type":""#)?)?;
    let (mode, rest) = text(rest.strip_prefix(br#","mode":""#)?)?;
    let (mtime, rest) = text(rest.strip_prefix(br#","mtime":""#)?)?;
    let (offset, rest) = number(rest.strip_prefix(br#","offset":"#)?)?;
    let (node, rest) = match kind {
        "directory" => (Node::Directory, rest),
        "file" => {
            let (size, rest) = number(rest.strip_prefix(br#","size":"#)?)?;
            let (sha256, rest) = text(rest.strip_prefix(br#","sha256":""#)?)?;
            (Node::File { size, sha256: unhex(sha256)? }, rest)
        }
        _ => return None,
    };
    let octal = mode.len() == 4 && mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    Some(Entry {
        path: ArchivePath::parse(path.as_bytes()).ok().filter(|_| octal && rest == b"}")?,
        mode: u32::from_str_radix(mode, 8).ok()?,
        mtime: Mtime::from_text(mtime)?,
        offset,
        node,
    })
}

/// Splits off a string, after its opening quote, in which nothing is or would have to be escaped.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((str::from_utf8(text).ok()?, rest.strip_prefix(b"\"")?))
}

/// Splits off a number.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at_checked(end)?;
    Some((decimal(str::from_utf8(digits).ok()?)?, rest))
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::format::index::line::Line;

    const FILE: &str = r#"{"path":"state/a é.json","type":"file","mode":"0644","mtime":"-1.25","offset":1024,"size":20,"sha256":"00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"}"#;
    const DIRECTORY: &str =
        r#"{"path":"state","type":"directory","mode":"0700","mtime":"1790000000","offset":0}"#;

    #[test]
    fn what_is_accepted_is_encoded_to_the_same_bytes() {
        for line in [FILE, DIRECTORY] {
            let line = line.as_bytes();
            assert_eq!(encode(line).as_deref(), Some(line));
            let mut accepted = 0;
            for at in 0..line.len() {
                for byte in [b"\"\\/{}:,-+. 0189afA\n\0\x7f", &[0xff, 0xc3][..]].concat() {
                    let mut other = line.to_vec();
                    other[at] = byte;
                    accepted += usize::from(is_sound(&other));
                    other.insert(at, line[at]);
                    accepted += usize::from(is_sound(&other));
                }
                is_sound(&[&line[..at], &line[at + 1..]].concat());
                is_sound(&line[..at]);
            }
            assert!(accepted > 100, "{accepted}");
        }
    }

    #[test]
    fn other_forms_are_left_to_the_parser() {
        for other in [
            r#"{"path":"state/\n","type":"directory","mode":"0700","mtime":"1","offset":0}"#,
            r#"{"path":"state/l","type":"symlink","mode":"0777","mtime":"1","offset":0,"target":"a"}"#,
            r#"{"path_base64":"/w==","type":"directory","mode":"0700","mtime":"1","offset":0}"#,
        ] {
            assert_eq!(decode(other.as_bytes()), None);
            Line::decode(other.as_bytes()).unwrap();
        }
    }

    fn is_sound(line: &[u8]) -> bool {
        let again = encode(line);
        assert!(again.is_none() || again.as_deref() == Some(line), "{}", line.escape_ascii());
        again.is_some()
    }

    fn encode(line: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Line::Entry(decode(line)?).encode().unwrap();
        bytes.pop();
        Some(bytes)
    }
}
