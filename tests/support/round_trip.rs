//! Compares what came out of an archive with what the archive says it took.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::listing::{Listing, Payload};
use super::sqlite;
use super::tree::{Tolerance, Tree};

/// Expects that `unpacked` holds, under the roots of these roles, the source less what was left
/// out, and nothing else but `beside`.
#[track_caller]
pub fn assert_unpacked(
    listing: &Listing,
    roles: &[&str],
    unpacked: &Path,
    beside: &[&str],
    tolerance: Tolerance,
) {
    let payloads: Vec<_> = roles.iter().map(|role| listing.payload(role)).collect();
    for (name, source) in payloads.iter().flat_map(|payload| &payload.roots) {
        source_of(listing, name, source).assert_same(&Tree::read(&unpacked.join(name)), tolerance);
    }
    let mut expected: Vec<_> = payloads
        .iter()
        .flat_map(|payload| &payload.roots)
        .map(|(name, _)| first(name))
        .chain(beside.iter().map(PathBuf::from))
        .collect();
    expected.sort();
    expected.dedup();
    let mut found: Vec<_> =
        fs::read_dir(unpacked).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name())).collect();
    found.sort();
    assert_eq!(found, expected, "names in {}", unpacked.display());
}

/// Expects that no file of the source is stored twice, but what has links in both payloads and
/// is listed as such.
#[track_caller]
pub fn assert_stored_once(listing: &Listing) {
    let mut names = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    for payload in &listing.0 {
        for entry in &payload.entries {
            let place = place(payload, &entry.path);
            if let Some(other) = names.insert(place.clone(), entry.path.clone()) {
                panic!("{} is stored as {} and {}", place.display(), other.display(), entry.path.display());
            }
            let shared = payload.noted.iter().any(|(path, why)| path == &entry.path && why == "shared");
            if entry.kind == "file" && !shared {
                let inode = Tree::read(&place).inode(Path::new("")).unwrap();
                if let Some(other) = inodes.insert(inode, entry.path.clone()) {
                    panic!("content of {} is stored again as {}", other.display(), entry.path.display());
                }
            }
        }
    }
}

/// The tree at a root, less what the listing says was left out and what lies in databases.
fn source_of(listing: &Listing, root: &Path, source: &Path) -> Tree {
    let left_out = |below: &Path| {
        let name = root.join(below);
        let name = if below.as_os_str().is_empty() { root } else { &name };
        listing.skipped().any(|(skipped, _)| skipped == name)
    };
    Tree::read(source).without_side_files().without(left_out)
}

/// Where an entry was on the source machine.
fn place(payload: &Payload, entry: &Path) -> PathBuf {
    let (root, source) = payload
        .roots
        .iter()
        .find(|(root, _)| entry.starts_with(root))
        .unwrap_or_else(|| panic!("{} lies below no root", entry.display()));
    let below = entry.strip_prefix(root).unwrap();
    if below.as_os_str().is_empty() { source.clone() } else { source.join(below) }
}

fn first(name: &Path) -> PathBuf {
    name.components().take(1).collect()
}

/// Expects rows that are in the database only through its log, and in a restored one by itself.
#[track_caller]
pub fn assert_logged_row(source: &Path, restored: &Path, table: &str, text: &str) {
    assert!(!sqlite::read_without_log(source).has_text(table, text), "the row is not in the log only");
    assert!(sqlite::read(source).has_text(table, text));
    assert!(sqlite::read_without_log(restored).has_text(table, text));
}
