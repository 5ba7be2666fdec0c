//! Which paths are of another home than the installation's.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::openclaw::Installation;

/// The installation's own places, and the homes that its paths tell of.
pub(super) struct Homes {
    own: Vec<PathBuf>,
    former: Vec<PathBuf>,
}

impl Homes {
    pub(super) fn new(installation: &Installation) -> Self {
        let places = [&installation.home, &installation.state_dir];
        let real = places.iter().filter_map(|place| fs::canonicalize(place).ok());
        let own = real.chain(places.map(Clone::clone)).collect();
        let mut homes = Self { own, former: Vec::new() };
        for (_, path) in &installation.configured_paths {
            homes.learn(path);
        }
        homes
    }

    /// Takes note of the home that a path of a state directory tells.
    pub(super) fn learn(&mut self, path: &str) {
        let Some(home) = home_of(Path::new(path)) else {
            return;
        };
        let encloses = self.own.iter().any(|own| own.starts_with(&home));
        if !encloses && !self.is_own(&home) && !self.former.contains(&home) {
            self.former.push(home);
        }
    }

    /// Whether a path lies in a home that is not the installation's.
    pub(super) fn is_foreign(&self, path: &str) -> bool {
        let path = Path::new(path);
        if !path.is_absolute() || self.is_own(path) {
            return false;
        }
        // A directory of another user that is there may well be meant.
        let of_user = path.starts_with("/home") || path.starts_with("/Users") || path.starts_with("/root");
        self.former.iter().any(|home| path.starts_with(home)) || (of_user && !path.exists())
    }

    fn is_own(&self, path: &Path) -> bool {
        self.own.iter().any(|own| path.starts_with(own))
    }
}

/// What stands before the name of a state directory in a path.
fn home_of(path: &Path) -> Option<PathBuf> {
    let mut before = PathBuf::new();
    for component in path.components() {
        if let Component::Normal(name) = component
            && (name == ".openclaw"
                || name == ".clawdbot"
                || name.as_encoded_bytes().starts_with(b".openclaw-"))
        {
            // Directly below the root there is no home.
            return before.parent().is_some().then_some(before);
        }
        before.push(component);
    }
    None
}
