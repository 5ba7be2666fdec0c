//! The order of entries: names ascend, parents come first, everything lies below a root (spec §8.2, §8.3).

use crate::error::{Error, Result};
use crate::format::entry::{Role, Root};
use crate::format::limits::LIMITS;
use crate::format::text::decimal;
use crate::path::ArchivePath;

/// Follows the entries of a payload and refuses one that does not belong where it stands.
#[derive(Debug)]
pub(crate) struct EntryOrder {
    roots: Roots,
    last: Option<ArchivePath>,
    /// The directories around `last`, outermost first.
    open: Vec<ArchivePath>,
    entries: u64,
}

/// Which names are roots.
#[derive(Debug)]
enum Roots {
    /// These, ascending.
    Listed(Vec<ArchivePath>),
    /// All that a payload of this role may have.
    Of(Role),
}

impl EntryOrder {
    /// Starts a payload with these roots.
    ///
    /// # Errors
    ///
    /// `Malformed` when they are not ascending, or one lies inside another.
    pub(crate) fn new(roots: &[Root]) -> Result<Self> {
        let roots: Vec<_> = roots.iter().map(|root| root.path.clone()).collect();
        for pair in roots.windows(2) {
            if pair[0] >= pair[1] || pair[1].starts_with(&pair[0]) {
                return Err(Error::malformed(format!(
                    "root `{}` is out of order or inside another",
                    pair[1]
                )));
            }
        }
        Ok(Self { roots: Roots::Listed(roots), last: None, open: Vec::new(), entries: 0 })
    }

    /// Starts a payload of which no index says what roots it has.
    pub(crate) fn of_role(role: Role) -> Self {
        Self { roots: Roots::Of(role), last: None, open: Vec::new(), entries: 0 }
    }

    /// Tells whether a name is a root's.
    pub(crate) fn is_root(&self, path: &ArchivePath) -> bool {
        match &self.roots {
            Roots::Listed(roots) => roots.binary_search(path).is_ok(),
            Roots::Of(role) => {
                std::str::from_utf8(path.as_bytes()).is_ok_and(|text| root_path(text, *role).is_some())
            }
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// `Malformed` when the name is not after the one before, has no root, its parent is no directory before it, or
    /// a root is no directory.
    pub(crate) fn accept(&mut self, path: &ArchivePath, directory: bool) -> Result<()> {
        let bad = |what: &str| Error::malformed(format!("entry `{path}` {what}"));
        if self.last.as_ref().is_some_and(|last| path <= last) {
            return Err(bad("is not after the one before it"));
        }
        while self.open.last().is_some_and(|parent| !path.starts_with(parent)) {
            self.open.pop();
        }
        if self.is_root(path) {
            if !directory {
                return Err(bad("is a root and not a directory"));
            }
        } else {
            // All that are open are around it.
            let below = self.open.last().and_then(|parent| path.relative_to(parent));
            if below.is_none_or(|name| name.contains(&b'/')) {
                return Err(bad("is not in a directory before it, and is not a root"));
            }
        }
        self.entries = self.entries.saturating_add(1);
        if self.entries > LIMITS.entries {
            return Err(Error::LimitExceeded {
                what: "number of entries".to_owned(),
                limit: LIMITS.entries,
                found: self.entries,
            });
        }
        if directory {
            self.open.push(path.clone());
        }
        self.last = Some(path.clone());
        Ok(())
    }
}

/// A root has one of the names that §8.2 gives to its role.
pub(crate) fn root_path(text: &str, role: Role) -> Option<ArchivePath> {
    let id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
            })
    };
    let known = match (role, text.split_once('/')) {
        (Role::State, None) => matches!(text, "config" | "credentials" | "env" | "state"),
        (Role::State, Some(("include", number))) => decimal(number).is_some(),
        (Role::State, Some(("agent", name))) | (Role::Workspace, Some(("workspace", name))) => id(name),
        _ => false,
    };
    known.then(|| ArchivePath::parse(text.as_bytes()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::EntryOrder;
    use crate::format::entry::{Role, Root};
    use crate::path::ArchivePath;

    fn path(text: &str) -> ArchivePath {
        ArchivePath::parse(text.as_bytes()).unwrap()
    }

    fn roots(names: &[&str]) -> Vec<Root> {
        let root = |name: &&str| Root { path: path(name), source: b"/x".to_vec(), agents: vec![] };
        names.iter().map(root).collect()
    }

    #[test]
    fn a_tree_in_order_is_accepted() {
        let mut order = EntryOrder::new(&roots(&["config", "state"])).unwrap();
        for (name, directory) in [
            ("config", true),
            ("config/a", false),
            ("state", true),
            ("state/a", true),
            ("state/a/b", false),
            ("state/a-b", false),
        ] {
            order.accept(&path(name), directory).unwrap();
        }
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        for (before, bad) in [
            (vec![("state", true), ("state/b", false)], "state/a"),
            (vec![("state", true), ("state/a", false)], "state/a"),
            (vec![("state", true), ("state/a", false)], "state/a/b"),
            (vec![("state", true)], "state/a/b"),
            (vec![("state", true)], "workspace/a"),
            (vec![], "state/a"),
            (vec![], "config"),
            (vec![], "state"),
        ] {
            let mut order = EntryOrder::new(&roots(&["state"])).unwrap();
            for (name, directory) in &before {
                order.accept(&path(name), *directory).unwrap();
            }
            assert!(order.accept(&path(bad), false).is_err(), "{bad}");
        }
        assert!(EntryOrder::new(&roots(&["state", "config"])).is_err());
        assert!(EntryOrder::new(&roots(&["state", "state"])).is_err());
        assert!(EntryOrder::new(&roots(&["workspace", "workspace/a"])).is_err());
    }

    #[test]
    fn without_a_list_every_root_of_the_role_is_one() {
        let mut order = EntryOrder::of_role(Role::State);
        for name in ["agent/a", "config", "state", "state/config"] {
            assert_eq!(order.is_root(&path(name)), name != "state/config");
            order.accept(&path(name), true).unwrap();
        }
        assert!(order.accept(&path("workspace/main"), true).is_err());
        assert!(EntryOrder::of_role(Role::Workspace).accept(&path("workspace"), true).is_err());
    }

    #[test]
    fn root_names_are_those_of_the_role() {
        for (text, role, good) in [
            ("state", Role::State, true),
            ("credentials", Role::State, true),
            ("credentials", Role::Workspace, false),
            ("credentials/0", Role::State, false),
            ("include/0", Role::State, true),
            ("include/00", Role::State, false),
            ("agent/a-b_1", Role::State, true),
            ("agent/A", Role::State, false),
            ("agent", Role::State, false),
            ("workspace/main", Role::State, false),
            ("workspace/main", Role::Workspace, true),
            ("workspace", Role::Workspace, false),
            ("workspace/a/b", Role::Workspace, false),
            ("state", Role::Workspace, false),
        ] {
            assert_eq!(super::root_path(text, role).is_some(), good, "{text}");
        }
    }
}
