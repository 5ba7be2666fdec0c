//! `passwd`: another passphrase for an archive, and what is refused.

use std::fs;

use super::support::Test;

const NEW: &str = "yet another fake passphrase";
const BOTH: [&str; 9] =
    ["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak", "--passphrase-file"];

/// An archive that opens with `passphrase.txt` and with `private.txt`.
fn both() -> Test {
    Test::installed().write("new.txt", format!("{NEW}\n")).args(BOTH).args(["passphrase.txt"]).success()
}

#[test]
fn the_new_passphrase_opens_and_the_old_one_does_not() {
    let (test, document) = both()
        .args(["passwd", "box.ocbak", "--passphrase-file", "passphrase.txt", "--json"])
        .args(["--new-passphrase-file", "new.txt"])
        .json(0);
    assert_eq!(
        document,
        serde_json::json!({
            "file": "box.ocbak", "passphrase": "changed", "slot": "passphrase", "healed": false, "warnings": [],
        })
    );
    let test = test.args(["verify", "box.ocbak", "--passphrase-file", "new.txt", "-q"]).success();
    let test = test.args(["verify", "box.ocbak", "-i", "private.txt", "-q"]).success();
    test.args(["verify", "box.ocbak", "--passphrase-file", "passphrase.txt"]).ends_with(5);
}

#[test]
fn one_is_added_with_a_private_key_and_removed_again() {
    let test = Test::archived()
        .args(["passwd", "box.ocbak", "-i", "private.txt"])
        .variable("OCBAK_NEW_PASSPHRASE", NEW)
        .stdout("passphrase added\n")
        .success();
    let test = test.args(["info", "box.ocbak"]).stdout_has("passphrase, recipients\n").success();
    let test = test
        .args(["passwd", "box.ocbak", "--remove"])
        .variable("OCBAK_PASSPHRASE", NEW)
        .stdout("passphrase removed\ncopies of the archive made before still open with the old one\n")
        .success();
    let test = test.args(["info", "box.ocbak"]).stdout_has("key slots  recipients\n").success();
    test.args(["passwd", "box.ocbak", "-i", "private.txt", "--remove"])
        .stderr("error: `box.ocbak`: has no passphrase\n")
        .ends_with(1);
}

#[test]
fn the_only_way_in_is_not_removed() {
    let test = Test::installed()
        .args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak"])
        .args(["--passphrase-file", "passphrase.txt"])
        .success();
    let before = fs::read(test.path("box.ocbak")).unwrap();
    let test = test
        .args(["passwd", "box.ocbak", "--passphrase-file", "passphrase.txt", "--remove"])
        .stderr(
            "error: `box.ocbak`: without its passphrase nothing would open the archive\n\
             hint: only an archive with a recipients slot too can do without: `ocbak info` names its slots\n",
        )
        .ends_with(1);
    assert_eq!(fs::read(test.path("box.ocbak")).unwrap(), before);
}

#[test]
fn what_cannot_be_a_new_passphrase_is_refused_before_any_work() {
    let test = Test::archived();
    let before = fs::read(test.path("box.ocbak")).unwrap();
    let test = test
        .write("short.txt", "short\n")
        .args(["passwd", "box.ocbak", "-i", "private.txt", "--new-passphrase-file", "short.txt"])
        .stderr_has("error: the passphrase from `short.txt` is too short")
        .ends_with(1);
    let test = test
        .args(["passwd", "box.ocbak", "-i", "private.txt"])
        .stderr(
            "error: no passphrase is given and there is no terminal to ask for one\n\
             hint: give the new one with `--new-passphrase-file FILE`, `--new-passphrase-fd N`, \
             `--new-passphrase-command COMMAND` or the variable `OCBAK_NEW_PASSPHRASE`\n",
        )
        .ends_with(2);
    let test = test
        .args(["passwd", "box.ocbak", "--passphrase-file", "-", "--new-passphrase-fd", "0"])
        .stderr("error: the passphrase on standard input and the new one there too exclude each other\n")
        .ends_with(2);
    let test = test
        .args(["passwd", "box.ocbak", "-i", "stranger.txt", "--new-passphrase-fd", "0"])
        .stdin(b"yet another fake passphrase\n")
        .ends_with(5);
    assert_eq!(fs::read(test.path("box.ocbak")).unwrap(), before);
}

#[test]
fn a_damaged_copy_of_the_header_is_made_good() {
    let test = both();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    bytes[..32 * 1024].fill(0);
    let (test, document) = test
        .write("box.ocbak", &bytes)
        .args(["passwd", "box.ocbak", "-i", "private.txt", "--new-passphrase-fd", "0", "--json"])
        .stdin(format!("{NEW}\n").as_bytes())
        .json(0);
    assert_eq!(document["healed"], true);
    assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
    test.args(["verify", "box.ocbak", "-i", "private.txt", "-q"]).success();
}

#[test]
fn where_both_copies_are_damaged_nothing_is_written() {
    let test = both();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    let tail = bytes.len() - 33 * 1024;
    // The end of RECOVERY.txt, which opens nothing.
    bytes[32 * 1024 - 1] = b'x';
    bytes[tail + 32 * 1024 - 1] = b'x';
    let test = test
        .write("box.ocbak", &bytes)
        .args(["passwd", "box.ocbak", "-i", "private.txt", "--new-passphrase-file", "new.txt"])
        .stderr_has("no intact copy of the header region holds the slot that opened it")
        .ends_with(4);
    assert_eq!(fs::read(test.path("box.ocbak")).unwrap(), bytes);
}

#[test]
fn a_file_that_another_program_changes_is_left_alone() {
    let test = Test::archived();
    let file = fs::File::open(test.path("box.ocbak")).unwrap();
    file.lock().unwrap();
    test.args(["passwd", "box.ocbak", "-i", "private.txt"])
        .variable("OCBAK_NEW_PASSPHRASE", NEW)
        .stderr("error: `box.ocbak`: is being changed by another program\n")
        .ends_with(1);
}
