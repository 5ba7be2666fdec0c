//! Worktrees of git: each names its repository by an absolute path.
//!
//! What a repository says of its worktrees is left alone: one that is gone may be meant to be. A path that
//! a move left behind is one of those that a restore rewrites.

use std::fs;
use std::path::{Path, PathBuf};

use crate::openclaw::Installation;

use super::homes::Homes;
use super::{Cases, Cause, Report, shown};

/// Looks at the workspaces, the directories in them, and the worktrees of the state directory.
pub(super) fn check(installation: &Installation, homes: &Homes, left: &mut Cases, report: &mut Report<'_>) {
    let mut places = Vec::new();
    for workspace in &installation.workspaces {
        places.push(workspace.path.clone());
        places.extend(directories(&workspace.path));
    }
    for repository in directories(&installation.state_dir.join("worktrees")) {
        places.extend(directories(&repository));
        places.push(repository);
    }
    places.sort();
    places.dedup();
    let mut cases = Cases::default();
    for place in places {
        let link = place.join(".git");
        let Some(repository) = line(&link, "gitdir: ").map(|path| place.join(path)) else { continue };
        if homes.is_left_behind(&repository) {
            left.add(format!("worktree {}: {}", shown(&place), shown(&repository)), &link);
        } else if !repository.exists() {
            let what = format!("{} leads to {}, which is not there", shown(&link), shown(&repository));
            cases.add(what, &link);
        }
    }
    report.add_all(Cause::Worktree, cases, |count| {
        format!("{count} worktrees of git do not find their repositories")
    });
}

/// The first line of a small file, behind what it begins with.
fn line(file: &Path, before: &str) -> Option<String> {
    // A FIFO would block.
    let small = fs::symlink_metadata(file).is_ok_and(|facts| facts.is_file() && facts.len() <= 1 << 16);
    let text = small.then(|| fs::read_to_string(file).ok())??;
    Some(text.lines().next()?.strip_prefix(before)?.trim_end().to_owned())
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::line;

    #[test]
    fn a_link_is_one_line_behind_its_label() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".git");
        fs::write(&file, "gitdir: /home/al/x/.git/worktrees/y\n").unwrap();
        assert_eq!(line(&file, "gitdir: ").as_deref(), Some("/home/al/x/.git/worktrees/y"));
        fs::write(&file, "something else").unwrap();
        assert_eq!(line(&file, "gitdir: "), None);
        assert_eq!(line(directory.path(), ""), None);
    }
}
