//! Which absolute paths become which when an installation moves to another place.
//!
//! Paths match at the borders of components, the longest old one first: `/home/al` says nothing
//! about `/home/alice`. A path that begins with `~` is no absolute one and stays.

pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod former;
pub(crate) mod git;
mod strings;
pub(crate) mod variables;
mod workspaces;

use std::path::{Component, Path, PathBuf};

/// Old prefixes of paths and what stands in their place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relocation {
    /// Longest first, each old path once.
    pairs: Vec<Pair>,
}

/// Old values and what is to stand in their place.
type Replacements = Vec<(String, String)>;

#[derive(Clone, Debug)]
struct Pair {
    old: PathBuf,
    new: PathBuf,
    /// The new place with links resolved.
    real: PathBuf,
}

impl Relocation {
    /// Adds a pair unless the old path has one; `real` is `new` with links resolved.
    pub(crate) fn add(&mut self, old: &Path, new: &Path, real: &Path) {
        let clean = |path: &Path| path.components().collect::<PathBuf>();
        let (old, new, real) = (clean(old), clean(new), clean(real));
        if !old.is_absolute() || old.parent().is_none() || self.pairs.iter().any(|pair| pair.old == old) {
            return;
        }
        self.pairs.push(Pair { old, new, real });
        self.pairs.sort_by_key(|pair| std::cmp::Reverse(pair.old.components().count()));
    }

    /// What moves, as pairs of old and new path.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.pairs.iter().filter(|pair| pair.old != pair.new).map(|pair| (&*pair.old, &*pair.new))
    }

    /// Tells that no path changes.
    pub(crate) fn is_identity(&self) -> bool {
        self.pairs.iter().all(|pair| pair.old == pair.new)
    }

    /// Tells that a path is spoken of, be it as one that stays.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        self.pairs.iter().any(|pair| path.starts_with(&pair.old))
    }

    /// The new place of a path; itself where nothing says otherwise.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        self.moved(path, |pair| &pair.new).unwrap_or_else(|| path.to_owned())
    }

    /// The new text where a whole text is a path that moves, or a list of paths with `:` between.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 1 && parts.iter().all(|part| part.starts_with('/')) {
            let moved: Vec<Option<String>> =
                parts.iter().map(|part| self.one(part, |pair| &pair.new)).collect();
            return moved.iter().any(Option::is_some).then(|| {
                let parts = parts.iter().zip(moved);
                let parts: Vec<String> =
                    parts.map(|(part, moved)| moved.unwrap_or_else(|| (*part).to_owned())).collect();
                parts.join(":")
            });
        }
        self.one(text, |pair| &pair.new)
    }

    /// As [`Relocation::text`] of a single path, the new one with links resolved.
    pub(crate) fn real(&self, text: &str) -> Option<String> {
        self.one(text, |pair| &pair.real)
    }

    fn one(&self, text: &str, side: fn(&Pair) -> &PathBuf) -> Option<String> {
        if !text.starts_with('/') || text.contains(['\n', '\0']) {
            return None;
        }
        let mut moved = self.moved(Path::new(text), side)?;
        if text.len() > 1 && text.ends_with('/') {
            moved.push("");
        }
        moved.into_os_string().into_string().ok().filter(|moved| moved != text)
    }

    fn moved(&self, path: &Path, side: fn(&Pair) -> &PathBuf) -> Option<PathBuf> {
        // Where `..` leads cannot be told from the text.
        if path.components().any(|component| component == Component::ParentDir) {
            return None;
        }
        let pair = self.pairs.iter().find(|pair| path.starts_with(&pair.old))?;
        let below = path.strip_prefix(&pair.old).ok()?;
        let new = side(pair);
        Some(if below.as_os_str().is_empty() { new.clone() } else { new.join(below) })
    }
}

/// Brings pairs of old and new values into an order in which no new value is an old one still
/// to be replaced; those that go round in a circle come second.
fn ordered(mut pairs: Replacements) -> (Replacements, Replacements) {
    let mut done = Vec::new();
    loop {
        let free = pairs.iter().position(|(_, new)| pairs.iter().all(|(old, _)| old != new));
        match free {
            Some(free) => done.push(pairs.remove(free)),
            None => return (done, pairs),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Relocation, ordered};

    fn relocation(pairs: &[(&str, &str)]) -> Relocation {
        let mut relocation = Relocation::default();
        for (old, new) in pairs {
            relocation.add(old.as_ref(), new.as_ref(), new.as_ref());
        }
        relocation
    }

    #[test]
    fn paths_match_at_the_borders_of_components() {
        let moving = relocation(&[("/home/al", "/home/bo")]);
        for (text, moved) in [
            ("/home/al", Some("/home/bo")),
            ("/home/al/", Some("/home/bo/")),
            ("/home/al/x y/Größe", Some("/home/bo/x y/Größe")),
            ("/home/alice", None),
            ("/home/alice/x", None),
            ("/home/al is my home", None),
            ("see /home/al/x", None),
            ("/home/al/x\nand more", None),
            ("/home/al/../ed", None),
            ("~/x", None),
            ("~", None),
            ("home/al/x", None),
            ("/srv/home/al/x", None),
            ("", None),
            ("/", None),
            ("/home/al/bin:/usr/bin:/home/al/x", Some("/home/bo/bin:/usr/bin:/home/bo/x")),
            ("/usr/bin:/bin", None),
            ("/home/al/a:b", Some("/home/bo/a:b")),
        ] {
            assert_eq!(moving.text(text).as_deref(), moved, "{text}");
        }
    }

    #[test]
    fn the_longest_old_path_decides_and_the_first_of_two_alike() {
        let moving = relocation(&[
            ("/home/al", "/home/bo"),
            ("/home/al/.openclaw", "/home/bo/.openclaw-work"),
            ("/home/al/stays", "/home/al/stays"),
            ("/home/al", "/never"),
            ("/", "/never"),
            ("relative", "/never"),
        ]);
        assert_eq!(moving.text("/home/al/.openclaw/x").unwrap(), "/home/bo/.openclaw-work/x");
        assert_eq!(moving.text("/home/al/.openclaw-old/x").unwrap(), "/home/bo/.openclaw-old/x");
        assert_eq!(moving.text("/home/al/stays/x"), None);
        assert_eq!(moving.place(Path::new("/srv/x")), Path::new("/srv/x"));
        assert_eq!(moving.moves().count(), 2);
        assert!(!moving.is_identity());
        assert!(relocation(&[("/a", "/a")]).is_identity());
    }

    #[test]
    fn the_real_place_is_that_behind_links() {
        let mut moving = Relocation::default();
        moving.add("/home/al".as_ref(), "/home/bo".as_ref(), "/data/bo".as_ref());
        assert_eq!(moving.text("/home/al/ws").unwrap(), "/home/bo/ws");
        assert_eq!(moving.real("/home/al/ws").unwrap(), "/data/bo/ws");
    }

    #[test]
    fn a_chain_is_replaced_from_its_end() {
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        let (done, circle) = ordered(vec![pair("a", "b"), pair("b", "c"), pair("x", "y"), pair("y", "x")]);
        assert_eq!(done, [pair("b", "c"), pair("a", "b")]);
        assert_eq!(circle.len(), 2);
    }
}
