//! `--passphrase-command`: a password manager prints the passphrase.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{Test, program};

const CREATE: [&str; 6] = ["create", "-q", "--state-dir", "state", "-o", "box.ocbak"];
const LIST: [&str; 3] = ["list", "-q", "box.ocbak"];

#[test]
fn one_makes_an_archive_another_opens_it_and_a_third_changes_it() {
    let test = Test::installed()
        .args(CREATE)
        .args(["--passphrase-command", "cat passphrase.txt; echo 'behind the first line'"])
        .success();
    let test = test
        .args(["passwd", "-q", "box.ocbak", "--passphrase-command", "tr -d '\\n' < passphrase.txt"])
        .args(["--new-passphrase-command", "cat wrong.txt"])
        .success();
    test.args(LIST).variable("OCBAK_PASSPHRASE_COMMAND", "cat wrong.txt").success();
}

#[test]
fn what_it_says_goes_through_and_what_it_prints_does_not() {
    let test = Test::installed()
        .args(CREATE)
        .args(["--passphrase-command", "echo an obviously secret line; echo the agent is locked >&2; exit 7"])
        .stdout("")
        .stderr(
            "the agent is locked\n\
             error: the command of `--passphrase-command` ended with exit status: 7\n\
             hint: it is to print the passphrase on standard output and to end with 0; what else it says \
             stands above\n",
        )
        .ends_with(1);
    let test = test
        .args(CREATE)
        .variable("OCBAK_PASSPHRASE_COMMAND", "kill -9 $$")
        .stderr_has("error: the command of the variable `OCBAK_PASSPHRASE_COMMAND` ended with signal: 9")
        .ends_with(1);
    assert!(!test.path("box.ocbak").exists());
}

#[test]
fn what_it_prints_must_be_a_passphrase() {
    for (line, why) in [
        ("true", "is empty"),
        ("echo; echo second", "is empty"),
        ("printf '\\377\\376'", "is not UTF-8"),
        ("head -c 5000 /dev/zero | tr '\\0' a", "is longer than 4096 bytes"),
        ("yes", "comes with too much text"),
        ("echo short", "is too short: fewer than 12 characters"),
    ] {
        Test::installed()
            .args(CREATE)
            .args(["--passphrase-command", line])
            .stdout("")
            .stderr_has(&format!("the passphrase from the command of `--passphrase-command` {why}\n"))
            .ends_with(1);
    }
}

#[test]
fn it_excludes_every_other_source() {
    let options: [[&str; 2]; 2] = [["--passphrase-file", "passphrase.txt"], ["--passphrase-fd", "0"]];
    for other in options {
        Test::installed().args(CREATE).args(["--passphrase-command", "touch ran"]).args(other).ends_with(2);
    }
    Test::installed().args(CREATE).args(["-p", "--passphrase-command", "touch ran"]).ends_with(2);
    for (variable, name) in [("OCBAK_PASSPHRASE", "x"), ("OCBAK_PASSPHRASE_COMMAND", "touch ran")] {
        let test = Test::installed()
            .args(CREATE)
            .args(["--passphrase-command", "touch ran"])
            .variable(variable, name)
            .stderr(&format!(
                "error: `--passphrase-command` and the variable `{variable}` exclude each other\n"
            ))
            .ends_with(2);
        assert!(!test.path("ran").exists());
    }
    Test::archived()
        .args(["passwd", "box.ocbak", "--remove", "--new-passphrase-command", "touch ran"])
        .stderr_has("cannot be used with")
        .ends_with(2);
}

#[test]
fn it_has_neither_standard_input_nor_the_other_passphrase() {
    // Its own line is the new passphrase, and standard input gives the old one.
    let test = Test::installed()
        .args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak", "--passphrase-fd", "0"])
        .stdin(b"an obviously fake passphrase\n")
        .success()
        .args(["passwd", "-q", "box.ocbak", "--passphrase-file", "-"])
        .args(["--new-passphrase-command", "cat > input; env > environment; cat wrong.txt"])
        .stdin(b"an obviously fake passphrase\n")
        .success()
        .args(["passwd", "-q", "box.ocbak", "--passphrase-command", "env >> environment; cat wrong.txt"])
        .variable("OCBAK_NEW_PASSPHRASE", "yet another fake passphrase")
        .success();
    assert_eq!(fs::read(test.path("input")).unwrap(), b"");
    let environment = fs::read_to_string(test.path("environment")).unwrap();
    assert!(environment.contains("HOME="), "{environment}");
    assert!(!environment.contains("OCBAK"), "{environment}");
}

#[test]
fn a_signal_ends_the_wait_for_it() {
    let test = Test::installed();
    let start = Instant::now();
    let child = program(&test.path("."))
        .args(CREATE)
        .args(["--passphrase-command", "touch ready; exec sleep 60"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !test.path("ready").exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: interrupted\n");
    assert!(start.elapsed() < Duration::from_secs(50));
}
