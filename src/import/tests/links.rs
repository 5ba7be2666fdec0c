//! Backups of homes with links.

use serde_json::json;

use super::homes::{roots, told, triples};
use super::{Native, STATE, Warned, contents, import, pairs};
use crate::format::entry::{Role, SkipReason};
use crate::observer::Silent;

const OUTSIDE: &str = "/srv/Research WS";

#[test]
fn a_workspace_behind_a_link_is_a_root_and_the_link_stays() {
    let paths = told(&json!([format!("{STATE}/workspace"), OUTSIDE, format!("{STATE}/workspace-ops")]));
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
fn what_lies_below_a_linked_directory_is_known_as_it_is_configured() {
    let paths = told(&json!([format!("{STATE}/workspace"), "/home/alice/projects/ws"]));
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
    let paths = told(&json!([]));
    let mut native = Native::of(paths, &[("config", "/home/alice/dot/oc.json")]);
    native.manifest["options"]["onlyConfig"] = true.into();
    let archive = import(&native.file("/home/alice/dot/oc.json", b"{}").read(&Silent).unwrap());
    assert_eq!(roots(&archive, Role::State), triples(&[("config", "/home/alice/dot", "")]));
}
