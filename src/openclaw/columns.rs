//! Where the database that all agents share holds absolute paths of its machine.
//!
//! The one table of this: what is rewritten for another place, and what is looked over.

use serde_json::Value;

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
    /// A cron job, in which only what a command is called with and where it runs are paths.
    Job,
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
    column("agent_deletion_journal", "database_paths_json", Content::Json(ALL)),
    column("agent_deletion_journal", "cleanup_paths_json", Content::Json(ALL)),
    column("cron_jobs", "job_json", Content::Job),
    column("claw_cron_refs", "job_json", Content::Job),
    column("agent_databases", "path", Content::Path),
    // Unfinished deletions: under an old path they would go on elsewhere.
    column("agent_deletion_journal", "agent_dir", Content::Path),
    column("agent_deletion_journal", "workspace_dir", Content::Path),
    column("agent_deletion_journal", "sessions_dir", Content::Path),
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
    column("acp_replay_sessions", "cwd", Content::Path),
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

/// Finds the texts in a cron job that may be paths; a prompt that is nothing but a path stays one.
pub(crate) fn job_texts(job: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    visit(job, false, &mut texts);
    texts
}

fn visit(value: &Value, is_named: bool, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if is_named => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| visit(item, is_named, texts)),
        Value::Object(members) => {
            for (name, member) in members {
                visit(member, is_named || JOB_PATHS.contains(&name.as_str()), texts);
            }
        }
        _ => {}
    }
}

/// Names in a cron job, at any depth.
const JOB_PATHS: [&str; 3] = ["argv", "cwd", "env"];

/// The condition that every row meets.
const ALL: &str = "1";
