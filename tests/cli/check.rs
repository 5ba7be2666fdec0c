//! Looking over an installation.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::support::Test;

const CHECK: [&str; 3] = ["check", "--state-dir", "state"];

/// An installation with a shared database whose rows are keyed by paths below `place`.
fn installed(place: Option<&Path>) -> Test {
    let test = Test::installed().mode("state", 0o700).write("state/agents/main/agent/models.json", "{}");
    let state = place.map_or_else(|| fs::canonicalize(test.path("state")).unwrap(), Path::to_owned);
    let workspace = state.join("workspace").display().to_string();
    let key = hex::encode(Sha256::digest(&workspace));
    let test = test.write("state/state/openclaw.sqlite", "");
    let database = Connection::open(test.path("state/state/openclaw.sqlite")).unwrap();
    database
        .execute_batch(&format!(
            "CREATE TABLE cron_jobs (store_key TEXT, name TEXT, declaration_key TEXT) STRICT;
             INSERT INTO cron_jobs VALUES ('{store}', 'daily', NULL), ('{store}', 'own', 'own');
             CREATE TABLE workspace_setup_state (workspace_key TEXT, workspace_path TEXT) STRICT;
             INSERT INTO workspace_setup_state VALUES ('{key}', '{workspace}'), ('x', NULL);
             CREATE TABLE plugin_state_entries
               (plugin_id TEXT, namespace TEXT, entry_key TEXT, value_json TEXT) STRICT;
             INSERT INTO plugin_state_entries VALUES
               ('memory-core', 'short-term-meta', '{key}:1', '{{\"workspaceDir\":\"{workspace}\"}}'),
               ('memory-core', 'memory-host.events', '{short}:event:1', '{{}}'),
               ('other', 'x', 'y', 'z');
             CREATE TABLE projects (id TEXT, repo_root TEXT) STRICT;
             INSERT INTO projects VALUES ('a', '{workspace}/repository');",
            store = state.join("cron/jobs.json").display(),
            short = &key[..24],
        ))
        .unwrap();
    test
}

#[test]
fn a_sound_installation_has_nothing_to_find() {
    let (test, document) = installed(None).args(CHECK).args(["--json"]).stderr("").json(0);
    assert_eq!(document["findings"], serde_json::json!([]));
    test.args(CHECK).stdout_has("/state: nothing to find\n").success();
}

#[test]
fn rows_of_another_home_are_named() {
    installed(Some(Path::new("/home/nobody-here/.openclaw")))
        .args(CHECK)
        .stdout_has("lost: the cron job `daily`, kept under `/home/nobody-here/.openclaw/cron/jobs.json`")
        .stdout_has("knows the workspace `/home/nobody-here/.openclaw/workspace`, which is not of this")
        .stdout_has("memory: 2 records of the agents' short-term memory")
        .stdout_has("`projects.repo_root` of the shared database holds 1 path of another home")
        .stdout_has("  fix: make a backup of it in its former home")
        .stdout_has("/state: 4 findings\n")
        .ends_with(3);
}

#[test]
fn a_home_that_still_exists_is_another_home_all_the_same() {
    let test = installed(None).write("former/.openclaw/workspace/MEMORY.md", "x");
    let workspace = test.path("former/.openclaw/workspace").display().to_string();
    let home = test.path("new").display().to_string();
    let config = format!("{{ agents: {{ defaults: {{ workspace: '{workspace}' }} }} }}");
    test.write("new/.openclaw/openclaw.json", config)
        .mode("new/.openclaw", 0o700)
        .args(["check", "--home", &home])
        .stdout_has(&format!(
            "path: the setting `agents.defaults.workspace` names `{workspace}`, a path of another"
        ))
        .ends_with(3);
}

#[test]
fn modes_locks_and_side_files_are_named_with_their_fixes() {
    installed(None)
        .write("state/tmp/openclaw-1000/gateway.state.lock", "{\"pid\":999999999}   \n")
        .write("state/state/other.sqlite-wal", "x")
        .write("state/state/broken.sqlite", [b"SQLite format 3\0".as_slice(), &[7; 500]].concat())
        .mode("state", 0o755)
        .mode("state/openclaw.json", 0o644)
        .args(CHECK)
        .stdout_has("/state` has mode 0755 instead of 0700\n  fix: chmod 700 '")
        .stdout_has("/state/openclaw.json` has mode 0644 instead of 0600\n  fix: chmod 600 '")
        .stdout_has("gateway.state.lock` names a process that is gone")
        .stdout_has("/other.sqlite-wal` has no database beside it")
        .stdout_has("/broken.sqlite` is damaged: ")
        .ends_with(3);
}

#[test]
fn a_configuration_that_does_not_hold_is_named() {
    let test = installed(None);
    let missing = test.path("drive/workspace").display().to_string();
    test.write("state/openclaw.json", "{ this is none")
        .args(CHECK)
        .stdout_has("config: configuration `")
        .stdout_has("does not parse")
        .ends_with(3)
        .write("state/openclaw.json", format!("{{ agents: {{ defaults: {{ workspace: '{missing}' }} }} }}"))
        .args(CHECK)
        .stdout_has(&format!("workspace: workspace `{missing}` of agent `main` does not exist"))
        .stdout_has("fix: mount the drive")
        .ends_with(3);
}

#[test]
fn lock_databases_are_not_opened() {
    let test = installed(None).write("state/agents/main/agent/x.sqlite.reindex-lock.sqlite", "");
    let lock = Connection::open(test.path("state/agents/main/agent/x.sqlite.reindex-lock.sqlite")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    test.args(CHECK).success();
}
