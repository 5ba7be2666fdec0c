//! Where the database that all agents share holds absolute paths of its machine.
//!
//! The one table of this: what is rewritten for another place, and what is looked over.

/// A column with paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    pub(crate) content: Content,
}

/// How a column holds paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The path of the cron jobs' file, which is the key of the jobs.
    CronStore,
    /// A workspace, beside whose path its digest is a key.
    Workspace,
    /// One path.
    Path,
    /// A document in which whole texts are paths, in the rows of which this condition holds.
    Json(&'static str),
}

/// OpenClaw: every column of release 2026.9.6 whose paths mean something to it. Those of history
/// (`config_health_entries`, `diagnostic_events`, `migration_sources`, `task_runs`, `backup_runs`) do not.
/// Beside the workspaces' paths, rows are keyed by their digests alone, as those of `memory-core` are.
#[rustfmt::skip]
pub(crate) const COLUMNS: &[Column] = &[
    column("cron_jobs", "store_key", Content::CronStore),
    column("cron_job_scratch", "store_key", Content::CronStore),
    column("cron_run_receipts", "store_key", Content::CronStore),
    column("workspace_setup_state", "workspace_path", Content::Workspace),
    column("workspace_path_aliases", "alias_path", Content::Workspace),
    column("workspace_path_aliases", "workspace_path", Content::Workspace),
    // Of the machine's settings, the index of installed plugins has paths.
    column("config_machine_state", "value_json", Content::Json("state_key = 'plugins.installedIndex'")),
    column("exec_approvals_config", "raw_json", Content::Json(ALL)),
    column("worktrees", "provisioned_paths_json", Content::Json(ALL)),
    column("claw_installs", "agent_owned_paths_json", Content::Json(ALL)),
    column("agent_databases", "path", Content::Path),
    column("managed_outgoing_image_records", "original_media_root", Content::Path),
    column("outbound_media_provenance", "realpath", Content::Path),
    column("projects", "repo_root", Content::Path),
    column("worktrees", "repo_root", Content::Path),
    column("worktrees", "path", Content::Path),
    column("worktree_templates", "repo_root", Content::Path),
    column("worktree_templates", "common_dir", Content::Path),
    column("worktree_templates", "worktree_root", Content::Path),
    column("worktree_templates", "path", Content::Path),
    column("session_groups", "cwd", Content::Path),
    column("acp_sessions", "cwd", Content::Path),
    column("plugin_binding_approvals", "plugin_root", Content::Path),
    column("subagent_runs", "requester_store_path", Content::Path),
    column("subagent_runs", "controller_store_path", Content::Path),
    column("session_watch_cursors", "watcher_store_path", Content::Path),
    column("skill_usage", "skill_file", Content::Path),
    column("claw_installs", "package_root", Content::Path),
    column("claw_installs", "manifest_path", Content::Path),
    column("claw_installs", "workspace", Content::Path),
    column("claw_installs", "bootstrap_source_path", Content::Path),
    column("claw_workspace_files", "target_path", Content::Path),
    column("claw_workspace_files", "workspace", Content::Path),
    column("claw_workspace_files", "source_path", Content::Path),
    column("exec_approvals_config", "socket_path", Content::Path),
    column("fleet_cells", "data_dir", Content::Path),
];

const fn column(table: &'static str, name: &'static str, content: Content) -> Column {
    Column { table, name, content }
}

/// The condition that every row meets.
const ALL: &str = "1";
