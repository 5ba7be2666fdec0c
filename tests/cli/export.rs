//! `export`: the payload's own tar, and no end on one that is not proven.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::shared::stock::have;
use super::support::Test;

const EXPORT: [&str; 4] = ["export", "box.ocbak", "-i", "private.txt"];

/// The end of a tar.
const END: [u8; 1024] = [0; 1024];

#[test]
fn one_payload_is_byte_for_byte_what_stock_tools_find() {
    if !have(&["age", "zstd"]) {
        return;
    }
    let mut test = Test::archived();
    for role in ["state", "workspace"] {
        let (next, exported) = test.args(EXPORT).args(["--only", role]).run(0);
        let line = format!(
            "mkdir -p s && cd s && tar -xf ../box.ocbak && age -d -i ../private.txt ocbak/recipients.key.age > id && \
             age -d -i id ocbak/{role}.tar.zst.age | zstd -dq"
        );
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(next.path("."))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == exported, "{role}: another tar");
        test = next;
    }
}

#[test]
fn a_dash_is_standard_output_and_no_file() {
    let (test, usual) = Test::archived().args(EXPORT).run(0);
    let (mut test, asked) = test.args(EXPORT).args(["-o", "-"]).run(0);
    assert!(usual == asked && !test.path("-").exists());
    for words in [
        &["rekey", "box.ocbak", "-i", "private.txt", "-R", "public.txt"][..],
        &["import", "box.ocbak", "-R", "public.txt"],
        &["repair", "box.ocbak"],
        &["keygen"],
    ] {
        test = test
            .args(words.iter().copied())
            .args(["-o", "-"])
            .stderr_has("that is no name of a file here; a file of this name is `./-`")
            .ends_with(2);
        assert!(!test.path("-").exists(), "{words:?}");
    }
}

#[test]
fn without_a_choice_both_payloads_are_one_tar() {
    let (test, state) = Test::archived().args(EXPORT).args(["--only", "state"]).run(0);
    let (test, workspace) = test.args(EXPORT).args(["--only", "workspace"]).run(0);
    let (test, both) = test.args(EXPORT).run(0);
    assert!(both == [&state[..state.len() - END.len()], &workspace].concat());
    // It unpacks with the modes that were stored.
    fs::write(test.path("both.tar"), both).unwrap();
    fs::create_dir(test.path("out")).unwrap();
    let tar =
        Command::new("tar").args(["-xpf", "both.tar", "-C", "out"]).current_dir(test.path(".")).status();
    assert!(tar.unwrap().success());
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("out/workspace/main/MEMORY.md"), "The user likes tests.\n");
    assert_eq!(read("out/state/openclaw.json"), read("state/openclaw.json"));
    let mode = fs::metadata(test.path("out/state/credentials")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn a_file_is_private_complete_and_never_replaced() {
    let (test, tar) = Test::archived().args(EXPORT).run(0);
    let (test, document) = test.args(EXPORT).args(["-o", "box.tar", "--json"]).json(0);
    assert_eq!(document["output"], "box.tar");
    assert_eq!(document["roles"], serde_json::json!(["state", "workspace"]));
    assert!(fs::read(test.path("box.tar")).unwrap() == tar);
    let mode = fs::metadata(test.path("box.tar")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    test.args(EXPORT)
        .args(["-o", "box.tar"])
        .stderr_has("error: `box.tar` exists already\n")
        .ends_with(1)
        .args(EXPORT)
        .args(["--json"])
        .stderr_has("error: `--json` and a tar on standard output exclude each other\n")
        .ends_with(2);
}

#[test]
fn a_damaged_payload_gets_no_end() {
    let test = Test::archived();
    let (test, whole) = test.args(EXPORT).args(["--only", "state"]).run(0);
    let (test, document) = test.args(["info", "box.ocbak", "--json"]).json(0);
    let length = usize::try_from(document["payloads"][0]["length"].as_u64().unwrap()).unwrap();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    // The last byte of the payload's content, behind its header block.
    bytes[32_768 + 512 + length - 1] ^= 1;
    let (test, tar) = test.write("box.ocbak", &bytes).args(EXPORT).args(["--only", "state"]).run(4);
    assert!(tar.len() + END.len() <= whole.len(), "{} of {} bytes", tar.len(), whole.len());
    let test = test.args(EXPORT).args(["-o", "box.tar"]).stderr_has("error: `box.ocbak`: ").ends_with(4);
    assert!(!test.path("box.tar").exists());
    let left = fs::read_dir(test.path(".")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains("box.tar")), "{left:?}");
}

#[test]
fn without_a_payload_of_the_role_or_a_key_that_fits_nothing_is_written() {
    Test::installed()
        .args([
            "create",
            "-q",
            "--no-workspace",
            "--state-dir",
            "state",
            "-R",
            "public.txt",
            "-o",
            "box.ocbak",
        ])
        .success()
        .args(EXPORT)
        .args(["--only", "workspace"])
        .stdout("")
        .stderr_has("error: `box.ocbak`: the archive has no workspace payload\n")
        .ends_with(1)
        .args(["export", "box.ocbak", "-i", "stranger.txt"])
        .stdout("")
        .ends_with(5)
        .args(EXPORT)
        .args(["-o", "nowhere/box.tar"])
        .stderr_has("error: there is no directory `nowhere`\n")
        .ends_with(1);
}
