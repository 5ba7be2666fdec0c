//! Where passphrases and keys come from, and which are refused.

use std::process::Command;

use super::support::{PRIVATE, PUBLIC, Test, program};

const CREATE: [&str; 5] = ["create", "--state-dir", "state", "-o", "box.ocbak"];

#[test]
fn without_terminal_and_source_the_ways_are_named() {
    let test = Test::installed()
        .args(CREATE)
        .stdout("")
        .stderr(
            "error: no passphrase is given and there is no terminal to ask for one\n\
             hint: give one with `--passphrase-file FILE`, `--passphrase-fd N`, `--passphrase-command COMMAND` or the \
             variable `OCBAK_PASSPHRASE`, or encrypt to a public key with `--recipient age1…`\n",
        )
        .ends_with(2);
    assert!(!test.path("box.ocbak").exists());
}

#[test]
fn two_sources_are_refused() {
    Test::installed()
        .args(CREATE)
        .args(["--passphrase-file", "passphrase.txt"])
        .variable("OCBAK_PASSPHRASE", "an obviously fake passphrase")
        .stderr("error: `--passphrase-file` and the variable `OCBAK_PASSPHRASE` exclude each other\n")
        .ends_with(2);
}

#[test]
fn empty_passphrases_are_refused_and_their_place_named() {
    let hint = "hint: a passphrase is the first line, without its newline\n";
    for content in ["", "\n", "\r\n", "\nsecond line\n"] {
        Test::installed()
            .write("empty.txt", content)
            .args(CREATE)
            .args(["--passphrase-file", "empty.txt"])
            .stderr(&format!("error: the passphrase from `empty.txt` is empty\n{hint}"))
            .ends_with(1);
    }
    Test::installed()
        .args(CREATE)
        .variable("OCBAK_PASSPHRASE", "")
        .stderr(&format!("error: the passphrase from the variable `OCBAK_PASSPHRASE` is empty\n{hint}"))
        .ends_with(1);
    Test::installed()
        .args(CREATE)
        .args(["--passphrase-file", "-"])
        .stderr(&format!("error: the passphrase from standard input is empty\n{hint}"))
        .ends_with(1);
}

#[test]
fn passphrases_that_nobody_can_type_are_refused_for_new_archives() {
    for odd in ["a passphrase\0with NUL\n", "a passphrase\rwith CR\n"] {
        Test::installed()
            .write("odd.txt", odd)
            .args(["create", "--state-dir", "state", "-o", "box.ocbak", "--passphrase-file", "odd.txt"])
            .stderr(
                "error: the passphrase from `odd.txt` has a control character\n\
                 hint: other programs could not open the archive: take one that can be typed\n",
            )
            .ends_with(1);
    }
}

#[test]
fn short_passphrases_are_refused_for_new_archives() {
    Test::installed()
        .write("short.txt", "elf letters\n")
        .args(CREATE)
        .args(["--passphrase-file", "short.txt"])
        .stderr(
            "error: the passphrase from `short.txt` is too short: fewer than 12 characters\n\
             hint: an empty answer at the prompt makes a strong one of ten words\n",
        )
        .ends_with(1);
}

#[test]
fn passphrases_that_cannot_be_typed_are_refused() {
    Test::installed()
        .write("bytes.txt", b"\xff\xfe bytes that are no text\n")
        .args(CREATE)
        .args(["--passphrase-file", "bytes.txt"])
        .stderr("error: the passphrase from `bytes.txt` is not UTF-8\n")
        .ends_with(1);
    Test::installed()
        .args(CREATE)
        .args(["--passphrase-file", "-"])
        .stdin(&[b'x'; 5000])
        .stderr("error: the passphrase from standard input is longer than 4096 bytes\n")
        .ends_with(1);
}

#[test]
fn missing_files_are_named() {
    Test::installed()
        .args(CREATE)
        .args(["--passphrase-file", "none.txt"])
        .stderr("error: cannot open `none.txt`\ncaused by: No such file or directory (os error 2)\n")
        .ends_with(1);
    Test::installed()
        .args(CREATE)
        .args(["--passphrase-fd", "77"])
        .stderr_has("error: cannot open `/dev/fd/77`\n")
        .ends_with(1);
}

#[test]
fn files_that_others_may_read_are_warned_of() {
    Test::installed()
        .write("wrong.txt", "short")
        .mode("wrong.txt", 0o644)
        .args(CREATE)
        .args(["--passphrase-file", "wrong.txt"])
        .stderr_has("warning: others may read the secret in `wrong.txt` (mode 0644); `chmod 600` it\n")
        .ends_with(1);
}

#[test]
fn recipients_that_are_none_are_refused() {
    for wrong in ["nonsense", "age1nonsense", PRIVATE.lines().last().unwrap()] {
        let test = Test::installed().args(CREATE).args(["-r", wrong]);
        let (_, stdout) = test.stdout("").stderr_has("error: ").run(2);
        assert!(stdout.is_empty());
    }
}

#[test]
fn a_private_key_in_the_wrong_place_is_not_repeated() {
    let secret = PRIVATE.lines().last().unwrap();
    let test = Test::installed();
    let output = program(&test.path(".")).args(CREATE).args(["-r", secret]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn every_source_opens_what_another_made() {
    // One archive and few scrypt runs: each takes a second.
    let test = Test::installed()
        .args(CREATE)
        .args(["-q", "--passphrase-fd", "0", "-r", PUBLIC.trim()])
        .stdin(b"an obviously fake passphrase\r\nignored")
        .success()
        .args(["list", "box.ocbak", "--passphrase-file", "passphrase.txt"])
        .stdout_has("workspace/main/MEMORY.md\n")
        .success()
        .args(["list", "box.ocbak"])
        .variable("OCBAK_PASSPHRASE", "an obviously fake passphrase")
        .success()
        .args(["list", "box.ocbak", "-i", "private.txt"])
        .stdout_has("workspace/main/MEMORY.md\n")
        .success()
        .args(["list", "box.ocbak", "--passphrase-file", "wrong.txt"])
        .stdout("")
        .stderr(
            "error: `box.ocbak`: no key slot opens with this passphrase\n\
             hint: it also has a recipients slot; try `--identity FILE`\n",
        )
        .ends_with(5)
        .args(["list", "box.ocbak", "-i", "stranger.txt"])
        .stderr(
            "error: `box.ocbak`: no key slot opens with these identities\n\
             hint: it also has a passphrase slot; try it without `--identity`, or add \
             `--passphrase-file FILE`\n",
        )
        .ends_with(5);
    let status = Command::new("sh")
        .arg("-c")
        .arg("exec \"$0\" list -q box.ocbak --passphrase-fd 9 9< passphrase.txt > /dev/null")
        .arg(env!("CARGO_BIN_EXE_ocbak"))
        .current_dir(test.path("."))
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn an_archive_for_recipients_only_says_what_it_needs() {
    Test::archived()
        .args(["list", "box.ocbak"])
        .stderr(
            "error: `box.ocbak`: no key was given\n\
             hint: it has no passphrase slot; give the private key with `--identity FILE`\n",
        )
        .ends_with(5);
}
