//! Directories with archives, and what a policy makes of them.

use std::fs::{self, File};
use std::path::Path;

use super::{Retention, Shelf, Verdict, Zone};
use crate::archive::ArchiveBuilder;
use crate::crypto::Identity;
use crate::format::entry::{Role, Source};

const NEWEST: i64 = 1_795_326_538;
const DAY: i64 = 86_400;

/// Writes an archive that was made so many days before the newest one.
fn archive(directory: &Path, name: &str, series: Option<u8>, days: i64, roles: &[Role]) {
    let mut builder =
        ArchiveBuilder::new().recipients(vec![Identity::generate().recipient()]).created(NEWEST - days * DAY);
    if let Some(byte) = series {
        builder = builder.series([byte; 16]);
    }
    let mut writer = builder.create(File::create(directory.join(name)).unwrap()).unwrap();
    for role in roles {
        writer.begin(Source::default(), *role).unwrap();
    }
    writer.finish().unwrap();
}

fn removed(shelf: &Shelf, policy: &Retention) -> Vec<String> {
    let judged = shelf.groups().into_iter().flat_map(|group| group.thin(policy, Zone::Utc, NEWEST, &[]));
    let mut names: Vec<String> = judged
        .filter(|judged| judged.verdict == Verdict::Remove)
        .map(|judged| judged.archive.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

const LAST: Retention =
    Retention { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, within: None };
const ALL: &[Role] = &[Role::State, Role::Workspace];

#[test]
fn installations_and_kinds_of_backup_do_not_thin_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    archive(home, "a0.ocbak", Some(1), 0, ALL);
    archive(home, "a1.ocbak", Some(1), 1, ALL);
    archive(home, "b2.ocbak", Some(2), 2, ALL);
    archive(home, "b3.ocbak", Some(2), 3, ALL);
    archive(home, "state4.ocbak", Some(1), 4, &[Role::State]);
    archive(home, "none5.ocbak", None, 5, ALL);
    archive(home, "none6.ocbak", None, 6, ALL);
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(shelf.archives.len(), 7);
    assert_eq!(shelf.groups().len(), 3);
    assert_eq!(removed(&shelf, &LAST), ["a1.ocbak", "b3.ocbak"]);
    // Whatever the policy, the newest of each stays.
    assert_eq!(removed(&shelf, &Retention::default()), ["a1.ocbak", "b3.ocbak"]);
}

#[test]
fn what_is_damaged_counts_for_nothing_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    for days in 0..4 {
        archive(home, &format!("{days}.ocbak"), Some(1), days, ALL);
    }
    let newest = home.join("0.ocbak");
    let length = fs::metadata(&newest).unwrap().len();
    File::options().write(true).open(&newest).unwrap().set_len(length - 1).unwrap();
    let shelf = Shelf::read(home).unwrap();
    assert!(!shelf.archives[0].damage.is_empty());
    assert_eq!(removed(&shelf, &LAST), ["2.ocbak", "3.ocbak"]);
    let group = &shelf.groups()[0];
    let judged = group.thin(&LAST, Zone::Utc, NEWEST, &[home.join("1.ocbak")]);
    let verdicts: Vec<_> = judged.into_iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts[..2], [Verdict::Damaged, Verdict::Damaged]);
    assert!(matches!(verdicts[2], Verdict::Keep(_)));
    assert_eq!(verdicts[3], Verdict::Remove);
}

#[test]
fn what_says_that_it_is_of_the_future_counts_for_nothing_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    for days in [-300, -2, -1, 0, 1] {
        archive(home, &format!("{days}.ocbak"), Some(1), days, ALL);
    }
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(removed(&shelf, &LAST), ["1.ocbak"]);
    let judged = shelf.groups()[0].thin(&LAST, Zone::Utc, NEWEST, &[]);
    assert_eq!(judged.iter().filter(|one| one.verdict == Verdict::Future).count(), 3);
}

#[test]
fn what_rekey_made_shares_the_fate_of_what_it_was_made_of() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    for (name, days) in [("a new.ocbak", 0), ("b old.ocbak", 0), ("c new.ocbak", 1), ("d old.ocbak", 1)] {
        archive(home, name, Some(1), days, ALL);
    }
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(removed(&shelf, &LAST), ["c new.ocbak", "d old.ocbak"]);
    assert_eq!(removed(&shelf, &Retention { last: 2, ..LAST }), [""; 0]);
}

#[test]
fn copies_count_once() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    for days in 0..3 {
        archive(home, &format!("{days}.ocbak"), Some(1), days, ALL);
    }
    fs::copy(home.join("0.ocbak"), home.join("copy.ocbak")).unwrap();
    fs::copy(home.join("2.ocbak"), home.join("old copy.ocbak")).unwrap();
    let shelf = Shelf::read(home).unwrap();
    let policy = Retention { last: 2, ..Retention::default() };
    assert_eq!(removed(&shelf, &policy), ["2.ocbak", "old copy.ocbak"]);
}

#[test]
fn an_archive_in_parts_is_one_archive() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    archive(home, "whole.ocbak", Some(1), 0, ALL);
    let bytes = fs::read(home.join("whole.ocbak")).unwrap();
    for (number, part) in bytes.chunks(40_000).enumerate() {
        fs::write(home.join(format!("split.ocbak.{:03}", number + 1)), part).unwrap();
    }
    fs::remove_file(home.join("whole.ocbak")).unwrap();
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(shelf.archives.len(), 1);
    assert_eq!(shelf.archives[0].files.len(), bytes.len().div_ceil(40_000));
    assert_eq!(shelf.archives[0].length, bytes.len() as u64);
    assert_eq!(shelf.archives[0].damage, [""; 0]);
}

#[test]
fn whole_archives_that_are_named_like_parts_do_not_go_together() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    archive(home, "newest.ocbak", Some(1), 0, ALL);
    archive(home, "rotated.ocbak.001", Some(1), 2, ALL);
    archive(home, "rotated.ocbak.002", Some(1), 3, ALL);
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(removed(&shelf, &LAST), ["rotated.ocbak.001"]);
    assert_eq!(shelf.archives[1].files, [home.join("rotated.ocbak.001")]);
}

#[test]
fn other_files_are_not_looked_at_and_broken_ones_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    archive(home, "0.ocbak", Some(1), 0, ALL);
    archive(home, "0.ocbak.tmp", Some(1), 0, ALL);
    fs::write(home.join("photo.jpg"), "photo").unwrap();
    fs::write(home.join("broken.ocbak"), "broken").unwrap();
    fs::create_dir(home.join("directory.ocbak")).unwrap();
    std::os::unix::fs::symlink("0.ocbak", home.join("link.ocbak")).unwrap();
    let shelf = Shelf::read(home).unwrap();
    assert_eq!(shelf.archives.len(), 1);
    assert_eq!(shelf.unreadable.len(), 1);
    assert!(shelf.unreadable[0].0.ends_with("broken.ocbak"));
    assert!(Shelf::read(&home.join("nowhere")).is_err());
}
