-- Some tables of OpenClaw 2026.9.6's `state/openclaw.sqlite`.
CREATE TABLE schema_meta (meta_key TEXT NOT NULL PRIMARY KEY, role TEXT NOT NULL, schema_version INTEGER NOT NULL, agent_id TEXT, app_version TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;
CREATE TABLE cron_jobs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, declaration_key TEXT, owner_agent_id TEXT, name TEXT NOT NULL, description TEXT,
  enabled INTEGER NOT NULL, agent_id TEXT, payload_kind TEXT NOT NULL, job_json TEXT NOT NULL, grant_definition_revision TEXT,
  grant_definition_generation INTEGER, grant_definition_updated_at INTEGER, state_json TEXT NOT NULL DEFAULT '{}', runtime_updated_at_ms INTEGER,
  schedule_identity TEXT, sort_order INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL, PRIMARY KEY (store_key, job_id)) STRICT;
CREATE TABLE cron_job_scratch (store_key TEXT NOT NULL, job_id TEXT NOT NULL, content TEXT, revision INTEGER NOT NULL, source_sha256 TEXT,
  updated_at_ms INTEGER NOT NULL, PRIMARY KEY (store_key, job_id)) STRICT;
CREATE TABLE cron_run_receipts (receipt_id TEXT PRIMARY KEY, store_key TEXT NOT NULL, job_id TEXT NOT NULL, config_revision TEXT NOT NULL, agent_id TEXT NOT NULL,
  request_run_id TEXT, status TEXT NOT NULL, owner_pid INTEGER NOT NULL, owner_start_time INTEGER, started_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER, error_text TEXT) STRICT;
CREATE UNIQUE INDEX idx_cron_run_receipts_running ON cron_run_receipts(store_key, job_id) WHERE status = 'running';
CREATE TABLE workspace_setup_state (workspace_key TEXT NOT NULL PRIMARY KEY, workspace_path TEXT, version INTEGER, bootstrap_seeded_at TEXT,
  setup_completed_at TEXT, updated_at INTEGER, attested_at_ms INTEGER, attestation_updated_at_ms INTEGER,
  CHECK (version IS NULL OR workspace_path IS NOT NULL)) STRICT;
CREATE TABLE workspace_path_aliases (alias_key TEXT NOT NULL PRIMARY KEY, alias_path TEXT NOT NULL, workspace_key TEXT NOT NULL,
  workspace_path TEXT NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE workspace_generated_bootstrap_hashes (workspace_key TEXT NOT NULL, filename TEXT NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (workspace_key, filename),
  FOREIGN KEY (workspace_key) REFERENCES workspace_setup_state(workspace_key) ON DELETE CASCADE) STRICT;
CREATE TABLE plugin_state_entries (plugin_id TEXT NOT NULL, namespace TEXT NOT NULL, entry_key TEXT NOT NULL, value_json TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER, PRIMARY KEY (plugin_id, namespace, entry_key)) STRICT;
CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE agent_databases (agent_id TEXT NOT NULL, path TEXT NOT NULL, schema_version INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
  size_bytes INTEGER, PRIMARY KEY (agent_id, path)) STRICT;
CREATE TABLE state_leases (scope TEXT NOT NULL, lease_key TEXT NOT NULL, owner TEXT NOT NULL, expires_at INTEGER, heartbeat_at INTEGER,
  payload_json TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (scope, lease_key)) STRICT;
CREATE TABLE device_identities (identity_key TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL, public_key_pem TEXT NOT NULL,
  private_key_pem TEXT NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE secret_store_entries (scope_kind TEXT NOT NULL CHECK (scope_kind IN ('team', 'identity')), scope_id TEXT NOT NULL, name TEXT NOT NULL,
  value TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('secret', 'env')), created_at_ms INTEGER NOT NULL CHECK (created_at_ms >= 0),
  updated_at_ms INTEGER NOT NULL CHECK (updated_at_ms >= 0), updated_by TEXT, deleted_at_ms INTEGER, allowed_hosts TEXT,
  CHECK ((scope_kind = 'team' AND scope_id = '') OR (scope_kind = 'identity' AND length(scope_id) > 0)),
  PRIMARY KEY (scope_kind, scope_id, name)) STRICT;
