//! Archives of the configuration alone: restored in place, they touch nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::scene::Scene;
use crate::support::tree::Tree;

/// The files of the sample home's configuration, below it.
const FILES: [&str; 4] = [
    ".config/openclaw/gateway.env",
    ".openclaw/.env",
    ".openclaw/include/channels.json5",
    ".openclaw/openclaw.json",
];

/// The sample home, and an archive of its configuration.
fn scene() -> Scene {
    let scene = Scene::rich();
    let gateway_env = scene.home().join(FILES[0]);
    fs::create_dir_all(gateway_env.parent().unwrap()).unwrap();
    fs::write(gateway_env, "TOKEN=FAKE\n").unwrap();
    scene.creation(&scene.archive()).arg("--only-config").success();
    scene
}

fn read(home: &Path) -> Vec<String> {
    FILES.iter().map(|name| fs::read_to_string(home.join(name)).unwrap()).collect()
}

/// Which file stands under each name, apart from the configuration's and kept ones.
fn others(home: &Path) -> Vec<(PathBuf, Option<(u64, u64)>)> {
    let tree = Tree::read(home);
    let is_kept = |path: &Path| path.to_string_lossy().contains(".before-restore-");
    let names =
        tree.paths().filter(|path| !is_kept(path) && FILES.iter().all(|file| Path::new(file) != *path));
    names.map(|path| (path.to_owned(), tree.inode(path))).collect()
}

#[test]
fn everything_else_in_the_home_survives_a_restore_in_place() {
    let scene = scene();
    let home = scene.home();
    let (stored, around) = (read(&home), others(&home));
    for name in FILES {
        fs::write(home.join(name), "{ changed: true }\n").unwrap();
    }
    // The look afterwards finds that the sample home is a copy.
    let ran = scene.with_key("restore").args(["--yes", "--home"]).arg(&home).code(3);
    assert_eq!(read(&home), stored);
    assert_eq!(others(&home), around);
    let kept: Vec<_> = ran.text().lines().filter(|line| line.contains("is kept in")).collect();
    assert_eq!(kept.len(), 3, "{ran}");
}

#[test]
fn under_another_home_it_makes_the_files_and_rewrites_their_paths() {
    let scene = Scene::plain();
    let config = scene.state().join("openclaw.json");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("~/projects", &format!("{}/projects", scene.home().display()));
    fs::write(&config, &text).unwrap();
    scene.creation(&scene.archive()).arg("--only-config").success();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    // The look afterwards finds that there is nothing but a configuration.
    scene.with_key("restore").args(["--yes", "--home"]).arg(&home).code(3);
    let moved = text.replace(scene.home().to_str().unwrap(), home.to_str().unwrap());
    assert_eq!(fs::read_to_string(home.join(".openclaw/openclaw.json")).unwrap(), moved);
    let names: Vec<_> = others(&home).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["", ".openclaw", ".openclaw/include"].map(PathBuf::from));
}

#[test]
fn into_a_directory_the_names_are_those_of_the_archive() {
    let scene = scene();
    scene.restoring("out").success();
    let tree = Tree::read(&scene.path("out"));
    let files: Vec<_> = tree.paths().filter(|path| tree.inode(path).is_some()).collect();
    let expected =
        ["config/.env", "config/openclaw.json", "env/gateway.env", "include/0/channels.json5"].map(Path::new);
    assert_eq!(files, expected);
}

#[test]
fn its_archives_are_told_from_whole_ones() {
    let scene = scene();
    let info = crate::support::cli::ocbak(["info", "--json"]).arg(scene.archive()).success().json();
    assert!(info["series"].is_null(), "{info}");
    let left_out = scene.with_key("list").arg("--skipped").success();
    assert!(left_out.text().contains("only the configuration is asked for"), "{left_out}");
}
