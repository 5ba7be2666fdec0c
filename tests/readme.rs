//! README.md promises only what the program has: its commands, options and exit codes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ocbak")).args(args).arg("--help").output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Lines of `sh` blocks that call the program, without what stands before its arguments.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    let mut shell = false;
    for line in text.lines() {
        if line.starts_with("```") {
            shell = line == "```sh";
        }
        let code = line.split("  #").next().unwrap_or_default();
        let arguments = code
            .strip_prefix("ocbak ")
            .or_else(|| Some(code.split_once("cargo run")?.1.split_once(" -- ")?.1));
        if let (true, Some(arguments)) = (shell, arguments) {
            // What it is piped into has options of its own.
            let arguments = arguments.split(" | ").next().unwrap_or_default();
            calls.push(arguments.split_whitespace().map(ToOwned::to_owned).collect());
        }
    }
    calls
}

#[test]
fn every_command_and_option_that_is_shown_exists() {
    let calls = calls(&readme());
    assert!(calls.len() >= 12, "only {} calls were found", calls.len());
    for call in calls {
        let help = help(&[&call[0]]);
        for option in call.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
            let known = |line: &str| {
                let mut words = line.trim().split([' ', ',']);
                words.any(|word| word == option)
            };
            assert!(help.lines().any(known), "`ocbak {}` has no `{option}`", call[0]);
        }
    }
}

#[test]
fn options_named_in_the_text_exist() {
    let all: String = ["create", "info", "list", "verify", "restore", "extract", "diff", "check", "where"]
        .map(|name| help(&[name]))
        .concat();
    let text = readme();
    let mut checked = 0;
    for quoted in text.split('`').skip(1).step_by(2) {
        let Some(option) = quoted.split_whitespace().find(|word| word.starts_with("--")) else {
            continue;
        };
        if quoted.starts_with("--") || quoted.starts_with("ocbak ") {
            checked += 1;
            // Of OpenClaw itself, not of this program, where it says so.
            assert!(all.contains(option), "no command has `{option}`");
        }
    }
    assert!(checked >= 8, "only {checked} options were found");
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = help(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
    let text = readme();
    let table = text.split("## Exit codes").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let code = cells.next()?.parse::<u8>().ok()?;
        Some((code, cells.next()?.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 130]);
    for (code, meaning) in rows {
        assert!(help.contains(&format!("{code} {meaning}")), "{code}: {meaning}");
    }
}

#[test]
fn the_recovery_commands_are_those_in_archives() {
    let archives =
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/format/RECOVERY.txt"))
            .unwrap();
    let text = readme();
    let section = text.split("## Without ocbak").nth(1).unwrap();
    let block = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for line in block.lines() {
        assert!(archives.lines().any(|known| known.trim() == line.trim()), "{line}");
    }
}
