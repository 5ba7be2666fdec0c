//! Looking into archives and taking things out.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use super::support::{Test, program};

const MEMORY: &str = "workspace/main/MEMORY.md";

#[test]
fn info_needs_no_key_and_says_so() {
    let test = Test::archived()
        .args(["info", "box.ocbak"])
        .stdout_has("format     version 1, not authenticated: no key was used\n")
        .stdout_has("created    2")
        .stdout_has("writer     ocbak ")
        .stdout_has("key slots  recipients\n")
        .stdout_has("state      ")
        .stdout_has("workspace  ")
        .stdout_has(": all 2 blocks of 4 KiB can be rebuilt\n")
        .success();
    let (_, document) = test.args(["info", "--json", "box.ocbak"]).json(0);
    assert_eq!(document["authenticated"], false);
    assert_eq!(document["slots"], serde_json::json!(["recipients"]));
    assert_eq!(document["payloads"][0]["role"], "state");
    assert_eq!(document["version"], 1);
}

#[test]
fn info_survives_a_damaged_copy_of_the_header() {
    let test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    // In the content of the first member, the manifest.
    bytes[600] ^= 1;
    test.write("box.ocbak", bytes)
        .args(["info", "box.ocbak"])
        .stdout_has("key slots  recipients\n")
        .stderr_has("warning: `box.ocbak`: ")
        .ends_with(0)
        .args(["list", "box.ocbak", "-i", "private.txt"])
        .stdout_has(MEMORY)
        .stderr_has("warning: `box.ocbak`: ")
        .ends_with(0)
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .stdout_has("damaged: ")
        .ends_with(4)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("damaged: ")
        .ends_with(4);
}

#[test]
fn list_shows_names_and_facts() {
    let test = Test::archived()
        .args(["list", "box.ocbak", "-i", "private.txt"])
        .stdout_has("state/openclaw.json\n")
        .stdout_has("workspace/main/MEMORY.md\n")
        .success()
        .args(["list", "-l", "box.ocbak", MEMORY, "-i", "private.txt"])
        .stdout_has("-rw-------           22 B 2")
        .stdout_has(" workspace/main/MEMORY.md\n")
        .success()
        .args(["list", "--payload", "workspace", "box.ocbak", "**/*.md", "-i", "private.txt"])
        .stdout("workspace/main/MEMORY.md\nworkspace/main/notes/a.md\n")
        .success();
    let (_, document) = test.args(["list", "--json", "box.ocbak", MEMORY, "-i", "private.txt"]).json(0);
    let entry = &document["payloads"][1]["entries"][0];
    assert_eq!(entry["path"], MEMORY);
    assert_eq!(entry["type"], "file");
    assert_eq!(entry["size"], 22);
    assert_eq!(entry["mode"], "0600");
}

#[test]
fn what_was_left_out_is_listed_with_its_reason() {
    Test::installed()
        .write("state/cache/control-ui-assets/x.js", "x")
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
        .success()
        .args(["list", "--skipped", "box.ocbak", "-i", "private.txt"])
        .stdout_has("state/cache")
        .stdout_has("  (policy: ")
        .success();
}

#[test]
fn a_pattern_that_matches_nothing_fails() {
    Test::archived()
        .args(["list", "box.ocbak", "*.md", "-i", "private.txt"])
        .stdout("")
        .stderr(
            "error: `box.ocbak`: nothing matches `*.md`\n\
             hint: patterns match whole names such as `state/openclaw.json`; \
             `ocbak list box.ocbak` shows them all\n",
        )
        .ends_with(1);
}

#[test]
fn a_sound_archive_is_called_so() {
    let test = Test::archived()
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .stdout_has("opened by its recipients slot\n")
        .stdout_has("sound: ")
        .success()
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("not authenticated: no key was used\n")
        .success();
    let (_, document) = test.args(["verify", "--json", "box.ocbak", "-i", "private.txt"]).json(0);
    assert_eq!(document["sound"], true);
    assert_eq!(document["slot"], "recipients");
}

#[test]
fn damage_is_one_line_each_and_exit_code_4() {
    let test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    // Behind the header region and the member's own block, in the payload.
    bytes[32 * 1024 + 512 + 300] ^= 1;
    test.write("box.ocbak", bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("damaged: ")
        .ends_with(4)
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .ends_with(4);
}

#[test]
fn a_cut_archive_is_damaged() {
    let test = Test::archived();
    let bytes = fs::read(test.path("box.ocbak")).unwrap();
    let half = &bytes[..bytes.len() - 40_000];
    test.write("box.ocbak", half)
        .args(["verify", "--quick", "box.ocbak"])
        .ends_with(4)
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .ends_with(4);
}

#[test]
fn other_files_are_called_what_they_are() {
    for (content, said) in [
        (&b""[..], "not an ocbak archive: the file is empty\nhint: "),
        (b"OCBAK1 and some bytes of another program", "the openclaw-ark plugin"),
        (
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
            "hint: `ocbak import` turns a backup of `openclaw backup create` into an archive",
        ),
        (b"nothing that is known", "the file begins with unknown bytes\nhint: "),
        (b"age-encryption.org/v1\n", "this is a bare age file\nhint: `age -d` opens it\n"),
    ] {
        for command in ["info", "list", "verify"] {
            Test::new()
                .write("other", content)
                .args([command, "other"])
                .stdout("")
                .stderr_has(said)
                .ends_with(1);
        }
    }
}

#[test]
fn extract_puts_files_under_a_directory() {
    let test = Test::archived();
    fs::create_dir(test.path("out")).unwrap();
    let test = test
        .args(["extract", "box.ocbak", MEMORY, "state/credentials/", "-C", "out"])
        .args(["-i", "private.txt"])
        .stdout_has("extracted ")
        .success();
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("out/workspace/main/MEMORY.md"), "The user likes tests.\n");
    assert_eq!(read("out/state/credentials/test/creds.json"), "{ \"fake\": true }\n");
}

#[test]
fn extract_needs_a_directory_and_replaces_nothing_in_it() {
    let test = Test::archived()
        .args(["extract", "box.ocbak", MEMORY, "-C", "none", "-i", "private.txt"])
        .stderr("error: there is no directory `none`\nhint: create it first, or name another one\n")
        .ends_with(1)
        .write("out/workspace/main/MEMORY.md", "precious")
        .args(["extract", "box.ocbak", MEMORY, "-C", "out", "-i", "private.txt"])
        .stderr_has("out/workspace/main/MEMORY.md` exists already\nhint: ocbak never overwrites")
        .ends_with(1);
    assert_eq!(fs::read(test.path("out/workspace/main/MEMORY.md")).unwrap(), b"precious");
}

#[test]
fn extract_writes_one_file_to_standard_output() {
    Test::archived()
        .args(["extract", "box.ocbak", MEMORY, "--stdout", "-i", "private.txt"])
        .stdout("The user likes tests.\n")
        .success()
        .args(["extract", "box.ocbak", "workspace/main", "--stdout", "-i", "private.txt"])
        .stdout("")
        .stderr_has("error: `workspace/main` is not a file, which standard output needs\n")
        .ends_with(1);
}

#[test]
fn an_unknown_name_brings_the_nearest() {
    for wrong in ["MEMORY.md", "workspace/main/MEMROY.md"] {
        Test::archived()
            .args(["extract", "box.ocbak", wrong, "--stdout", "-i", "private.txt"])
            .stdout("")
            .stderr(&format!(
                "error: `box.ocbak`: no entry `{wrong}`\n\
                 hint: did you mean `workspace/main/MEMORY.md`?\n"
            ))
            .ends_with(1);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let test = Test::installed()
        .write("state/workspace/big.bin", vec![7; 4 << 20])
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
        .success();
    let mut child = program(&test.path("."))
        .args(["extract", "box.ocbak", "workspace/main/big.bin", "--stdout"])
        .args(["-i", "private.txt"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 10]).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_drive_behind_standard_output_is_a_failure() {
    let test = Test::archived();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = program(&test.path("."))
        .args(["list", "box.ocbak", "-i", "private.txt"])
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: cannot write to standard output\ncaused by: No space left"));
    assert!(said.contains("\nhint: there is no space left; free some"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
