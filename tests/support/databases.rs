//! The SQLite databases of the sample home, with rows that are only in a write-ahead log.
//!
//! Tables and columns are OpenClaw 2026.9.6's, fewer of them. Pages have 1024 bytes instead of
//! OpenClaw's 4096, to stay small in git. All secrets are marked FAKE.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::home::{HOME, RESEARCH_WORKSPACE, SOME_TIME, STATE, WORKSPACE};
use super::sqlite::with_suffix;

/// Name of the cron job that stands only in the log of the shared database.
pub const LOGGED_JOB: &str = "watering the plants (in the log only)";

/// Text of the message that stands only in the log of the main agent's database.
pub const LOGGED_EVENT: &str = r#"{"type":"message","id":"event-2","message":{"role":"assistant","content":"It stands in the log only."}}"#;

/// The shared database, below the state directory.
pub const SHARED: &str = "state/openclaw.sqlite";

/// The main agent's database, below the state directory.
pub const MAIN_AGENT: &str = "agents/main/agent/openclaw-agent.sqlite";

/// The other agent's database, below the state directory. It has no log.
pub const RESEARCH_AGENT: &str = "agents/research/agent/openclaw-agent.sqlite";

/// Writes all databases below the state directory.
pub fn write(state: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);

    let shared = create(&at("shared"), SHARED_TABLES, 18);
    fill_shared(&shared);
    start_log(&shared);
    insert_job(&shared, "job-plants", LOGGED_JOB);
    copy_with_log(&at("shared"), &state.join(SHARED));

    let main = create(&at("main"), AGENT_TABLES, 23);
    fill_agent(&main, "main", WORKSPACE);
    start_log(&main);
    insert_event(&main, "main", 2, LOGGED_EVENT);
    copy_with_log(&at("main"), &state.join(MAIN_AGENT));

    let research = create(&at("research"), AGENT_TABLES, 23);
    fill_agent(&research, "research", RESEARCH_WORKSPACE);
    // The last connection's end moves the log into the database and removes it.
    research.close().unwrap();
    copy(&at("research"), &state.join(RESEARCH_AGENT));

    let quarantine = Connection::open(at("quarantine")).unwrap();
    quarantine.execute_batch(QUARANTINE).unwrap();
    quarantine.close().unwrap();
    copy(&at("quarantine"), &state.join("state/openclaw-quarantine.sqlite"));
}

/// Lower-case hex SHA-256 of a text: OpenClaw's key of a workspace is that of its path.
pub fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn create(path: &Path, tables: &str, version: i64) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL;").unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(tables).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    connection
}

/// Moves everything into the database; what is written after this stays in the log.
fn start_log(connection: &Connection) {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
}

/// Copies database and log while the connection is open, as a crash would leave them.
fn copy_with_log(from: &Path, to: &Path) {
    copy(from, to);
    copy(&with_suffix(from, "-wal"), &with_suffix(to, "-wal"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, fs::read(from).unwrap()).unwrap();
}

fn fill_shared(shared: &Connection) {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        shared.execute(sql, values).unwrap();
    };
    run(
        "INSERT INTO schema_meta VALUES ('primary', 'global', 18, NULL, '2026.9.6', ?1, ?1)",
        params![SOME_TIME],
    );
    insert_job(shared, "job-news", "morning news");
    run(
        "INSERT INTO cron_job_scratch VALUES (?1, 'job-news', 'yesterday: Grüße', 1, NULL, ?2)",
        params![store_key(), SOME_TIME],
    );
    run(
        "INSERT INTO cron_run_receipts VALUES ('receipt-1', ?1, 'job-news', 'rev-1', 'main', NULL, 'ok', 4711, 99, ?2, ?2, NULL)",
        params![store_key(), SOME_TIME],
    );
    for (agent, workspace) in [("main", WORKSPACE), ("research", RESEARCH_WORKSPACE)] {
        let key = sha256(workspace);
        run(
            "INSERT INTO workspace_setup_state VALUES (?1, ?2, 1, NULL, '2026-09-30T08:00:00.000Z', ?3, ?3, ?3)",
            params![key, workspace, SOME_TIME],
        );
        run(
            "INSERT INTO workspace_generated_bootstrap_hashes VALUES (?1, 'SOUL.md', ?2)",
            params![key, sha256("FAKE soul")],
        );
        run(
            "INSERT INTO plugin_state_entries VALUES ('memory-core', 'short-term-recall', ?1, ?2, ?3, NULL)",
            params![
                format!("{key}:{}", sha256("memory:MEMORY.md:1:2")),
                format!(
                    r#"{{"version":1,"workspaceKey":"{key}","workspaceDir":"{workspace}","key":"memory:MEMORY.md:1:2"}}"#
                ),
                SOME_TIME
            ],
        );
        run(
            "INSERT INTO agent_databases VALUES (?1, ?2, 23, ?3, NULL)",
            params![agent, format!("agents/{agent}/agent/openclaw-agent.sqlite"), SOME_TIME],
        );
    }
    let link = format!("{HOME}/research");
    run(
        "INSERT INTO workspace_path_aliases VALUES (?1, ?2, ?3, ?4, ?5)",
        params![sha256(&link), link, sha256(RESEARCH_WORKSPACE), RESEARCH_WORKSPACE, SOME_TIME],
    );
    run(
        "INSERT INTO config_machine_state VALUES ('plugins.installedIndex', ?1, ?2)",
        params![
            format!(
                r#"{{"revision":1,"index":{{"workspaceDir":"{WORKSPACE}","installRecords":{{"demo-plug":{{"installPath":"{STATE}/extensions/demo-plug"}}}}}}}}"#
            ),
            SOME_TIME
        ],
    );
    run(
        "INSERT INTO device_identities VALUES ('primary', 'device-1', 'FAKE-PUBLIC-KEY', 'FAKE-PRIVATE-KEY', ?1, ?1)",
        params![SOME_TIME],
    );
    run(
        "INSERT INTO secret_store_entries VALUES ('team', '', 'WEATHER_KEY', 'FAKE-weather-key', 'secret', ?1, ?1, NULL, NULL, NULL)",
        params![SOME_TIME],
    );
}

fn store_key() -> String {
    format!("{STATE}/cron/jobs.json")
}

fn insert_job(shared: &Connection, id: &str, name: &str) {
    shared
        .execute(
            "INSERT INTO cron_jobs (store_key, job_id, name, enabled, agent_id, payload_kind, job_json, updated_at)
             VALUES (?1, ?2, ?3, 1, 'main', 'agentTurn', ?4, ?5)",
            params![
                store_key(),
                id,
                name,
                format!(r#"{{"id":"{id}","name":"{name}","schedule":{{"kind":"cron","expr":"0 9 * * *"}}}}"#),
                SOME_TIME
            ],
        )
        .unwrap();
}

fn fill_agent(database: &Connection, agent: &str, workspace: &str) {
    let session = format!("session-{agent}");
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        database.execute(sql, values).unwrap();
    };
    run(
        "INSERT INTO schema_meta VALUES ('primary', 'agent', 23, ?1, '2026.9.6', ?2, ?2)",
        params![agent, SOME_TIME],
    );
    run(
        "INSERT INTO session_nodes VALUES (?1, ?2, '{}', 1, ?3)",
        params![format!("agent:{agent}:main"), session, SOME_TIME],
    );
    run(
        "INSERT INTO auth_profile_store VALUES ('primary', '{\"mockai\":{\"apiKey\":\"FAKE-api-key\"}}', ?1)",
        params![SOME_TIME],
    );
    run(
        "INSERT INTO memory_index_sources VALUES (1, 'MEMORY.md', 'memory', ?1, 1790755200000.5, 42)",
        params![sha256("FAKE memory")],
    );
    let header = format!(r#"{{"type":"session","version":4,"id":"{session}","cwd":"{workspace}"}}"#);
    insert_event(database, agent, 0, &header);
    let greeting =
        r#"{"type":"message","id":"event-1","message":{"role":"user","content":"Grüße aus Köln"}}"#;
    insert_event(database, agent, 1, greeting);
    // The module `vec0` is not here: only its ordinary tables can be written, and its name in the schema.
    database
        .execute_batch(
            "PRAGMA writable_schema = ON;
             INSERT INTO sqlite_schema VALUES ('table', 'memory_index_chunks_vec', 'memory_index_chunks_vec', 0,
               'CREATE VIRTUAL TABLE memory_index_chunks_vec USING vec0(id TEXT PRIMARY KEY, embedding FLOAT[4])');
             PRAGMA writable_schema = OFF;",
        )
        .unwrap();
}

fn insert_event(database: &Connection, agent: &str, sequence: i64, json: &str) {
    database
        .execute(
            "INSERT INTO transcript_events VALUES (?1, ?2, ?3, ?4, NULL, NULL, NULL)",
            params![format!("session-{agent}"), sequence, json, SOME_TIME],
        )
        .unwrap();
    database
        .execute(
            "INSERT INTO session_transcript_fts VALUES (?1, ?2, ?3)",
            params![json, format!("session-{agent}"), format!("event-{sequence}")],
        )
        .unwrap();
}

const SHARED_TABLES: &str = include_str!("shared.sql");
const AGENT_TABLES: &str = include_str!("agent.sql");

const QUARANTINE: &str = "PRAGMA page_size = 1024;
    CREATE TABLE quarantined_rows (id INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
    INSERT INTO quarantined_rows VALUES (1, 'FAKE: unreadable queue entry');";
