//! Replaces the paths by which the work trees of git and their repositories know each other.

use crate::path::ArchivePath;

/// Tells whether a file's name is one of those: `.git` in a work tree, `.git/worktrees/NAME/gitdir` in
/// the repository.
pub(crate) fn is_link(name: &ArchivePath) -> bool {
    let parts: Vec<&[u8]> = name.components().collect();
    matches!(parts[..], [.., b".git"] | [.., b".git", b"worktrees", _, b"gitdir"])
}

/// Offers the path to `replace`; `None` where it stays, or where the text is something else.
pub(crate) fn rewrite(text: &str, replace: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let (label, path) = line.strip_prefix(LABEL).map_or(("", line), |path| (LABEL, path));
    let new = replace(path)?;
    Some(format!("{label}{new}{}", &text[line.len()..]))
}

const LABEL: &str = "gitdir: ";

/// A path and a label are never longer.
pub(crate) const MAX_SIZE: u64 = 8192;

#[cfg(test)]
mod tests {
    use super::{is_link, rewrite};
    use crate::path::ArchivePath;

    #[test]
    fn links_are_told_by_their_names() {
        for (name, expected) in [
            ("workspace/main/.git", true),
            ("workspace/main/repo/.git/worktrees/fix/gitdir", true),
            ("workspace/main/repo/.git/worktrees/fix/commondir", false),
            ("workspace/main/repo/.git/gitdir", false),
            ("workspace/main/worktrees/fix/gitdir", false),
            ("workspace/main/x.git", false),
        ] {
            assert_eq!(is_link(&ArchivePath::parse(name.as_bytes()).unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn the_path_alone_changes() {
        let moved =
            |text: &str| rewrite(text, |path| path.strip_prefix("/old").map(|rest| format!("/new{rest}")));
        let is = |text: &str, new: &str| assert_eq!(moved(text).as_deref(), Some(new), "{text}");
        is("gitdir: /old/repo/.git/worktrees/fix\n", "gitdir: /new/repo/.git/worktrees/fix\n");
        is("/old/fix/.git", "/new/fix/.git");
        for text in ["", "\n", "gitdir: ../x\n", "see /old\n", "gitdir:/old"] {
            assert_eq!(moved(text), None, "{text}");
        }
    }
}
