//! Looking over an installation.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::support::Test;

pub(crate) const CHECK: [&str; 3] = ["check", "--state-dir", "state"];

/// An installation with a shared database whose rows are keyed by paths below `place`, and an
/// OpenClaw of the release that wrote it.
pub(crate) fn installed(place: Option<&Path>) -> Test {
    let test = Test::installed();
    let state = place.map_or_else(|| fs::canonicalize(test.path("state")).unwrap(), Path::to_owned);
    let workspace = state.join("workspace").display().to_string();
    let key = hex::encode(Sha256::digest(&workspace));
    let test = test.write("state/state/openclaw.sqlite", "").mode("state/state", 0o700);
    let database = Connection::open(test.path("state/state/openclaw.sqlite")).unwrap();
    database
        .execute_batch(&format!(
            "CREATE TABLE schema_meta (meta_key TEXT, role TEXT, schema_version INTEGER, app_version TEXT) STRICT;
             INSERT INTO schema_meta VALUES ('primary', 'global', 18, '2026.9.6');
             CREATE TABLE cron_jobs (store_key TEXT, name TEXT, declaration_key TEXT) STRICT;
             INSERT INTO cron_jobs VALUES ('{store}', 'daily', NULL), ('{store}', 'own', 'own');
             CREATE TABLE agent_databases (agent_id TEXT, path TEXT) STRICT;
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
    with_openclaw(test, 18)
}

/// An `openclaw` that is a package's program, and does what the test says when it is run.
pub(crate) fn with_openclaw(test: Test, schema: u64) -> Test {
    let package = format!(
        r#"{{"name":"openclaw","version":"2026.9.{schema}","openclaw":{{"schemaVersions":{{"state":{schema},"agent":23}}}}}}"#
    );
    test.write("package/package.json", package)
        .write("package/openclaw", OPENCLAW)
        .mode("package/openclaw", 0o755)
}

/// Says what led it where, and fails where the configuration says so.
const OPENCLAW: &str = r#"#!/bin/sh
echo "$OPENCLAW_STATE_DIR $HOME $OCBAK_PASSPHRASE$OCBAK_NEW_PASSPHRASE$OPENCLAW_PROFILE $*" >> "$0.log"
case "$*" in
config*) echo '{"valid":true,"warnings":[]}' ;;
*) if grep -q broken "$OPENCLAW_STATE_DIR/openclaw.json"; then
     echo '{"ok":false,"findings":[{"checkId":"core/x","severity":"error","message":"it is broken"}]}'
     exit 1
   fi
   echo '{"ok":true,"findings":[]}' ;;
esac
"#;

impl Test {
    /// Puts the OpenClaw of [`with_openclaw`] into `PATH`.
    pub(crate) fn openclaw(self) -> Self {
        let path = format!("{}:/usr/bin:/bin", self.path("package").display());
        self.variable("PATH", &path)
    }

    fn change(self, sql: &str) -> Self {
        Connection::open(self.path("state/state/openclaw.sqlite")).unwrap().execute_batch(sql).unwrap();
        self
    }

    /// The kinds of all findings.
    fn kinds(self, code: i32) -> (Self, Vec<String>) {
        let (test, document) = self.args(CHECK).args(["--json"]).json(code);
        let kinds = document["findings"].as_array().unwrap().iter();
        (test, kinds.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect())
    }
}

#[test]
fn a_sound_installation_has_nothing_to_find() {
    let (test, document) = installed(None).openclaw().args(CHECK).args(["--json"]).stderr("").json(0);
    assert_eq!(document["findings"], serde_json::json!([]));
    let test = test.openclaw().args(CHECK).stdout_has("/state: nothing to find\n").success();
    assert!(!test.path("package/openclaw.log").exists(), "OpenClaw was run");
}

#[test]
fn a_copy_beside_its_origin_is_put_right_from_there() {
    let scratch = tempfile::tempdir().unwrap();
    let former = scratch.path().canonicalize().unwrap().join(".openclaw");
    std::fs::create_dir(&former).unwrap();
    std::fs::write(former.join("openclaw.json"), "{}").unwrap();
    let (_, document) = installed(Some(&former)).openclaw().args(CHECK).args(["--json"]).json(3);
    let finding = &document["findings"][0];
    assert_eq!(finding["kind"], "another-home");
    let fix = |line: usize| finding["fix"][line].as_str().unwrap();
    assert!(fix(0).starts_with("what it was copied from is still there"), "{finding}");
    let home = former.parent().unwrap().display();
    assert_eq!(fix(1), format!("ocbak create --home {home} -o moved.ocbak"));
    assert!(fix(2).ends_with("/state --yes moved.ocbak"), "{finding}");
}

#[test]
fn a_copied_home_is_one_finding_with_the_commands_that_put_it_right() {
    let (test, document) = installed(Some(Path::new("/home/nobody-here/.openclaw")))
        .openclaw()
        .args(CHECK)
        .args(["--json"])
        .json(3);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{document}");
    let finding = &findings[0];
    assert_eq!(finding["kind"], "another-home");
    assert_eq!(finding["paths"][0], "/home/nobody-here/.openclaw/workspace");
    let (home, state) = (test.path(""), test.path("state"));
    let home = home.to_str().unwrap().trim_end_matches('/');
    let state = state.display();
    assert_eq!(finding["fix"][1], format!("ocbak create --home {home} --state-dir {state} -o moved.ocbak"));
    assert_eq!(
        finding["fix"][2],
        format!(
            "ocbak restore --home {home} --state-dir {state} --map /home/nobody-here/.openclaw={state} \
             --map /home/nobody-here={home} --yes moved.ocbak"
        )
    );
    test.openclaw()
        .args(CHECK)
        .stdout_has("/state: 1 finding\nanother-home: `")
        .stdout_has("` was copied or moved from `/home/nobody-here/.openclaw` and `/home/nobody-here`: 4 things lead there still\n")
        .stdout_has("\n  cron job `daily`: lost, kept under `/home/nobody-here/.openclaw/cron/jobs.json`")
        .stdout_has("\n  workspace `/home/nobody-here/.openclaw/workspace`, which the shared database knows\n")
        .stdout_has("\n  short-term memory: 2 records\n")
        .stdout_has("\n  `projects.repo_root` of the shared database: 1 path, such as `/home/nobody-here/.openclaw/w")
        .stdout_has("\n  fix: stop OpenClaw there, then let a restore in place rewrite the paths:\n       ocbak create")
        .ends_with(3);
}

#[test]
fn worktrees_and_commands_of_cron_jobs_are_left_behind_too() {
    let job = r#"{"argv":["/home/nobody-here/bin/a","/usr/bin/b"],"prompt":"/home/nobody-here/c"}"#;
    let (test, kinds) = installed(Some(Path::new("/home/nobody-here/.openclaw")))
        .change(&format!("ALTER TABLE cron_jobs ADD job_json TEXT; UPDATE cron_jobs SET job_json = '{job}'"))
        .write("state/workspace/tree/.git", "gitdir: /home/nobody-here/x/.git/worktrees/tree\n")
        .openclaw()
        .kinds(3);
    assert_eq!(kinds, ["another-home"]);
    test.args(CHECK)
        .stdout_has(
            "\n  `cron_jobs.job_json` of the shared database: 2 paths, such as `/home/nobody-here/bin/a`\n",
        )
        .stdout_has("/workspace/tree`: `/home/nobody-here/x/.git/worktrees/tree`\n")
        .ends_with(3);
}

#[test]
fn a_home_that_still_exists_is_another_home_all_the_same() {
    let test = installed(None).write("former/.openclaw/workspace/MEMORY.md", "x");
    let workspace = test.path("former/.openclaw/workspace").display().to_string();
    let home = test.path("new").display().to_string();
    let config = format!("{{ agents: {{ defaults: {{ workspace: '{workspace}' }} }} }}");
    test.write("new/.openclaw/openclaw.json", config)
        .write("new/.openclaw/agents/main/sessions/sessions.json", "{}")
        .mode("new/.openclaw", 0o700)
        .args(["check", "--home", &home])
        .stdout_has(&format!(
            "1 setting of the configuration, such as `agents.defaults.workspace`: `{workspace}`"
        ))
        .ends_with(3);
}

#[test]
fn cron_jobs_under_a_path_that_tells_no_home_are_lost_too() {
    installed(None)
        .change("UPDATE cron_jobs SET store_key = '/srv/cron.json'")
        .args(CHECK)
        .stdout_has(
            "cron: 1 cron job lost, kept under /srv/cron.json, where OpenClaw does not look: `daily`\n",
        )
        .ends_with(3);
}

#[test]
fn variables_in_files_that_name_another_home_are_named() {
    let test = installed(Some(Path::new("/home/nobody-here/.openclaw")));
    test.write("state/.env", "A=/home/nobody-here/key.json\nB=/srv/x\nC=secret\n")
        .args(CHECK)
        .stdout_has("5 things lead there still\n")
        .stdout_has("\n  variable `A` in `")
        .stdout_has("/.env`: `/home/nobody-here/key.json`\n")
        .ends_with(3);
}

#[test]
fn an_incomplete_installation_is_said_to_be_one() {
    let test = Test::new().write("state/openclaw.json", "{}").mode("state", 0o700);
    let test = test
        .args(CHECK)
        .stdout_has("incomplete: `")
        .stdout_has("/state` holds a configuration and no agents: no sessions, no cron jobs, no device key\n")
        .stdout_has(" restore --home ")
        .ends_with(3);
    fs::remove_file(test.path("state/openclaw.json")).unwrap();
    test.args(CHECK)
        .stdout_has("/state` holds no installation: no configuration, no agents, no databases\n")
        .ends_with(3)
        .write("state/agents/main/agent/openclaw-agent.sqlite", "SQLite format 3\0")
        .args(CHECK)
        .stdout_has("incomplete: there is no configuration file in `")
        .ends_with(3);
}

#[test]
fn what_the_installation_tells_of_itself_has_to_be_there() {
    let database = "agents/main/agent/openclaw-agent.sqlite";
    let test = installed(None).change(&format!(
        "INSERT INTO agent_databases VALUES ('main', '{database}'), ('gone', 'agents/gone/x.sqlite'), ('main', '/old/x')"
    ));
    let sessions = r#"{"a":{"sessionId":"1"},"b":{"sessionId":"2","sessionFile":"/home/x/2-topic.jsonl"}}"#;
    let config = "{ channels: { whatsapp: {} } }";
    let test = test
        .write("state/openclaw.json", config)
        .write("state/agents/main/sessions/sessions.json", sessions)
        .write("state/agents/main/sessions/2-topic.jsonl", "")
        .args(CHECK)
        .stdout_has("incomplete: the database of the agent `main` is not there, with its sessions and transcripts: `")
        .stdout_has("incomplete: 1 transcript that `")
        .stdout_has("/sessions/1.jsonl`\n")
        .stdout_has("login: the channel `whatsapp` is configured, and the login of its account `default` is not there")
        .stdout_has("channels login --channel whatsapp\n")
        .ends_with(3);
    Connection::open({
        fs::create_dir_all(test.path("state/agents/main/agent")).unwrap();
        test.path("state").join(database)
    })
    .unwrap()
    .execute_batch("CREATE TABLE a (b)")
    .unwrap();
    let (_, kinds) = test
        .mode(&format!("state/{database}"), 0o600)
        .write("state/agents/main/sessions/1.jsonl", "")
        .write("state/credentials/whatsapp/default/creds.json", "{}")
        .mode("state/credentials/whatsapp/default", 0o700)
        .mode("state/credentials/whatsapp", 0o700)
        .openclaw()
        .kinds(0);
    assert_eq!(kinds, [""; 0]);
}

#[test]
fn agents_with_databases_need_the_shared_one() {
    let test = Test::installed().write("state/agents/main/agent/openclaw-agent.sqlite", "");
    let database = Connection::open(test.path("state/agents/main/agent/openclaw-agent.sqlite")).unwrap();
    database.execute_batch("CREATE TABLE a (b)").unwrap();
    test.args(CHECK)
        .stdout_has("/state/openclaw.sqlite` is not there: no cron jobs, no device key")
        .ends_with(3);
}

#[test]
fn a_workspace_that_was_set_up_and_is_gone_is_named() {
    let test = installed(None);
    fs::remove_dir_all(test.path("state/workspace")).unwrap();
    test.args(CHECK)
        .stdout_has("/state/workspace` of agent `main` does not exist\n  fix: mount the drive")
        .ends_with(3);
}

#[test]
fn modes_and_side_files_are_named_with_their_fixes() {
    let test = installed(None)
        .write("state/state/other.sqlite-wal", "x")
        .write("state/state/broken.sqlite", [b"SQLite format 3\0".as_slice(), &[7; 500]].concat())
        .mode("state", 0o755)
        .mode("state/openclaw.json", 0o644)
        .mode("state/credentials/test/creds.json", 0o640);
    symlink("nowhere", test.path("state/skills")).unwrap();
    let place = test.path("state").display().to_string();
    test.args(CHECK)
        .stdout_has(&format!("/state` has mode 0755 instead of 0700\n  fix: chmod 700 {place}\n"))
        .stdout_has("mode: 2 files with secrets have another mode than 0600\n  `")
        .stdout_has(&format!("fix: chmod 600 {place}/credentials/test/creds.json {place}/openclaw.json\n"))
        .stdout_has("/other.sqlite-wal` has no database beside it\n  fix: stop OpenClaw, then move it away")
        .stdout_has("/broken.sqlite` is damaged: not readable as a database (file is not a database)\n")
        .ends_with(3);
}

#[test]
fn the_log_of_another_database_is_told_from_damage() {
    let test = installed(None).write("state/state/a.sqlite", "").write("state/state/b.sqlite", "");
    let path = |name: &str| test.path(&format!("state/state/{name}"));
    for (name, rows) in [("a.sqlite", 300), ("b.sqlite", 900)] {
        let database = Connection::open(path(name)).unwrap();
        database.pragma_update(None, "journal_mode", "wal").unwrap();
        let fill = format!(
            "CREATE TABLE t (x); CREATE INDEX i ON t (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n WHERE i < {rows}) INSERT INTO t SELECT hex(randomblob(50)) FROM n;"
        );
        database.execute_batch(&fill).unwrap();
        if name == "b.sqlite" {
            // A log with a few pages only: one with all would make the other database a copy of this one.
            let _ = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            database.execute_batch("INSERT INTO t SELECT 'x' || x FROM t LIMIT 20").unwrap();
            fs::copy(path("b.sqlite-wal"), test.path("foreign")).unwrap();
        }
    }
    fs::copy(test.path("foreign"), path("a.sqlite-wal")).unwrap();
    let test = test
        .args(CHECK)
        .stdout_has("/a.sqlite` is whole without its log, and damaged with it: `")
        .stdout_has("/a.sqlite-wal` is of another one\n  fix: stop OpenClaw, then move it away")
        .ends_with(3);
    assert!(test.path("state/state/a.sqlite-wal").exists());
}

#[test]
fn what_belongs_to_another_user_is_counted_once() {
    let test = installed(None);
    if chown(test.path("state/workspace/notes/a.md"), Some(4711), Some(4711)).is_err() {
        return;
    }
    chown(test.path("state/openclaw.json"), Some(4711), None).unwrap();
    test.args(CHECK)
        .stdout_has("owner: 2 files and directories do not belong to user 0, whose `")
        .stdout_has("/notes/a.md` belongs to user 4711\n")
        .stdout_has("fix: chown -hR 0:0 ")
        .ends_with(3);
}

#[test]
fn leftovers_are_named_and_only_stages_matter() {
    let test = installed(None)
        .write("state/tmp/openclaw-1000/gateway.state.lock", "{\"pid\":999999999}   \n")
        .write("state.before-restore-20261122T054858Z/openclaw.json", "{}");
    let test = test
        .openclaw()
        .args(CHECK)
        .stdout_has("/state: nothing to find, 2 notes\n")
        .stdout_has("note: lock file `")
        .stdout_has("names a process that is gone; OpenClaw takes it over at its next start\n")
        .stdout_has("note: restores kept 1 tree of what they replaced, 1 MiB\n")
        .stdout_has("fix: when all is well, remove them:\n       rm -rf ")
        .success();
    let test = test
        .write(".state.ocbak-restore-0123456789abcdef/x", "secret")
        .write(
            "state.before-restore-20261122T054858Z.journal",
            "{\"started\":{}}\n{\"done\":{\"kept\":[]}}\n",
        )
        .args(CHECK)
        .stdout_has("/state: 1 finding, ")
        .stdout_has("stage: `")
        .stdout_has("/.state.ocbak-restore-0123456789abcdef` is left over from a restore that did not end\n")
        .ends_with(3);
    // In the stage of an interrupted restore may lie what was in its place: that is not to be removed.
    let journal = "state.before-restore-20261122T054859Z.journal";
    let (test, kinds) = test.write(journal, "{\"started\":{}}\n{\"ready\":[]}\n").kinds(3);
    assert!(kinds.contains(&"interrupted".to_owned()) && !kinds.contains(&"stage".to_owned()), "{kinds:?}");
    test.args(CHECK).stdout_has("--resume\n       ocbak undo --home ").ends_with(3);
}

#[test]
fn links_and_worktrees_that_lead_nowhere_are_named() {
    let test = installed(None).write("state/workspace/tree/.git", "gitdir: /nowhere/.git/worktrees/tree\n");
    fs::create_dir(test.path("state/extensions")).unwrap();
    symlink("/nowhere/plugin", test.path("state/extensions/plugin")).unwrap();
    test.args(CHECK)
        .stdout_has("/extensions/plugin` leads to `/nowhere/plugin`, which is not there\n")
        .stdout_has("/tree/.git` leads to `/nowhere/.git/worktrees/tree`, which is not there\n")
        .stdout_has("       git worktree repair ")
        .ends_with(3);
}

#[test]
fn a_configuration_that_does_not_hold_is_named() {
    let test = installed(None);
    let missing = test.path("drive/workspace").display().to_string();
    test.write("state/openclaw.json", "{ this is none")
        .args(CHECK)
        .stdout_has("configuration: configuration `")
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
