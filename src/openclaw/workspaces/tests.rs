//! Tests of the rules for workspaces and agent directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::agent_id;
use crate::openclaw::{Environment, Installation, Search};

struct Test {
    home: TempDir,
    environment: Environment,
}

impl Test {
    fn new(directories: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".openclaw")).unwrap();
        for directory in directories {
            fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        let environment = Environment::empty().with("HOME", home.path());
        Self { home, environment }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `HOME` in the text stands for the home directory.
    fn config(self, text: &str) -> Self {
        let text = text.replace("HOME", self.home.path().to_str().unwrap());
        fs::write(self.at(".openclaw/openclaw.json"), text).unwrap();
        self
    }

    fn locate(&self) -> Installation {
        Installation::locate(&Search::default(), &self.environment).unwrap()
    }

    /// Agents, path below home and presence of every workspace.
    fn workspaces(&self) -> Vec<(String, String, bool)> {
        let found = self.locate().workspaces.into_iter();
        found
            .map(|workspace| {
                let path = workspace.path.strip_prefix(self.home.path());
                let path = path.unwrap_or(&workspace.path).to_str().unwrap().to_owned();
                (workspace.agents.join(" "), path, workspace.present)
            })
            .collect()
    }
}

fn row(agents: &str, path: &str, present: bool) -> (String, String, bool) {
    (agents.to_owned(), path.to_owned(), present)
}

#[test]
fn without_configuration_main_has_the_default_workspace() {
    let test = Test::new(&[]);
    assert_eq!(test.workspaces(), [row("main", ".openclaw/workspace", false)]);
    assert!(test.locate().warnings.is_empty());
}

#[test]
fn others_lie_below_a_configured_default_workspace() {
    let test = Test::new(&["ws/ops"])
        .config("{agents:{defaults:{workspace:'~/ws'},entries:{main:{},ops:{},'R d':{}}}}");
    assert_eq!(
        test.workspaces(),
        [row("r-d", "ws/r-d", false), row("main", "ws", true), row("ops", "ws/ops", true)]
    );
    assert!(test.locate().warnings.is_empty());
}

#[test]
fn others_lie_beside_the_default_workspace_otherwise() {
    let test = Test::new(&[".openclaw/workspace-ops"])
        .config("{agents:{entries:{main:{workspace:'HOME/x'},ops:{}}}}");
    assert_eq!(test.workspaces(), [row("main", "x", false), row("ops", ".openclaw/workspace-ops", true)]);
    let legacy = Test::new(&[".openclaw/workspace-ops", "ws/ops"])
        .config("{agents:{defaults:{workspace:'~/ws'},list:[{id:'main'},{id:'ops'}]}}");
    assert_eq!(legacy.workspaces()[1], row("ops", ".openclaw/workspace-ops", true));
}

#[test]
fn where_ownership_is_explicit_nobody_has_the_default_workspace_unless_kept() {
    let config = "{agents:{ownership:'explicit',entries:{main:{},b:{}}}}";
    let beside = |name: &str| format!(".openclaw/{name}");
    let test =
        Test::new(&[&beside("workspace-main"), &beside("workspace-b"), &beside("workspace")]).config(config);
    let expected = [
        row("b", ".openclaw/workspace-b", true),
        row("main", ".openclaw/workspace-main", true),
        row("", ".openclaw/workspace", true),
    ];
    assert_eq!(test.workspaces(), expected);
    let test = Test::new(&[&beside("workspace"), &beside("workspace-b")]).config(config);
    let expected = [row("b", ".openclaw/workspace-b", true), row("main", ".openclaw/workspace", true)];
    assert_eq!(test.workspaces(), expected);
}

#[test]
fn a_shared_workspace_is_one() {
    let test = Test::new(&["ws"]).config(
        "{agents:{entries:{a:{workspace:'~/ws'},b:{workspace:'HOME/link'},c:{workspace:'HOME/./ws/'}}}}",
    );
    symlink("ws", test.at("link")).unwrap();
    assert_eq!(test.workspaces(), [row("a b c", "ws", true)]);
}

#[test]
fn a_linked_workspace_is_known_by_its_own_place() {
    let test = Test::new(&["ws"]);
    symlink("../ws", test.at(".openclaw/workspace")).unwrap();
    assert_eq!(test.workspaces(), [row("main", "ws", true)]);
}

#[test]
fn a_link_that_nothing_else_holds_is_where_the_workspace_is_looked_for() {
    let test = Test::new(&["data/a", "data/b", "data/c", "ws"]).config(
        "{agents:{entries:{main:{workspace:'~/ws'},a:{workspace:'~/projects'},b:{workspace:'~/ws/b'},\
         c:{workspace:'~/.openclaw/linked/c'}}}}",
    );
    symlink("data/a", test.at("projects")).unwrap();
    // An entry of another workspace comes back as a link.
    symlink("../data/b", test.at("ws/b")).unwrap();
    symlink("../data", test.at(".openclaw/linked")).unwrap();
    let expected = [
        row("a", "projects", true),
        row("b", "data/b", true),
        row("c", ".openclaw/linked/c", true),
        row("main", "ws", true),
    ];
    assert_eq!(test.workspaces(), expected);
}

#[test]
fn workspaces_in_the_state_directory_need_no_entry() {
    let test = Test::new(&[
        ".openclaw/workspace",
        ".openclaw/workspace-old",
        ".openclaw/workspace-old.before-restore-20261122T054858Z",
        ".openclaw/workspace-ops",
        ".openclaw/workspace-My Copy",
        "ws",
    ])
    .config("{agents:{entries:{ops:{workspace:'~/ws'}}}}");
    fs::write(test.at(".openclaw/workspace-file"), "").unwrap();
    assert_eq!(
        test.workspaces(),
        [
            row("ops", "ws", true),
            row("main", ".openclaw/workspace", true),
            row("", ".openclaw/workspace-My Copy", true),
            row("old", ".openclaw/workspace-old", true),
            row("", ".openclaw/workspace-ops", true),
        ]
    );
}

#[test]
fn the_environment_names_the_default_workspace() {
    let mut test = Test::new(&["env"]);
    test.environment = test.environment.with("OPENCLAW_WORKSPACE_DIR", "~/env");
    assert_eq!(test.workspaces(), [row("main", "env", true)]);
}

#[test]
fn early_releases_kept_workspaces_in_the_home() {
    let test = Test::new(&["clawd", "clawd-b"]).config("{agents:{list:[{id:'a'},{id:'b'}]}}");
    assert_eq!(test.workspaces(), [row("a", "clawd", true), row("b", "clawd-b", true)]);
}

#[test]
fn a_copied_home_is_found_where_it_is() {
    let test = Test::new(&["projects/ws", ".openclaw/workspace"]).config(
        "{agents:{defaults:{workspace:'/nowhere/al/.openclaw/workspace'},entries:{main:{},\
         r:{workspace:'/nowhere/al/projects/ws',agentDir:'/nowhere/al/elsewhere'},\
         x:{workspace:'/nowhere/al/projects/x'}}}}",
    );
    let found = test.locate();
    let main = &found.workspaces[0];
    assert_eq!(main.path, test.at(".openclaw/workspace"));
    assert_eq!(main.rule, "configured for another home");
    assert_eq!(found.workspaces[1].path, test.at("projects/ws"));
    let missing = &found.workspaces[2];
    assert_eq!(missing.path, Path::new("/nowhere/al/projects/x"));
    assert!(!missing.present && missing.is_named());
}

#[test]
fn agent_directories_outside_the_state_directory_are_found() {
    let test = Test::new(&["agents/a", ".openclaw/agents/b/agent"]).config(
        "{agents:{entries:{a:{agentDir:'~/agents/a'},b:{agentDir:'~/.openclaw/agents/b/agent'},\
         c:{agentDir:'~/agents/a/'},d:{agentDir:'~/missing'}}}}",
    );
    let found = test.locate();
    assert_eq!(found.agent_dirs.len(), 1);
    assert_eq!(found.agent_dirs[0].agent, "a");
    assert_eq!(found.agent_dirs[0].path, test.at("agents/a"));
    assert!(found.warnings.is_empty());
}

#[test]
fn agent_directories_behind_a_link_or_in_a_workspace_are_found() {
    let test = Test::new(&["big/a/agent", ".openclaw/workspace/private", ".openclaw/other"]).config(
        "{agents:{entries:{main:{agentDir:'~/.openclaw/workspace/private'},a:{},b:{agentDir:'~/.openclaw/other'}}}}",
    );
    symlink("../big", test.at(".openclaw/agents")).unwrap();
    let found: Vec<_> = test.locate().agent_dirs.into_iter().map(|one| (one.agent, one.path)).collect();
    let expected = [
        ("a".to_owned(), test.at("big/a/agent")),
        ("main".to_owned(), test.at(".openclaw/workspace/private")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn ids_have_the_form_of_openclaw() {
    for (name, id) in [
        ("Main", "main"),
        (" R & D ", "r-d"),
        ("../../etc", "etc"),
        ("東京", "main"),
        ("", "main"),
        ("a_b-c", "a_b-c"),
    ] {
        assert_eq!(agent_id(name), id);
    }
    assert_eq!(agent_id(&"x".repeat(300)).len(), 64);
}
