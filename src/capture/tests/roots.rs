//! Roots, and that every directory belongs to one of them.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Captured, Test};
use crate::ErrorKind;
use crate::capture::readahead::Pace;
use crate::capture::record;
use crate::format::entry::{Role, SkipReason};
use crate::observer::Silent;
use crate::openclaw::{Environment, Installation, Search};

fn config(test: &Test, agents: &str) {
    let content = format!("{{agents:{agents},meta:{{lastTouchedVersion:'2026.9.6'}}}}");
    test.write(".openclaw/openclaw.json", content);
}

/// No file of the home stands in the archive twice.
fn no_file_twice(captured: &Captured) {
    let mut contents: Vec<_> = captured
        .entries
        .values()
        .filter_map(|entry| match &entry.kind {
            super::Kind::File(content) => Some(content),
            _ => None,
        })
        .collect();
    let all = contents.len();
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), all);
}

#[test]
fn workspaces_are_in_their_own_payload_only() {
    let test = Test::new();
    config(&test, "{entries:{main:{},ops:{workspace:'~/.openclaw/workspace/ops'},out:{workspace:'~/out'}}}");
    test.write(".openclaw/workspace/main.md", "main");
    test.write(".openclaw/workspace/ops/ops.md", "ops");
    test.write(".openclaw/workspace-old/old.md", "old");
    test.write("out/out.md", "out");
    let captured = test.capture();
    assert_eq!(captured.roots(Role::State), ["state"]);
    assert_eq!(
        captured.roots(Role::Workspace),
        ["workspace/main", "workspace/old", "workspace/ops", "workspace/out"]
    );
    assert_eq!(captured.content("workspace/main/main.md"), b"main");
    assert_eq!(captured.content("workspace/ops/ops.md"), b"ops");
    for name in ["state/workspace", "state/workspace-old", "workspace/main/ops"] {
        assert_eq!(captured.skipped(name), Some(SkipReason::Root), "{name}");
    }
    no_file_twice(&captured);
    let source = &captured.sources[&Role::Workspace].roots[2];
    assert_eq!(source.agents, ["ops"]);
    let place = test.state("workspace/ops");
    assert_eq!(source.source, place.to_str().unwrap().as_bytes());
}

#[test]
fn a_workspace_around_the_state_directory_leaves_it_out() {
    let test = Test::new();
    config(&test, "{entries:{main:{workspace:'~'}}}");
    test.write("notes.md", "notes");
    let captured = test.capture();
    assert_eq!(captured.content("workspace/main/notes.md"), b"notes");
    assert!(captured.has("state/openclaw.json"));
    let state = captured.skipped("workspace/main/.openclaw");
    assert_eq!(state, Some(SkipReason::Root));
    no_file_twice(&captured);
}

#[test]
fn a_workspace_that_is_the_state_directory_is_stored_once() {
    let test = Test::new();
    config(&test, "{entries:{main:{workspace:'~/.openclaw'}}}");
    let captured = test.capture();
    assert!(captured.roots(Role::Workspace).is_empty());
    assert!(captured.has("state/openclaw.json"));
}

#[test]
fn names_of_roots_are_never_used_twice() {
    let test = Test::new();
    config(&test, "{entries:{main:{},ops:{workspace:'~/out'}}}");
    for (place, content) in
        [(".openclaw/workspace-ops/a", "1"), (".openclaw/workspace-OPS/a", "2"), ("out/a", "3")]
    {
        test.write(place, content);
    }
    let captured = test.capture();
    assert_eq!(captured.content("workspace/ops/a"), b"3");
    assert_eq!(captured.roots(Role::Workspace), ["workspace/ops", "workspace/ops-2", "workspace/ops-3"]);
    no_file_twice(&captured);
}

#[test]
fn what_lies_outside_the_state_directory_has_its_own_roots() {
    let test = Test::new();
    let settings = "{agents:{entries:{a:{agentDir:'~/agents/a',workspace:'~/ws'}}}}";
    test.write("ws/settings.json5", settings);
    test.write("ws/other", "other");
    symlink("../ws/settings.json5", test.state("openclaw.json")).unwrap();
    test.write("agents/a/auth.json", "auth");
    test.write("agents/a/x.lock.sqlite", "never opened");
    test.write(".config/openclaw/gateway.env", "TOKEN=1");
    test.write(".config/openclaw/more", "not OpenClaw's");
    let captured = test.capture();
    assert_eq!(captured.roots(Role::State), ["agent/a", "config", "env", "state"]);
    assert_eq!(captured.content("agent/a/auth.json"), b"auth");
    let lock = captured.skipped("agent/a/x.lock.sqlite");
    assert_eq!(lock, Some(SkipReason::Policy));
    assert_eq!(captured.content("config/settings.json5"), settings.as_bytes());
    assert!(!captured.has("config/other"));
    assert_eq!(captured.content("env/gateway.env"), b"TOKEN=1");
    assert!(!captured.has("env/more"));
    assert_eq!(captured.content("workspace/a/other"), b"other");
    let twice = captured.skipped("workspace/a/settings.json5");
    assert_eq!(twice, Some(SkipReason::Root));
}

#[test]
fn a_configuration_in_a_workspace_is_of_the_state_wherever_that_lies() {
    let mut test = Test::new();
    let settings = "{agents:{$include:'./workspace/dot/part.json5'}}";
    test.write(".openclaw/workspace/dot/oc.json5", settings);
    test.write(".openclaw/workspace/dot/part.json5", "{list:[{id:'main'}]}");
    test.write(".openclaw/workspace/SOUL.md", "soul");
    symlink("workspace/dot/oc.json5", test.state("openclaw.json")).unwrap();
    let captured = test.capture();
    assert_eq!(captured.roots(Role::State), ["config", "include/0", "state"]);
    assert_eq!(captured.content("config/oc.json5"), settings.as_bytes());
    assert!(captured.has("include/0/part.json5") && captured.has("workspace/main/SOUL.md"));
    assert!(!captured.has("workspace/main/dot/oc.json5"));
    assert_eq!(captured.skipped("workspace/main/dot/oc.json5"), Some(SkipReason::Root));
    no_file_twice(&captured);
    // And is there without workspaces.
    test.options.roles = vec![Role::State];
    assert!(test.capture().has("config/oc.json5"));
}

#[test]
fn a_configuration_elsewhere_brings_the_variables_beside_it() {
    let test = Test::new();
    test.write("cfg/oc.json", "{}");
    test.write("cfg/.env", "KEY=1");
    test.write("cfg/other", "not OpenClaw's");
    let environment = Environment::empty()
        .with("HOME", test.home.path())
        .with("OPENCLAW_CONFIG_PATH", test.at("cfg/oc.json"));
    let installation = Installation::locate(&Search::default(), &environment).unwrap();
    let mut captured = Captured::default();
    record(&installation, &test.options, &mut captured, &Silent, Pace::default()).unwrap();
    assert_eq!(captured.roots(Role::State), ["config", "state"]);
    assert_eq!(captured.content("config/oc.json"), b"{}");
    assert_eq!(captured.content("config/.env"), b"KEY=1");
    assert!(!captured.has("config/other"));
}

#[test]
fn credentials_elsewhere_have_their_own_root() {
    let test = Test::new();
    test.write(".openclaw/credentials/old.json", "old");
    let environment =
        Environment::empty().with("HOME", test.home.path()).with("OPENCLAW_OAUTH_DIR", "~/secure/oauth");
    let capture = || {
        let installation = Installation::locate(&Search::default(), &environment).unwrap();
        let mut captured = Captured::default();
        record(&installation, &test.options, &mut captured, &Silent, Pace::default()).unwrap();
        captured
    };
    let missing = capture();
    assert_eq!(missing.skipped("credentials"), Some(SkipReason::Unreadable));
    test.write("secure/oauth/whatsapp/creds.json", "{}");
    test.write("secure/oauth/a.tmp", "half");
    test.write("secure/other", "not OpenClaw's");
    let captured = capture();
    assert_eq!(captured.roots(Role::State), ["credentials", "state"]);
    assert_eq!(captured.content("credentials/whatsapp/creds.json"), b"{}");
    assert_eq!(captured.content("state/credentials/old.json"), b"old");
    assert_eq!(captured.skipped("credentials/a.tmp"), Some(SkipReason::Policy));
    let source = &captured.sources[&Role::State].roots[0].source;
    assert_eq!(source, test.at("secure/oauth").to_str().unwrap().as_bytes());
    no_file_twice(&captured);
}

#[test]
fn credentials_behind_a_link_are_stored_with_it() {
    let test = Test::new();
    test.write("secure/creds.json", "{}");
    symlink("../secure", test.state("credentials")).unwrap();
    let captured = test.capture();
    assert_eq!(captured.entry("state/credentials").kind, super::Kind::Symlink(b"../secure".to_vec()));
    assert_eq!(captured.content("credentials/creds.json"), b"{}");
    fs::remove_file(test.state("credentials")).unwrap();
    symlink("tmp-credentials", test.state("credentials")).unwrap();
    test.write(".openclaw/tmp-credentials/creds.json", "{}");
    assert_eq!(test.capture().roots(Role::State), ["state"]);
}

#[test]
fn the_configuration_alone_is_its_files_wherever_they_lie() {
    let mut test = Test::new();
    config(&test, "{$include:['sub/a.json5','b.json']}");
    test.write(".openclaw/sub/a.json5", "{}");
    test.write(".openclaw/sub/other", "not included");
    test.write(".openclaw/b.json", "{/* b */}");
    test.write(".openclaw/.env", "KEY=1");
    test.write(".openclaw/credentials/a", "a");
    test.write(".openclaw/workspace/a", "a");
    test.write(".config/openclaw/gateway.env", "TOKEN=1");
    test.options.only_config = true;
    let captured = test.capture();
    assert_eq!(captured.sources.keys().copied().collect::<Vec<_>>(), [Role::State]);
    let expected = [
        "config",
        "config/.env",
        "config/openclaw.json",
        "env",
        "env/gateway.env",
        "include/0",
        "include/0/a.json5",
        "include/1",
        "include/1/b.json",
    ];
    assert_eq!(
        captured.entries.keys().map(|name| str::from_utf8(name).unwrap()).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(captured.skipped("state"), Some(SkipReason::Policy));
    assert_eq!(test.preview()[0].entries, 9);
    fs::remove_file(test.state("openclaw.json")).unwrap();
    let missing =
        record(&test.installation(), &test.options, &mut Captured::default(), &Silent, Pace::default());
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_configuration_behind_links_comes_with_them() {
    let mut test = Test::new();
    test.write("dotfiles/oc.json", "{}");
    test.write("dotfiles/secrets.env", "KEY=1");
    symlink("dotfiles/oc.json", test.at("between")).unwrap();
    symlink("../between", test.state("openclaw.json")).unwrap();
    symlink(test.at("dotfiles/secrets.env"), test.state(".env")).unwrap();
    let captured = test.capture();
    assert_eq!(captured.entry("state/openclaw.json").kind, super::Kind::Symlink(b"../between".to_vec()));
    let files = |captured: &Captured| {
        let mut files: Vec<_> = captured
            .entries
            .iter()
            .filter(|(name, entry)| !name.starts_with(b"state") && entry.kind != super::Kind::Directory)
            .map(|(name, _)| name.rsplit(|&byte| byte == b'/').next().unwrap().to_vec())
            .collect();
        files.sort();
        files
    };
    assert_eq!(files(&captured), [&b"between"[..], b"oc.json", b"secrets.env"]);
    test.options.only_config = true;
    let captured = test.capture();
    assert_eq!(captured.entry("config/openclaw.json").kind, super::Kind::Symlink(b"../between".to_vec()));
    let all = [&b".env"[..], b"between", b"oc.json", b"openclaw.json", b"secrets.env"];
    assert_eq!(files(&captured), all);
}

#[test]
fn each_role_stands_alone() {
    let mut test = Test::new();
    test.write(".openclaw/workspace/a", "a");
    test.options.roles = vec![Role::Workspace];
    let captured = test.capture();
    assert_eq!(captured.sources.len(), 1);
    assert!(captured.has("workspace/main/a") && !captured.has("state"));
    test.options.roles = vec![Role::Workspace, Role::State];
    assert!(test.capture().has("state"));
}

#[test]
fn a_root_can_be_excluded() {
    let mut test = Test::new();
    test.write(".openclaw/workspace/a", "a");
    test.options.exclude = vec!["workspace/main".to_owned()];
    let captured = test.capture();
    let root = captured.skipped("workspace/main");
    assert_eq!(root, Some(SkipReason::Policy));
    assert!(!captured.has("workspace/main"));
}

#[test]
fn the_facts_are_told() {
    let test = Test::new();
    config(&test, "{}");
    let captured = test.capture();
    let facts = &captured.sources[&Role::State].facts;
    assert_eq!(facts["home"], test.home.path().to_str().unwrap());
    assert_eq!(facts["state_dir"], test.state("").to_str().unwrap().trim_end_matches('/'));
    assert_eq!(facts["openclaw_version"], "2026.9.6");
    assert!(facts["config"].ends_with("openclaw.json"));
    assert!(facts.contains_key("host") && facts.contains_key("platform"));
    assert!(!facts.contains_key("profile") && !facts.contains_key("user"));
    fs::remove_file(test.state("openclaw.json")).unwrap();
    let captured = test.capture();
    assert!(!captured.sources[&Role::State].facts.contains_key("config"));
}
