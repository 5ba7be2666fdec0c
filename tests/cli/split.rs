//! Archives in parts.

use std::fs;

use super::support::Test;

const SEALED: [&str; 5] = ["create", "--state-dir", "state", "-R", "public.txt"];
const KEY: [&str; 2] = ["-i", "private.txt"];

/// Bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..length).map(|_| next()).collect()
}

/// An installation of some size and its archive in four parts.
fn parted() -> Test {
    let test = Test::installed().write("state/media/photo", noise(3 << 20));
    let (test, document) =
        test.args(SEALED).args(["--split", "1M", "--verify", "--json", "-o", "box.ocbak"]).json(0);
    assert_eq!(document["file"], "box.ocbak.001");
    let parts = ["box.ocbak.001", "box.ocbak.002", "box.ocbak.003", "box.ocbak.004"];
    assert_eq!(document["parts"], serde_json::json!(parts));
    assert_eq!(document["verified"], true);
    let lengths = parts.map(|part| fs::metadata(test.path(part)).unwrap().len());
    assert_eq!(lengths[..3], [1 << 20; 3]);
    assert_eq!(document["bytes"], lengths.iter().sum::<u64>());
    assert!(!test.path("box.ocbak").exists());
    test
}

#[test]
fn every_command_takes_the_first_part_for_the_whole() {
    let test = parted();
    let joined: Vec<u8> =
        (1..=4).flat_map(|part| fs::read(test.path(&format!("box.ocbak.00{part}"))).unwrap()).collect();
    let test = test.write("joined.ocbak", joined).write("found/readme", "");
    let listed = |test: Test, file: &str| test.args(["list", file]).args(KEY).run(0);
    let (test, parts) = listed(test, "box.ocbak.001");
    let (test, whole) = listed(test, "joined.ocbak");
    assert_eq!(parts, whole);
    let test = test
        .args(["info", "box.ocbak.001"])
        .stdout_has("archive    ")
        .success()
        .args(["verify", "--quick", "box.ocbak.001"])
        .stdout_has("no rot found")
        .success()
        .args(["verify", "box.ocbak.001"])
        .args(KEY)
        .stdout_has("sound: ")
        .success()
        .args(["extract", "box.ocbak.001", "state/media/photo", "-C", "found"])
        .args(KEY)
        .success()
        .args(["restore", "-q", "box.ocbak.001", "--to", "out"])
        .args(KEY)
        .success();
    assert!(fs::read(test.path("out/state/media/photo")).unwrap() == noise(3 << 20));
}

#[test]
fn what_fits_into_one_part_is_a_plain_archive() {
    let (test, document) =
        Test::installed().args(SEALED).args(["--split", "1M", "--json", "-o", "box.ocbak"]).json(0);
    assert_eq!((&document["file"], &document["parts"]), (&"box.ocbak".into(), &serde_json::json!([])));
    test.args(["verify", "-q", "box.ocbak"]).args(KEY).success();
}

#[test]
fn parts_are_told_of() {
    Test::installed()
        .write("state/media/photo", noise(1 << 20))
        .args(SEALED)
        .args(["--split", "1024K", "-o", "box.ocbak"])
        .stdout_has("box.ocbak.001  1.1 MiB\n")
        .stdout_has("  in 2 parts, of which the first stands for all")
        .success();
}

#[test]
fn the_name_of_another_part_leads_to_the_first() {
    parted()
        .args(["info", "box.ocbak"])
        .stderr_has("hint: this archive is in parts: name the first one, `box.ocbak.001`\n")
        .ends_with(1)
        .args(["info", "box.ocbak.002"])
        .stderr_has("hint: a part of an archive is nothing by itself: name the first one, `box.ocbak.001`\n")
        .ends_with(1)
        .args(["info", "box.ocbak.005"])
        .stderr_has("error: cannot open `box.ocbak.005`\n")
        .ends_with(1);
}

#[test]
fn a_missing_part_is_named() {
    let test = parted();
    fs::remove_file(test.path("box.ocbak.003")).unwrap();
    let test = test
        .args(["verify", "--quick", "box.ocbak.001"])
        .stdout_has("damaged: `box.ocbak.003` is missing\n")
        .ends_with(4)
        .args(["verify", "box.ocbak.001"])
        .args(KEY)
        .stdout_has("damaged: `box.ocbak.003` is missing\n")
        .stderr_has("warning: `box.ocbak.001`: `box.ocbak.003` is missing\n")
        .ends_with(4)
        .args(["restore", "box.ocbak.001", "--to", "out"])
        .args(KEY)
        .stderr_has("error: `box.ocbak.003` is missing\n")
        .stderr_has("hint: all parts of an archive belong into one directory")
        .ends_with(4);
    assert!(!test.path("out").exists());
    let (_, names) = test.args(["list", "box.ocbak.001"]).args(KEY).stderr_has("is missing").run(0);
    assert!(String::from_utf8(names).unwrap().contains("state/media/photo\n"), "the index is whole");
}

#[test]
fn parts_never_replace_and_never_mix() {
    for taken in ["box.ocbak", "box.ocbak.001", "box.ocbak.042"] {
        let test = Test::installed()
            .write(taken, "precious")
            .args(SEALED)
            .args(["--split", "1M", "-o", "box.ocbak"])
            .stderr_has(&format!("error: `{taken}` exists already\n"))
            .ends_with(1);
        assert_eq!(fs::read(test.path(taken)).unwrap(), b"precious");
    }
}

#[test]
fn a_size_that_cannot_be_one_is_refused() {
    for size in ["0", "1023K", "4.7G", "lots"] {
        Test::installed()
            .args(SEALED)
            .args(["--split", size, "-o", "box.ocbak"])
            .stderr_has("error: invalid value")
            .ends_with(2);
    }
    Test::installed()
        .args(SEALED)
        .args(["--split", "1M", "-o", "-"])
        .stderr("error: `--split` and `--output -` exclude each other\n")
        .ends_with(2);
}
