//! A restore over an installation: taken back, finished after it was killed, never half of each.
//!
//! The test that kills waits for moments that no event tells.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use crate::support::cli::{Run, ocbak};
use crate::support::kills::{kill, kill_after, length, rounds};
use crate::support::random::Random;
use crate::support::scene::{Scene, names};

/// A scene whose home went on after the backup, and what it and the backup look like.
struct Moved {
    scene: Scene,
    old: Content,
    new: Content,
}

/// Each root's files with their content.
type Content = Vec<Vec<(PathBuf, Vec<u8>)>>;

impl Moved {
    fn new() -> Self {
        let scene = Scene::plain();
        scene.create();
        // What the archive leaves out is no part of the comparison.
        scene.with_key("restore").args(["--quiet", "--yes", "--home"]).arg(scene.home()).code(LOOKED_OVER);
        let new = content(&scene);
        for name in beside(&scene) {
            let path = scene.home().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        fs::write(scene.state().join("later.txt"), "later").unwrap();
        fs::remove_file(scene.state().join("openclaw.json")).unwrap();
        fs::write(scene.state().join("openclaw.json"), "{ later: true }").unwrap();
        fs::write(scene.path("home/projects/research-ws/later.txt"), "later").unwrap();
        let old = content(&scene);
        assert_ne!(old, new);
        Self { scene, old, new }
    }

    fn restore(&self) -> Run {
        self.scene.with_key("restore").args(["--quiet", "--yes", "--home"]).arg(self.scene.home())
    }

    fn at_home(&self, command: &[&str]) -> Run {
        ocbak(command).arg("--home").arg(self.scene.home())
    }
}

/// Names around the roots that a restore leaves.
fn beside(scene: &Scene) -> Vec<String> {
    let mark = |name: &String| name.contains(".before-") || name.contains(".ocbak-");
    let in_projects = names(&scene.path("home/projects")).into_iter().map(|name| format!("projects/{name}"));
    names(&scene.home()).into_iter().chain(in_projects).filter(mark).collect()
}

fn content(scene: &Scene) -> Content {
    [scene.state(), scene.path("home/projects/research-ws")].iter().map(|root| files(root)).collect()
}

fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = vec![root.to_owned()];
    while let Some(directory) = rest.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                rest.push(path);
            } else {
                let content = fs::read(&path).unwrap_or_default();
                found.push((path.strip_prefix(root).unwrap().to_owned(), content));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_replaced_returns_and_what_was_restored_is_kept() {
    let moved = Moved::new();
    let ran =
        moved.scene.with_key("restore").args(["--yes", "--home"]).arg(moved.scene.home()).code(LOOKED_OVER);
    assert!(ran.text().contains("`ocbak undo` puts it back\n"), "{ran}");
    assert_eq!(content(&moved.scene), moved.new);

    let ran = moved.at_home(&["undo", "--dry-run"]).success();
    assert!(ran.text().starts_with("would take back the restore of 20"), "{ran}");
    assert_eq!(content(&moved.scene), moved.new);
    moved.at_home(&["undo"]).code(2).fails_with(&["needs a yes"]);

    fs::write(moved.scene.state().join("since"), "since").unwrap();
    let document = moved.at_home(&["undo", "--yes", "--json"]).success().json();
    assert_eq!(content(&moved.scene), moved.old);
    let aside: Vec<_> =
        document["aside"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert_eq!(aside.len(), 2);
    let state = aside.iter().find(|path| path.contains("/.openclaw.before-undo-")).unwrap();
    assert_eq!(fs::read(Path::new(state).join("since")).unwrap(), b"since");
    assert_eq!(beside(&moved.scene).len(), 2, "{:?}", beside(&moved.scene));

    moved
        .at_home(&["undo", "--yes"])
        .code(1)
        .fails_with(&["no restore to", "taken back"])
        .hints("--state-dir");
}

#[test]
fn one_restore_after_another_is_taken_back() {
    let moved = Moved::new();
    moved.restore().code(LOOKED_OVER);
    fs::write(moved.scene.state().join("between"), "between").unwrap();
    let between = content(&moved.scene);
    moved.restore().code(LOOKED_OVER);
    moved.at_home(&["undo", "--yes"]).success();
    assert_eq!(content(&moved.scene), between);
    moved.at_home(&["undo", "--yes"]).success();
    assert_eq!(content(&moved.scene), moved.old);
}

#[test]
fn what_is_not_kept_any_more_cannot_return() {
    let moved = Moved::new();
    moved.restore().code(LOOKED_OVER);
    let kept = names(&moved.scene.home())
        .into_iter()
        .find(|name| name.starts_with(".openclaw.before-restore-") && moved.scene.home().join(name).is_dir());
    fs::remove_dir_all(moved.scene.home().join(kept.unwrap())).unwrap();
    moved
        .at_home(&["undo", "--yes", "--quiet"])
        .code(1)
        .fails_with(&["what the restore replaced is not in", "any more"]);
    assert_eq!(content(&moved.scene), moved.new);
}

#[test]
fn a_restore_of_which_nothing_is_kept_is_forgotten() {
    let moved = Moved::new();
    moved.restore().code(LOOKED_OVER);
    for name in beside(&moved.scene).iter().filter(|name| !name.ends_with(".journal")) {
        fs::remove_dir_all(moved.scene.home().join(name)).unwrap();
    }
    moved.restore().code(LOOKED_OVER);
    let journals = beside(&moved.scene).into_iter().filter(|name| name.ends_with(".journal"));
    assert_eq!(journals.count(), 1);
}

#[test]
fn a_journal_that_others_could_have_written_is_not_believed() {
    let moved = Moved::new();
    moved.restore().code(LOOKED_OVER);
    let journal = beside(&moved.scene).into_iter().find(|name| name.ends_with(".journal")).unwrap();
    let journal = moved.scene.home().join(journal);
    fs::set_permissions(&journal, PermissionsExt::from_mode(0o622)).unwrap();
    moved.at_home(&["undo", "--yes"]).code(1).fails_with(&["no restore to"]);
    fs::set_permissions(&journal, PermissionsExt::from_mode(0o600)).unwrap();
    moved.at_home(&["undo", "--yes"]).success();
}

#[test]
fn there_may_be_nothing_to_resume() {
    let moved = Moved::new();
    moved.at_home(&["restore", "--resume"]).code(1).fails_with(&["was interrupted"]);
    moved.restore().code(LOOKED_OVER);
    moved.at_home(&["restore", "--resume"]).code(1).fails_with(&["was interrupted"]);
    ocbak(["restore"]).code(2);
    ocbak(["restore", "FILE", "--resume"]).code(2);
}

#[test]
fn killed_at_any_moment_every_root_is_wholly_old_or_wholly_new() {
    let moved = Moved::new();
    let length = length(|| drop(moved.restore().code(LOOKED_OVER)));
    for _ in 0..3 {
        moved.at_home(&["undo", "--yes", "--quiet"]).success();
    }
    let mut random = Random::new(0x2026_1122);
    let (mut killed, mut resumed, mut undone, mut between) = (0, 0, 0, 0);
    for round in 0..rounds() {
        for name in beside(&moved.scene) {
            let _ = fs::remove_dir_all(moved.scene.home().join(name));
        }
        killed += u32::from(if round % 2 == 0 {
            kill_after(moved.restore(), length.mul_f64(random.fraction()))
        } else {
            // The time in which things change places is short.
            let mut child = moved.restore().into_command().spawn().unwrap();
            wait_until_ready(&moved.scene, &mut child);
            sleep(Duration::from_micros(1500).mul_f64(random.fraction()));
            kill(child)
        });

        let found = content(&moved.scene);
        for ((found, old), new) in found.iter().zip(&moved.old).zip(&moved.new) {
            assert!(found == old || found == new, "round {round}: half a root");
        }
        between += u32::from(found != moved.old && found != moved.new);
        let resume = moved.at_home(&["restore", "--resume", "--quiet"]).run();
        if resume.code == LOOKED_OVER {
            assert_eq!(content(&moved.scene), moved.new, "round {round}");
            resumed += 1;
        }
        let undo = moved.at_home(&["undo", "--yes", "--quiet"]).run();
        undone += u32::from(undo.code == 0);
        assert_eq!(content(&moved.scene), moved.old, "round {round}");
        let left: Vec<_> =
            beside(&moved.scene).into_iter().filter(|name| !name.contains(".before-undo-")).collect();
        assert_eq!(left, [""; 0], "round {round}");
    }
    println!(
        "killed {killed}, resumed {resumed}, undone {undone}, between two roots {between}, one run takes {length:?}"
    );
    assert!(undone > 0);
}

/// Waits until everything is unpacked.
fn wait_until_ready(scene: &Scene, child: &mut Child) {
    while child.try_wait().unwrap().is_none() {
        let journal = names(&scene.home()).into_iter().find(|name| name.ends_with(".journal"));
        let text = journal.and_then(|name| fs::read_to_string(scene.home().join(name)).ok());
        if text.is_some_and(|text| text.contains("\"ready\"")) {
            return;
        }
    }
}

/// The sample's databases are of another home, which the look after a restore finds.
const LOOKED_OVER: i32 = 3;
