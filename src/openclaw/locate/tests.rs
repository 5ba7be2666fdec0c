//! Tests of where an installation is found.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::{Installation, Location, Search};
use crate::ErrorKind;
use crate::openclaw::Environment;

fn home(directories: &[&str]) -> (TempDir, Environment) {
    let home = tempfile::tempdir().unwrap();
    for directory in directories {
        fs::create_dir_all(home.path().join(directory)).unwrap();
    }
    let environment = Environment::empty().with("HOME", home.path());
    (home, environment)
}

fn locate(search: &Search, environment: &Environment) -> Installation {
    Installation::locate(search, environment).unwrap()
}

#[test]
fn the_state_directory_follows_the_precedence() {
    let (home, environment) = home(&[".clawdbot", ".moltbot", ".openclaw-work", "other"]);
    let at = |name: &str| home.path().join(name);
    let usual = locate(&Search::default(), &environment);
    assert_eq!(usual.state_dir, at(".clawdbot"));
    assert_eq!(usual.profile, None);
    fs::create_dir(at(".openclaw")).unwrap();
    let usual = locate(&Search::default(), &environment);
    assert_eq!(usual.state_dir, at(".openclaw"));
    let environment = environment.with("OPENCLAW_STATE_DIR", "~/other");
    let variable = locate(&Search::default(), &environment);
    assert_eq!(variable.state_dir, at("other"));
    let search = Search { profile: Some("work".to_owned()), ..Search::default() };
    let profile = locate(&search, &environment);
    assert_eq!(profile.state_dir, at(".openclaw-work"));
    assert_eq!(profile.profile.as_deref(), Some("work"));
    let search = Search { state_dir: Some(at(".moltbot")), ..search };
    assert_eq!(locate(&search, &environment).state_dir, at(".moltbot"));
}

#[test]
fn another_home_is_another_installation_than_the_variables_name() {
    let (ours, environment) = home(&[".openclaw", "ours"]);
    let (theirs, _) = home(&[".openclaw"]);
    let environment = environment
        .with("OPENCLAW_STATE_DIR", ours.path().join("ours"))
        .with("OPENCLAW_WORKSPACE_DIR", ours.path());
    let search = Search { home: Some(theirs.path().to_owned()), ..Search::default() };
    let found = locate(&search, &environment);
    assert_eq!(found.state_dir, theirs.path().join(".openclaw"));
    assert!(found.workspaces.iter().all(|workspace| { workspace.path.starts_with(theirs.path()) }));
}

#[test]
fn the_configuration_follows_the_precedence() {
    let (home, environment) = home(&[".openclaw", "state"]);
    let write = |name: &str| fs::write(home.path().join(name), "{}").unwrap();
    let config = |search: &Search, environment: &Environment| {
        let found = locate(search, environment).config?;
        let below = found.strip_prefix(home.path()).unwrap();
        Some(below.to_str().unwrap().to_owned())
    };
    let search = Search::default();
    assert_eq!(config(&search, &environment), None);
    write(".openclaw/clawdbot.json");
    let elsewhere = environment.clone().with("OPENCLAW_STATE_DIR", home.path().join("state"));
    assert_eq!(config(&search, &elsewhere).as_deref(), Some(".openclaw/clawdbot.json"));
    let chosen = Search { state_dir: Some(home.path().join("state")), ..Search::default() };
    assert_eq!(config(&chosen, &environment), None);
    write(".openclaw/openclaw.json");
    assert_eq!(config(&search, &environment).as_deref(), Some(".openclaw/openclaw.json"));
    write("named.json");
    let named = environment.with("OPENCLAW_CONFIG_PATH", "~/named.json");
    assert_eq!(config(&search, &named).as_deref(), Some("named.json"));
    write("given.json");
    let given = Search { config: Some(home.path().join("given.json")), ..Search::default() };
    assert_eq!(config(&given, &named).as_deref(), Some("given.json"));
}

#[test]
fn credentials_are_named_for_the_usual_installation_alone() {
    let (home, environment) = home(&[".openclaw", ".openclaw-work", "oauth"]);
    let environment = environment.with("OPENCLAW_OAUTH_DIR", "~/oauth");
    let place = |search: &Search| Location::find(search, &environment).unwrap().credentials(&environment);
    let usual = Search::default();
    assert_eq!(place(&usual).unwrap(), home.path().join("oauth"));
    assert_eq!(locate(&usual, &environment).credentials, Some(home.path().join("oauth")));
    let work = Search { profile: Some("work".to_owned()), ..Search::default() };
    assert_eq!(place(&work).unwrap(), home.path().join(".openclaw-work/credentials"));
    assert_eq!(locate(&work, &environment).credentials, None);
    let inside = environment.clone().with("OPENCLAW_OAUTH_DIR", "~/.openclaw/oauth");
    assert_eq!(locate(&usual, &inside).credentials, None);
}

#[test]
fn what_is_not_there_is_said() {
    let (home, environment) = home(&[]);
    let missing = Installation::locate(&Search::default(), &environment).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let would_be = Location::find(&Search::default(), &environment).unwrap();
    assert_eq!(would_be.state_dir, home.path().join(".openclaw"));
    assert!(missing.to_string().contains("no OpenClaw state directory"));
    let nowhere = Installation::locate(&Search::default(), &Environment::empty());
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
    fs::create_dir(home.path().join(".openclaw")).unwrap();
    for (search, kind) in [
        (
            Search { config: Some(Path::new("/nowhere/openclaw.json").to_owned()), ..Search::default() },
            ErrorKind::NotFound,
        ),
        (Search { profile: Some("../x".to_owned()), ..Search::default() }, ErrorKind::Invalid),
    ] {
        let error = Installation::locate(&search, &environment).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[test]
fn a_configuration_that_does_not_parse_is_a_warning() {
    let (home, environment) = home(&[".openclaw/workspace"]);
    for text in ["{ agents: ", &"[".repeat(100_000)] {
        fs::write(home.path().join(".openclaw/openclaw.json"), text).unwrap();
        let found = locate(&Search::default(), &environment);
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
        assert_eq!(found.workspaces.len(), 1);
    }
}

#[test]
fn a_configuration_that_is_no_file_is_a_warning_and_waited_for_by_nobody() {
    let (home, environment) = home(&[".openclaw/workspace"]);
    let place = home.path().join(".openclaw/openclaw.json");
    fs::write(home.path().join(".openclaw/clawdbot.json"), "{}").unwrap();
    let look = || {
        let found = locate(&Search::default(), &environment);
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
        assert_eq!(found.workspaces.len(), 1);
        let text = found.warnings[0].clone();
        (text.rsplit_once("` ").unwrap().1.to_owned(), found.config.is_some())
    };
    mkfifoat(CWD, &place, Mode::RWXU).unwrap();
    assert_eq!(look(), ("is no file".to_owned(), false));
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    assert_eq!(look(), ("is no file".to_owned(), false));
    fs::remove_dir(&place).unwrap();
    for (target, expected) in [
        ("/dev/null", ("is no file", false)),
        // As if it were not there: then the older name is looked for.
        ("nowhere", ("cannot be read: No such file or directory (os error 2)", true)),
    ] {
        symlink(target, &place).unwrap();
        assert_eq!(look(), (expected.0.to_owned(), expected.1));
        fs::remove_file(&place).unwrap();
    }
}

#[test]
fn the_gateway_environment_belongs_to_the_home() {
    let (home, environment) = home(&[".openclaw", ".config/openclaw", "copy/.openclaw"]);
    let file = home.path().join(".config/openclaw/gateway.env");
    fs::write(&file, "A=1").unwrap();
    let found = locate(&Search::default(), &environment);
    assert_eq!(found.gateway_env, Some(file));
    let elsewhere = Search { state_dir: Some(home.path().join("copy/.openclaw")), ..Search::default() };
    assert_eq!(locate(&elsewhere, &environment).gateway_env, None);
}
