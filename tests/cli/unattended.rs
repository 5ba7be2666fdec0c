//! A machine that makes backups by itself and cannot read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::support::Test;

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The instructions in archives name the beginning of a key, without one.
fn holds_a_key(bytes: &[u8]) -> bool {
    let key = |rest: &[u8]| rest.iter().all(u8::is_ascii_alphanumeric);
    bytes.windows(26).any(|window| window.strip_prefix(b"AGE-SECRET-KEY-1").is_some_and(key))
}

#[test]
fn with_an_empty_environment_and_a_public_key_alone_backups_are_made_and_stay_shut() {
    let machine = Test::installed();
    for secret in ["passphrase.txt", "wrong.txt", "private.txt", "stranger.txt"] {
        fs::remove_file(machine.path(secret)).unwrap();
    }
    // A session of its own has no terminal either.
    let output = Command::new("setsid")
        .args([
            "--wait",
            "env",
            "-i",
            env!("CARGO_BIN_EXE_ocbak"),
            "create",
            "--verify",
            "--state-dir",
            "state",
        ])
        .args(["-R", "public.txt", "-o", "box.ocbak"])
        .current_dir(machine.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("read back and found sound"));

    assert!(holds_a_key(super::support::PRIVATE.as_bytes()));
    // Nothing that is on the machine opens it.
    let mut machine = machine;
    let left = files(&machine.path("."));
    assert!(left.len() >= 6, "{left:?}");
    for path in left {
        let bytes = fs::read(&path).unwrap();
        assert!(!holds_a_key(&bytes), "{}", path.display());
        let name = path.to_str().unwrap();

        machine = machine.args(["list", "box.ocbak", "-i", name]).stdout("").ends_with(2);
    }
    machine = machine.args(["list", "box.ocbak"]).stdout("").ends_with(5);

    // Elsewhere, whoever has the private key reads it whole.
    let elsewhere = Test::installed().write("box.ocbak", fs::read(machine.path("box.ocbak")).unwrap());
    elsewhere
        .args(["extract", "box.ocbak", "-i", "private.txt", "workspace/main/MEMORY.md", "--stdout"])
        .stdout("The user likes tests.\n")
        .success();
}
