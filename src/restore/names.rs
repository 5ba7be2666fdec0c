//! Names that a file system takes for one although they differ.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use unicode_normalization::UnicodeNormalization;

use crate::path::ArchivePath;

/// Which differences a file system does not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folding {
    /// `A` and `a` are one name.
    pub(super) case: bool,
    /// Composed and decomposed characters are one name.
    pub(super) normalization: bool,
}

impl Folding {
    /// Every difference is seen.
    pub(super) fn is_exact(self) -> bool {
        self == Self::default()
    }

    /// Finds two names that fall together, whole or in a directory above.
    pub(super) fn collision<'a>(
        self,
        places: impl Iterator<Item = &'a ArchivePath>,
    ) -> Option<(ArchivePath, ArchivePath)> {
        if self.is_exact() {
            return None;
        }
        let mut seen: HashMap<Vec<u8>, ArchivePath> = HashMap::new();
        for place in places {
            let mut name = Some(place.clone());
            while let Some(current) = name {
                match seen.entry(self.fold(current.as_bytes())) {
                    Entry::Occupied(first) if *first.get() != current => {
                        return Some((first.get().clone(), current));
                    }
                    // What is above was looked at with the first.
                    Entry::Occupied(_) => break,
                    Entry::Vacant(free) => {
                        name = current.parent();
                        free.insert(current);
                    }
                }
            }
        }
        None
    }

    fn fold(self, name: &[u8]) -> Vec<u8> {
        let mut folded = Vec::with_capacity(name.len());
        for chunk in name.utf8_chunks() {
            let mut text = chunk.valid().to_owned();
            if self.normalization {
                text = text.nfd().collect();
            }
            if self.case {
                // Lower case of upper case: also joins the two forms of sigma.
                text = text.to_uppercase().to_lowercase();
            }
            if self.normalization {
                text = text.nfd().collect();
            }
            folded.extend_from_slice(text.as_bytes());
            folded.extend_from_slice(chunk.invalid());
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::Folding;
    use crate::path::ArchivePath;

    fn collide(folding: Folding, names: &[&str]) -> bool {
        let names: Vec<_> = names.iter().map(|name| ArchivePath::parse(name.as_bytes()).unwrap()).collect();
        folding.collision(names.iter()).is_some()
    }

    const CASE: Folding = Folding { case: true, normalization: false };
    const BOTH: Folding = Folding { case: true, normalization: true };

    #[test]
    fn case_fold_collision() {
        assert!(collide(CASE, &["state/README", "state/readme"]));
        assert!(collide(CASE, &["state/Ä", "state/ä"]));
        assert!(!collide(CASE, &["state/a", "state/b", "state/a/c"]));
        assert!(!collide(Folding::default(), &["state/A", "state/a"]));
    }

    #[test]
    fn directories_collide_as_files_do() {
        assert!(collide(CASE, &["state/A/x", "state/a/y"]));
        assert!(collide(CASE, &["state/A/x", "state/a"]));
    }

    #[test]
    fn normalization_collision() {
        assert!(collide(BOTH, &["state/\u{e9}", "state/e\u{301}"]));
        assert!(collide(BOTH, &["state/\u{c9}", "state/e\u{301}"]));
        assert!(!collide(CASE, &["state/\u{e9}", "state/e\u{301}"]));
    }
}
