//! `ocbak list --tree`: the names in an archive as a tree, each directory with the size of what is in it.

use std::env;

use console::{Term, measure_text_width, style, truncate_str};

use ocbak::{Entry, Node, Secrets, sanitize};

use crate::cli::failure::Failure;
use crate::cli::ui::{Output, size};

/// A line of the tree.
struct Branch<'a> {
    depth: usize,
    name: &'a [u8],
    /// None for a directory that is only on the way to what was selected.
    entry: Option<&'a Entry>,
    size: u64,
    is_last: bool,
}

/// Writes the tree of entries, which are in the order of the archive.
pub(super) fn write<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    secrets: &Secrets,
    output: &mut Output,
) -> Result<(), Failure> {
    let signs = if is_utf8() { &LINES } else { &ASCII };
    let width = Term::stdout().is_term().then(|| usize::from(Term::stdout().size().1).max(LEAST_WIDTH));
    // Whether a directory around the current line has more below it, outermost first.
    let mut goes_on: Vec<bool> = Vec::new();
    for branch in branches(entries) {
        if output.closed() {
            break;
        }
        goes_on.truncate(branch.depth);
        let mut line = String::new();
        if let Some(around) = goes_on.get(1..) {
            line.extend(around.iter().map(|more| if *more { signs.bar } else { signs.gap }));
        }
        if branch.depth > 0 {
            line.push_str(if branch.is_last { signs.end } else { signs.fork });
        }
        goes_on.push(!branch.is_last);
        let rest = rest(&branch, secrets);
        let name = sanitize(branch.name);
        let name = match width
            .map(|width| width.saturating_sub(measure_text_width(&line) + measure_text_width(&rest)))
        {
            Some(room) => truncate_str(&name, room.max(LEAST_NAME), signs.cut).into_owned(),
            None => name,
        };
        let name = if branch.is_directory() { style(name).bold() } else { style(name) };
        output.line(format_args!("{line}{name}{rest}"))?;
    }
    Ok(())
}

impl Branch<'_> {
    fn is_directory(&self) -> bool {
        self.entry.is_none_or(|entry| entry.node == Node::Directory)
    }
}

/// What stands behind a name.
fn rest(branch: &Branch<'_>, secrets: &Secrets) -> String {
    let text = match branch.entry.map(|entry| &entry.node) {
        None | Some(Node::Directory) => format!("/  {}", style(size(branch.size)).dim()),
        Some(Node::File { .. }) => format!("  {}", style(size(branch.size)).dim()),
        Some(Node::Symlink { target }) => format!(" -> {}", sanitize(target)),
        Some(Node::Hardlink { target }) => format!(" link to {target}"),
    };
    let is_secret = branch.entry.is_some_and(|entry| secrets.hold(entry));
    if is_secret { format!("{text}  {}", style("secret").yellow()) } else { text }
}

fn branches<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<Branch<'a>> {
    let mut branches = Vec::new();
    let mut around: Vec<&[u8]> = Vec::new();
    for entry in entries {
        let names: Vec<&[u8]> = entry.path.components().collect();
        let known = names.iter().zip(&around).take_while(|(one, other)| one == other).count();
        // The entry itself is new, also where something was only on the way to it.
        let known = known.min(names.len() - 1);
        for (depth, name) in names.iter().enumerate().skip(known) {
            let entry = (depth + 1 == names.len()).then_some(entry);
            let size = match entry.map(|entry| &entry.node) {
                Some(Node::File { size, .. }) => *size,
                _ => 0,
            };
            branches.push(Branch { depth, name, entry, size, is_last: false });
        }
        around = names;
    }
    // From behind: what is in a directory comes after it.
    let mut below: Vec<(u64, bool)> = Vec::new();
    for branch in branches.iter_mut().rev() {
        below.resize(below.len().max(branch.depth + 2), (0, false));
        let inside = std::mem::take(&mut below[branch.depth + 1]);
        branch.size += inside.0;
        below.truncate(branch.depth + 1);
        let (sum, seen) = &mut below[branch.depth];
        *sum += branch.size;
        branch.is_last = !std::mem::replace(seen, true);
    }
    branches
}

/// Whether the locale says that the terminal knows more than ASCII.
fn is_utf8() -> bool {
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(env::var_os).find(|value| !value.is_empty());
    name.is_some_and(|name| {
        let name = name.to_string_lossy().to_ascii_lowercase();
        name.ends_with("utf-8") || name.ends_with("utf8")
    })
}

struct Signs {
    fork: &'static str,
    end: &'static str,
    bar: &'static str,
    gap: &'static str,
    cut: &'static str,
}

const LINES: Signs = Signs { fork: "├── ", end: "└── ", bar: "│   ", gap: "    ", cut: "…" };
const ASCII: Signs = Signs { fork: "|-- ", end: "`-- ", bar: "|   ", gap: "    ", cut: "~" };
/// Narrower terminals wrap.
const LEAST_WIDTH: usize = 20;
const LEAST_NAME: usize = 6;

#[cfg(test)]
mod tests {
    use ocbak::{ArchivePath, Entry, Mtime, Node};

    use super::branches;

    #[test]
    fn directories_have_the_size_of_what_is_in_them() {
        let entry = |name: &str, node| {
            let path = ArchivePath::parse(name.as_bytes()).unwrap();
            Entry { path, mode: 0o700, mtime: Mtime { seconds: 0, nanoseconds: 0 }, offset: 0, node }
        };
        let file = |size| Node::File { size, sha256: [0; 32] };
        let entries = [
            entry("state", Node::Directory),
            entry("state/a", Node::Directory),
            entry("state/a/x", file(1)),
            entry("state/a/y", file(2)),
            entry("state/b", file(4)),
            // Of a directory that was not selected.
            entry("workspace/main/c", file(8)),
        ];
        let found: Vec<_> = branches(entries.iter())
            .iter()
            .map(|branch| {
                let name = String::from_utf8_lossy(branch.name).into_owned();
                (branch.depth, name, branch.size, branch.is_last)
            })
            .collect();
        let expected = [
            (0, "state", 7, false),
            (1, "a", 3, false),
            (2, "x", 1, false),
            (2, "y", 2, true),
            (1, "b", 4, true),
            (0, "workspace", 8, true),
            (1, "main", 8, true),
            (2, "c", 8, true),
        ];
        assert_eq!(found, expected.map(|(depth, name, size, last)| (depth, name.to_owned(), size, last)));
    }
}
