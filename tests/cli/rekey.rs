//! `rekey`: the same content under other keys, and what is refused.

use std::fs;
use std::process::{Command, Stdio};

use super::support::Test;

const NEW: &str = "yet another fake passphrase";
const REKEY: [&str; 6] = ["rekey", "box.ocbak", "-i", "private.txt", "-o", "new.ocbak"];

/// An archive for `private.txt`, and `stranger.pub` to whom the new one goes.
fn archived() -> Test {
    Test::archived().write("stranger.pub", STRANGER_PUBLIC)
}

/// What every command of reading says, without what must differ.
fn listing(test: Test, file: &str, key: &str) -> (Test, Vec<u8>, Vec<u8>) {
    let (test, listed) = test.args(["list", "-l", file, "-i", key]).run(0);
    let (test, skipped) = test.args(["list", "--skipped", file, "-i", key]).run(0);
    assert!(!listed.is_empty() && !skipped.is_empty());
    (test, listed, skipped)
}

#[test]
fn the_new_archive_lists_the_same_and_opens_with_the_new_key_alone() {
    let test = archived();
    let before = fs::read(test.path("box.ocbak")).unwrap();
    let test = test
        .args(REKEY)
        .args(["-R", "stranger.pub"])
        .stdout_has("new.ocbak  ")
        .stdout_has("\n  13 entries, 77 B of content, as before\n  read back and found sound\n")
        .stdout_has("`box.ocbak` and its copies still open as before: remove them where their key leaked\n")
        .success();
    assert_eq!(fs::read(test.path("box.ocbak")).unwrap(), before);
    let (test, old, old_skipped) = listing(test, "box.ocbak", "private.txt");
    let (test, new, new_skipped) = listing(test, "new.ocbak", "stranger.txt");
    assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(&old));
    assert_eq!(new_skipped, old_skipped);
    let test = test.args(["list", "new.ocbak", "-i", "private.txt"]).stdout("").ends_with(5);
    let (test, old) = test.args(["info", "box.ocbak", "--json"]).json(0);
    let (_, new) = test.args(["info", "new.ocbak", "--json"]).json(0);
    for same in ["series", "created"] {
        assert!(old[same].is_string(), "{same}");
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_ne!(old["archive"], new["archive"]);
}

#[test]
fn stock_tools_find_the_same_tars() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("passed over: `age` is not installed");
        return;
    }
    let test = archived().args(REKEY).args(["-q", "-R", "stranger.pub"]).success();
    let tars = |file: &str, key: &str| {
        let line = format!(
            "mkdir {file}.d && cd {file}.d && tar -xf ../{file} && age -d -i ../{key} ocbak/recipients.key.age > id && \
             for role in state workspace; do age -d -i id ocbak/$role.tar.zst.age | zstd -dq > $role.tar || exit 1; \
             tar -tf $role.tar; sha256sum < $role.tar; done"
        );
        let output =
            Command::new("sh").args(["-c", &line]).current_dir(test.path(".")).stdin(Stdio::null()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let old = tars("box.ocbak", "private.txt");
    assert!(old.contains("state/openclaw.json\n") && old.contains("workspace/main/MEMORY.md\n"), "{old}");
    assert_eq!(tars("new.ocbak", "stranger.txt"), old);
}

#[test]
fn a_passphrase_and_keys_go_together_as_in_create() {
    let (test, document) = archived()
        .args(REKEY)
        .args(["-r", STRANGER_PUBLIC.trim(), "--parity", "0", "--json"])
        .variable("OCBAK_NEW_PASSPHRASE", NEW)
        .json(0);
    assert_eq!(document["output"], "new.ocbak");
    assert_eq!(document["file"], "box.ocbak");
    assert_eq!((&document["verified"], &document["parity_bytes"]), (&true.into(), &0.into()));
    assert_eq!((&document["entries"], &document["content_bytes"]), (&13.into(), &77.into()));
    assert_eq!(document["bytes"], fs::metadata(test.path("new.ocbak")).unwrap().len());
    let test = test.args(["info", "new.ocbak"]).stdout_has("key slots  passphrase, recipients\n").success();
    let test = test.args(["verify", "-q", "new.ocbak"]).variable("OCBAK_PASSPHRASE", NEW).success();
    test.args(["verify", "-q", "new.ocbak", "-i", "stranger.txt"]).success();
}

#[test]
fn parts_are_read_and_made() {
    let noise: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let test = Test::installed()
        .write("stranger.pub", STRANGER_PUBLIC)
        .write("state/media/noise.bin", noise)
        .args([
            "create",
            "-q",
            "--state-dir",
            "state",
            "-R",
            "public.txt",
            "-o",
            "box.ocbak",
            "--split",
            "1M",
        ])
        .success();
    assert!(test.path("box.ocbak.002").exists());
    let (test, document) = test
        .args(["rekey", "box.ocbak.001", "-i", "private.txt", "-R", "stranger.pub", "-o", "new.ocbak"])
        .args(["--split", "1M", "--json"])
        .json(0);
    assert_eq!(document["output"], "new.ocbak.001");
    assert_eq!(document["parts"][1], "new.ocbak.002");
    let (test, old) = test.args(["list", "-l", "box.ocbak.001", "-i", "private.txt"]).run(0);
    let (test, new) = test.args(["list", "-l", "new.ocbak.001", "-i", "stranger.txt"]).run(0);
    assert_eq!(old, new);
    test.args(["rekey", "box.ocbak.001", "-i", "private.txt", "-R", "stranger.pub", "-o", "new.ocbak"])
        .args(["--split", "1M"])
        .stderr_has("error: `new.ocbak.001` exists already\n")
        .ends_with(1);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_asked() {
    let test = archived();
    let test =
        test.args(REKEY).stderr_has("hint: give the new one with `--new-passphrase-file FILE`").ends_with(2);
    let test = test
        .args(["rekey", "box.ocbak", "-o", "box.ocbak", "-i", "private.txt", "-R", "stranger.pub"])
        .stderr_has("error: `box.ocbak` exists already\n")
        .ends_with(1);
    let test = test
        .args(["rekey", "box.ocbak", "-o", "none/new.ocbak", "-i", "private.txt", "-R", "stranger.pub"])
        .stderr_has("error: there is no directory `none`\n")
        .ends_with(1);
    let test = test
        .args(REKEY)
        .args(["-R", "stranger.pub", "--new-passphrase-command", "echo short"])
        .stderr_has("is too short: fewer than 12 characters")
        .ends_with(1);
    let test = test
        .args(["rekey", "box.ocbak", "-o", "new.ocbak", "--passphrase-fd", "0", "--new-passphrase-file", "-"])
        .stderr("error: the passphrase on standard input and the new one there too exclude each other\n")
        .ends_with(2);
    let test = test
        .args(["rekey", "box.ocbak", "-o", "new.ocbak", "-i", "stranger.txt", "-R", "stranger.pub"])
        .ends_with(5);
    assert!(!test.path("new.ocbak").exists());
}

#[test]
fn a_damaged_archive_is_not_carried_on() {
    let test = archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    // Within the state payload.
    bytes[33_500] ^= 1;
    let test = test
        .write("box.ocbak", &bytes)
        .args(REKEY)
        .args(["-R", "stranger.pub"])
        .stdout("")
        .stderr_has("error: `box.ocbak`: ")
        .stderr_has("whether `ocbak repair` makes it whole")
        .ends_with(4);
    let left: Vec<_> = fs::read_dir(test.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("new.ocbak"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Belongs to `stranger.txt`.
const STRANGER_PUBLIC: &str = "age1hq7zcf8f56pppz39n66q7ejweegrazk4k9m2yjmxkmwtyfr6pdlqzjaq7f\n";
