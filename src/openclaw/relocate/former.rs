//! Finds the place of a configured path in a home that was copied or moved.

use std::path::{Component, Path, PathBuf};

/// Looks for `configured`, which does not exist, at the same place under the actual home.
///
/// The configuration's own home is what stands before the state directory's name in any of its
/// paths: `/home/alice` in `/home/alice/.openclaw/agents/main/agent`.
pub(crate) fn find<'a>(
    configured: &Path,
    paths: impl Iterator<Item = &'a Path>,
    state_dir: &Path,
    home: &Path,
) -> Option<PathBuf> {
    for own in paths {
        let Some(former_state) = self::state_dir(own, state_dir) else {
            continue;
        };
        if let Ok(below) = configured.strip_prefix(&former_state) {
            return existing(state_dir.join(below));
        }
        let former_home = former_state.parent().unwrap_or(Path::new("/"));
        let Ok(below) = configured.strip_prefix(former_home) else {
            continue;
        };
        let beside = state_dir.parent().map(|parent| parent.join(below));
        let found = beside.and_then(existing).or_else(|| existing(home.join(below)));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The state directory that a configured path lies in, as the configuration's own machine had it.
pub(crate) fn state_dir(path: &Path, state_dir: &Path) -> Option<PathBuf> {
    let mut before = PathBuf::new();
    for component in path.components() {
        before.push(component);
        if let Component::Normal(name) = component
            && (Some(name) == state_dir.file_name() || name == ".openclaw")
        {
            return Some(before);
        }
    }
    None
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_dir().then_some(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn paths_of_the_former_home_are_found_under_the_actual_one() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("copy");
        let state = home.join(".openclaw");
        for directory in ["workspace", "agents/main/agent"] {
            fs::create_dir_all(state.join(directory)).unwrap();
        }
        fs::create_dir_all(home.join("projects/ws")).unwrap();
        let own = [Path::new("/srv/x"), Path::new("/home/al/.openclaw/agents/a")];
        let find = |path: &str| -> Option<PathBuf> {
            super::find(Path::new(path), own.iter().copied(), &state, &home)
        };
        assert_eq!(find("/home/al/.openclaw/workspace"), Some(state.join("workspace")));
        assert_eq!(find("/home/al/projects/ws"), Some(home.join("projects/ws")));
        assert_eq!(find("/home/alice/projects/ws"), None);
        assert_eq!(find("/home/al/projects/other"), None);
        assert_eq!(find("/srv/x"), None);
    }
}
