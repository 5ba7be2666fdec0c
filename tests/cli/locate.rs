//! Which installation is meant: `where`, profiles, and all of them.

use std::fs;

use super::support::Test;

#[test]
fn where_tells_what_is_found_and_by_which_rule() {
    let test = Test::installed()
        .args(["where", "--state-dir", "state"])
        .stdout_has("/state  (as given)\nconfiguration: ")
        .stdout_has("workspace of main: ")
        .stdout_has("/state/workspace  (default workspace)\n")
        .stdout_has("\n  workspace/main  from ")
        .success();
    let state = test.path("state").display().to_string();
    let (_, document) =
        test.variable("OPENCLAW_STATE_DIR", &state).args(["where", "--json"]).stderr("").json(0);
    assert_eq!(document["installation"]["state_dir"], state);
    assert_eq!(document["installation"]["rule"], "named by OPENCLAW_STATE_DIR");
    assert_eq!(document["installation"]["workspaces"][0]["agents"][0], "main");
    assert_eq!(document["payloads"][0]["role"], "state");
}

#[test]
fn profiles_are_listed_where_none_is_chosen_or_another() {
    let test = Test::new().write(".openclaw-a/openclaw.json", "{}").write(".openclaw-b/openclaw.json", "{}");
    test.args(["where"])
        .stderr_has("/.openclaw`; there are the profiles `a`, `b`\n")
        .stderr_has("hint: name the installation with `--state-dir DIR`, `--profile NAME`")
        .ends_with(1)
        .args(["create", "--profile", "c"])
        .stderr_has("/.openclaw-c`; there are the profiles `a`, `b`\n")
        .ends_with(1)
        .args(["where", "--profile", "a"])
        .stdout_has("profile: a\n")
        .success();
}

#[test]
fn every_profile_gets_an_archive_of_its_own() {
    let test = Test::installed()
        .write(".openclaw/openclaw.json", "{}")
        .write(".openclaw-work/openclaw.json", "{}")
        .write(".openclaw-a/openclaw.json", "{ this is no configuration")
        .write(".openclaw-Not.One/openclaw.json", "{}")
        .write("passphrase.txt", "an obviously fake passphrase");
    fs::create_dir(test.path("out")).unwrap();
    let call = ["create", "--all-profiles", "-o", "out"];
    // The passphrase is read once, and so can come from a pipe.
    let (test, document) = test
        .stdin(b"an obviously fake passphrase\n")
        .args(call)
        .args(["--json", "--passphrase-fd", "0"])
        .json(3);
    let archives = document["archives"].as_array().unwrap();
    let of = |key: &str| archives.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("profile"), [serde_json::Value::Null, "a".into(), "work".into()]);
    assert_eq!(of("attention"), [false, true, false]);
    let mut files: Vec<String> = of("file").iter().map(|file| file.as_str().unwrap().to_owned()).collect();
    let mut test = test;
    for file in &files {
        test = test.args(["verify", "-q", file, "--passphrase-file", "passphrase.txt"]).success();
    }
    files.sort();
    let parts: Vec<&str> = files.iter().map(|file| file.split('-').nth(1).unwrap()).collect();
    assert_eq!(parts, ["a", "default", "work"]);
    assert_eq!(fs::read_dir(test.path("out")).unwrap().count(), 3);
    let (_, document) = test.args(call).args(["--json", "--dry-run"]).json(3);
    assert_eq!(document["archives"][2]["payloads"][0]["role"], "state");
}

#[test]
fn one_profile_that_fails_does_not_stop_the_others() {
    let test = Test::installed()
        .write(".openclaw-a/openclaw.json", "{}")
        .write(".openclaw-b/openclaw.json", "{}")
        .write(".openclaw-c/openclaw.json", "{}")
        .write(
            ".openclaw-b/tmp/openclaw-1/gateway.state.lock",
            format!("{{\"pid\":{}}}", std::process::id()),
        );
    fs::create_dir(test.path("out")).unwrap();
    let args = ["create", "--all-profiles", "--require-stopped", "--json", "-R", "public.txt", "-o", "out"];
    let (test, document) = test.args(args).stderr_has("/.openclaw-b` is in use: gateway").json(1);
    let archives = document["archives"].as_array().unwrap();
    let failed: Vec<_> = archives.iter().filter(|one| !one["error"].is_null()).collect();
    assert_eq!((archives.len(), failed.len()), (3, 1));
    assert_eq!(failed[0]["profile"], "b");
    assert_eq!(failed[0]["error"]["exit_code"], 1);
    assert_eq!(fs::read_dir(test.path("out")).unwrap().count(), 2);
}

#[test]
fn archives_of_every_profile_need_a_directory() {
    let test = Test::installed().write(".openclaw-a/openclaw.json", "{}");
    let call = ["create", "--all-profiles", "-R", "public.txt", "-o"];
    test.args(call)
        .args(["box.ocbak"])
        .stderr_has("error: there is no directory `box.ocbak`\n")
        .ends_with(1)
        .args(call)
        .args(["-"])
        .stderr("error: `--all-profiles` and `--output -` exclude each other\n")
        .ends_with(2)
        .args(["create", "--all-profiles", "--profile", "a"])
        .ends_with(2);
    Test::installed()
        .args(call)
        .args(["."])
        .stderr_has("error: no OpenClaw state directory at `")
        .stderr_has("hint: name the installation with")
        .ends_with(1);
}
