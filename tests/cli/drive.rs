//! `verify DIR`: every archive of a drive.

use std::fs;

use ocbak::{ArchiveBuilder, Passphrase, Recipient, Role, Source};

use super::support::{PRIVATE, PUBLIC, STRANGER, Test};

const NOON: i64 = 1_795_348_800;
const DAY: i64 = 86_400;

fn put(test: &Test, name: &str, days: i64, builder: ArchiveBuilder) {
    let file = fs::File::create_new(test.path(name)).unwrap();
    let mut writer = builder.created(NOON - days * DAY).create(file).unwrap();
    writer.begin(Source::default(), Role::State).unwrap();
    writer.finish().unwrap();
}

fn for_key() -> ArchiveBuilder {
    ArchiveBuilder::new().recipients(vec![Recipient::parse(PUBLIC.trim()).unwrap()])
}

fn for_passphrase() -> ArchiveBuilder {
    ArchiveBuilder::new().passphrase(Passphrase::new("fake for tests".to_owned())).work_factor(1)
}

/// A drive with three sound archives, of which one opens with a passphrase.
fn drive() -> Test {
    let test = Test::new()
        .write("drive/holiday.jpg", "a photo")
        .write("private.txt", PRIVATE)
        .write("stranger.txt", STRANGER)
        .write("passphrase.txt", "fake for tests\n");
    put(&test, "drive/b-old.ocbak", 2, for_key());
    put(&test, "drive/a-new.ocbak", 1, for_key());
    put(&test, "drive/c-phrase.ocbak", 3, for_passphrase());
    test
}

/// Changes a byte of a payload.
fn rot(test: &Test, name: &str) {
    let path = test.path(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[33_300] ^= 1;
    fs::write(&path, bytes).unwrap();
}

const KEYS: [&str; 5] = ["drive", "-i", "private.txt", "--passphrase-file", "passphrase.txt"];

#[test]
fn every_archive_is_checked_newest_first_with_keys_given_once() {
    let (test, said) = drive().args(["verify", "--utc"]).args(KEYS).run(0);
    let said = String::from_utf8(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, (day, name)) in
        lines.iter().zip([("21", "a-new.ocbak"), ("20", "b-old.ocbak"), ("19", "c-phrase.ocbak")])
    {
        assert!(line.starts_with(&format!("2026-11-{day} 12:00  ")), "{said}");
        assert!(line.ends_with(&format!("  {name}  sound: 0 entries, 0 B of content")), "{said}");
    }
    // All are remembered, as one by one.
    let (_, document) = test.args(["list", "drive", "--json"]).json(0);
    for archive in document["archives"].as_array().unwrap() {
        assert!(archive["verified"].is_string(), "{archive}");
    }
}

#[test]
fn damage_is_named_and_the_rest_is_checked_all_the_same() {
    let test = drive().write("drive/broken.ocbak", "broken");
    rot(&test, "drive/a-new.ocbak");
    let test = test
        .args(["verify"])
        .args(KEYS)
        .stdout_has("  a-new.ocbak  damaged: ")
        .stdout_has(
            "  `ocbak verify --quick drive/a-new.ocbak` says whether `ocbak repair` can put it right\n",
        )
        .stdout_has("  b-old.ocbak  sound: ")
        .stdout_has("  c-phrase.ocbak  sound: ")
        .stdout_has("unreadable: broken.ocbak: ")
        .ends_with(4);
    let (test, document) = test.args(["verify", "--json"]).args(KEYS).json(4);
    let archives = document["archives"].as_array().unwrap();
    let sound: Vec<_> = archives.iter().map(|archive| archive["sound"].as_bool()).collect();
    assert_eq!(sound, [Some(false), Some(true), Some(true), None]);
    assert_eq!(document["sound"], false);
    assert!(archives[0]["verified"].is_null() && archives[1]["verified"].is_string());
    assert_eq!(archives[3]["error"]["exit_code"], 1);
    // Without any key, too.
    test.args(["verify", "--quick", "drive"])
        .stdout_has("  a-new.ocbak  damaged: `ocbak/state.tar.zst.age` does not match its digest")
        .stdout_has("  a-new.ocbak  beyond repair: the archive has no parity\n")
        .stdout_has("  c-phrase.ocbak  no rot found in ")
        .ends_with(4);
}

#[test]
fn what_no_key_opens_is_named_and_gives_5_where_nothing_is_damaged() {
    let test = drive()
        .args(["verify", "drive", "-i", "private.txt"])
        .stdout_has("  a-new.ocbak  sound: ")
        .stdout_has("  c-phrase.ocbak  not opened: no key slot opens with these identities\n")
        .ends_with(5);
    let (test, document) = test.args(["verify", "drive", "-i", "private.txt", "--json"]).json(5);
    assert_eq!(document["archives"][2]["error"]["exit_code"], 5);
    rot(&test, "drive/b-old.ocbak");
    let test = test.args(["verify", "drive", "-i", "private.txt"]).ends_with(4);
    test.args(["verify", "drive", "-i", "stranger.txt"]).ends_with(5);
}

#[test]
fn nothing_is_begun_where_a_passphrase_is_missing() {
    drive()
        .args(["verify", "drive"])
        .stdout("")
        .stderr_has("error: no passphrase is given and there is no terminal to ask for one\n")
        .ends_with(2);
}

#[test]
fn a_drive_without_archives_is_no_sound_one() {
    let test = Test::new().write("drive/holiday.jpg", "a photo");
    test.args(["verify", "--quick", "drive"])
        .stdout("")
        .stderr_has("error: there is no archive in `drive`\nhint: is the drive there?")
        .ends_with(1);
}
