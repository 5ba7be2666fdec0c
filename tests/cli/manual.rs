//! Help on topics, completions and manual pages.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::shared::stock::have;
use super::support::Test;

const COMMANDS: [&str; 22] = [
    "create",
    "info",
    "list",
    "verify",
    "repair",
    "restore",
    "undo",
    "extract",
    "diff",
    "export",
    "import",
    "keygen",
    "passwd",
    "rekey",
    "prune",
    "where",
    "check",
    "config",
    "schedule",
    "completions",
    "man",
    "help",
];

/// Runs a stock program, where there is one.
fn runs(name: &str, args: &[&str], test: &Test) -> Option<(bool, String)> {
    if !have(&[name]) {
        return None;
    }
    let output = Command::new(name).args(args).current_dir(test.path(".")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// The long options that a text names.
fn options(text: &str) -> BTreeSet<&str> {
    text.split(|other: char| other != '-' && !other.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect()
}

#[test]
fn help_knows_every_command_and_topic() {
    let mut test = Test::new();
    for command in COMMANDS {
        let usage = format!("Usage: ocbak {command} ");
        test = test.args(["help", command]).stdout_has(&usage).success();
    }
    let test = test
        .args(["help"])
        .stdout_has("Usage: ocbak [OPTIONS] <COMMAND>")
        .success()
        .args(["help", "exit-codes"])
        .stdout_has("  0  done\n  1  failed\n  2  wrong usage\n  3  done, but")
        .stdout_has("130  interrupted\n")
        .success()
        .args(["help", "format"])
        .stdout_has("  tar -xf BACKUP.ocbak\n")
        .stdout_has("age -d -i - state.tar.zst.age | zstd -d | tar -C s -xpf -")
        .success()
        .args(["help", "exit-code"])
        .stderr("error: there is no help on `exit-code`\nhint: `ocbak help exit-codes` may be meant\n")
        .ends_with(2);
    let (_, document) = test.args(["help", "--json", "exit-codes"]).json(0);
    assert_eq!(document["topic"], "exit-codes");
    assert!(document["text"].as_str().unwrap().contains("no key fits"));
}

#[test]
fn shells_take_the_completions() {
    let mut test = Test::new();
    for (shell, check) in [
        ("bash", Some("bash")),
        ("zsh", Some("zsh")),
        ("fish", Some("fish")),
        ("elvish", None),
        ("powershell", None),
    ] {
        let (next, script) = test.args(["completions", shell]).run(0);
        test = next.write(shell, &script);
        let script = String::from_utf8(script).unwrap();
        for word in ["restore", "passphrase-file"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        if let Some((fine, said)) = check.and_then(|check| runs(check, &["-n", shell], &test)) {
            assert!(fine, "{shell}: {said}");
        }
    }
    let complete =
        "source ./bash; COMP_WORDS=(ocbak re); COMP_CWORD=1; _ocbak ocbak re ocbak; echo \"${COMPREPLY[@]}\"";
    if let Some((_, said)) = runs("bash", &["-c", complete], &test) {
        assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["repair", "restore", "rekey"]);
    }
    // No option is offered that no page explains.
    let script = fs::read_to_string(test.path("bash")).unwrap();
    fs::create_dir(test.path("pages")).unwrap();
    let (test, _) = test.args(["man", "-o", "pages"]).run(0);
    let pages = fs::read_dir(test.path("pages"))
        .unwrap()
        .map(|page| fs::read_to_string(page.unwrap().path()).unwrap());
    // Without what sets the type.
    let set =
        ["\\fB", "\\fI", "\\fR"].iter().fold(pages.collect(), |text: String, font| text.replace(font, " "));
    let pages = set.replace("\\-", "-");
    let (offered, explained) = (options(&script), options(&pages));
    assert!(offered.len() > 50, "{offered:?}");
    let unknown: Vec<_> = offered.difference(&explained).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let (_, document) = test.args(["completions", "fish", "--json"]).json(0);
    assert_eq!(document["shell"], "fish");
}

#[test]
fn manual_pages_are_without_fault() {
    let test = Test::new();
    fs::create_dir(test.path("pages")).unwrap();
    let test = test.args(["man", "-o", "pages"]).stderr("note: wrote 23 pages\n").ends_with(0);
    let pages: Vec<String> = fs::read_dir(test.path("pages"))
        .unwrap()
        .map(|page| format!("pages/{}", page.unwrap().file_name().into_string().unwrap()))
        .collect();
    assert_eq!(pages.len(), COMMANDS.len() + 1);
    for page in &pages {
        if let Some((_, said)) = runs("mandoc", &["-Tlint", "-Wwarning", page], &test) {
            assert_eq!(said, "", "{page}");
        }
    }
    let main = fs::read_to_string(test.path("pages/ocbak.1")).unwrap();
    for part in ["OCBAK_PASSPHRASE", "EXIT STATUS", "config.toml", "ocbak\\-create(1)"] {
        assert!(main.contains(part), "{part}");
    }
    let (test, stdout) = test.args(["man"]).run(0);
    assert!(String::from_utf8(stdout).unwrap() == main);
    let (_, document) = test.args(["man", "--json"]).json(0);
    assert_eq!(document["pages"][0], "ocbak.1");
}
