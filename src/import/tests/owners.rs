//! Backups whose content belongs to something else than the place where it lies tells.

use serde_json::json;

use super::homes::{roots, told, triples};
use super::{Native, STATE, Warned, contents, import, pairs};
use crate::format::entry::{Role, SkipReason};
use crate::observer::Silent;

#[test]
fn a_workspace_that_is_the_state_directory_is_stored_as_that() {
    let paths = told(&json!([STATE]));
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
fn secrets_in_a_workspace_get_roots_of_their_own() {
    // The workspace is the home.
    let paths = told(&json!(["/home/alice"]));
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
    let paths = told(&json!(["/w/ops", "/w/main"]));
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
    let paths = told(&json!([format!("{STATE}/workspace"), "/home/alice/lb", "/home/alice/lc"]));
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
