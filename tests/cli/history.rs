//! A drive with many archives: `list DIR` and `prune DIR`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use ocbak::{ArchiveBuilder, Recipient, Role, Source};

use super::support::{PUBLIC, Test};

/// Sunday, 22 November 2026, three in the morning, UTC.
const NEWEST: i64 = 1_795_316_400;
const DAY: i64 = 86_400;

/// Puts an archive of so many days before the newest one on the drive, as large as it is young.
fn put(drive: &Path, name: &str, series: Option<u8>, days: i64) {
    let builder = ArchiveBuilder::new()
        .recipients(vec![Recipient::parse(PUBLIC.trim()).unwrap()])
        .created(NEWEST - days * DAY);
    let builder = match series {
        Some(byte) => builder.series([byte; 16]),
        None => builder,
    };
    let mut writer = builder.create(fs::File::create_new(drive.join(name)).unwrap()).unwrap();
    let facts = [("day".to_owned(), "x".repeat(1000 - usize::try_from(days).unwrap()))].into();
    writer.begin(Source { facts, ..Source::default() }, Role::State).unwrap();
    writer.finish().unwrap();
}

/// A drive with sixty daily archives of one installation, two of another, and what else lies on drives.
fn drive() -> Test {
    let test = Test::new()
        .write("drive/holiday.jpg", "a photo")
        .write("drive/notes.ocbak.txt", "not an archive")
        .write("private.txt", super::support::PRIVATE);
    let drive = test.path("drive");
    for days in 0..60 {
        put(&drive, &format!("daily-{days:02}.ocbak"), Some(1), days);
    }
    put(&drive, "other-70.ocbak", Some(2), 70);
    put(&drive, "other-71.ocbak", Some(2), 71);
    put(&drive, "alone.ocbak", None, 80);
    test
}

fn names(test: &Test) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(test.path("drive"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn expected(days: &[i64]) -> Vec<String> {
    let mut names = vec!["alone.ocbak".to_owned()];
    names.extend(days.iter().map(|days| format!("daily-{days:02}.ocbak")));
    names.extend(["holiday.jpg", "notes.ocbak.txt", "other-70.ocbak"].map(str::to_owned));
    names
}

#[test]
fn of_sixty_daily_archives_exactly_the_policys_are_left() {
    const POLICY: [&str; 8] = [
        "prune",
        "drive",
        "--utc",
        "--keep-daily=7",
        "--keep-weekly=4",
        "--keep-monthly=3",
        "--keep-last",
        "2",
    ];
    let test = drive();
    let before = names(&test);
    let test = test
        .args(POLICY)
        .args(["--dry-run"])
        .stdout_has("2026-11-22 03:00")
        .stdout_has("daily-00.ocbak  keep    last, daily, weekly, monthly\n")
        .stdout_has("daily-08.ocbak  remove\n")
        .stdout_has("other-71.ocbak  keep    last, daily, weekly, monthly\n")
        .stdout_has("alone.ocbak  keep    no series\n")
        .success();
    assert_eq!(names(&test), before);
    let test = test.args(POLICY).stderr_has("error: this needs a yes, and there is no terminal").ends_with(2);
    assert_eq!(names(&test), before);
    let test = test.args(POLICY).args(["--yes"]).stdout_has("\nremoved 48 archives, ").success();
    let mut left = expected(&[0, 1, 2, 3, 4, 5, 6, 7, 14, 21, 22, 53]);
    left.push("other-71.ocbak".to_owned());
    assert_eq!(names(&test), left);
    // Once more, there is nothing to do.
    let test = test.args(POLICY).args(["--yes"]).stdout_has("\nremoved 0 archives, 0 B\n").success();
    assert_eq!(names(&test), left);
}

#[test]
fn the_document_says_what_is_kept_and_why() {
    let (test, document) = drive().args(["prune", "drive", "--keep-within=2d", "--yes", "--json"]).json(0);
    let archives = document["archives"].as_array().unwrap();
    assert_eq!(archives.len(), 62);
    assert_eq!(archives[1]["file"], "drive/daily-01.ocbak");
    assert_eq!(archives[1]["kept"], true);
    assert_eq!(archives[1]["reasons"], serde_json::json!(["within"]));
    assert_eq!(archives[2]["kept"], false);
    assert!(document["freed"].as_u64().unwrap() > 0);
    let mut left = expected(&[0, 1]);
    left.push("other-71.ocbak".to_owned());
    assert_eq!(names(&test), left);
}

#[test]
fn a_newest_archive_that_rots_is_not_what_the_others_are_removed_for() {
    let test = drive();
    let newest = test.path("drive/daily-00.ocbak");
    let mut bytes = fs::read(&newest).unwrap();
    // In a payload, where only reading all of it finds it.
    bytes[33_300] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let test = test
        .write("drive/broken.ocbak", "broken")
        .args(["prune", "drive", "--keep-last=1", "--yes"])
        .stdout_has("daily-00.ocbak  keep    damaged: look at it\n")
        .stdout_has("daily-01.ocbak  keep    last\n")
        .stderr_has("warning: `daily-00.ocbak`: `ocbak/state.tar.zst.age` does not match its digest")
        .stderr_has("warning: `broken.ocbak` stays: ")
        .ends_with(3);
    let mut left = expected(&[0, 1]);
    left.insert(1, "broken.ocbak".to_owned());
    assert_eq!(names(&test), left);
}

#[test]
fn what_was_found_damaged_is_remembered_and_takes_no_place() {
    let test = drive();
    let (middle, whole) = (test.path("drive/daily-01.ocbak"), test.path("whole.ocbak"));
    fs::copy(&middle, &whole).unwrap();
    let mut bytes = fs::read(&middle).unwrap();
    bytes[33_300] ^= 1;
    fs::write(&middle, bytes).unwrap();
    let test = test.args(["list", "drive"]).stdout_has("-                 daily-01.ocbak\n").success();
    let test = test.args(["verify", "--quick", "drive"]).ends_with(4);
    // Of a copy elsewhere it says nothing, and a copy elsewhere says nothing of it.
    let test = test.args(["verify", "whole.ocbak", "-i", "private.txt", "-q"]).success();
    let test = test.args(["list", "drive"]).stdout_has("  damaged           daily-01.ocbak\n").ends_with(4);
    let (test, document) = test.args(["list", "drive", "--json"]).json(4);
    assert!(document["archives"][1]["found_damaged"].is_string());
    assert_eq!(document["archives"][0]["found_damaged"], Value::Null);
    let test = test
        .args(["prune", "drive", "--keep-last=2", "--yes"])
        .stdout_has("daily-00.ocbak  keep    last\n")
        .stdout_has("daily-01.ocbak  keep    damaged: look at it\n")
        .stdout_has("daily-02.ocbak  keep    last\n")
        .stdout_has("daily-03.ocbak  remove\n")
        .ends_with(3);
    // Found sound again, it is as the others.
    fs::copy(&whole, &middle).unwrap();
    let test = test.args(["verify", "drive/daily-01.ocbak", "-i", "private.txt", "-q"]).success();
    let (_, document) = test.args(["list", "drive", "--json"]).json(0);
    assert_eq!(document["archives"][1]["found_damaged"], Value::Null);
}

#[test]
fn all_parts_of_an_archive_go_together() {
    let test = drive();
    let old = test.path("drive/daily-59.ocbak");
    let bytes = fs::read(&old).unwrap();
    for (number, part) in bytes.chunks(40_000).enumerate() {
        fs::write(test.path(&format!("drive/daily-59.ocbak.{:03}", number + 1)), part).unwrap();
    }
    fs::remove_file(old).unwrap();
    let test = test.args(["list", "drive"]).stdout_has("daily-59.ocbak.001\n").success();
    let test = test.args(["prune", "drive", "--keep-last=3", "--yes", "-q"]).success();
    assert!(!names(&test).iter().any(|name| name.contains("daily-59")));
}

#[test]
fn a_policy_must_keep_something() {
    let test = drive();
    let before = names(&test);
    let test = test.args(["prune", "drive", "--yes"]).stderr_has("--keep-last <N>").ends_with(2);
    let test = test
        .args(["prune", "drive", "--yes", "--keep-last=0"])
        .stderr(
            "error: a policy that keeps nothing removes nothing\n\
             hint: give at least one `--keep` option a number above 0\n",
        )
        .ends_with(2);
    let test = test
        .args(["prune", "drive", "--yes", "--keep-within=2w"])
        .stderr("error: `2w` is no length of time such as `14d` or `1y6m`\n")
        .ends_with(2);
    let test = test.args(["prune", "nowhere", "--yes", "--keep-last=1"]).ends_with(1);
    // Nobody has to agree to nothing.
    let test = test.args(["prune", "drive", "--keep-last=1000"]).stdout_has("removed 0 archives").success();
    let test = test.args(["prune", "drive", "--keep-last=1"]).stderr_has("give `--yes`").ends_with(2);
    assert_eq!(names(&test), before);
}

#[test]
fn a_directory_is_listed_newest_first_with_what_is_known() {
    let test = drive();
    let test = test.args(["verify", "drive/daily-01.ocbak", "-i", "private.txt", "-q"]).success();
    let (test, table) = test.args(["list", "drive", "--utc"]).run(0);
    let said = String::from_utf8(table).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("made (UTC)        series          size  payloads"), "{said}");
    assert!(lines[1].starts_with("2026-11-22 03:00  01010101  "), "{said}");
    assert!(lines[1].ends_with("  state             -                 daily-00.ocbak"), "{said}");
    assert!(lines[2].contains("  state             20") && lines[2].ends_with("daily-01.ocbak"), "{said}");
    assert!(lines[63].contains("  -         ") && lines[63].ends_with("  alone.ocbak"), "{said}");
    assert_eq!(lines.len(), 64);

    let (test, document) = test.args(["list", "drive", "--json"]).json(0);
    assert_eq!(document["archives"].as_array().unwrap().len(), 63);
    assert_eq!(document["archives"][0]["verified"], Value::Null);
    assert!(document["archives"][1]["verified"].is_string());
    test.args(["list", "drive", "state/**"]).stderr_has("exclude each other").ends_with(2);
}

#[test]
fn damaged_archives_are_named_in_the_list() {
    let test = drive().write("drive/broken.ocbak", "broken");
    let path = test.path("drive/daily-02.ocbak");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let test = test
        .args(["list", "drive"])
        .stdout_has("  damaged           daily-02.ocbak\n")
        .stdout_has("unreadable: broken.ocbak: ")
        .ends_with(4);
    fs::create_dir(test.path("empty")).unwrap();
    test.args(["list", "empty"]).stdout("no archives here\n").success();
}
