//! Looking over what is around an installation: the OpenClaw that runs it, variables and services,
//! and what follows a restore.

use std::fs;
use std::os::unix::fs::chown;

use serde_json::Value;

use super::check::{CHECK, installed, with_openclaw};
use super::support::Test;

#[test]
fn an_openclaw_older_than_the_data_is_named() {
    let test = with_openclaw(installed(None), 17);
    let program = test.path("package/openclaw");
    let test = test
        .openclaw()
        .args(CHECK)
        .stdout_has(&format!(
            "older-release: the OpenClaw at `{}` is `2026.9.17`, which refuses what a later release wrote\n",
            program.display()
        ))
        .stdout_has("/openclaw.sqlite` has schema 18, written by `2026.9.6`\n")
        .ends_with(3);
    test.args(CHECK)
        .stdout_has("note: no `openclaw` in PATH")
        .success()
        .args(CHECK)
        .args(["--quiet"])
        .stdout("")
        .success();
}

#[test]
fn variables_that_lead_elsewhere_are_named() {
    let test = installed(None);
    let elsewhere = test.path("elsewhere").display().to_string();
    let own = test.path("state").display().to_string();
    let test = test
        .variable("OPENCLAW_STATE_DIR", &elsewhere)
        .variable("OPENCLAW_CONFIG_PATH", &format!("{elsewhere}/x.json"))
        .args(CHECK)
        .stdout_has(&format!("environment: the variable `OPENCLAW_STATE_DIR` is `{elsewhere}`, which leads OpenClaw past `"))
        .stdout_has("fix: take it out where it is set, as in `~/.profile`, and here:\n       unset OPENCLAW_STATE_DIR\n")
        .stdout_has("environment: the variable `OPENCLAW_CONFIG_PATH` is `")
        .ends_with(3);
    test.variable("OPENCLAW_STATE_DIR", &own)
        .variable("OPENCLAW_CONFIG_PATH", "~/state/openclaw.json")
        .args(["check"])
        .stdout_has("nothing to find")
        .success();
}

#[test]
fn a_service_that_starts_openclaw_elsewhere_is_named() {
    let test = installed(None);
    fs::rename(test.path("state"), test.path(".openclaw-work")).unwrap();
    let unit = ".config/systemd/user/openclaw-gateway-work.service";
    let home = test.path("").display().to_string();
    let check = |test: Test, text: &str| {
        test.write(unit, text).openclaw().args(["check", "--profile", "work", "--json"]).json(3)
    };
    let of_services = |document: &Value| -> Vec<String> {
        let findings = document["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["kind"] == "service")
            .map(|finding| finding["text"].to_string())
            .collect()
    };
    let (test, document) =
        check(test, "[Service]\nExecStart=/bin/sh gateway\nEnvironment=HOME=/home/nobody-here\n");
    let [said] = &of_services(&document)[..] else { panic!("{document}") };
    assert!(
        said.contains("starts OpenClaw with the state directory `/home/nobody-here/.openclaw`, not `"),
        "{said}"
    );
    assert_eq!(document["findings"][1]["fix"][1], "openclaw --profile work gateway install --force");
    let (test, document) =
        check(test, "[Service]\nExecStart=/nowhere/node /nowhere/index.js gateway --profile work\n");
    let [said] = &of_services(&document)[..] else { panic!("{document}") };
    assert!(said.contains("starts `/nowhere/node`, which is not there"), "{said}");
    let sound = format!("[Service]\nExecStart=/bin/sh\nEnvironment=OPENCLAW_PROFILE=work HOME={home}\n");
    let (_, document) = check(test, &sound);
    assert!(of_services(&document).is_empty(), "{document}");
}

#[test]
fn openclaws_own_checks_run_for_that_very_installation() {
    let test = installed(None);
    let state = test.path("state").display().to_string();
    let home = test.path("").display().to_string();
    let run = |test: Test, code: i32| {
        test.openclaw()
            .variable("OPENCLAW_PROFILE", "other")
            .variable("OCBAK_PASSPHRASE", "SECRET")
            .variable("OCBAK_NEW_PASSPHRASE", "SECRET")
            .args(CHECK)
            .args(["--run-doctor", "--json"])
            .json(code)
    };
    let (test, document) = run(test, 0);
    assert_eq!(document["openclaw"][0]["command"], "openclaw config validate --json");
    assert_eq!(document["openclaw"][1]["exit_code"], 0);
    let log = fs::read_to_string(test.path("package/openclaw.log")).unwrap();
    let led = format!("{state} {}  ", home.trim_end_matches('/'));
    let expected = format!("{led}config validate --json\n{led}doctor --lint --json --severity-min error\n");
    assert_eq!(log, expected);
    let (test, document) = run(test.write("state/openclaw.json", "{ broken: true }"), 3);
    assert_eq!(document["openclaw"][1]["problems"], serde_json::json!(["core/x: it is broken"]));
    test.args(CHECK)
        .args(["--run-doctor"])
        .stderr("error: there is no `openclaw` in PATH to run its own checks with\nhint: put it into PATH, or leave out `--run-doctor`\n")
        .ends_with(1);
}

#[test]
fn a_restore_in_place_looks_over_what_it_made() {
    let restore = ["restore", "box.ocbak", "--yes", "--state-dir", "state", "-i", "private.txt"];
    let archive = ["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"];
    let test = installed(None).args(archive).success();
    let state = test.path("state").display().to_string();
    let (test, document) = test.openclaw().args(restore).args(["--run-doctor", "--json"]).json(0);
    assert_eq!(document["check"]["findings"], serde_json::json!([]));
    assert_eq!(document["check"]["openclaw"][0]["exit_code"], 0);
    let steps: Vec<_> = ["doctor", "gateway restart", "status"]
        .map(|step| format!("OPENCLAW_STATE_DIR={state} openclaw {step}"))
        .into();
    assert_eq!(document["check"]["next_steps"], serde_json::json!(steps));
    let test = test
        .args(restore)
        .args(["--run-doctor"])
        .stderr_has("error: there is no `openclaw` in PATH")
        .ends_with(1);
    fs::remove_dir_all(test.path("state/workspace")).unwrap();
    test.args(restore)
        .args(["--only", "state"])
        .stdout_has("restored ")
        .stdout_has("/workspace` of agent `main` does not exist\n")
        .stdout_has(&format!("next:\n  OPENCLAW_STATE_DIR={state} openclaw doctor\n"))
        .ends_with(3);
}

#[test]
fn credentials_elsewhere_are_as_private_and_their_owner_s() {
    let test = installed(None)
        .write("oauth/test/creds.json", "{}")
        .mode("oauth/test/creds.json", 0o644)
        .mode("oauth/test", 0o755)
        .mode("oauth", 0o700);
    let place = test.path("oauth").display().to_string();
    let state = test.path("state").display().to_string();
    let look = |test: Test| {
        let test = test.variable("OPENCLAW_STATE_DIR", &state).variable("OPENCLAW_OAUTH_DIR", &place);
        test.args(["check"])
    };
    let test = look(test)
        .stdout_has(&format!("fix: chmod 700 {place}/test\n"))
        .stdout_has(&format!("fix: chmod 600 {place}/test/creds.json\n"))
        .ends_with(3);
    // Only root can give a file away.
    if chown(test.path("oauth/test/creds.json"), Some(4711), None).is_ok() {
        look(test).stdout_has(&format!("fix: chown -hR 0:0 {state} {place}\n")).ends_with(3);
    }
}
