//! Restoring.

use std::fs;

use super::support::Test;

#[test]
fn into_a_directory_the_names_are_those_of_the_archive() {
    let test = Test::archived()
        .args(["restore", "box.ocbak", "--to", "out", "-i", "private.txt"])
        .stdout_has("opened by its recipients slot\n")
        .stdout_has("anyone who has the public key can have made this archive")
        .stdout_has("  state -> ")
        .stdout_has("  workspace/main -> ")
        .stdout_has("restored ")
        .success();
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("out/workspace/main/MEMORY.md"), "The user likes tests.\n");
    assert_eq!(read("out/state/credentials/test/creds.json"), "{ \"fake\": true }\n");
}

#[test]
fn only_and_path_take_a_part() {
    let test = Test::archived()
        .args(["restore", "box.ocbak", "--to", "a", "--only", "workspace", "-i", "private.txt"])
        .success()
        .args(["restore", "box.ocbak", "--to", "b", "--path", "state/*.json", "-i", "private.txt"])
        .success();
    assert!(test.path("a/workspace/main/MEMORY.md").exists());
    assert!(!test.path("a/state").exists());
    assert!(test.path("b/state/openclaw.json").exists());
    assert!(!test.path("b/state/credentials").exists());
    assert!(!test.path("b/workspace").exists());
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let test = Test::archived()
        .args(["restore", "box.ocbak", "--to", "out", "--dry-run", "-i", "private.txt"])
        .stdout_has("would restore:\n  state -> ")
        .success();
    assert!(!test.path("out").exists());
    let (_, document) = test
        .args(["restore", "box.ocbak", "--to", "out", "--dry-run", "--json", "-i", "private.txt"])
        .json(0);
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["roots"][0]["root"], "state");
    assert_eq!(document["slot"], "recipients");
}

#[test]
fn a_directory_with_something_in_it_is_refused() {
    let test = Test::archived()
        .write("out/precious", "precious")
        .args(["restore", "box.ocbak", "--to", "out", "-i", "private.txt"])
        .stderr(
            "error: `out` exists and is not empty\n\
             hint: a new or empty directory takes any archive: `--to DIR`\n",
        )
        .ends_with(1);
    assert_eq!(fs::read_dir(test.path("out")).unwrap().count(), 1);
}

#[test]
fn a_pattern_that_matches_nothing_fails() {
    let test = Test::archived()
        .args(["restore", "box.ocbak", "--to", "out", "--path", "none", "-i", "private.txt"])
        .stderr_has("nothing matches `none`")
        .stderr_has("hint: patterns match whole names")
        .ends_with(1);
    assert!(!test.path("out").exists());
}

#[test]
fn in_place_the_old_tree_is_kept_and_named() {
    let test = Test::archived()
        .write("state/workspace/MEMORY.md", "Something else.\n")
        .args(["restore", "box.ocbak", "--yes", "--state-dir", "state", "-i", "private.txt"])
        .stdout_has("what was there is kept in ")
        .success();
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("state/workspace/MEMORY.md"), "The user likes tests.\n");
    let kept = fs::read_dir(test.path(".")).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        let memory = fs::read_to_string(path.join("workspace/MEMORY.md"));
        memory.is_ok_and(|text| text == "Something else.\n")
    });
    assert!(kept.is_some());
}

#[test]
fn a_machine_without_an_installation_gets_one() {
    let test = Test::archived();
    fs::remove_dir_all(test.path("state")).unwrap();
    let test = test
        .args(["restore", "box.ocbak", "--yes", "--home", ".", "--state-dir", "state", "-i", "private.txt"])
        .success();
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("state/workspace/MEMORY.md"), "The user likes tests.\n");
}

#[test]
fn what_a_gateway_of_an_old_release_uses_is_not_replaced() {
    let test = Test::archived().write("cfg/oc.json", "{}");
    let (state, config) = (test.path("state").display().to_string(), test.path("cfg/oc.json"));
    let lock = format!("{{\"pid\":{},\"configPath\":\"{}\"}}   \n", std::process::id(), config.display());
    let test = test.write("tmp/openclaw-1000/gateway.0123abcd.lock", lock);
    let temporary = test.path("tmp").display().to_string();
    let config = config.display().to_string();
    test.variable("TMPDIR", &temporary)
        .variable("OPENCLAW_STATE_DIR", &state)
        .variable("OPENCLAW_CONFIG_PATH", &config)
        .args(["restore", "box.ocbak", "--yes", "-i", "private.txt"])
        .stderr_has(&format!("/state` is in use: gateway (pid {})\n", std::process::id()))
        .ends_with(1);
}

#[test]
fn where_a_configuration_goes_is_said_by_map_alone() {
    Test::archived()
        .args(["restore", "box.ocbak", "--yes", "--config", "oc.json", "-i", "private.txt"])
        .stderr_has("error: unexpected argument '--config' found\n")
        .ends_with(2)
        .args(["restore", "--help"])
        .stdout_has("--map <OLD=NEW>")
        .success();
}

#[test]
fn what_a_gateway_uses_is_not_replaced() {
    let test = Test::archived().gateway().write("state/workspace/MEMORY.md", "Something else.\n");
    let pid = std::process::id();
    let args = ["restore", "box.ocbak", "--state-dir", "state", "-i", "private.txt"];
    let test = test
        .args(args)
        .args(["--yes"])
        .stderr_has(&format!("/state` is in use: gateway (pid {pid}, port 18789)\n"))
        .stderr_has("hint: stop it first: `openclaw gateway stop`")
        .ends_with(1)
        .args(args)
        .args(["--dry-run"])
        .stderr_has("a restore would be refused")
        .ends_with(0)
        .args(["restore", "box.ocbak", "--to", "out", "-i", "private.txt"])
        .success();
    let memory = fs::read_to_string(test.path("state/workspace/MEMORY.md")).unwrap();
    assert_eq!(memory, "Something else.\n");
}

#[test]
fn what_to_know_before_is_said_with_the_plan_and_nothing_for_a_drill() {
    let test = Test::archived();
    let file = test.path("state/agents/main/sessions/a.jsonl");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3 * 86_400 + 60);
    fs::File::create(file).unwrap().set_modified(later).unwrap();
    let args = ["restore", "box.ocbak", "--home", "other", "--state-dir", "state", "-i", "private.txt"];
    let (test, document) = test.args(args).args(["--dry-run", "--json"]).json(0);
    let warnings = document["warnings"].as_array().unwrap();
    let has = |words: &str| warnings.iter().any(|one| one.as_str().unwrap().contains(words));
    assert!(has(", 3 days after this backup was made"), "{warnings:?}");
    assert!(has("the archive holds the identity of another home, "), "{warnings:?}");
    test.args(args)
        .args(["--dry-run"])
        .stdout_has("would restore:\n")
        .stderr_has(", 3 days after this backup was made: what came since is not in it\n")
        .ends_with(0)
        .args(["restore", "box.ocbak", "--to", "out", "-i", "private.txt"])
        .success();
}
