//! Where `create` writes to, and what it never replaces.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::scene::{Scene, names};

#[test]
fn an_existing_output_is_never_replaced() {
    let scene = Scene::plain();
    fs::write(scene.archive(), "precious").unwrap();
    let ran = scene.creation(&scene.archive()).code(1);
    ran.fails_with(&["backup.ocbak", "exists"]);
    ran.hints("another place");
    assert_eq!(fs::read(scene.archive()).unwrap(), b"precious");
    fs::remove_file(scene.archive()).unwrap();
    // Not even a link to nowhere.
    symlink("nowhere", scene.archive()).unwrap();
    scene.creation(&scene.archive()).code(1);
    assert!(!scene.path("nowhere").exists());
}

#[test]
fn standard_output_takes_an_archive() {
    let scene = Scene::plain();
    let ran = scene.creation(Path::new("-")).arg("--spool-dir").arg(scene.path("")).success();
    fs::write(scene.archive(), &ran.stdout).unwrap();
    scene.with_key("verify").success();
    assert!(scene.listing().has("state/openclaw.json"));
}

#[test]
fn a_directory_as_output_gets_a_dated_name() {
    let scene = Scene::plain();
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    scene.creation(&out).success();
    let names = names(&out);
    assert_eq!(names.len(), 1, "{names:?}");
    // openclaw-default-2026-09-30T080000Z.ocbak, say.
    let stem = names[0].strip_suffix(".ocbak").unwrap();
    let time = stem.strip_prefix("openclaw-").unwrap();
    assert!(time.bytes().filter(u8::is_ascii_digit).count() >= 12, "{time}");
}
