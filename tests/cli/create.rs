//! Making archives.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::support::Test;

const SEALED: [&str; 5] = ["create", "--state-dir", "state", "-R", "public.txt"];

#[test]
fn an_archive_is_made_and_what_is_in_it_said() {
    let test = Test::installed()
        .args(SEALED)
        .args(["-o", "box.ocbak"])
        .stdout_has("box.ocbak  ")
        .stdout_has("\n  state      ")
        .stdout_has("\n  workspace  ")
        .stdout_has("\n  parity     ")
        .success();
    let mode = fs::metadata(test.path("box.ocbak")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn quiet_says_nothing() {
    Test::installed().args(SEALED).args(["-q", "-o", "box.ocbak"]).stdout("").success();
}

#[test]
fn the_document_says_the_same() {
    let (test, document) =
        Test::installed().args(SEALED).args(["--json", "-o", "box.ocbak"]).stderr("").json(0);
    assert_eq!(document["file"], "box.ocbak");
    assert_eq!(document["attention"], false);
    assert_eq!(document["warnings"], serde_json::json!([]));
    assert_eq!(document["payloads"][0]["role"], "state");
    assert_eq!(document["payloads"][1]["role"], "workspace");
    let length = fs::metadata(test.path("box.ocbak")).unwrap().len();
    assert_eq!(document["bytes"], length);
    let (_, facts) = test.args(["info", "--json", "box.ocbak"]).json(0);
    assert_eq!(document["parity_bytes"], facts["parity"]["length"]);
    assert_eq!(facts["parity"]["rebuilt"], 4);
}

#[test]
fn in_a_directory_the_name_is_chosen() {
    for output in [None, Some("."), Some("out")] {
        let test = Test::installed();
        fs::create_dir(test.path("out")).unwrap();
        let mut test = test.args(SEALED).args(["-q"]);
        if let Some(output) = output {
            test = test.args(["-o", output]);
        }
        let test = test.success();
        let directory = test.path(output.unwrap_or("."));
        let names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("openclaw-default-2") && name.ends_with("Z.ocbak"))
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let test = Test::installed()
        .write("box.ocbak", "precious")
        .args(SEALED)
        .args(["-o", "box.ocbak"])
        .stdout("")
        .stderr(
            "error: `box.ocbak` exists already\n\
             hint: ocbak never overwrites: name another place, or move this one away\n",
        )
        .ends_with(1);
    assert_eq!(fs::read(test.path("box.ocbak")).unwrap(), b"precious");
}

#[test]
fn a_missing_directory_is_named() {
    for output in ["none/box.ocbak", "none/"] {
        Test::installed()
            .args(SEALED)
            .args(["-o", output])
            .stderr_has("error: there is no directory `none")
            .stderr_has("hint: create it first, or name another one\n")
            .ends_with(1);
    }
}

#[test]
fn an_archive_does_not_go_into_what_it_holds() {
    for output in ["state/box.ocbak", "state", "state/workspace/notes"] {
        Test::installed()
            .args(SEALED)
            .args(["-o", output])
            .stderr_has("lies inside `")
            .stderr_has("hint: the next backup would hold this one")
            .ends_with(1);
    }
}

#[test]
fn a_missing_state_directory_is_named() {
    Test::new()
        .args(["create", "--state-dir", "none"])
        .stderr_has("none`\n")
        .stderr_has("hint: name the installation with `--state-dir DIR`, `--profile NAME` or `--home DIR`\n")
        .ends_with(1);
}

#[test]
fn standard_output_gets_the_whole_archive_and_nothing_else() {
    let test = Test::installed();
    fs::create_dir(test.path("spool")).unwrap();
    let (test, archive) = test.args(SEALED).args(["-o", "-", "--spool-dir", "spool"]).stderr("").run(0);
    assert_eq!(fs::read_dir(test.path("spool")).unwrap().count(), 0);
    test.write("box.ocbak", archive)
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .stdout_has("sound: ")
        .success();
}

#[test]
fn a_missing_spool_directory_is_named() {
    Test::installed()
        .args(SEALED)
        .args(["-o", "-", "--spool-dir", "none"])
        .stderr_has("error: cannot create a temporary file in `none`\n")
        .ends_with(1);
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let test = Test::installed()
        .args(["create", "--state-dir", "state", "--dry-run", "-o", "box.ocbak"])
        .stdout_has("state: ")
        .stdout_has("workspace: ")
        .stdout_has("  workspace/main  from ")
        .stdout_has("\narchive: about ")
        .success();
    assert!(!test.path("box.ocbak").exists());
    let (_, document) = test.args(["create", "--state-dir", "state", "--dry-run", "--json"]).json(0);
    assert_eq!(document["dry_run"], true);
    let estimated = document["estimated_bytes"].as_u64().unwrap();
    assert!((65 << 10..100 << 10).contains(&estimated), "{estimated}");
    assert_eq!(document["payloads"][1]["roots"][0]["path"], "workspace/main");
}

#[test]
fn workspaces_and_patterns_are_left_out_on_request() {
    let test = Test::installed()
        .args(SEALED)
        .args(["-q", "--no-workspace", "--exclude", "state/credentials/**", "-o", "box.ocbak"])
        .success();
    let (_, stdout) = test.args(["list", "box.ocbak", "-i", "private.txt"]).run(0);
    let names = String::from_utf8(stdout).unwrap();
    assert!(names.contains("state/openclaw.json\n"), "{names}");
    assert!(!names.contains("MEMORY.md"), "{names}");
    assert!(!names.contains("creds.json"), "{names}");
}

#[test]
fn what_needs_attention_shows_in_the_exit_code() {
    Test::installed()
        .write("state/openclaw.json", "{ this is no configuration")
        .args(SEALED)
        .args(["-o", "box.ocbak"])
        .stderr_has("warning: ")
        .ends_with(3)
        .args(["verify", "-q", "box.ocbak", "-i", "private.txt"])
        .success();
}

#[test]
fn a_link_to_what_is_not_stored_needs_attention() {
    let test = Test::installed().write("big/photo", "x");
    symlink("../big", test.path("state/media")).unwrap();
    let place = fs::canonicalize(test.path("big")).unwrap();
    let what = format!("a link to `{}`, which is not in the archive", place.display());
    let line = format!("state/media  (incomplete: {what})\n");
    let (test, document) = test.args(SEALED).args(["--dry-run", "--json"]).json(3);
    assert_eq!(document["payloads"][0]["notes"][0]["detail"], what);
    test.args(SEALED)
        .args(["--dry-run"])
        .stdout_has(&format!("  noted:\n    {line}"))
        .ends_with(3)
        .args(SEALED)
        .args(["-o", "box.ocbak"])
        .stderr_has(&format!("warning: `state/media`: {what}\n"))
        .ends_with(3)
        .args(["verify", "box.ocbak", "-i", "private.txt"])
        .stdout_has(&format!("noted when it was made: {line}"))
        .success();
}

#[test]
fn a_failure_leaves_no_file_behind() {
    let test = Test::installed()
        .args(SEALED)
        .args(["--exclude", "[", "-o", "box.ocbak"])
        .stderr_has("error: ")
        .stdout("");
    let before = fs::read_dir(test.path(".")).unwrap().count();
    let test = test.ends_with(2);
    assert_eq!(fs::read_dir(test.path(".")).unwrap().count(), before);
}

#[test]
fn an_archive_is_read_back_on_request() {
    let (test, document) =
        Test::installed().args(SEALED).args(["--verify", "--json", "-o", "box.ocbak"]).stderr("").json(0);
    assert_eq!(document["verified"], true);
    let (test, document) = test.args(SEALED).args(["--json", "-o", "unverified.ocbak"]).json(0);
    assert_eq!(document["verified"], false);
    test.args(SEALED)
        .args(["--verify", "-o", "again.ocbak"])
        .stdout_has("\n  read back and found sound\n")
        .success()
        .args(SEALED)
        .args(["--verify", "-o", "-"])
        .stdout("")
        .stderr("error: `--verify` and `--output -` exclude each other\n")
        .ends_with(2);
}

#[test]
fn the_archives_of_an_installation_share_a_series() {
    let mut test = Test::installed().write("other/openclaw.json", "{}\n");
    let local = test.path("local").display().to_string();
    let mut series = Vec::new();
    for (number, state) in ["state", "state", "other"].into_iter().enumerate() {
        let file = format!("{number}.ocbak");
        let args = ["create", "-q", "--state-dir", state, "-R", "public.txt", "-o", &file];
        let made = test.variable("XDG_STATE_HOME", &local).args(args).success();
        let (next, document) = made.args(["info", "--json", &file]).json(0);
        series.push(document["series"].as_str().unwrap().to_owned());
        test = next;
    }
    assert_eq!(series[0], series[1]);
    assert_ne!(series[0], series[2]);
}

#[test]
fn a_running_gateway_is_noted_and_refused_only_on_request() {
    let test = Test::installed().gateway();
    let pid = std::process::id();
    let note = format!("note: OpenClaw is running: gateway (pid {pid}, port 18789); every database");
    let (test, document) = test.args(SEALED).args(["--json", "-o", "a.ocbak"]).stderr_has(&note).json(0);
    assert_eq!(document["in_use"][0]["pid"], pid);
    assert_eq!(document["warnings"], serde_json::json!([]));
    let test = test
        .args(SEALED)
        .args(["--require-stopped", "-o", "b.ocbak"])
        .stderr_has(&format!("/state` is in use: gateway (pid {pid}, port 18789)\n"))
        .stderr_has(&format!(
            "hint: stop it first: `openclaw gateway stop` where a service runs it, else `kill {pid}`"
        ))
        .ends_with(1);
    assert!(!test.path("b.ocbak").exists());
}

#[test]
fn included_configuration_outside_is_stored_as_well() {
    let test = Test::installed()
        .write("state/openclaw.json", "{ $include: ['../shared/a.json5', './b.json'] }")
        .write("state/b.json", "{}")
        .write("shared/a.json5", "{ $include: 'c.json', /* fake */ }")
        .write("shared/c.json", "{}")
        .write("shared/d.json", "{}");
    let shared = test.path("shared").display().to_string();
    let test = test
        .args(SEALED)
        .args(["-q", "-o", "a.ocbak"])
        .stderr_has("`OPENCLAW_INCLUDE_ROOTS`")
        .ends_with(3)
        .variable("OPENCLAW_INCLUDE_ROOTS", &shared)
        .args(SEALED)
        .args(["-q", "-o", "box.ocbak"])
        .success();
    let (_, stdout) = test.args(["list", "box.ocbak", "-i", "private.txt", "include/*"]).run(0);
    let expected = "include/0\ninclude/0/a.json5\ninclude/1\ninclude/1/c.json\n";
    assert_eq!(String::from_utf8(stdout).unwrap(), expected);
}

#[test]
fn a_closed_standard_output_takes_neither_archive_nor_file() {
    let test = Test::archived();
    let program = env!("CARGO_BIN_EXE_ocbak");
    let run = |call: &str| {
        let line = format!("exec '{program}' {call}");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line]).current_dir(test.path(".")).env("HOME", test.path(".")).output().unwrap()
    };
    for call in [
        "create --state-dir state -R public.txt -o -",
        "extract box.ocbak state/openclaw.json -i private.txt --stdout",
    ] {
        let closed = run(&format!("{call} >&-"));
        assert_eq!(closed.status.code(), Some(1), "{call}");
        let said = String::from_utf8(closed.stderr).unwrap();
        assert!(said.starts_with("error: cannot write to standard output\n"), "{said}");
        // Whoever wants none may have none.
        assert_eq!(run(&format!("{call} > /dev/null")).status.code(), Some(0), "{call}");
    }
}

#[test]
fn a_name_without_a_directory_is_a_file_and_said_to_be_one() {
    let test = Test::installed()
        .args(SEALED)
        .args(["-o", "backups"])
        .stderr("note: `backups` is to be a file, since there is no directory of that name\n")
        .stdout_has("backups  ")
        .success();
    assert!(test.path("backups").is_file());
}

#[test]
fn patterns_come_from_files_and_some_keep_what_is_made_again() {
    let test = Test::installed()
        .write("state/cache/a.js", "a")
        .write("state/cache/b.css", "b")
        .write("patterns.txt", "# fake\n\n  state/credentials/**\nworkspace/main/notes\n")
        .args(SEALED)
        .args(["-q", "--exclude-from", "patterns.txt", "--include", "state/cache/*.js", "-o", "box.ocbak"])
        .success();
    let (test, stdout) = test.args(["list", "box.ocbak", "-i", "private.txt"]).run(0);
    let names = String::from_utf8(stdout).unwrap();
    assert!(names.contains("state/cache/a.js\n"), "{names}");
    for absent in ["b.css", "creds.json", "notes"] {
        assert!(!names.contains(absent), "{names}");
    }
    test.args(SEALED)
        .args(["--exclude-from", "none.txt", "-o", "b.ocbak"])
        .stderr_has("error: cannot read `none.txt`\n")
        .ends_with(1);
}

#[test]
fn the_client_of_another_machine_s_gateway_is_told_where_its_state_lies() {
    let test = Test::installed().write("state/openclaw.json", "{ gateway: { mode: 'remote' } }\n");
    let (test, document) = test.args(SEALED).args(["--json", "-o", "box.ocbak"]).json(0);
    assert_eq!(document["attention"], false);
    let warning = document["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("this OpenClaw is the client of a gateway on another machine"), "{warning}");
    test.args(["where", "--state-dir", "state"])
        .stderr_has("warning: this OpenClaw is the client of")
        .ends_with(0)
        .args(["restore", "box.ocbak", "--state-dir", "state", "--dry-run", "-i", "private.txt"])
        .stderr_has("warning: the archive is of a client (`gateway.mode` is `remote`)")
        .ends_with(0);
}
