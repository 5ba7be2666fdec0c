//! A home that moves: captured, restored under another home, state directory or user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::support::cli::Run;
use crate::support::databases::{SHARED, sha256};
use crate::support::home::{HOME, RESEARCH_WORKSPACE, STATE, WORKSPACE};
use crate::support::scene::Scene;
use rusqlite::Connection;
use rusqlite::types::Value;

/// The sample home with absolute paths in its configuration, captured.
fn scene() -> Scene {
    let scene = Scene::plain();
    let home = scene.home();
    let edit = |name: &str, old: &str, new: &str| {
        let path = scene.state().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old));
        fs::write(path, text.replace(old, new)).unwrap();
    };
    edit("openclaw.json", "~/projects/research-ws", &format!("{}/projects/research-ws", home.display()));
    edit(
        "include/channels.json5",
        "{\n",
        &format!("{{ // a comment\n  x: '{}/x',\n", scene.state().display()),
    );
    let name = "WEATHER_KEY=FAKE-weather-key\n";
    edit(".env", name, &format!("{name}# comment\nexport NOTES='{}/notes' # another\n", home.display()));
    let service = home.join(GATEWAY_ENV);
    fs::create_dir_all(service.parent().unwrap()).unwrap();
    fs::write(&service, format!("HOME={0}\nPATH={0}/bin:/usr/bin\n", home.display())).unwrap();
    fs::set_permissions(service, PermissionsExt::from_mode(0o600)).unwrap();
    scene.create();
    scene
}

const GATEWAY_ENV: &str = ".config/openclaw/gateway.env";

fn restoring(scene: &Scene, home: &Path) -> Run {
    scene.with_key("restore").args(["--yes", "--home"]).arg(home)
}

/// Every row of every ordinary table, as text.
fn rows(database: &Path) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = connection
        .prepare(sql)
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut rows = Vec::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let found = statement.query_map([], |row| {
            let values = (0..columns).map(|at| match row.get(at).unwrap() {
                Value::Text(text) => text,
                other => format!("{other:?}"),
            });
            Ok(format!("{table}: {}", values.collect::<Vec<_>>().join("|")))
        });
        rows.extend(found.unwrap().map(Result::unwrap));
    }
    rows.sort();
    rows
}

/// The rows as they are to be where `/home/sam` has become `home`.
fn moved_rows(database: &Path, home: &Path, state_dir: &Path) -> Vec<String> {
    let (home, state) = (home.to_str().unwrap(), state_dir.to_str().unwrap());
    let path = |old: &str| old.replace(STATE, state).replace(HOME, home);
    let key = |text: String, old: &str| text.replace(&sha256(old), &sha256(&path(old)));
    let mut rows: Vec<String> = rows(database)
        .into_iter()
        .map(|row| {
            let link = format!("{HOME}/research");
            [WORKSPACE, RESEARCH_WORKSPACE, &link].into_iter().fold(row, key)
        })
        .map(|row| path(&row))
        .collect();
    rows.sort();
    rows
}

fn assert_moved(scene: &Scene, home: &Path, state_dir: &Path) {
    let captured = scene.path("out/state").join(SHARED);
    assert!(rows(&captured).iter().any(|row| row.contains(HOME)));
    let found = rows(&state_dir.join(SHARED));
    assert_eq!(found, moved_rows(&captured, home, state_dir));
    assert!(!found.iter().any(|row| row.contains(HOME)));
    let service = (scene.home().join(GATEWAY_ENV), home.join(GATEWAY_ENV));
    let own = |name| (scene.state().join(name), state_dir.join(name));
    for (old, new) in
        ["openclaw.json", "include/channels.json5", ".env"].map(own).into_iter().chain([service])
    {
        let before = fs::read_to_string(old).unwrap();
        let expected = before
            .replace(scene.state().to_str().unwrap(), state_dir.to_str().unwrap())
            .replace(scene.home().to_str().unwrap(), home.to_str().unwrap());
        assert_ne!(before, expected);
        assert_eq!(fs::read_to_string(new).unwrap(), expected);
    }
    let time = |path: &Path| fs::metadata(path).unwrap().mtime();
    assert_eq!(time(&state_dir.join(SHARED)), time(&scene.state().join(SHARED)));
    assert!(home.join("projects/research-ws/MEMORY.md").exists());
    for side in ["-wal", "-shm", "-journal"] {
        assert!(!state_dir.join(format!("{SHARED}{side}")).exists(), "{side}");
    }
}

#[test]
fn another_home_has_every_row_and_every_comment() {
    let scene = scene();
    scene.restoring("out").success();
    let home = scene.path("new");
    let planned = restoring(&scene, &home).args(["--dry-run", "--json"]).success().json();
    assert_eq!(planned["rewrites"]["files"].as_array().unwrap().len(), 5);
    assert_eq!(planned["rewrites"]["moves"][0]["new"], home.to_str().unwrap());
    assert!(!home.exists());
    let report = restoring(&scene, &home).arg("--json").success().json();
    assert_moved(&scene, &home, &home.join(".openclaw"));
    let rewritten = &report["restored"]["rewritten"];
    for (table, rows) in [
        ("config_machine_state", 1),
        ("cron_job_scratch", 1),
        ("cron_jobs", 2),
        ("cron_run_receipts", 1),
        ("plugin_state_entries", 2),
        ("workspace_generated_bootstrap_hashes", 2),
        ("workspace_path_aliases", 1),
        ("workspace_setup_state", 2),
    ] {
        assert_eq!(rewritten["tables"][table], rows, "{table}");
    }
    assert_eq!(rewritten["tables"].as_object().unwrap().len(), 8);
    assert_eq!(rewritten["left"].as_array().unwrap().len(), 0);
    assert_eq!(rewritten["files"].as_array().unwrap().len(), 4);
}

#[test]
fn another_profile_has_every_row_too() {
    let scene = scene();
    scene.restoring("out").success();
    let home = scene.path("new");
    let run = restoring(&scene, &home).args(["--profile", "work"]).success();
    assert!(run.text().contains("paths that change:"), "{run}");
    assert!(run.text().contains("rows of the shared database in config_machine_state, cron_job"), "{run}");
    // The sample's databases are those of a copy.
    let state_dir = home.join(".openclaw-work");
    let found = format!("came from elsewhere: {STATE} -> {} as well\n", state_dir.display());
    assert!(run.text().contains(&found), "{run}");
    assert_moved(&scene, &home, &home.join(".openclaw-work"));
}

#[test]
fn only_the_state_leaves_the_workspaces_of_the_new_home() {
    let scene = scene();
    let home = scene.path("new");
    for directory in ["projects/research-ws", ".openclaw/workspace"] {
        fs::create_dir_all(home.join(directory)).unwrap();
        fs::write(home.join(directory).join("own"), "own").unwrap();
    }
    restoring(&scene, &home).args(["--only", "state"]).success();
    for directory in ["projects/research-ws", ".openclaw/workspace"] {
        assert_eq!(fs::read_to_string(home.join(directory).join("own")).unwrap(), "own");
    }
    let config = fs::read_to_string(home.join(".openclaw/openclaw.json")).unwrap();
    assert!(config.contains(home.join("projects/research-ws").to_str().unwrap()));
}

#[test]
fn no_remap_leaves_all_as_it_was() {
    let scene = scene();
    scene.restoring("out").success();
    let home = scene.path("new");
    // What that leaves behind is told at once.
    let run = restoring(&scene, &home).arg("--no-remap").code(3);
    assert!(run.text().contains("cron job `morning news`: lost"), "{run}");
    for name in ["openclaw.json", "include/channels.json5", SHARED] {
        let captured = fs::read(scene.path("out/state").join(name)).unwrap();
        assert!(fs::read(home.join(".openclaw").join(name)).unwrap() == captured, "{name}");
    }
}

#[test]
fn a_map_is_two_absolute_paths() {
    let scene = scene();
    let home = scene.path("new");
    let run = restoring(&scene, &home).args(["--map", "a=b"]).code(2);
    run.fails_with(&["`a=b` is not two absolute paths"]);
    let moved = scene.path("data/research");
    let map = format!("{}={}", scene.home().join("projects/research-ws").display(), moved.display());
    restoring(&scene, &home).args(["--map", &map]).success();
    assert!(moved.join("MEMORY.md").exists());
    assert!(!home.join("projects").exists());
    let config = fs::read_to_string(home.join(".openclaw/openclaw.json")).unwrap();
    assert!(config.contains(&format!("workspace: '{}'", moved.display())), "{config}");
}

#[test]
fn root_restores_for_the_owner_of_the_home() {
    let scene = scene();
    let home = scene.path("new");
    fs::create_dir(&home).unwrap();
    if chown(&home, Some(4711), Some(4712)).is_err() {
        crate::support::stock::skip("not root");
        return;
    }
    let assert_owner = |user: u32, group: u32| {
        let mut waiting = vec![home.join(".openclaw"), home.join("projects")];
        while let Some(path) = waiting.pop() {
            let facts = fs::symlink_metadata(&path).unwrap();
            assert_eq!((facts.uid(), facts.gid()), (user, group), "{}", path.display());
            if facts.is_dir() {
                waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    };
    restoring(&scene, &home).success();
    assert_owner(4711, 4712);
    fs::remove_dir_all(home.join(".openclaw")).unwrap();
    fs::remove_dir_all(home.join("projects")).unwrap();
    fs::create_dir(home.join("projects")).unwrap();
    restoring(&scene, &home).args(["--owner", "4713:4714"]).success();
    let around = fs::metadata(home.join("projects")).unwrap();
    assert_eq!((around.uid(), around.gid()), (0, 0), "what was there is not given away");
    chown(home.join("projects"), Some(4713), Some(4714)).unwrap();
    assert_owner(4713, 4714);
}
