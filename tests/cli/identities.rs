//! Private and public keys of every kind: of age, of SSH, protected, and those that are refused.

use std::process::{Command, Stdio};

use super::support::{PRIVATE, Test};

const CREATE: [&str; 6] = ["create", "-q", "--state-dir", "state", "-o", "box.ocbak"];
const VERIFY: [&str; 3] = ["verify", "-q", "box.ocbak"];

const ED25519: &str = include_str!("../../fixtures/keys/ssh-ed25519");
const ED25519_PUB: &str = include_str!("../../fixtures/keys/ssh-ed25519.pub");
const ED25519_PROTECTED: &str = include_str!("../../fixtures/keys/ssh-ed25519-protected");
const ECDSA: &str = include_str!("../../fixtures/keys/ssh-ecdsa");
const RSA: &str = include_str!("../../fixtures/keys/ssh-rsa");
const RSA_PUB: &str = include_str!("../../fixtures/keys/ssh-rsa.pub");
const RSA_4096_PUB: &str = include_str!("../../fixtures/keys/ssh-rsa-4096.pub");
const AGE_PROTECTED: &str = include_str!("../../fixtures/keys/age-protected.age");

/// An archive for keys of SSH.
fn archived() -> Test {
    Test::installed()
        .write("id_ed25519", ED25519)
        .write("id_rsa", RSA)
        .write("keys.pub", format!("# sam\n{RSA_PUB}"))
        .args(CREATE)
        .args(["-r", ED25519_PUB.trim(), "-R", "keys.pub"])
        .success()
}

#[test]
fn keys_of_ssh_open_what_is_encrypted_to_them() {
    let test = archived();
    let test = test.args(VERIFY).args(["-i", "id_ed25519"]).success();
    let test = test.args(VERIFY).args(["-i", "id_rsa"]).success();
    test.args(VERIFY)
        .args(["-i", "private.txt"])
        .stderr_has("error: `box.ocbak`: no key slot opens with these identities\n")
        .ends_with(5);
}

#[test]
fn age_opens_what_is_encrypted_to_keys_of_ssh() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("passed over: `age` is not installed");
        return;
    }
    let test = archived();
    for key in ["id_ed25519", "id_rsa"] {
        let line = format!(
            "tar -xf box.ocbak && age -d -i {key} ocbak/recipients.key.age | \
             age -d -i - ocbak/state.tar.zst.age | zstd -dq | tar -tf - | grep -qx state/openclaw.json"
        );
        let status = Command::new("sh")
            .args(["-c", &line])
            .current_dir(test.path("."))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{key}");
    }
}

#[test]
fn keys_that_others_can_read_are_warned_of() {
    for mode in [0o644, 0o640, 0o604] {
        let said = format!(
            "warning: others may read the secret in `private.txt` (mode {mode:04o}); `chmod 600` it\n"
        );
        Test::archived()
            .mode("private.txt", mode)
            .args(VERIFY)
            .args(["-i", "private.txt"])
            .stderr(&said)
            .success();
    }
}

#[test]
fn a_protected_key_needs_a_person() {
    for protected in [AGE_PROTECTED, ED25519_PROTECTED] {
        Test::archived()
            .write("key", protected)
            .args(VERIFY)
            .args(["-i", "key"])
            .stdout("")
            .stderr(
                "error: a passphrase protects the key `key`, and there is no terminal to ask for it\n\
                 hint: without a person, a key without a passphrase is needed: in a file that nobody else can \
                 read, or through a pipe, with `--identity /dev/stdin`\n",
            )
            .ends_with(2);
    }
    Test::archived().args(VERIFY).args(["-i", "/dev/stdin"]).stdin(PRIVATE.as_bytes()).success();
}

#[test]
fn a_protected_key_is_not_asked_for_where_it_cannot_help() {
    Test::installed()
        .write("key", AGE_PROTECTED)
        .args(CREATE)
        .args(["--passphrase-file", "passphrase.txt"])
        .success()
        .args(VERIFY)
        .args(["-i", "key"])
        .stderr_has("error: `box.ocbak`: no key slot opens with these identities\n")
        .stderr_has("hint: it has no recipients slot; try it without `--identity`")
        .ends_with(5);
}

#[test]
fn public_keys_of_other_kinds_are_named_and_nothing_is_made() {
    for (key, why) in [
        (
            "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt",
            "`age1yubikey1…` is a recipient of the plugin `yubikey`, and this build knows no plugins",
        ),
        (
            "age1pq1qqqqqqqqqqqq",
            "`age1pq1…` is a post-quantum recipient, which the library of age does not know yet",
        ),
        (
            "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
            "a key of the kind `ecdsa-sha2-nistp256` cannot be encrypted to; of the keys of SSH, `ssh-ed25519` and \
             `ssh-rsa` can",
        ),
    ] {
        // A build with plugins says something else of theirs (`plugins.rs`).
        if cfg!(feature = "plugins") && key.to_lowercase().contains("yubikey") {
            continue;
        }
        let test = Test::installed().args(CREATE).args(["-r", key]);
        let test = test.stderr(&format!("error: {why}\n")).ends_with(2);
        let test = test.write("keys.pub", format!("# sam\n{key}\n")).args(CREATE).args(["-R", "keys.pub"]);
        let test = test.stderr(&format!("error: `keys.pub`: line 2: {why}\n")).ends_with(2);
        assert!(!test.path("box.ocbak").exists());
    }
}

#[test]
fn private_keys_of_other_kinds_are_named() {
    for (key, why) in [
        (
            "AGE-PLUGIN-YUBIKEY-1Q9QYQSZQGPQYQSZQ\n",
            "line 1: names the plugin `yubikey`, and this build knows no plugins",
        ),
        (
            ECDSA,
            "is a key of the kind `ecdsa-sha2-nistp256`, which cannot decrypt; `ssh-ed25519` and `ssh-rsa` can",
        ),
        (ED25519_PUB, "line 1: is not a native age identity (`AGE-SECRET-KEY-1…`)"),
    ] {
        // A build with plugins says something else of theirs (`plugins.rs`).
        if cfg!(feature = "plugins") && key.to_lowercase().contains("yubikey") {
            continue;
        }
        Test::archived()
            .write("key", key)
            .args(VERIFY)
            .args(["-i", "key"])
            .stdout("")
            .stderr(&format!("error: `key`: {why}\n"))
            .ends_with(2);
    }
}

#[test]
fn more_keys_than_the_header_holds_are_refused_before_any_work() {
    let test = Test::installed().write("keys.pub", RSA_4096_PUB.repeat(25));
    let test = test
        .args(CREATE)
        .args(["-R", "keys.pub"])
        .stderr_has("error: size of the recipients slot in bytes is 1")
        .ends_with(1);
    assert!(!test.path("box.ocbak").exists());
}
