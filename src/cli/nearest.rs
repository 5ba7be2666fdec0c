//! The name that somebody may have meant.

use ocbak::ArchivePath;

/// Finds the name most like `wanted`, if one is like it at all.
///
/// A name that ends with what was written comes first (`MEMORY.md` for
/// `workspace/main/MEMORY.md`), then the one that takes the fewest changes, of all of it or of its end.
pub(crate) fn nearest<'a>(
    wanted: &[u8],
    names: impl Iterator<Item = &'a ArchivePath>,
) -> Option<&'a ArchivePath> {
    let allowed = (wanted.len() / 4).clamp(1, 6);
    let mut best: Option<(usize, &ArchivePath)> = None;
    for name in names {
        let bytes = name.as_bytes();
        let below = bytes.strip_suffix(wanted);
        if below.is_some_and(|above| above.ends_with(b"/")) {
            return Some(name);
        }
        for bytes in [bytes, end(bytes, wanted)] {
            let limit = best.map_or(allowed + 1, |(least, _)| least);
            if bytes.len().abs_diff(wanted.len()) < limit {
                let changes = distance(wanted, bytes);
                if changes < limit {
                    best = Some((changes, name));
                }
            }
        }
    }
    best.map(|(_, name)| name)
}

/// As many components of the end of a name as `wanted` has.
fn end<'a>(name: &'a [u8], wanted: &[u8]) -> &'a [u8] {
    let components = wanted.split(|byte| *byte == b'/').count();
    let mut starts = (0..name.len()).rev().filter(|&at| name[at] == b'/');
    starts.nth(components - 1).map_or(name, |at| &name[at + 1..])
}

/// Finds the word most like `wanted`, if one is like it at all.
pub(crate) fn nearest_word<'a>(wanted: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wanted.len() * 2 / 5).max(1);
    let changes = |word: &str| distance(wanted.as_bytes(), word.as_bytes());
    // A word that goes on as it was begun is near, however long it is.
    let near = |word: &&str| changes(word) <= most || wanted.len() > 3 && word.starts_with(wanted);
    words.filter(near).min_by_key(|word| changes(word))
}

/// Counts the bytes to insert, remove or replace between two names (Levenshtein).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use ocbak::ArchivePath;

    use super::{distance, nearest, nearest_word};

    fn found(wanted: &str) -> Option<String> {
        let names: Vec<ArchivePath> = ["state/openclaw.json", "workspace/main/MEMORY.md"]
            .iter()
            .map(|name| ArchivePath::parse(name.as_bytes()).unwrap())
            .collect();
        nearest(wanted.as_bytes(), names.iter()).map(ToString::to_string)
    }

    #[test]
    fn ends_and_slips_are_found() {
        assert_eq!(found("MEMORY.md").as_deref(), Some("workspace/main/MEMORY.md"));
        assert_eq!(found("state/openclw.jsn").as_deref(), Some("state/openclaw.json"));
        assert_eq!(found("something/else/entirely"), None);
        assert_eq!(found("EMORY.md").as_deref(), Some("workspace/main/MEMORY.md"));
        assert_eq!(found("mian/MEMORY.md").as_deref(), Some("workspace/main/MEMORY.md"));
        assert_eq!(found("openclaw.jsn").as_deref(), Some("state/openclaw.json"));
        assert_eq!(found("x.md"), None);
    }

    #[test]
    fn words_are_found() {
        let found = |wanted| nearest_word(wanted, ["create", "restore", "passphrase-file"].into_iter());
        assert_eq!(found("craete"), Some("create"));
        assert_eq!(found("passphrase"), Some("passphrase-file"));
        assert_eq!(found("x"), None);
        assert_eq!(found("list"), None);
    }

    #[test]
    fn distances_are_symmetric() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"sitting", b"kitten"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }
}
