use std::collections::HashMap;

use super::{Aspect, Differences, Side, diff};
use crate::capture::Contents;
use crate::format::entry::{Entry, Mtime, Node, Role, SkipReason, Skipped};
use crate::observer::Silent;
use crate::path::ArchivePath;
use crate::pattern::Patterns;

fn path(name: &str) -> ArchivePath {
    ArchivePath::parse(name.as_bytes()).unwrap()
}

fn entry(name: &str, node: Node) -> Entry {
    Entry { path: path(name), mode: 0o600, mtime: Mtime::default(), offset: 0, node }
}

fn file(name: &str, content: u8) -> Entry {
    entry(name, Node::File { size: 10, sha256: [content; 32] })
}

fn symlink(name: &str, target: &str) -> Entry {
    entry(name, Node::Symlink { target: target.into() })
}

fn hardlink(name: &str, target: &str) -> Entry {
    entry(name, Node::Hardlink { target: path(target) })
}

fn contents(entries: Vec<Entry>) -> Contents {
    let (skipped, noted) = (Vec::new(), Vec::new());
    Contents { role: Role::State, entries, skipped, noted, databases: HashMap::new() }
}

fn compare<'a>(before: &'a Contents, after: &'a Contents, globs: &[&str], mtimes: bool) -> Differences<'a> {
    let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
    let patterns = Patterns::parse(&globs).unwrap();
    let (before, after) = (Side::installation(before), Side::installation(after));
    diff(&before, &after, &patterns, mtimes, &Silent).unwrap()
}

/// One line for each difference, and how many names are equal and unknown.
fn said(found: &Differences<'_>) -> (Vec<String>, u64, usize) {
    let line = |one: &super::Difference<'_>| {
        let sign = match (one.before, one.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => 'M',
        };
        let aspects: Vec<&str> = one.aspects.iter().map(|aspect| aspect.as_str()).collect();
        format!("{sign} {} {}", one.path().unwrap(), aspects.join(","))
    };
    (found.list.iter().map(line).collect(), found.equal, found.unknown.len())
}

#[test]
fn names_on_one_side_are_added_or_removed_in_the_order_of_names() {
    let before = contents(vec![file("state/a", 1), file("state/b", 1), file("state/b/x", 1)]);
    let after = contents(vec![file("state/0", 1), file("state/b", 1), file("state/b-c", 1)]);
    let (lines, equal, unknown) = said(&compare(&before, &after, &[], false));
    assert_eq!(lines, ["+ state/0 ", "- state/a ", "- state/b/x ", "+ state/b-c "]);
    assert_eq!((equal, unknown), (1, 0));
    let (lines, equal, _) = said(&compare(&before, &after, &["state/b", "state/0"], false));
    assert_eq!((lines, equal), (vec!["+ state/0 ".to_owned(), "- state/b/x ".to_owned()], 1));
}

#[test]
fn each_aspect_is_named() {
    let mode = |mut entry: Entry, mode| {
        entry.mode = mode;
        entry
    };
    let later = |mut entry: Entry| {
        entry.mtime.nanoseconds = 1;
        entry
    };
    let directory = || entry("state/a", Node::Directory);
    for (old, new, mtimes, aspects) in [
        (file("state/a", 1), file("state/a", 2), false, &[Aspect::Content][..]),
        (file("state/a", 1), mode(file("state/a", 2), 0o644), false, &[Aspect::Content, Aspect::Mode]),
        (directory(), mode(directory(), 0o755), false, &[Aspect::Mode]),
        (file("state/a", 1), directory(), false, &[Aspect::Type]),
        (file("state/a", 1), symlink("state/a", "x"), false, &[Aspect::Type]),
        (symlink("state/a", "x"), mode(symlink("state/a", "y"), 0o777), false, &[Aspect::Link]),
        (symlink("state/a", "x"), mode(symlink("state/a", "x"), 0o777), false, &[]),
        (file("state/a", 1), later(file("state/a", 1)), false, &[]),
        (file("state/a", 1), later(file("state/a", 1)), true, &[Aspect::Mtime]),
    ] {
        let (before, after) = (contents(vec![old]), contents(vec![new]));
        let found = compare(&before, &after, &[], mtimes);
        let named: Vec<Aspect> = found.list.iter().flat_map(|one| one.aspects.clone()).collect();
        assert_eq!(named, aspects, "{before:?} {after:?}");
    }
}

#[test]
fn a_further_name_has_the_content_of_its_file() {
    let before = contents(vec![file("state/a", 1), hardlink("state/b", "state/a")]);
    for (file_a, b, expected) in [
        (file("state/a", 2), hardlink("state/b", "state/a"), vec!["M state/a content", "M state/b content"]),
        (file("state/a", 1), file("state/b", 1), vec!["M state/b link"]),
        (file("state/a", 1), file("state/b", 2), vec!["M state/b content,link"]),
    ] {
        let after = contents(vec![file_a, b]);
        assert_eq!(said(&compare(&before, &after, &[], false)).0, expected);
    }
    // Where the first name went, the other one is the file.
    let after = contents(vec![file("state/b", 1)]);
    assert_eq!(said(&compare(&before, &after, &[], false)).0, ["- state/a ", "M state/b link"]);
}

#[test]
fn a_database_that_sqlite_only_counted_in_is_the_same() {
    let (mut before, mut after) = (contents(vec![file("state/a", 1)]), contents(vec![file("state/a", 2)]));
    let count = |before: &Contents, after: &Contents| compare(before, after, &[], false).list.len();
    assert_eq!(count(&before, &after), 1);
    before.databases.insert(path("state/a"), [7; 32]);
    assert_eq!(count(&before, &after), 1);
    after.databases.insert(path("state/a"), [8; 32]);
    assert_eq!(count(&before, &after), 1);
    after.databases.insert(path("state/a"), [7; 32]);
    assert_eq!(count(&before, &after), 0);
}

#[test]
fn what_one_side_left_out_is_not_compared() {
    let before = contents(vec![file("state/cache/deep/a", 1), file("state/x", 1)]);
    for (why, lines, unknown) in [
        (SkipReason::Policy, vec!["- state/x "], 1),
        (SkipReason::Unreadable, vec!["- state/x "], 1),
        (SkipReason::Vanished, vec!["- state/cache/deep/a ", "- state/x "], 0),
    ] {
        let mut after = contents(Vec::new());
        after.skipped.push(Skipped { path: path("state/cache"), why, detail: String::new() });
        let found = compare(&before, &after, &[], false);
        assert_eq!(
            (said(&found).0, found.unknown.len()),
            (lines.iter().map(ToString::to_string).collect(), unknown)
        );
    }
}
