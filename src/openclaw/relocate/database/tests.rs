//! Every table, on databases with OpenClaw's own schemas.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{COLUMNS, Column, Content, Database, Relocation, Report};

const OLD: &str = "/home/al/.openclaw/workspace";
const NEW: &str = "/home/bo/.openclaw-work/workspace";
const STORE: &str = "/home/al/.openclaw/cron/jobs.json";
const NEW_STORE: &str = "/home/bo/.openclaw-work/cron/jobs.json";

/// A database in its own directory.
struct Scratch {
    directory: TempDir,
}

impl Scratch {
    fn new(tables: &str) -> Self {
        let scratch = Self { directory: tempfile::tempdir().unwrap() };
        let connection = scratch.connection();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch(tables).unwrap();
        scratch
    }

    /// With the tables that issue their own keys.
    fn openclaw() -> Self {
        Self::new(include_str!("../../../../tests/support/shared.sql"))
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("openclaw.sqlite")
    }

    fn connection(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn run(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> &Self {
        self.connection().execute(sql, values).unwrap();
        self
    }

    fn relocate(&self) -> Report {
        self.relocate_by(&relocation(), &[])
    }

    fn relocate_by(&self, relocation: &Relocation, known: &[PathBuf]) -> Report {
        let report = Database::open(&self.path()).unwrap().relocate(relocation, known).unwrap();
        let names = std::fs::read_dir(self.directory.path()).unwrap().count();
        assert_eq!(names, 1, "a log was left");
        report
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let connection = self.connection();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|at| match row.get(at).unwrap() {
                Value::Text(text) => text,
                Value::Null => "NULL".to_owned(),
                other => format!("{other:?}"),
            });
            Ok(values.collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn job(&self, store: &str, id: &str) -> &Self {
        self.run(
            "INSERT INTO cron_jobs (store_key, job_id, name, enabled, payload_kind, job_json, updated_at)
             VALUES (?1, ?2, 'n', 1, 'agentTurn', '{}', 1)",
            params![store, id],
        )
    }

    fn workspace(&self, path: &str) -> &Self {
        self.run(
            "INSERT INTO workspace_setup_state VALUES (?1, ?2, 1, NULL, NULL, 1, 1, 1)",
            params![sha(path), path],
        );
        self.run(
            "INSERT INTO workspace_generated_bootstrap_hashes VALUES (?1, 'SOUL.md', 'x')",
            params![sha(path)],
        )
    }

    fn alias(&self, alias: &str, path: &str) -> &Self {
        self.run(
            "INSERT INTO workspace_path_aliases VALUES (?1, ?2, ?3, ?4, 1)",
            params![sha(alias), alias, sha(path), path],
        )
    }

    fn memory(&self, namespace: &str, key: &str, value: &str) -> &Self {
        self.run(
            "INSERT INTO plugin_state_entries VALUES ('memory-core', ?1, ?2, ?3, 1, NULL)",
            params![namespace, key, value],
        )
    }
}

fn sha(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn relocation() -> Relocation {
    let mut relocation = Relocation::default();
    for (old, new) in [("/home/al/.openclaw", "/home/bo/.openclaw-work"), ("/home/al", "/home/bo")] {
        relocation.add(old.as_ref(), new.as_ref(), new.as_ref());
    }
    relocation
}

#[test]
fn cron_jobs_their_scratch_and_receipts() {
    let scratch = Scratch::openclaw();
    scratch.job(STORE, "a").job(STORE, "b").job("/home/alice/.openclaw/cron/jobs.json", "c");
    scratch.run("INSERT INTO cron_job_scratch VALUES (?1, 'a', 'text', 1, NULL, 1)", params![STORE]);
    scratch.run(
        "INSERT INTO cron_run_receipts VALUES ('r', ?1, 'a', 'v', 'main', NULL, 'running', 1, 1, 1, NULL, NULL)",
        params![STORE],
    );
    let report = scratch.relocate();
    assert_eq!(
        report.tables.into_iter().collect::<Vec<_>>(),
        [("cron_job_scratch", 1), ("cron_jobs", 2), ("cron_run_receipts", 1)]
    );
    let rows = scratch.texts("SELECT store_key, job_id FROM cron_jobs ORDER BY job_id");
    let expected = [
        format!("{NEW_STORE}|a"),
        format!("{NEW_STORE}|b"),
        "/home/alice/.openclaw/cron/jobs.json|c".to_owned(),
    ];
    assert_eq!(rows, expected);
    for table in ["cron_job_scratch", "cron_run_receipts"] {
        assert_eq!(scratch.texts(&format!("SELECT store_key FROM {table}")), [NEW_STORE]);
    }
}

#[test]
fn cron_jobs_of_the_new_place_are_not_mixed_with_those_of_the_old() {
    let scratch = Scratch::openclaw();
    scratch.job(STORE, "a").job(NEW_STORE, "built-in");
    scratch.run("INSERT INTO cron_job_scratch VALUES (?1, 'a', 'text', 1, NULL, 1)", params![STORE]);
    let report = scratch.relocate();
    assert!(report.tables.is_empty());
    assert_eq!(report.conflicts, [format!("cron jobs of `{STORE}`: there are others of `{NEW_STORE}`")]);
    assert_eq!(scratch.texts("SELECT store_key FROM cron_job_scratch"), [STORE]);
    assert_eq!(
        scratch.texts("SELECT count(*) FROM cron_jobs WHERE job_id = 'a' AND store_key LIKE '/home/al/%'"),
        ["Integer(1)"]
    );
}

#[test]
fn workspaces_get_the_key_of_their_new_path() {
    let scratch = Scratch::openclaw();
    scratch.workspace(OLD).workspace("/srv/stays").alias(OLD, OLD).alias("/home/al/link", OLD);
    scratch.alias("/home/al/short", "/srv/stays");
    let report = scratch.relocate();
    assert!(report.conflicts.is_empty(), "{:?}", report.conflicts);
    assert_eq!(report.tables["workspace_setup_state"], 1);
    assert_eq!(report.tables["workspace_path_aliases"], 3);
    assert_eq!(report.tables["workspace_generated_bootstrap_hashes"], 1);
    let mut expected =
        [format!("{}|{NEW}|Integer(1)", sha(NEW)), format!("{}|/srv/stays|Integer(1)", sha("/srv/stays"))];
    expected.sort();
    let sql = "SELECT workspace_key, workspace_path, version FROM workspace_setup_state ORDER BY 1";
    assert_eq!(scratch.texts(sql), expected);
    let mut expected = [
        format!("{}|{NEW}|{}|{NEW}", sha(NEW), sha(NEW)),
        format!("{}|/home/bo/link|{}|{NEW}", sha("/home/bo/link"), sha(NEW)),
        format!("{}|/home/bo/short|{}|/srv/stays", sha("/home/bo/short"), sha("/srv/stays")),
    ];
    expected.sort();
    let sql =
        "SELECT alias_key, alias_path, workspace_key, workspace_path FROM workspace_path_aliases ORDER BY 1";
    assert_eq!(scratch.texts(sql), expected);
    let sql = "SELECT count(*) FROM workspace_generated_bootstrap_hashes JOIN workspace_setup_state USING (workspace_key)";
    assert_eq!(scratch.texts(sql), ["Integer(2)"]);
}

#[test]
fn keys_are_those_of_the_place_behind_links() {
    let scratch = Scratch::openclaw();
    scratch.workspace(OLD).alias(OLD, OLD).alias("/home/al/link", OLD);
    let mut relocation = Relocation::default();
    relocation.add("/home/al".as_ref(), "/home/bo".as_ref(), "/data/bo".as_ref());
    scratch.relocate_by(&relocation, &[]);
    let real = "/data/bo/.openclaw/workspace";
    assert_eq!(
        scratch.texts("SELECT workspace_key, workspace_path FROM workspace_setup_state"),
        [format!("{}|{real}", sha(real))]
    );
    let aliases = scratch.texts("SELECT alias_path, workspace_path FROM workspace_path_aliases ORDER BY 1");
    assert_eq!(aliases, [format!("{real}|{real}"), format!("/home/bo/link|{real}")]);
}

#[test]
fn a_forgotten_workspace_stays_forgotten() {
    let scratch = Scratch::openclaw();
    let insert = "INSERT INTO workspace_setup_state VALUES (?1, NULL, NULL, NULL, NULL, 1, 1, 1)";
    scratch.run(insert, params![sha(OLD)]).run(insert, params!["unknown"]);
    scratch.relocate_by(&relocation(), &[PathBuf::from(OLD)]);
    let mut expected = [format!("{}|NULL", sha(NEW)), "unknown|NULL".to_owned()];
    expected.sort();
    assert_eq!(
        scratch.texts("SELECT workspace_key, workspace_path FROM workspace_setup_state ORDER BY 1"),
        expected
    );
}

#[test]
fn a_workspace_of_the_new_place_is_not_overwritten() {
    let value = format!(r#"{{"workspaceKey":"{}","workspaceDir":"{OLD}"}}"#, sha(OLD));
    let fill = |scratch: &Scratch| {
        scratch.workspace(OLD).alias(OLD, OLD);
        scratch.memory("short-term-recall", &format!("{}:x", sha(OLD)), &value);
    };
    let in_setup = Scratch::openclaw();
    in_setup.workspace(NEW);
    let in_memory = Scratch::openclaw();
    in_memory.memory("memory-host.events", &format!("{}:event:1", &sha(NEW)[..24]), "{}");
    let in_aliases = Scratch::openclaw();
    in_aliases.alias("/x", NEW);
    for scratch in [in_setup, in_memory, in_aliases] {
        fill(&scratch);
        let tables = [
            "workspace_setup_state",
            "workspace_path_aliases",
            "plugin_state_entries",
            "workspace_generated_bootstrap_hashes",
        ];
        let read = || tables.map(|table| scratch.texts(&format!("SELECT * FROM {table}")));
        let before = read();
        let report = scratch.relocate();
        assert!(report.tables.is_empty(), "{:?}", report.tables);
        assert_eq!(report.conflicts, [format!("workspace `{OLD}`: there are rows of `{NEW}`")]);
        assert_eq!(read(), before);
    }
}

#[test]
fn memory_rows_get_long_and_short_keys() {
    let scratch = Scratch::openclaw();
    let value = format!(
        r#"{{ "version":1,"workspaceKey":"{}","workspaceDir":"{OLD}","snippet":"{OLD}/x","text":"see {OLD}" }}"#,
        sha(OLD)
    );
    scratch.memory("short-term-recall", &format!("{}:{}", sha(OLD), sha("x")), &value);
    scratch.memory("memory-host.events", &format!("{}:event:1:01", &sha(OLD)[..24]), r#"{"kind":"event"}"#);
    scratch.memory("other", "no-prefix", &value);
    scratch.memory("other", &format!("{}:x", sha("/elsewhere")), "{}");
    scratch.run(
        "INSERT INTO plugin_state_entries VALUES ('another', 'n', ?1, '{}', 1, NULL)",
        params![format!("{}:x", sha(OLD))],
    );
    let report = scratch.relocate();
    assert_eq!(report.tables.into_iter().collect::<Vec<_>>(), [("plugin_state_entries", 2)]);
    let rows = scratch
        .texts("SELECT entry_key, value_json FROM plugin_state_entries ORDER BY plugin_id DESC, rowid");
    let new = format!(
        r#"{{ "version":1,"workspaceKey":"{}","workspaceDir":"{NEW}","snippet":"{OLD}/x","text":"see {OLD}" }}"#,
        sha(NEW)
    );
    assert_eq!(rows[0], format!("{}:{}|{new}", sha(NEW), sha("x")));
    assert_eq!(rows[1], format!(r#"{}:event:1:01|{{"kind":"event"}}"#, &sha(NEW)[..24]));
    assert_eq!(rows[2], format!("no-prefix|{value}"));
    assert_eq!(rows[4], format!("{}:x|{{}}", sha(OLD)));
}

#[test]
fn the_index_of_plugins() {
    let scratch = Scratch::openclaw();
    let index = |home: &str, state: &str| {
        format!(
            r#"{{"revision":1,"index":{{"warning":"DO NOT EDIT","workspaceDir":"{home}/projects/ws","plugins":[{{"rootDir":"{state}/extensions/p","source":"/usr/lib/x"}}]}}}}"#
        )
    };
    let insert = "INSERT INTO config_machine_state VALUES (?1, ?2, 1)";
    let old = index("/home/al", "/home/al/.openclaw");
    scratch.run(insert, params!["plugins.installedIndex", old]).run(insert, params!["other", old]);
    let report = scratch.relocate();
    assert_eq!(report.tables["config_machine_state"], 1);
    let rows = scratch.texts("SELECT value_json FROM config_machine_state ORDER BY state_key DESC");
    assert_eq!(rows, [index("/home/bo", "/home/bo/.openclaw-work"), old]);
}

#[test]
fn every_column_of_plain_paths() {
    let keyed = [Content::CronStore, Content::Workspace];
    for Column { table, name: column, content } in COLUMNS.iter().filter(|one| !keyed.contains(&one.content))
    {
        let form = |path: &str| match content {
            Content::Job => format!(r#"{{"payload": {{"argv":["sh", "{path}"],"note":"/home/al"}}}}"#),
            Content::Json(_) => format!(r#"{{"a": ["{path}"]}}"#),
            _ => path.to_owned(),
        };
        // What the condition of a document asks for holds in all rows.
        let scratch = Scratch::new(&format!(
            "CREATE TABLE {table} (id INTEGER, {column} TEXT UNIQUE, \
             state_key TEXT DEFAULT 'plugins.installedIndex') STRICT"
        ));
        let paths = ["/home/al/.openclaw/x", "/home/al/y", "/home/alice/y", "relative/y", "~/y"];
        let new = ["/home/bo/.openclaw-work/x", "/home/bo/y", "/home/alice/y", "relative/y", "~/y"];
        let insert = format!("INSERT INTO {table} (id, {column}) VALUES (?1, ?2)");
        for (id, path) in paths.iter().enumerate() {
            scratch.run(&insert, params![i64::try_from(id).unwrap(), form(path)]);
        }
        scratch.run(&insert, params![9, None::<String>]);
        let report = scratch.relocate();
        assert_eq!(report.tables[*table], 2, "{table}.{column}");
        let rows = scratch.texts(&format!("SELECT {column} FROM {table} WHERE id < 9 ORDER BY id"));
        assert_eq!(rows, new.map(form), "{table}.{column}");
    }
}

#[test]
fn of_a_cron_job_what_a_command_gets_and_where_it_runs() {
    let scratch = Scratch::openclaw();
    let job = |home: &str| {
        format!(
            r#"{{"name":"/home/al","schedule":{{"kind":"on-exit","cwd":"{home}/a"}}, "payload":{{"kind":"command","argv":["{home}/bin/x","in /home/al"],"env":{{"/home/al":"{home}/c"}},"message":"/home/al/note"}}}}"#
        )
    };
    scratch.job("/elsewhere", "a").run("UPDATE cron_jobs SET job_json = ?1", params![job("/home/al")]);
    scratch.relocate();
    assert_eq!(scratch.texts("SELECT job_json FROM cron_jobs"), [job("/home/bo")]);
}

#[test]
fn a_path_that_is_there_already_is_a_conflict() {
    let scratch =
        Scratch::new("CREATE TABLE skill_usage (skill_file TEXT NOT NULL PRIMARY KEY, n INTEGER) STRICT");
    scratch.run("INSERT INTO skill_usage VALUES ('/home/al/s', 1), ('/home/bo/s', 2)", &[]);
    let report = scratch.relocate();
    assert_eq!(report.conflicts, ["skill_usage: `/home/al/s`, because `/home/bo/s` is there"]);
    assert!(report.tables.is_empty());
    let rows = scratch.texts("SELECT * FROM skill_usage ORDER BY n");
    assert_eq!(rows, ["/home/al/s|Integer(1)", "/home/bo/s|Integer(2)"]);
}

#[test]
fn other_schemas_are_passed_over() {
    let scratch = Scratch::new(
        "CREATE TABLE cron_jobs (id INTEGER); CREATE TABLE workspace_setup_state (workspace_path TEXT);
         CREATE TABLE plugin_state_entries (entry_key TEXT); INSERT INTO workspace_setup_state VALUES ('/home/al/x');",
    );
    assert_eq!(scratch.relocate(), Report::default());
    assert_eq!(Scratch::new("").relocate(), Report::default());
}

#[test]
fn triggers_and_views_of_the_archive_do_not_run() {
    let scratch = Scratch::new(
        "CREATE TABLE projects (repo_root TEXT); INSERT INTO projects VALUES ('/home/al/x');
         CREATE TRIGGER evil AFTER UPDATE ON projects BEGIN DELETE FROM projects; END;",
    );
    scratch.relocate();
    assert_eq!(scratch.texts("SELECT * FROM projects"), ["/home/bo/x"]);
}

#[test]
fn what_is_no_whole_database_is_said() {
    let scratch = Scratch::openclaw();
    let path = scratch.directory.path().join("text");
    std::fs::write(&path, "no database at all, whatever its name says").unwrap();
    assert!(Database::open(&path).err().unwrap().starts_with("cannot be opened"));
    assert!(Database::open(Path::new("/nowhere/x")).err().unwrap().starts_with("cannot be opened"));
}
