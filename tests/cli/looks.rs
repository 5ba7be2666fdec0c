//! What lists look like: trees, marks, colours, narrow terminals.
#![cfg(target_os = "linux")]

use super::session::Session;
use super::support::Test;

fn archived() -> Test {
    Test::installed()
        .write("state/media/日本語の長い名前のファイル.txt", vec![b'a'; 5000])
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
        .success()
}

#[test]
fn a_tree_shows_what_directories_hold() {
    archived()
        .args(["list", "--tree", "box.ocbak", "-i", "private.txt", "state/media/**", "state/credentials/**"])
        .stdout(
            "state/  4.8 KiB\n\
             |-- credentials/  17 B\n\
             |   `-- test/  17 B\n\
             |       `-- creds.json  17 B  secret\n\
             `-- media/  4.8 KiB\n    \
                 `-- 日本語の長い名前のファイル.txt  4.8 KiB\n",
        )
        .success()
        .args(["list", "--tree", "box.ocbak", "-i", "private.txt", "workspace/**"])
        .variable("LANG", "en_GB.UTF-8")
        .stdout_has("└── main/  24 B\n    ├── MEMORY.md  22 B\n    └── notes/  2 B\n        └── a.md  2 B\n")
        .success();
}

#[test]
fn secrets_are_marked() {
    let (_, document) = archived()
        .args([
            "list",
            "-l",
            "--utc",
            "box.ocbak",
            "-i",
            "private.txt",
            "state/openclaw.json",
            "state/media/**",
        ])
        .stdout_has("-rw------- s ")
        .stdout_has("-rw-------        4.8 KiB ")
        .success()
        .args(["list", "--json", "box.ocbak", "-i", "private.txt", "state/openclaw.json", "state/media/**"])
        .json(0);
    let marks: Vec<_> = document["payloads"][0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["secret"].clone())
        .collect();
    assert_eq!(marks, [false, true]);
}

#[test]
fn times_are_local_unless_utc_is_asked_for() {
    let line = |test: Test, zone: &str, more: &[&str]| {
        let test = test.variable("TZ", zone).args([
            "list",
            "-l",
            "box.ocbak",
            "-i",
            "private.txt",
            "state/openclaw.json",
        ]);
        let (test, stdout) = test.args(more.iter().copied()).run(0);
        (test, String::from_utf8(stdout).unwrap())
    };
    let (test, utc) = line(archived(), "UTC0", &[]);
    let (test, elsewhere) = line(test, "XYZ-7", &[]);
    let (_, asked) = line(test, "XYZ-7", &["--utc"]);
    assert_ne!(utc, elsewhere);
    assert_eq!(utc, asked);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    const RED: &str = "\u{1b}[31m";
    let test = Test::new();
    for (variables, line, coloured) in [
        (&[][..], "$ocbak info none", true),
        (&[("NO_COLOR", "1")], "$ocbak info none", false),
        (&[("NO_COLOR", "")], "$ocbak info none", true),
        (&[("NO_COLOR", ""), ("TERM", "dumb")], "$ocbak info none", false),
        (&[("NO_COLOR", "")], "$ocbak info none 2>&1 | cat", false),
        (&[("TERM", "dumb")], "$ocbak info none", false),
        (&[], "$ocbak info none --color never", false),
        (&[], "$ocbak info none 2>&1 | cat", false),
        (&[("NO_COLOR", "1")], "$ocbak info none --color always", true),
        (&[], "$ocbak info none --color always 2>&1 | cat", true),
    ] {
        let (_, shown) = Session::with(&test, line, variables).end();
        assert_eq!(shown.contains(RED), coloured, "{line} {variables:?}: {shown}");
        assert!(shown.contains("error:"), "{shown}");
    }
    let (_, shown) = Session::with(&test, "$ocbak info none --json", &[]).end();
    let (_, document) = shown.split_once("\n{").unwrap();
    assert!(!document.contains('\u{1b}'), "{document}");
}

#[test]
fn trees_fit_narrow_terminals() {
    let test = archived();
    for (columns, cut) in [(30, true), (200, false)] {
        let line = format!(
            "stty rows 24 cols {columns}; $ocbak list --tree box.ocbak -i private.txt 'state/media/**'"
        );
        let (code, shown) = Session::with(&test, &line, &[("NO_COLOR", "1"), ("LANG", "C.UTF-8")]).end();
        assert_eq!(code, Some(0), "{shown}");
        for line in shown.lines() {
            assert!(console::measure_text_width(line) <= columns, "{line}");
        }
        assert_eq!(shown.contains('…'), cut, "{shown}");
    }
}

#[test]
fn progress_leaves_nothing_behind() {
    let test = archived();
    for columns in [20, 80] {
        let line = format!("stty rows 24 cols {columns}; $ocbak verify box.ocbak -i private.txt");
        let (code, shown) = Session::start(&test, &line).end();
        assert_eq!(code, Some(0), "{shown}");
        // What was drawn was cleared before the answer came.
        let (_, answer) = shown.rsplit_once("\u{1b}[2K").expect("nothing was drawn");
        assert!(answer.contains("sound: ") && !answer.contains('%'), "{shown:?}");
    }
    let (_, shown) = Session::start(&test, "$ocbak verify box.ocbak -i private.txt 2>&1 | cat").end();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn nothing_secret_is_exported_to_a_terminal() {
    let (code, shown) = Session::start(&archived(), "$ocbak export box.ocbak -i private.txt").end();
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("error: "), "{shown}");
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest() {
    let mut test = archived();
    let lying = test.path("state/openclaw.json").canonicalize().unwrap().display().to_string();
    for wrong in [
        "openclaw.json",
        "state/Openclaw.json",
        "state/opneclaw.json/",
        "state/openclaw.jso",
        "openclaw.jso",
        &lying,
    ] {
        test = test
            .args(["extract", "box.ocbak", wrong, "-i", "private.txt", "--stdout"])
            .stderr_has("`state/openclaw.json`")
            .ends_with(1);
    }
}
