//! Backups of homes with links and workspaces in unusual places, in the shape that OpenClaw 2026.9.6 gives them.

use serde_json::json;
use tar::EntryType;

use super::{Native, ROOT, STATE, Warned, contents, import, pairs};
use crate::archive::Archive;
use crate::format::entry::{Role, SkipReason};
use crate::observer::Silent;

const OUTSIDE: &str = "/srv/Research WS";

impl Native {
    /// A backup whose manifest has these paths, and agents `main`, `research` and `ops`.
    fn of(paths: serde_json::Value, assets: &[(&str, &str)]) -> Self {
        let mut native = Self::new();
        native.manifest["paths"] = paths;
        native.manifest["paths"]["agentRoots"] = ["main", "research", "ops"]
            .map(|id| json!({ "agentId": id, "sourcePath": format!("{STATE}/agents/{id}/agent") }))
            .into();
        native.manifest["assets"] = json!([]);
        native.manifest["skipped"] = json!([]);
        assets.iter().fold(native, |native, (kind, path)| native.asset(kind, path))
    }

    fn covered(mut self, kind: &str, path: &str) -> Self {
        let left =
            json!({ "kind": kind, "sourcePath": path, "reason": "covered", "coveredBy": "~/.openclaw" });
        self.manifest["skipped"].as_array_mut().unwrap().push(left);
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.raw(EntryType::Symlink, &format!("{ROOT}/payload/posix{path}"), target, b"")
    }
}

/// Names of roots with the directories that they were, and their agents.
fn roots(archive: &Archive, role: Role) -> Vec<(String, String, String)> {
    let roots = archive.index(role).unwrap().source.roots;
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    roots.iter().map(|root| (root.path.to_string(), text(&root.source), root.agents.join(" "))).collect()
}

fn triples(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn a_workspace_behind_a_link_is_a_root_and_the_link_stays() {
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [format!("{STATE}/workspace"), OUTSIDE, format!("{STATE}/workspace-ops")],
    });
    let native = Native::of(paths, &[("workspace", "/mnt/ws"), ("state", STATE), ("workspace", OUTSIDE)])
        .covered("workspace", &format!("{STATE}/one/ops"))
        .directory("/mnt/ws")
        .file("/mnt/ws/SOUL.md", b"main")
        .link(&format!("{STATE}/workspace"), "/mnt/ws")
        // One that stays in the state directory, over another link.
        .link(&format!("{STATE}/workspace-ops"), "two/ops")
        .link(&format!("{STATE}/two"), "./three/../one")
        .directory(&format!("{STATE}/one"))
        .file(&format!("{STATE}/one/ops/SOUL.md"), b"ops")
        .file(&format!("{OUTSIDE}/SOUL.md"), b"research");
    let warned = Warned::default();
    let archive = import(&native.read(&warned).unwrap());
    assert!(warned.0.into_inner().unwrap().is_empty());
    assert_eq!(
        roots(&archive, Role::Workspace),
        triples(&[
            ("workspace/main", "/mnt/ws", "main"),
            ("workspace/ops", "/home/alice/.openclaw/one/ops", "ops"),
            ("workspace/research", OUTSIDE, "research"),
        ])
    );
    assert_eq!(
        contents(&archive, Role::State),
        pairs(&[
            ("state", "/"),
            ("state/one", "/"),
            ("state/two", "-> ./three/../one"),
            ("state/workspace", "-> /mnt/ws"),
            ("state/workspace-ops", "-> two/ops"),
        ])
    );
    let skipped = archive.index(Role::State).unwrap().skipped;
    let skipped: Vec<_> = skipped.iter().map(|left| (left.path.to_string(), left.why)).collect();
    assert_eq!(skipped, [("state/one/ops".to_owned(), SkipReason::Root)]);
}

#[test]
fn a_state_directory_behind_a_link_is_known_as_openclaw_was_told_of_it() {
    let real = "/mnt/big/oc";
    let paths = json!({
        "stateDir": real,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [format!("{STATE}/workspace"), OUTSIDE, format!("{STATE}/workspace-ops")],
    });
    let native = Native::of(paths, &[("state", real), ("workspace", OUTSIDE)])
        .covered("workspace", "/mnt/big/oc/workspace")
        .covered("workspace", "/mnt/big/oc/workspace-ops")
        .file("/mnt/big/oc/openclaw.json", b"{}")
        .file("/mnt/big/oc/workspace/SOUL.md", b"main")
        .file("/mnt/big/oc/workspace-ops/SOUL.md", b"ops")
        .link("/mnt/big/oc/link", &format!("{STATE}/openclaw.json"))
        .file(&format!("{OUTSIDE}/SOUL.md"), b"research");
    let warned = Warned::default();
    let archive = import(&native.read(&warned).unwrap());
    assert_eq!(warned.0.into_inner().unwrap(), [] as [&str; 0], "the link does not lead out");
    assert_eq!(roots(&archive, Role::State), triples(&[("state", STATE, "")]));
    assert_eq!(
        roots(&archive, Role::Workspace),
        triples(&[
            ("workspace/main", "/home/alice/.openclaw/workspace", "main"),
            ("workspace/ops", "/home/alice/.openclaw/workspace-ops", "ops"),
            ("workspace/research", OUTSIDE, "research"),
        ])
    );
    let facts = archive.index(Role::State).unwrap().source.facts;
    assert_eq!((facts["home"].as_str(), facts["state_dir"].as_str()), ("/home/alice", STATE));
}

#[test]
fn a_home_behind_a_link_is_known_as_openclaw_was_told_of_it() {
    let paths = json!({
        "stateDir": "/data/alice/.openclaw",
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [format!("{STATE}/workspace"), "/home/alice/ws", "/home/alice/linked"],
    });
    let native = Native::of(
        paths,
        &[("state", "/data/alice/.openclaw"), ("workspace", "/data/alice/ws"), ("workspace", "/mnt/ws")],
    )
    .covered("workspace", "/data/alice/.openclaw/workspace")
    .file("/data/alice/.openclaw/workspace/SOUL.md", b"main")
    .file("/data/alice/ws/SOUL.md", b"research")
    .file("/mnt/ws/SOUL.md", b"ops");
    let archive = import(&native.read(&Silent).unwrap());
    assert_eq!(
        roots(&archive, Role::Workspace),
        triples(&[
            ("workspace/main", "/home/alice/.openclaw/workspace", "main"),
            // The only one of which it is not known whose it is.
            ("workspace/ops", "/home/alice/linked", "ops"),
            ("workspace/research", "/home/alice/ws", "research"),
        ])
    );
    // Credentials elsewhere tell nothing of the state directory.
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": "/srv/linked/credentials",
        "workspaceDirs": [],
    });
    let native = Native::of(paths, &[("state", STATE), ("credentials", "/srv/creds/credentials")])
        .directory(STATE)
        .file("/srv/creds/credentials/a.json", b"{}");
    let archive = import(&native.read(&Silent).unwrap());
    let expected = triples(&[("credentials", "/srv/creds/credentials", ""), ("state", STATE, "")]);
    assert_eq!(roots(&archive, Role::State), expected);
}

#[test]
fn a_workspace_that_is_the_state_directory_is_stored_as_that() {
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [STATE],
    });
    let native = Native::of(paths, &[("state", STATE)])
        .file(&format!("{STATE}/SOUL.md"), b"main")
        .file(&format!("{STATE}/credentials/x.json"), b"secret");
    let backup = native.read(&Silent).unwrap();
    let archive = import(&backup);
    assert!(contents(&archive, Role::Workspace).is_empty());
    let names: Vec<_> = contents(&archive, Role::State).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["state", "state/SOUL.md", "state/credentials", "state/credentials/x.json"]);
}

#[test]
fn the_configuration_is_told_from_what_it_includes() {
    let in_state = format!("{STATE}/openclaw.json");
    let expected = triples(&[
        ("config", "/etc/oc-config", ""),
        ("include/0", "/etc/oc-config", ""),
        ("include/1", "/etc/oc-config/sub", ""),
        ("state", STATE, ""),
    ]);
    // Itself, behind a link in the state directory, and behind one that is not in the backup.
    for config in ["/etc/oc-config/openclaw.json", &in_state, "/etc/linked/openclaw.json"] {
        let paths = json!({
            "stateDir": STATE,
            "configPath": config,
            "oauthDir": format!("{STATE}/credentials"),
            "workspaceDirs": [],
        });
        let assets = [
            ("state", STATE),
            ("config", "/etc/oc-config/a.json"),
            ("config", "/etc/oc-config/sub/l.json"),
            ("config", "/etc/oc-config/openclaw.json"),
        ];
        let native = Native::of(paths, &assets);
        let native =
            if config == in_state { native.link(config, "/etc/oc-config/openclaw.json") } else { native };
        let native = native
            .directory(STATE)
            .file("/etc/oc-config/openclaw.json", b"config")
            .file("/etc/oc-config/sub/l.json", b"deeper")
            .file("/etc/oc-config/a.json", b"included");
        let archive = import(&native.read(&Silent).unwrap());
        assert_eq!(roots(&archive, Role::State), expected, "{config}");
        let state = contents(&archive, Role::State);
        for one in [("config/openclaw.json", "config"), ("include/0/a.json", "included")] {
            assert!(state.contains(&pairs(&[one])[0]), "{one:?} is not in {state:?}");
        }
    }
}

#[test]
fn secrets_in_a_workspace_get_roots_of_their_own() {
    // The workspace is the home.
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": ["/home/alice"],
    });
    let native = Native::of(paths, &[("workspace", "/home/alice")])
        .covered("state", STATE)
        .file(&format!("{STATE}/openclaw.json"), b"{}")
        .file(&format!("{STATE}/credentials/x.json"), b"secret")
        .file("/home/alice/notes.md", b"notes");
    let archive = import(&native.read(&Silent).unwrap());
    let names = |role| contents(&archive, role).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let expected = ["state", "state/credentials", "state/credentials/x.json", "state/openclaw.json"];
    assert_eq!(names(Role::State), expected);
    assert_eq!(names(Role::Workspace), ["workspace/main", "workspace/main/notes.md"]);

    // Each of them in a workspace, outside of the state directory and in it.
    for (ws, kind) in [("/home/alice/ws".to_owned(), "workspace"), (format!("{STATE}/workspace"), "")] {
        let paths = json!({
            "stateDir": STATE,
            "configPath": format!("{ws}/dot/oc.json"),
            "oauthDir": format!("{ws}/private/creds"),
            "workspaceDirs": [ws],
        });
        let outside: &[(&str, &str)] = &[("state", STATE), (kind, &ws)];
        let mut native = Native::of(paths, if kind.is_empty() { &outside[..1] } else { outside });
        native.manifest["paths"]["agentRoots"] =
            json!([{ "agentId": "main", "sourcePath": format!("{ws}/private/agent") }]);
        let archive = import(
            &native
                .covered("config", &format!("{ws}/dot/part.json"))
                .directory(STATE)
                .file(&format!("{ws}/dot/oc.json"), b"config")
                .file(&format!("{ws}/dot/part.json"), b"part")
                .file(&format!("{ws}/private/creds/a.json"), b"secret")
                .file(&format!("{ws}/private/agent/auth-profiles.json"), b"secret")
                .file(&format!("{ws}/SOUL.md"), b"soul")
                .read(&Silent)
                .unwrap(),
        );
        let dot = format!("{ws}/dot");
        let (creds, agent) = (format!("{ws}/private/creds"), format!("{ws}/private/agent"));
        assert_eq!(
            roots(&archive, Role::State),
            triples(&[
                ("agent/main", &agent, "main"),
                ("config", &dot, ""),
                ("credentials", &creds, ""),
                ("include/0", &dot, ""),
                ("state", STATE, ""),
            ])
        );
        let workspace = contents(&archive, Role::Workspace);
        assert!(workspace.contains(&pairs(&[("workspace/main/SOUL.md", "soul")])[0]));
        let secret =
            |(_, content): &(String, String)| ["secret", "config", "part"].contains(&content.as_str());
        assert!(!workspace.iter().any(secret), "{workspace:?}");
        let facts = archive.index(Role::State).unwrap().source.facts;
        assert_eq!(facts["home"], "/home/alice");
    }
}

#[test]
fn a_home_is_known_by_what_openclaw_shortens() {
    for (state, config) in
        [("/home/alice/st", "/home/alice/st/openclaw.json"), ("/home/alice/ws/.oc", "/etc/oc.json")]
    {
        let paths = json!({
            "stateDir": state,
            "configPath": config,
            "oauthDir": "/home/alice/ws/credentials",
            "workspaceDirs": ["/home/alice/ws"],
        });
        let mut native = Native::of(paths, &[("workspace", "/home/alice/ws")])
            .covered("credentials", "/home/alice/ws/credentials");
        native.manifest["skipped"][0]["coveredBy"] = "~/ws".into();
        if state == "/home/alice/st" {
            native = native.asset("state", state).directory(state);
        }
        let archive = import(&native.file("/home/alice/ws/.oc/x", b"x").read(&Silent).unwrap());
        let facts = archive.index(Role::State).unwrap().source.facts;
        assert_eq!((facts["home"].as_str(), facts["state_dir"].as_str()), ("/home/alice", state));
    }
}

#[test]
fn names_of_agents_are_for_their_own_workspaces() {
    // Main and research share one; of the second it is not known whose it is, whatever it is called.
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": ["/w/ops", "/w/main"],
    });
    let native = Native::of(paths, &[("state", STATE), ("workspace", "/w/ops"), ("workspace", "/w/main")])
        .directory(STATE)
        .file("/w/ops/SOUL.md", b"1")
        .file("/w/main/SOUL.md", b"2");
    let archive = import(&native.read(&Silent).unwrap());
    assert_eq!(
        roots(&archive, Role::Workspace),
        triples(&[("workspace/main", "/w/ops", "main"), ("workspace/main-2", "/w/main", "")])
    );
    // Two behind links that are not in it.
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [format!("{STATE}/workspace"), "/home/alice/lb", "/home/alice/lc"],
    });
    let native =
        Native::of(paths, &[("state", STATE), ("workspace", "/real/research"), ("workspace", "/real/ops")])
            .directory(STATE)
            .file("/real/ops/SOUL.md", b"1")
            .file("/real/research/SOUL.md", b"2");
    let archive = import(&native.read(&Silent).unwrap());
    assert_eq!(
        roots(&archive, Role::Workspace),
        triples(&[("workspace/ops-2", "/real/ops", ""), ("workspace/research-2", "/real/research", "")])
    );
}

#[test]
fn what_lies_below_a_linked_directory_is_known_as_it_is_configured() {
    let paths = json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": [format!("{STATE}/workspace"), "/home/alice/projects/ws"],
    });
    let mut native = Native::of(
        paths,
        &[("state", STATE), ("workspace", "/disk/p/ws"), ("agent", "/disk/p/agents/research")],
    );
    native.manifest["paths"]["agentRoots"] = json!([
        { "agentId": "main", "sourcePath": format!("{STATE}/agents/main/agent") },
        { "agentId": "research", "sourcePath": "/disk/p/agents/research" },
    ]);
    let native =
        native.directory(STATE).file("/disk/p/ws/SOUL.md", b"1").file("/disk/p/agents/research/x", b"2");
    let archive = import(&native.read(&Silent).unwrap());
    let expected = triples(&[("workspace/research", "/home/alice/projects/ws", "research")]);
    assert_eq!(roots(&archive, Role::Workspace), expected);
    let expected = triples(&[
        ("agent/research", "/home/alice/projects/agents/research", "research"),
        ("state", STATE, ""),
    ]);
    assert_eq!(roots(&archive, Role::State), expected);
}

#[test]
fn a_configuration_alone_is_known_whatever_its_name() {
    let paths = json!({ "stateDir": STATE, "configPath": format!("{STATE}/openclaw.json"), "oauthDir": format!("{STATE}/credentials") });
    let mut native = Native::of(paths, &[("config", "/home/alice/dot/oc.json")]);
    native.manifest["options"]["onlyConfig"] = true.into();
    let archive = import(&native.file("/home/alice/dot/oc.json", b"{}").read(&Silent).unwrap());
    assert_eq!(roots(&archive, Role::State), triples(&[("config", "/home/alice/dot", "")]));
}

#[test]
fn as_many_names_as_a_manifest_holds_are_planned_at_once() {
    let places: Vec<String> = (0..20_000).map(|number| format!("{STATE}/{number}/ws")).collect();
    let paths = json!({ "stateDir": STATE, "workspaceDirs": places });
    let mut native = Native::of(paths, &[("state", STATE)]);
    let left = |place: &String| json!({ "kind": "x", "sourcePath": place, "reason": "r".repeat(10) });
    native.manifest["skipped"] = places.iter().map(left).collect();
    native = native.file(&format!("{STATE}/7/ws/SOUL.md"), b"one");
    let archive = import(&native.read(&Silent).unwrap());
    let roots = roots(&archive, Role::Workspace);
    assert_eq!(roots, triples(&[("workspace/ws-8", "/home/alice/.openclaw/7/ws", "")]));
}

#[test]
fn what_a_manifest_says_of_what_it_lacks_never_stops_an_import() {
    let long = format!("{STATE}/{}", "d/".repeat(3000));
    let reason = "because ".repeat(1000);
    let mut native = Native::usual();
    let unused = format!("{STATE}/workspace-unused");
    native.manifest["paths"]["workspaceDirs"].as_array_mut().unwrap().push(unused.as_str().into());
    native.manifest["skipped"] = json!([
        { "kind": "workspace", "sourcePath": unused, "reason": "missing" },
        { "kind": "x", "sourcePath": format!("{STATE}/a"), "reason": reason },
        { "kind": "x", "sourcePath": format!("{STATE}/../other"), "reason": "up" },
        { "kind": "x", "sourcePath": format!("{STATE}//b/"), "reason": "twice" },
        { "kind": "x", "sourcePath": "relative", "reason": "no place" },
        { "kind": "x", "sourcePath": long, "reason": "long" },
    ]);
    let warned = Warned::default();
    let archive = import(&native.read(&warned).unwrap());
    let skipped = archive.index(Role::State).unwrap().skipped;
    let names: Vec<_> = skipped.iter().map(|left| (left.path.to_string(), left.why)).collect();
    let expected = [("state/a", SkipReason::Policy), ("state/b", SkipReason::Policy)];
    for (name, why) in expected {
        assert!(names.contains(&(name.to_owned(), why)), "{name} is not in {names:?}");
    }
    let warned = warned.0.into_inner().unwrap();
    assert!(warned.iter().any(|message| message.contains("`relative` (x): no place")), "{warned:?}");
    assert!(warned.iter().all(|message| message.len() <= 4096));
    // An agent that never worked has none yet.
    assert!(!warned.iter().any(|message| message.contains("workspace-unused")), "{warned:?}");
}
