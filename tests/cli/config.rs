//! The config file: what it stands for, what wins over it, and what is wrong with one.

use std::fs;

use super::support::{PUBLIC, Test, program};

/// An installation with a config file and a drive.
fn configured(config: &str) -> Test {
    let test = Test::installed();
    let home = test.path(".").display().to_string();
    fs::create_dir(test.path("drive")).unwrap();
    test.write(".config/ocbak/config.toml", config.replace("HOME", &home))
}

fn full() -> Test {
    configured(&format!(
        "destination = \"HOME/drive\"\nrecipients = [\"{}\"]\nidentities = [\"~/private.txt\"]\n\
         exclude = [\"state/media/**\"]\nlevel = 5\nparity = 0\n\n[keep]\nlast = 1\nwithin = \"1h\"\n",
        PUBLIC.trim()
    ))
    .write("state/media/a.jpg", "a")
}

fn archives(test: &Test) -> Vec<String> {
    let names = fs::read_dir(test.path("drive")).unwrap();
    names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_stands_in_it_need_not_be_given() {
    let test = full().args(["create", "-q", "--state-dir", "state"]).success();
    let [name] = &archives(&test)[..] else { panic!("{:?}", archives(&test)) };
    let archive = format!("drive/{name}");
    let test = test.args(["list", &archive]).stdout_has("state/openclaw.json\n").success();
    let (test, document) = test.args(["list", "--json", "--skipped", &archive]).json(0);
    assert!(document["payloads"][0]["skipped"].to_string().contains("excluded by `state/media/**`"));
    let (test, document) = test.args(["info", "--json", &archive]).json(0);
    assert_eq!(document["parity"], serde_json::Value::Null);
    test.args(["list"])
        .stdout_has(name)
        .success()
        .args(["verify"])
        .stdout_has(name)
        .ends_with(0)
        .args(["prune", "--yes"])
        .stdout_has("keep    within, last")
        .success();
}

#[test]
fn the_command_line_wins() {
    let test = full();
    let parity = |test: Test, args: &[&str]| {
        let test = test.args(["create", "-q", "--state-dir", "state", "-o", "box.ocbak"]);
        let test = test.args(args.iter().copied()).success();
        let (test, document) = test.args(["info", "--json", "box.ocbak"]).json(0);
        fs::remove_file(test.path("box.ocbak")).unwrap();
        (test, document["parity"].is_null(), document["slots"].clone())
    };
    let (test, none, slots) = parity(test, &["--parity", "4"]);
    assert!(!none);
    assert_eq!(slots, serde_json::json!(["recipients"]));
    // Keys that are given are the only ones.
    let (test, none, slots) = parity(test, &["--passphrase-file", "passphrase.txt"]);
    assert!(none);
    assert_eq!(slots, serde_json::json!(["passphrase"]));
    assert_eq!(archives(&test), [""; 0]);
    let test = test.variable("OCBAK_PASSPHRASE", "an obviously fake passphrase");
    let (test, _, slots) = parity(test, &[]);
    assert_eq!(slots, serde_json::json!(["passphrase", "recipients"]));
    // No file at all.
    test.args(["--config-file", "/dev/null", "create", "--state-dir", "state"])
        .stderr_has("no passphrase is given and there is no terminal to ask for one")
        .ends_with(2)
        .args(["prune", "--config-file", "/dev/null"])
        .stderr_has("<DIRECTORY>")
        .ends_with(2);
}

#[test]
fn a_drive_that_is_not_there_is_no_file_name() {
    let test = full();
    fs::remove_dir(test.path("drive")).unwrap();
    let test = test
        .args(["create", "-q", "--state-dir", "state"])
        .stderr_has("error: there is no directory `")
        .ends_with(1);
    assert!(!test.path("drive").exists());
}

#[test]
fn the_effective_options_are_shown() {
    let (test, stdout) = full().args(["config"]).run(0);
    let shown = String::from_utf8(stdout).unwrap();
    for line in ["level = 5\n", "parity = 0\n", "keep.last = 1\n", "keep.within = \"1h\"\n", "/drive\"\n"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(toml::from_str::<toml::Table>(&shown).is_ok(), "{shown}");
    let (test, document) = test.args(["config", "--json", "--config-file", "/dev/null"]).json(0);
    assert_eq!(document["settings"], serde_json::json!({}));
    assert_eq!(document["defaults"], serde_json::json!({ "destination": ".", "level": 3, "parity": 2 }));
    assert_eq!(document["exists"], true);
    let (_, document) = test.variable("HOME", "/nonexistent").args(["config", "--json"]).json(0);
    assert_eq!(document["exists"], false);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, said) in [
        (
            "level = 3\nrecipient = []\n",
            "line 2: `recipient` is no key of it\nhint: `recipients` may be meant; `ocbak help config` names all keys\n",
        ),
        (
            "[keep]\ndialy = 7\n",
            "line 2: `dialy` is no key of it\nhint: `daily` may be meant; `ocbak help config` names all keys\n",
        ),
        (
            "passphrase = \"hunter2 hunter2\"\n",
            "line 1: `passphrase` is no key of it\nhint: `passphrase-file` may be meant",
        ),
        ("\nlevel = \"three\"\n", "line 2: invalid type: string \"three\", expected a whole number\n"),
        ("keep = 7\n", "line 1: invalid type: integer `7`, expected a table `[keep]`\n"),
        ("destination = \"drive\"\n", "line 1: a path here begins with `/` or `~/`\n"),
        ("level = \n", "line 1: "),
        ("level = 40\n", ": invalid value '40' for '--level <N>'"),
        ("exclude = [\"[\"]\n", "config.toml`: "),
    ] {
        let test = configured(text)
            .args(["create", "--state-dir", "state", "-o", "box.ocbak", "-R", "public.txt"])
            .stderr_has("/.config/ocbak/config.toml`")
            .stderr_has(said)
            .ends_with(2);
        assert!(!test.path("box.ocbak").exists());
        let (_, document) =
            test.args(["create", "--json", "--state-dir", "state", "-R", "public.txt"]).json(2);
        assert_eq!(document["error"]["exit_code"], 2);
    }
    let test = configured("recipients = [\"age1bogus\"]\n");
    let test =
        test.args(["create", "--state-dir", "state"]).stderr_has("config.toml`: `age1bogus").ends_with(2);
    // What `create` refuses is not shown as if it held.
    test.args(["config"]).stdout("").stderr_has("config.toml`: `age1bogus").ends_with(2);
    let test = configured("level = 40\n").args(["config"]).stdout("");
    let test = test.stderr_has("config.toml`: invalid value '40' for '--level <N>'").ends_with(2);
    // A slip of the command line is none of the file.
    let test = test.write(".config/ocbak/config.toml", "level = 4\n");
    let (_, document) =
        test.args(["create", "--json", "--state-dir", "state", "-R", "public.txt", "--exclude", "["]).json(2);
    assert!(!document["error"]["message"].as_str().unwrap().contains("config.toml"), "{document}");
    // What needs nothing of it works.
    configured("nonsense\n").args(["help", "exit-codes"]).stdout_has("130  interrupted").success();
    Test::installed()
        .args(["--config-file", "none.toml", "list"])
        .stderr_has("error: cannot read `none.toml`\n")
        .ends_with(1);
}

#[test]
fn a_private_key_in_it_is_refused_and_never_repeated() {
    let secret = format!("AGE-SECRET-KEY-1{}", "Q".repeat(58));
    for text in [
        format!("level = 3\nrecipients = [\"{secret}\"]\n"),
        format!("\nidentities = \"{}\"\n", secret.to_lowercase()),
        format!("\nlevel = \"{secret}\"\n"),
        "\nidentities = [\"-----BEGIN OPENSSH PRIVATE KEY-----\"]\n".to_owned(),
    ] {
        for words in [&["config"][..], &["create", "--state-dir", "state"], &["schedule", "--print", "cron"]]
        {
            let test = configured(&text);
            let output = program(&test.path(".")).args(words).output().unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("config.toml`, line 2: a private key stands here"), "{said}");
            assert!(!said.to_ascii_uppercase().contains("QQQQ"), "{said}");
        }
    }
}

#[test]
fn one_that_others_may_write_to_is_warned_of() {
    full()
        .mode(".config/ocbak/config.toml", 0o666)
        .args(["create", "-q", "--state-dir", "state"])
        .stderr_has("warning: others may write to `")
        .ends_with(0)
        .args(["config"])
        .stderr_has("warning: others may write to `")
        .ends_with(0);
}

#[test]
fn slips_of_the_command_line_are_told_of_it() {
    full()
        .args(["prune", "--keep-daily"])
        .stderr_has("error: a value is required for '--keep-daily <N>'")
        .ends_with(2);
    configured("nonsense\n")
        .args(["create", "--ouptut", "x"])
        .stderr_has("unexpected argument '--ouptut'")
        .ends_with(2);
}

#[test]
fn a_key_in_the_file_keeps_no_other_archive_shut() {
    let test = full()
        .args([
            "create",
            "-q",
            "--state-dir",
            "state",
            "-o",
            "box.ocbak",
            "--passphrase-file",
            "passphrase.txt",
        ])
        .success()
        .args(["list", "box.ocbak"])
        .stderr_has("no key slot opens with these identities")
        .ends_with(5);
    #[cfg(target_os = "linux")]
    {
        let mut session = super::session::Session::start(&test, "$ocbak list box.ocbak");
        session.wait_for("Passphrase of `box.ocbak`: ").type_in("an obviously fake passphrase\n");
        let (code, rest) = session.end();
        assert_eq!(code, Some(0), "{rest}");
        assert!(rest.contains("state/openclaw.json"), "{rest}");
    }
    drop(test);
}
