//! `ocbak diff`: against the installation, and against another archive.

use std::fs;
use std::os::unix::fs::symlink;

use rusqlite::Connection;
use serde_json::json;

use super::support::Test;

const LIVE: [&str; 6] = ["diff", "box.ocbak", "-i", "private.txt", "--state-dir", "state"];

/// An archive, and an installation to which things happened since.
fn changed() -> Test {
    let test = Test::installed().write("state/media/old.jpg", "0123456789").write("state/kept.txt", "same");
    symlink("kept.txt", test.path("state/link")).unwrap();
    let test = test
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
        .success()
        .write("state/openclaw.json", "{ \"gateway\": { \"port\": 18790 } }\n")
        .mode("state/credentials", 0o755)
        .write("state/media/new.jpg", "01234")
        // Times alone are no change.
        .write("state/kept.txt", "same")
        .write("state/workspace/notes/b.md", "b\n");
    fs::remove_file(test.path("state/media/old.jpg")).unwrap();
    fs::remove_file(test.path("state/link")).unwrap();
    symlink("openclaw.json", test.path("state/link")).unwrap();
    fs::remove_file(test.path("state/workspace/MEMORY.md")).unwrap();
    fs::create_dir(test.path("state/workspace/MEMORY.md")).unwrap();
    test.mode("state/workspace/MEMORY.md", 0o600)
}

const LINES: &str = "\
M state/credentials  mode
M state/link  link
+ state/media/new.jpg
- state/media/old.jpg
M state/openclaw.json  content
M workspace/main/MEMORY.md  type
+ workspace/main/notes/b.md
";

#[test]
fn nothing_differs_right_after_the_backup() {
    let test = Test::archived().args(LIVE).stdout("").success();
    let (_, document) = test.args(LIVE).args(["--json"]).json(0);
    assert_eq!(document["equal"], true);
    assert_eq!(document["payloads"][0]["differences"], json!([]));
}

#[test]
fn every_change_of_the_installation_is_one_line() {
    changed().args(LIVE).stdout(LINES).ends_with(3);
}

#[test]
fn another_archive_is_compared_in_the_same_way() {
    let test = changed()
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "later.ocbak"])
        .success()
        .args(["diff", "box.ocbak", "later.ocbak", "-i", "private.txt"])
        .stdout(LINES)
        .ends_with(3);
    let test = test.args(["diff", "box.ocbak", "box.ocbak", "-i", "private.txt"]).stdout("").success();
    // What only one of them has is said, and not counted as removed.
    test.args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "state.ocbak"])
        .args(["--no-workspace"])
        .success()
        .args(["diff", "later.ocbak", "state.ocbak", "-i", "private.txt"])
        .stdout("")
        .stderr(
            "warning: `later.ocbak` has a workspace payload, which is not compared: `state.ocbak` has none\n",
        )
        .ends_with(3);
}

#[test]
fn times_count_where_that_is_asked_for() {
    changed().args(LIVE).args(["--mtime"]).stdout_has("M state/kept.txt  mtime\n").ends_with(3);
}

#[test]
fn patterns_select_names() {
    let test = changed()
        .args(LIVE)
        .args(["--path", "state/media/**", "--path", "workspace"])
        .stdout(
            "+ state/media/new.jpg\n- state/media/old.jpg\nM workspace/main/MEMORY.md  type\n\
             + workspace/main/notes/b.md\n",
        )
        .ends_with(3);
    let test = test.args(LIVE).args(["--path", "state/kept.txt"]).stdout("").success();
    test.args(LIVE)
        .args(["--path", "state/nothing"])
        .stderr_has("nothing matches `state/nothing`")
        .ends_with(1);
}

#[test]
fn sums_stand_for_each_payload() {
    let (test, said) = changed().args(LIVE).args(["--stat"]).run(3);
    let said = String::from_utf8(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("state: 1 added (5 B), 1 removed (10 B), 3 changed (33 B), "), "{said}");
    assert!(lines[1].starts_with("workspace: 1 added (2 B), 0 removed (0 B), 1 changed (0 B), "), "{said}");

    let (_, document) = test.args(LIVE).args(["--json"]).json(3);
    let state = &document["payloads"][0];
    assert_eq!(state["removed"], json!({ "names": 1, "bytes": 10 }));
    let changed = &state["differences"][4];
    assert_eq!(changed["path"], "state/openclaw.json");
    assert_eq!(changed["change"], "changed");
    assert_eq!(changed["aspects"], json!(["content"]));
    assert_ne!(changed["before"]["sha256"], changed["after"]["sha256"]);
    assert_eq!(document["equal"], false);
}

#[test]
fn a_database_differs_by_what_is_in_it() {
    let test = Test::installed();
    let path = test.path("state/state/openclaw.sqlite");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE t (x); CREATE TABLE u (x); INSERT INTO t VALUES (1);",
        )
        .unwrap();
    // As by a running gateway; another process opens it here.
    let test =
        test.args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"]).success();
    connection.close().unwrap();
    // The log is gone, and SQLite copies it in another way: the bytes are other ones, but not what they say.
    let test = test.args(LIVE).stdout("").success();
    let test = test
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "later.ocbak"])
        .success()
        .args(["diff", "box.ocbak", "later.ocbak", "-i", "private.txt"])
        .stdout("")
        .success();
    Connection::open(&path).unwrap().execute_batch("UPDATE t SET x = 2;").unwrap();
    test.args(LIVE).stdout("M state/state/openclaw.sqlite  content\n").ends_with(3);
}

#[test]
fn what_was_left_out_is_not_taken_for_new() {
    let test = Test::installed()
        .write("state/media/a.jpg", "a")
        .write("state/media/b.jpg", "b")
        .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
        .args(["--exclude", "state/media/*"])
        .success();
    test.args(LIVE)
        .stdout("")
        .stderr("note: 2 names are not compared: one side left out what the other has\n")
        .ends_with(0)
        .args(LIVE)
        .args(["-v"])
        .stderr_has("not compared: state/media/a.jpg\nnot compared: state/media/b.jpg\n")
        .ends_with(0);
}

#[test]
fn what_cannot_be_is_refused_before_keys_are_read() {
    let test = Test::archived();
    let test = test
        .args(["diff", "box.ocbak", "box.ocbak", "-i", "private.txt", "--state-dir", "state"])
        .stderr_has("cannot be used with")
        .ends_with(2);
    let test = test.args(["diff", "box.ocbak", "-i", "missing.txt", "--state-dir", "nowhere"]).ends_with(1);
    let test = test.args(LIVE).args(["--path", "state/["]).stderr_has("pattern `state/[`").ends_with(2);
    test.args(["diff", "box.ocbak", "-i", "stranger.txt", "--state-dir", "state"]).ends_with(5);
}
