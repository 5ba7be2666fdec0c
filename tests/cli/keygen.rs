//! `keygen`: what it makes is a key of age, and is never lost to another one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::support::{Test, program};

const CREATE: [&str; 5] = ["create", "-q", "--state-dir", "state", "-o"];

fn public_key(text: &[u8]) -> String {
    let key = String::from_utf8(text.to_vec()).unwrap().trim_end().to_owned();
    assert!(key.starts_with("age1") && key.len() == 62, "{key}");
    key
}

#[test]
fn an_archive_to_its_public_key_opens_with_the_file() {
    let (test, stdout) = Test::installed()
        .args(["keygen", "-o", "key.txt"])
        .stderr("note: `key.txt` is the private key; it opens what is encrypted to this public key\n")
        .run(0);
    let key = public_key(&stdout);
    let mode = fs::metadata(test.path("key.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let test = test.args(CREATE).args(["box.ocbak", "-r", &key]).success();
    let test = test.args(["verify", "-q", "box.ocbak", "-i", "key.txt"]).success();
    test.args(["verify", "-q", "box.ocbak", "-i", "private.txt"]).ends_with(5);
}

#[test]
fn each_is_another_and_none_replaces_a_file() {
    let (test, first) = Test::new().args(["keygen", "-q", "-o", "key.txt"]).stderr("").run(0);
    let (test, document) = test.args(["keygen", "-q", "-o", "other.txt", "--json"]).json(0);
    assert_eq!(document["file"], "other.txt");
    assert_ne!(document["recipient"], public_key(&first));
    public_key(document["recipient"].as_str().unwrap().as_bytes());
    let before = fs::read(test.path("key.txt")).unwrap();
    std::os::unix::fs::symlink("nowhere.txt", test.path("link.txt")).unwrap();
    let test = test
        .args(["keygen", "-o", "key.txt"])
        .stdout("")
        .stderr(
            "error: `key.txt` exists already\n\
             hint: ocbak never overwrites: name another place, or move this one away\n",
        )
        .ends_with(1);
    let test = test.args(["keygen", "-o", "link.txt"]).stdout("").stderr_has("exists already").ends_with(1);
    assert_eq!(fs::read(test.path("key.txt")).unwrap(), before);
    assert!(!test.path("nowhere.txt").exists());
    test.args(["keygen", "-o", "none/key.txt"])
        .stderr_has("error: cannot create `none/key.txt`\n")
        .ends_with(1);
}

#[test]
fn without_a_file_the_private_key_goes_to_standard_output() {
    let output = program(&Test::new().path(".")).arg("keygen").output().unwrap();
    let (text, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let key = said.strip_prefix("Public key: ").unwrap();
    public_key(key.as_bytes());
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("# created: 20") && lines[0].ends_with('Z'), "{text}");
    assert_eq!(lines[1], format!("# public key: {}", key.trim_end()));
    assert!(lines[2].starts_with("AGE-SECRET-KEY-1"), "{text}");
    Test::new()
        .args(["keygen", "--json"])
        .stdout_has("exclude each other")
        .stderr("error: `--json` and a private key on standard output exclude each other\n")
        .ends_with(2);
}

#[test]
fn age_takes_both_halves() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("passed over: `age` is not installed");
        return;
    }
    let (test, stdout) = Test::new().args(["keygen", "-q", "-o", "key.txt"]).run(0);
    let test = test.write("plain.txt", "a line\n");
    let age = |arguments: &[&str]| {
        let output =
            Command::new("age").args(arguments).current_dir(test.path(".")).stdin(Stdio::null()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    age(&["-r", &public_key(&stdout), "-o", "plain.age", "plain.txt"]);
    assert_eq!(age(&["-d", "-i", "key.txt", "plain.age"]), b"a line\n");
}
