//! Restores that are not at their end, as other commands meet them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::support::Test;

/// The small installation with the journal of a restore that came as far as `records`.
fn with_journal(records: &str) -> (Test, PathBuf) {
    let test = Test::archived().write(JOURNAL, "");
    let journal = test.path(JOURNAL);
    let place = fs::canonicalize(test.path("state")).unwrap();
    let started = format!(
        r#"{{"started":{{"version":1,"place":"{}","inode":{},"stamp":"20261122T054858Z","owner":null}}}}"#,
        place.display(),
        fs::metadata(&journal).unwrap().ino()
    );
    let records = records.replace("PLACE", place.to_str().unwrap());
    fs::write(&journal, format!("{started}\n{records}")).unwrap();
    (test, journal)
}

const JOURNAL: &str = "state.before-restore-20261122T054858Z.journal";
/// The last line was being written.
const INTERRUPTED: &str = "{\"ready\":[]}\n{\"made";

#[test]
fn a_backup_of_an_installation_between_two_states_needs_attention() {
    let (test, journal) = with_journal(INTERRUPTED);
    let before = fs::read(&journal).unwrap();
    let said =
        "warning: a restore of this installation was interrupted: `ocbak restore --resume` finishes it";
    let create = ["create", "--state-dir", "state", "-R", "public.txt", "-o", "new.ocbak"];
    let test = test.args(create).stderr_has(said).ends_with(3);
    let (test, document) = test.args(["where", "--state-dir", "state", "--json"]).json(3);
    assert_eq!(document["attention"], true);
    assert_eq!(fs::read(&journal).unwrap(), before);
    drop(test);
}

#[test]
fn a_dry_run_and_a_key_that_does_not_fit_leave_the_journal_as_it_is() {
    let (test, journal) = with_journal(INTERRUPTED);
    let before = fs::read(&journal).unwrap();
    let restore = ["restore", "box.ocbak", "--state-dir", "state", "-i"];
    let test = test
        .args(["undo", "--dry-run", "--state-dir", "state"])
        .stdout_has("would take back the restore of 20261122T054858Z, which was interrupted\n")
        .success()
        .args(restore)
        .args(["private.txt", "--dry-run"])
        .stderr_has(
            "warning: a restore of 20261122T054858Z was interrupted: another would take it back first",
        )
        .success()
        .args(restore)
        .args(["stranger.txt", "--yes"])
        .stderr_has("error: ")
        .ends_with(5);
    assert_eq!(fs::read(&journal).unwrap(), before);
    test.args(restore)
        .args(["private.txt", "--yes"])
        .stderr_has("a restore of 20261122T054858Z was interrupted, and is taken back\n")
        .success();
    assert!(!journal.exists());
}

#[test]
fn what_is_missing_when_a_restore_is_taken_back_needs_attention() {
    let renamed =
        r#"{"renamed":{"from":{"directory":"PLACE","name":"a"},"to":{"directory":"PLACE","name":"b"}}}"#;
    let (test, journal) =
        with_journal(&format!("{{\"ready\":[]}}\n{renamed}\n{{\"done\":{{\"kept\":[]}}}}\n"));
    test.args(["undo", "--yes", "--state-dir", "state"])
        .stderr_has("/state/b` is not there any more\n")
        .ends_with(3);
    assert!(!journal.exists());
}
