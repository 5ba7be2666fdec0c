//! Which paths are of another home than the installation's.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::openclaw::Installation;

/// The installation's own places, and the state directories that its paths tell of.
pub(super) struct Homes {
    home: PathBuf,
    state_dir: PathBuf,
    /// The same with links resolved.
    real: Vec<PathBuf>,
    former: Vec<PathBuf>,
}

impl Homes {
    pub(super) fn new(installation: &Installation) -> Self {
        let (home, state_dir) = (installation.home.clone(), installation.state_dir.clone());
        let real = [&home, &state_dir].into_iter().filter_map(|place| fs::canonicalize(place).ok());
        let mut homes = Self { real: real.collect(), home, state_dir, former: Vec::new() };
        for (_, path) in &installation.configured_paths {
            homes.learn(path);
        }
        homes
    }

    /// Takes note of the state directory that a path tells by its name.
    pub(super) fn learn(&mut self, path: &str) {
        if let Some(state_dir) = state_dir_of(Path::new(path)) {
            self.learn_state_dir(state_dir);
        }
    }

    /// Takes note of a state directory that was this one's place.
    pub(super) fn learn_state_dir(&mut self, path: PathBuf) {
        let own = path == self.state_dir || self.real.contains(&path);
        // Another profile's directory in the same home is one that OpenClaw itself may name.
        let beside = self.is_own(&path) && path.exists();
        if path.is_absolute() && !own && !beside && !self.former.contains(&path) {
            self.former.push(path);
        }
    }

    /// Whether a path lies in a home or state directory that is not the installation's.
    pub(super) fn is_foreign(&self, path: &str) -> bool {
        let path = Path::new(path);
        if !path.is_absolute() {
            return false;
        }
        let former_state = self.former.iter().any(|state| path.starts_with(state));
        if self.is_own(path) {
            return former_state && !path.exists();
        }
        let former_home = self.former.iter().filter_map(|state| self.home_before(state));
        let former = former_state || former_home.into_iter().any(|home| path.starts_with(home));
        // A directory of another user that is there may well be meant.
        let of_user = ["/home", "/Users", "/root"].iter().any(|place| path.starts_with(place));
        former || (of_user && !path.exists())
    }

    /// Whether a restore with these moves rewrites a path.
    pub(super) fn is_left_behind(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.is_foreign(path))
            && self.moves().iter().any(|(old, _)| path.starts_with(old))
    }

    /// Old directories and what they are here, the longest first.
    pub(super) fn moves(&self) -> Vec<(PathBuf, PathBuf)> {
        let mut moves = Vec::new();
        for state in &self.former {
            let home = self.home_before(state);
            let along = home.is_some_and(|home| {
                state.strip_prefix(home).is_ok_and(|below| self.home.join(below) == self.state_dir)
            });
            if !along {
                moves.push((state.clone(), self.state_dir.clone()));
            }
            if let Some(home) = home {
                moves.push((home.to_owned(), self.home.clone()));
            }
        }
        moves.dedup();
        moves
    }

    /// The other home that a former state directory lay in.
    fn home_before<'a>(&self, state: &'a Path) -> Option<&'a Path> {
        let named = state.file_name().is_some_and(|name| is_state_dir(name.as_encoded_bytes()));
        let home = state.parent().filter(|home| named && home.parent().is_some())?;
        let encloses =
            [&self.home, &self.state_dir].into_iter().chain(&self.real).any(|own| own.starts_with(home));
        (!encloses).then_some(home)
    }

    fn is_own(&self, path: &Path) -> bool {
        [&self.home, &self.state_dir].into_iter().chain(&self.real).any(|own| path.starts_with(own))
    }
}

/// The state directory in a path, by its usual names.
fn state_dir_of(path: &Path) -> Option<PathBuf> {
    let mut before = PathBuf::new();
    for component in path.components() {
        before.push(component);
        if let Component::Normal(name) = component
            && is_state_dir(name.as_encoded_bytes())
        {
            return Some(before);
        }
    }
    None
}

fn is_state_dir(name: &[u8]) -> bool {
    name == b".openclaw" || name == b".clawdbot" || name.starts_with(b".openclaw-")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Homes;

    fn homes(home: &str, state_dir: &str, learned: &[&str]) -> Homes {
        let mut homes =
            Homes { home: home.into(), state_dir: state_dir.into(), real: Vec::new(), former: Vec::new() };
        for path in learned {
            homes.learn(path);
        }
        homes
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(PathBuf, PathBuf)> {
        pairs.iter().map(|(old, new)| (old.into(), new.into())).collect()
    }

    #[test]
    fn a_copied_home_is_one_move() {
        let homes =
            homes("/x/bo", "/x/bo/.openclaw", &["/home/al/.openclaw/workspace", "/home/al/.openclaw/y"]);
        assert_eq!(homes.moves(), pairs(&[("/home/al", "/x/bo")]));
        for (path, foreign) in [
            ("/home/al/.openclaw/workspace", true),
            ("/home/al/projects", true),
            ("/home/alice-is-not-here/x", true),
            ("/x/bo/.openclaw/workspace", false),
            ("/srv/nothing", false),
            ("relative", false),
        ] {
            assert_eq!(homes.is_foreign(path), foreign, "{path}");
        }
    }

    #[test]
    fn another_profile_and_another_home_are_two() {
        let homes = homes("/x/bo", "/x/bo/.openclaw-work", &["/home/al/.openclaw/workspace"]);
        let moves = [("/home/al/.openclaw", "/x/bo/.openclaw-work"), ("/home/al", "/x/bo")];
        assert_eq!(homes.moves(), pairs(&moves));
    }

    #[test]
    fn a_state_directory_renamed_in_its_home_is_one() {
        let homes = homes("/x/bo", "/x/bo/.openclaw-work", &["/x/bo/.openclaw/workspace"]);
        assert_eq!(homes.moves(), pairs(&[("/x/bo/.openclaw", "/x/bo/.openclaw-work")]));
        assert!(homes.is_foreign("/x/bo/.openclaw/workspace"));
        assert!(!homes.is_foreign("/x/bo/projects"));
    }

    #[test]
    fn a_state_directory_of_any_name_can_be_told() {
        let mut homes = homes("/x/bo", "/x/bo/.openclaw", &[]);
        homes.learn_state_dir(Path::new("/data/oc").to_owned());
        assert_eq!(homes.moves(), pairs(&[("/data/oc", "/x/bo/.openclaw")]));
        assert!(homes.is_foreign("/data/oc/workspace") && !homes.is_foreign("/data/x"));
    }
}
