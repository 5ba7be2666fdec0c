//! Wrong usage: exit code 2, and nothing done.

use super::support::Test;

#[test]
fn commands_that_are_none_are_refused() {
    Test::new()
        .args(["verfy"])
        .stdout("")
        .stderr_has("error: unrecognized subcommand 'verfy'")
        .stderr_has("a similar subcommand exists: 'verify'")
        .ends_with(2);
    Test::new().stdout("").stderr_has("Usage: ocbak").ends_with(2);
}

#[test]
fn passphrases_are_never_values() {
    for option in ["--passphrase", "--password", "-p"] {
        Test::new().args(["create", option, "secret"]).stderr_has("error: ").ends_with(2);
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    for args in [
        &["create", "--passphrase-file", "f", "--passphrase-fd", "3"][..],
        &["restore", "f", "--to", "d", "--state-dir", "s"],
        &["restore", "f", "--resume"],
        &["passwd", "f", "--remove", "--new-passphrase-file", "n"],
        &["extract", "f", "p", "--stdout", "-C", "d"],
        &["extract", "f", "p", "--stdout", "--json"],
        &["list", "f", "-l", "--skipped"],
        &["info", "f", "-q", "-v"],
    ] {
        Test::new().args(args.iter().copied()).stderr_has("' cannot be used with").ends_with(2);
    }
    Test::new().args(["extract", "f", "p"]).stdout("").stderr_has("were not provided").ends_with(2);
    Test::installed()
        .args(["create", "--json", "--state-dir", "state", "-o", "-"])
        .stderr_has("error: `--json` and `--output -` exclude each other\n")
        .ends_with(2);
    Test::new()
        .args(["extract", "f", "a", "b", "--stdout"])
        .stderr("error: `--stdout` takes exactly one file\nhint: several go into a directory: `-C DIR`\n")
        .ends_with(2);
}

#[test]
fn numbers_out_of_range_are_refused() {
    for args in [
        ["create", "--level", "20"],
        ["create", "--level", "0"],
        ["create", "--threads", "-1"],
        ["create", "--passphrase-fd", "x"],
        ["verify", "--max-work-factor", "0"],
        ["verify", "--max-work-factor", "31"],
    ] {
        let [command, option, value] = args;
        let said = format!("error: invalid value '{value}' for '{option}");
        // The equals sign, since a value may begin like an option.
        Test::new().args([command, &format!("{option}={value}")]).stderr_has(&said).ends_with(2);
    }
}

#[test]
fn patterns_that_are_none_are_refused() {
    Test::new()
        .args(["list", "f", "state/["])
        .stderr_has("error: pattern `state/[`: unclosed character class")
        .stderr_has("hint: `*` matches within a name")
        .ends_with(2);
}

#[test]
fn restoring_in_place_needs_a_yes_before_anything_else() {
    Test::installed()
        .args(["restore", "box.ocbak", "--state-dir", "state"])
        .stderr(
            "error: this needs a yes, and there is no terminal to ask for it\n\
             hint: look at the plan with `--dry-run`, then give `--yes`\n",
        )
        .ends_with(2);
}

#[test]
fn failures_are_documents_too() {
    let (_, document) = Test::new()
        .args(["info", "none.ocbak", "--json"])
        .stderr_has("error: cannot open `none.ocbak`\ncaused by: No such file or directory")
        .json(1);
    assert_eq!(document["error"]["exit_code"], 1);
    assert_eq!(document["error"]["message"], "cannot open `none.ocbak`");
}

#[test]
fn a_command_line_that_does_not_parse_is_a_document_too() {
    let (test, document) =
        Test::new().args(["list", "--json", "--nothing"]).stderr_has("error: unexp").json(2);
    assert_eq!(document["error"]["message"], "unexpected argument '--nothing' found");
    assert_eq!(document["error"]["exit_code"], 2);
    test.args(["--help", "--json"]).stdout_has("Usage: ocbak").success();
    Test::new().args(["list", "--nothing", "--", "--json"]).stdout("").stderr_has("error: ").ends_with(2);
}
