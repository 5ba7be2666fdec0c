//! What is said before an installation is replaced.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Job, Payload, Target, scratch};
use crate::openclaw::{Environment, host};
use crate::restore::Owner;
use crate::restore::cautions::Scene;

/// An archive of `home` on this machine.
fn payload(home: &Path) -> Payload {
    Payload::new(&[("state", &home.join(".openclaw"))])
        .fact("home", home)
        .fact("state_dir", &home.join(".openclaw"))
        .fact("config", &home.join(".openclaw/openclaw.json"))
        .fact("host", Path::new(&host()))
        .fact("openclaw_version", Path::new("2026.9.6"))
        .fact("schema.state/state/openclaw.sqlite", Path::new("18"))
        .directory("state", 0o700)
        .file("state/openclaw.json", b"{}")
        .file("state/skills", b"x")
}

fn cautions_by(job: &Job<'_>, home: &Path, state_dir: &Path, environment: &Environment) -> Vec<String> {
    let contents: Vec<_> = job.payloads.iter().map(Payload::contents).collect();
    let target = Target::Original { home: home.to_owned(), state_dir: state_dir.to_owned() };
    let layout = job.layout(&target).unwrap();
    let scene = Scene { contents: &contents, layout: &layout, home, state_dir, created: CREATED };
    scene.cautions(environment)
}

fn cautions(payload: Payload, home: &Path) -> Vec<String> {
    let environment = Environment::empty().with("HOME", home);
    cautions_by(&Job::new(&[payload]), home, &home.join(".openclaw"), &environment)
}

#[test]
fn the_same_place_and_an_untouched_installation_need_none() {
    let (_scratch, home) = scratch();
    assert_eq!(cautions(payload(&home), &home), [""; 0]);
    fs::create_dir(home.join(".openclaw")).unwrap();
    assert_eq!(cautions(payload(&home), &home), [""; 0]);
}

#[test]
fn a_client_of_another_gateway_is_said_to_be_one() {
    let (_scratch, home) = scratch();
    let found = cautions(payload(&home).fact("gateway_mode", Path::new("remote")), &home);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("the archive is of a client (`gateway.mode` is `remote`)"), "{found:?}");
}

/// Puts a release of OpenClaw where the user's shell finds it.
fn install(home: &Path, version: &str, schema: u32) -> Environment {
    let package = home.join("lib/node_modules/openclaw");
    fs::create_dir_all(&package).unwrap();
    let facts = format!(
        r#"{{"name":"openclaw","version":"{version}","openclaw":{{"schemaVersions":{{"state":{schema}}}}}}}"#
    );
    fs::write(package.join("package.json"), facts).unwrap();
    let script = package.join("openclaw.mjs");
    fs::write(&script, "").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let _ = symlink(&script, bin.join("openclaw"));
    Environment::empty().with("HOME", home).with("PATH", bin)
}

#[test]
fn an_older_openclaw_than_that_of_the_archive_is_named() {
    let (_scratch, home) = scratch();
    let live = home.join(".openclaw");
    let find = |version: &str, schema: u32, glob: Option<&str>| {
        let payloads = [payload(&home)];
        let job = Job::new(&payloads);
        let job = glob.map_or(Job::new(&payloads), |glob| job.glob(glob));
        cautions_by(&job, &home, &live, &install(&home, version, schema))
    };
    for (version, schema) in [("2026.9.6", 18), ("2026.10.1", 19), ("2026.9.6-1", 18), ("dev", 18)] {
        assert_eq!(find(version, schema, None), [""; 0], "{version}");
    }
    for (version, schema) in [("2026.3.13", 18), ("2026.9.6-beta.1", 18), ("2026.9.6", 17), ("dev", 17)] {
        let found = find(version, schema, None);
        assert_eq!(found.len(), 1, "{version}");
        let words = format!("installed here, {version}, is older than that of the archive, 2026.9.6:");
        assert!(found[0].contains(&words), "{found:?}");
    }
    assert_eq!(find("2026.3.13", 17, Some("state/skills")), [""; 0], "no part that depends on the release");
}

#[test]
fn a_newer_state_at_the_target_says_how_much_newer() {
    let (_scratch, home) = scratch();
    let file = home.join(".openclaw/agents/main/sessions/a.jsonl");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let file = File::create(file).unwrap();
    let find = |later: u64| {
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(CREATED_SECONDS + later);
        file.set_modified(used).unwrap();
        cautions(payload(&home), &home)
    };
    assert_eq!(find(0), [""; 0]);
    for (later, words) in [
        (1, "2026-11-08, 1 second after"),
        (90, "2026-11-08, 1 minute after"),
        (7200, "2026-11-08, 2 hours after"),
        (12 * 86_400, "2026-11-20, 12 days after"),
    ] {
        let expected =
            format!("what is there was last used {words} this backup was made: what came since is not in it");
        assert_eq!(find(later), [expected]);
    }
}

#[test]
fn a_newer_schema_at_the_target_is_said() {
    let (_scratch, home) = scratch();
    let database = home.join(".openclaw/state/openclaw.sqlite");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    for (schema, newer) in [(17_u32, false), (18, false), (19, true)] {
        let mut header = [0; 100];
        header[..16].copy_from_slice(b"SQLite format 3\0");
        header[60..64].copy_from_slice(&schema.to_be_bytes());
        fs::write(&database, header).unwrap();
        File::open(&database).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let found = cautions(payload(&home), &home);
        assert_eq!(found.len(), usize::from(newer), "{schema}");
        assert!(!newer || found[0].starts_with("the database there is of schema 19, that in the archive of"));
    }
}

#[test]
fn one_identity_in_two_places_is_warned_of() {
    let (_scratch, home) = scratch();
    let other = home.join("other");
    for (name, value, words) in [
        ("host", "samhost", "the identity of another machine, `samhost`: stop OpenClaw there"),
        ("home", "/home/al", "the identity of another home, `/home/al`: stop OpenClaw there"),
        ("state_dir", "/srv/state", "the identity of another installation, `/srv/state`: stop"),
    ] {
        let found = cautions(payload(&home).fact(name, Path::new(value)), &home);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(words), "{found:?}");
        assert!(found[0].contains("do not run both"), "{found:?}");
    }
    symlink(&home, &other).unwrap();
    assert_eq!(cautions(payload(&home).fact("home", &other), &home), [""; 0], "the same under another name");
}

#[test]
fn logins_that_age_come_with_the_commands_that_renew_them() {
    let (_scratch, home) = scratch();
    let payload = payload(&home)
        .directory("state/credentials", 0o700)
        .directory("state/credentials/whatsapp", 0o700)
        .file("state/credentials/whatsapp/creds.json", b"")
        .directory("state/matrix", 0o700)
        .file("state/matrix/store", b"");
    let payloads = [payload];
    let environment = Environment::empty();
    let find = |glob: &str| {
        cautions_by(&Job::new(&payloads).glob(glob), &home, &home.join(".openclaw"), &environment)
    };
    let all = find("state");
    assert_eq!(all.len(), 2);
    assert!(all[0].contains("`openclaw channels login --channel whatsapp`"), "{all:?}");
    assert!(all[1].contains("`openclaw matrix verify backup restore --recovery-key-stdin`"), "{all:?}");
    assert_eq!(find("state/matrix"), all[1..]);
    assert_eq!(find("state/openclaw.json"), [""; 0]);
}

#[test]
fn what_is_part_of_another_homes_installation_is_not_replaced_unsaid() {
    let (_scratch, home) = scratch();
    let other = home.join("alice/.openclaw");
    let agent = other.join("agents/main/agent");
    fs::create_dir_all(&agent).unwrap();
    let elsewhere = Payload::new(&[("agent/main", &agent), ("state", &home.join(".openclaw"))])
        .directory("agent/main", 0o700)
        .file("agent/main/a", b"x")
        .directory("state", 0o700)
        .file("state/a", b"x");
    let payloads = [elsewhere];
    let find = || {
        let environment = Environment::empty().with("HOME", &home);
        cautions_by(&Job::new(&payloads), &home, &home.join(".openclaw"), &environment)
    };
    assert_eq!(find(), [""; 0], "a directory of nobody");
    fs::write(other.join("openclaw.json"), "{}").unwrap();
    let expected = format!(
        "`{}` is part of the installation in `{}`, and is replaced as well",
        agent.display(),
        other.display()
    );
    assert_eq!(find(), [expected]);
}

#[test]
fn what_another_home_shares_with_the_old_one_is_not_replaced_unsaid() {
    let (_scratch, home) = scratch();
    let shared = home.join("shared");
    fs::create_dir(&shared).unwrap();
    for (fact, old, told) in
        [("home", "/home/al", true), ("state_dir", "/srv/state", true), ("home", "", false)]
    {
        let old = if old.is_empty() { home.clone() } else { old.into() };
        let payload = Payload::new(&[("workspace/main", &shared)])
            .fact(fact, &old)
            .directory("workspace/main", 0o755)
            .file("workspace/main/MEMORY.md", b"x");
        let found = cautions(payload, &home);
        let expected = format!("`{}` is where the archive has it from", shared.display());
        assert_eq!(found.iter().any(|caution| caution.starts_with(&expected)), told, "{found:?}");
    }
}

#[test]
fn what_belongs_to_somebody_else_is_not_replaced_unsaid() {
    let (_scratch, home) = scratch();
    let live = home.join(".openclaw");
    fs::create_dir(&live).unwrap();
    let own = fs::metadata(&live).unwrap().uid();
    let payloads = [payload(&home)];
    let find = |user: u32| {
        let contents: Vec<_> = payloads.iter().map(Payload::contents).collect();
        let target = Target::Original { home: home.clone(), state_dir: live.clone() };
        let mut layout = Job::new(&payloads).layout(&target).unwrap();
        layout.owner = Some(Owner { user, group: user });
        let (home, state_dir) = (&*home, &*live);
        let scene = Scene { contents: &contents, layout: &layout, home, state_dir, created: CREATED };
        scene.cautions(&Environment::empty())
    };
    assert_eq!(find(own), [""; 0]);
    let expected = format!(
        "`{}` belongs to user {own}, and is replaced by what will belong to user {}",
        live.display(),
        own + 1
    );
    assert_eq!(find(own + 1), [expected]);
}

#[test]
fn a_workspace_of_another_installation_is_not_replaced_unsaid() {
    let (_scratch, home) = scratch();
    let shared = home.join("ws");
    fs::create_dir_all(shared.join("deeper")).unwrap();
    let workspace = Payload::new(&[("workspace/main", &shared)])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"x");
    let payloads = [payload(&home), workspace];
    let environment = Environment::empty().with("HOME", &home);
    let find = |state_dir: &str| -> Vec<String> {
        let found = cautions_by(&Job::new(&payloads), &home, &home.join(state_dir), &environment);
        found.into_iter().filter(|caution| caution.contains(" works, is replaced as well")).collect()
    };
    assert_eq!(find(".openclaw-work"), [""; 0], "nobody else");
    let configure = |state_dir: &str, workspace: &Path| {
        let state_dir = home.join(state_dir);
        fs::create_dir_all(&state_dir).unwrap();
        let config = format!("{{agents:{{defaults:{{workspace:'{}'}}}}}}", workspace.display());
        fs::write(state_dir.join("openclaw.json"), config).unwrap();
    };
    let expected = |workspace: PathBuf, state_dir: &str| {
        format!(
            "`{}`, where agent `main` of the installation in `{}` works, is replaced as well",
            workspace.display(),
            home.join(state_dir).display()
        )
    };
    configure(".openclaw", &shared);
    assert_eq!(find(".openclaw-work"), [expected(shared.clone(), ".openclaw")]);
    assert_eq!(find(".openclaw"), [""; 0], "its own");
    configure(".openclaw-work", &shared.join("deeper"));
    assert_eq!(find(".openclaw"), [expected(shared.join("deeper"), ".openclaw-work")]);
    configure(".openclaw-work", &home.join("ws-other"));
    assert_eq!(find(".openclaw"), [""; 0]);
}

#[test]
fn a_neighbours_workspace_is_named_once() {
    let (_scratch, home) = scratch();
    let state_dir = home.join(".openclaw");
    let shared = state_dir.join("workspace");
    fs::create_dir_all(&shared).unwrap();
    fs::write(state_dir.join("openclaw.json"), "{}").unwrap();
    let payloads = [Payload::new(&[("workspace/main", &shared)])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"x")];
    let environment = Environment::empty().with("HOME", &home);
    let found = cautions_by(&Job::new(&payloads), &home, &home.join(".openclaw-work"), &environment);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(", where agent `main` of the installation in `"), "{found:?}");
}

const CREATED: &str = "2026-11-08T12:00:00Z";
const CREATED_SECONDS: u64 = 1_794_139_200;
