//! What puts a finding right: in words, and in commands as a shell takes them.

use std::path::{Path, PathBuf};

use ocbak::{Cause, Environment, Finding, Installation, Search};

use super::command::{Commands, quote};

/// The fix, a line each; where commands follow a text, they stand alone in their lines.
pub(super) fn fix(finding: &Finding, installation: &Installation, commands: &Commands) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    let restore = |arguments: &str| commands.restore(arguments);
    match &finding.cause {
        Cause::AnotherHome { moves } if moves.is_empty() => {
            vec![format!("change them to where they are below {}", quote(&installation.home))]
        }
        Cause::AnotherHome { moves } => {
            if let Some(origin) = origin(moves, installation) {
                // A backup of this one would hold what its paths lead to, and go back to there.
                return vec![
                    "what it was copied from is still there, and its paths lead there; stop OpenClaw there, then \
                     restore a backup of that to here (what is here is kept beside it):"
                        .to_owned(),
                    Commands::new(&origin).create("-o moved.ocbak"),
                    restore("--yes moved.ocbak"),
                ];
            }
            let maps = moves.iter().map(|(old, new)| {
                let mut map = old.clone().into_os_string();
                map.push("=");
                map.push(new);
                format!("--map {} ", quote(Path::new(&map)))
            });
            vec![
                "stop OpenClaw there, then let a restore in place rewrite the paths:".to_owned(),
                commands.create("-o moved.ocbak"),
                restore(&format!("{}--yes moved.ocbak", maps.collect::<String>())),
            ]
        }
        Cause::Incomplete => vec![
            "bring it back from a backup; for a new installation, let OpenClaw make it:".to_owned(),
            restore("FILE"),
            commands.openclaw("onboard"),
        ],
        Cause::Configuration => vec![
            "correct it; this shows what OpenClaw makes of it:".to_owned(),
            commands.openclaw("config validate"),
        ],
        Cause::Login { channel } => vec![
            "log in again, or bring the login back from a backup:".to_owned(),
            commands.openclaw(&format!("channels login --channel {channel}")),
            restore("--path 'state/credentials/**' FILE"),
        ],
        Cause::Cron => {
            one("name that file as `cron.store` in the configuration, or restore the state from a backup")
        }
        Cause::Workspace => vec![
            "mount the drive that it is on, or bring it back from a backup:".to_owned(),
            restore("--only workspace FILE"),
        ],
        Cause::WorkspaceKey => vec![commands.openclaw("doctor --fix")],
        Cause::Worktree => {
            let worktrees = finding.paths.iter().filter_map(|link| link.parent()).map(quote);
            let repair = format!("git worktree repair {}", worktrees.collect::<Vec<_>>().join(" "));
            vec!["in the repository, where it is now:".to_owned(), repair]
        }
        Cause::Link => vec!["install it again, or remove the link:".to_owned(), each("rm", &finding.paths)],
        Cause::Owner { user, group } => {
            let state = &installation.state_dir;
            let outside = installation.workspaces.iter().map(|workspace| &workspace.path);
            let agents = installation.agent_dirs.iter().map(|agent| &agent.path);
            let outside = outside.chain(agents).chain(&installation.credentials);
            let roots: Vec<PathBuf> =
                [state].into_iter().chain(outside.filter(|path| !path.starts_with(state))).cloned().collect();
            vec![each(&format!("chown -hR {user}:{group}"), &roots)]
        }
        Cause::Mode { mode } => vec![each(&format!("chmod {mode:o}"), &finding.paths)],
        Cause::Database => {
            vec!["stop OpenClaw, then bring it back from a backup:".to_owned(), restore("--only state FILE")]
        }
        Cause::SideFile => {
            let moves = finding.paths.iter().map(|path| format!("mv {0} {0}.away", quote(path)));
            std::iter::once("stop OpenClaw, then move it away: it can corrupt a database".to_owned())
                .chain(moves)
                .collect()
        }
        Cause::OlderRelease => vec!["update OpenClaw:".to_owned(), commands.openclaw("update")],
        Cause::Environment { variable } => {
            vec![
                "take it out where it is set, as in `~/.profile`, and here:".to_owned(),
                format!("unset {variable}"),
            ]
        }
        Cause::Service => {
            vec!["write the service anew:".to_owned(), commands.openclaw("gateway install --force")]
        }
        Cause::Interrupted => {
            vec!["finish it, or take it back:".to_owned(), restore("--resume"), commands.undo()]
        }
        Cause::Stage => {
            vec!["where no restore is running, remove it:".to_owned(), each("rm -rf", &finding.paths)]
        }
        Cause::Kept => vec!["when all is well, remove them:".to_owned(), each("rm -rf", &finding.paths)],
        // What needs none says so.
        _ => Vec::new(),
    }
}

/// The installation that this one was copied from, if it is still there.
fn origin(moves: &[(PathBuf, PathBuf)], installation: &Installation) -> Option<Installation> {
    let before = |now: &Path| moves.iter().find(|(_, new)| new == now).map(|(old, _)| old.clone());
    let home = before(&installation.home).unwrap_or_else(|| installation.home.clone());
    let below = installation.state_dir.strip_prefix(&installation.home).ok();
    let state_dir = before(&installation.state_dir).or_else(|| Some(home.join(below?)))?;
    let search = Search { home: Some(home), state_dir: Some(state_dir), ..Search::default() };
    let origin = Installation::locate(&search, &Environment::empty()).ok()?;
    (origin.config.is_some() && origin.state_dir != installation.state_dir).then_some(origin)
}

/// A command with paths behind it.
fn each(command: &str, paths: &[PathBuf]) -> String {
    let words = paths.iter().map(|path| quote(path));
    std::iter::once(command.to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
