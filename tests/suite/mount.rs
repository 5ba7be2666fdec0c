//! State directories that no rename moves: a bind mount, as a container's volume is, and a link.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::cli::Run;
use crate::support::databases::SHARED;
use crate::support::scene::{Scene, names};
use crate::support::stock::skip;
use crate::support::tree::{Tolerance, Tree};

/// Options of `unshare` with which something can be mounted here; says so where nothing can.
fn unshare() -> Option<&'static str> {
    let can = |options| {
        let script = "mount --bind /tmp /mnt && mountpoint -q /mnt";
        Run::new("unshare").args([options, "sh", "-c", script]).run().code == 0
    };
    let found = ["-m", "-Urm"].into_iter().find(|options| can(options));
    if found.is_none() {
        skip("nothing can be mounted, neither as root nor in a user namespace");
    }
    found
}

/// Runs the program while directories are mounted on others, which the system undoes afterwards.
fn mounted(options: &str, mounts: &[(&Path, &Path)]) -> Run {
    let script = "while [ \"$1\" != -- ]; do mount --bind \"$1\" \"$2\"; shift 2; done; shift; exec \"$@\"";
    let mut run = Run::new("unshare").args([options, "sh", "-ec", script, "sh"]);
    for (from, to) in mounts {
        run = run.arg(from).arg(to);
    }
    run.arg("--").arg(env!("CARGO_BIN_EXE_ocbak"))
}

/// Restores in place.
fn restore_mounted(scene: &Scene, options: &str, mounts: &[(&Path, &Path)], more: &[&str]) -> String {
    let run = mounted(options, mounts).args(["restore", "--yes"]);
    let run = run.arg(scene.archive()).arg("-i").arg(scene.key()).arg("--home").arg(scene.home()).args(more);
    done(run)
}

/// Runs to the end; the check afterwards finds that the sample's databases are those of a copy.
fn done(run: Run) -> String {
    run.code(3).text().to_owned()
}

/// Moves a directory of the home to another place, leaving an empty one for it to be mounted on.
fn volume(scene: &Scene, name: &str, directory: &Path) -> PathBuf {
    let volume = scene.path(name);
    fs::rename(directory, &volume).unwrap();
    fs::create_dir(directory).unwrap();
    volume
}

/// The one name in a directory that an old tree is kept under.
fn kept(directory: &Path) -> PathBuf {
    let is_tree = |name: &String| name.contains(KEPT) && !name.ends_with(".journal");
    let found: Vec<_> = names(directory).into_iter().filter(is_tree).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    directory.join(&found[0])
}

const KEPT: &str = ".before-restore-";

/// The sample home, archived, then used on: a changed configuration, a further file, a log beside the
/// database that does not belong to the archive's.
fn scene() -> Scene {
    let scene = Scene::plain();
    scene.create();
    scene.restoring("expected").success();
    fs::write(scene.state().join("openclaw.json"), "later").unwrap();
    fs::write(scene.state().join("later"), "later").unwrap();
    fs::write(scene.state().join("workspace/MEMORY.md"), "later").unwrap();
    fs::write(scene.state().join(format!("{SHARED}-wal")), "later").unwrap();
    scene
}

/// Compares with what the archive holds, workspace aside.
fn assert_restored(scene: &Scene, state: &Path) {
    let is_aside = |name: &Path| name.starts_with("workspace") || name.to_string_lossy().contains(KEPT);
    let read = |path: &Path| Tree::read(path).without(is_aside);
    let expected = read(&scene.path("expected/state"));
    let differences = expected.differences(&read(state), Tolerance::default());
    let differences: Vec<_> = differences.into_iter().filter(|line| !line.contains("mtime")).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    for side in ["-wal", "-shm", "-journal"] {
        assert!(!state.join(format!("{SHARED}{side}")).exists(), "{side}");
    }
}

fn assert_old(state: &Path) {
    for name in ["openclaw.json", "later"] {
        assert_eq!(fs::read_to_string(state.join(name)).unwrap(), "later", "{name}");
    }
    assert!(state.join(SHARED).exists());
    assert_eq!(fs::read_to_string(state.join(format!("{SHARED}-wal"))).unwrap(), "later");
}

#[test]
fn a_mounted_state_directory_keeps_the_old_tree_in_the_mount() {
    let Some(options) = unshare() else { return };
    let scene = scene();
    let live = volume(&scene, "volume", &scene.state());
    let said = restore_mounted(&scene, options, &[(&live, &scene.state())], &[]);
    let old = kept(&live);
    let name = Path::new(".openclaw").join(old.file_name().unwrap());
    assert!(
        said.contains(&format!("what was there is kept in {}", scene.home().join(name).display())),
        "{said}"
    );
    assert_old(&old);
    assert_eq!(fs::read_to_string(old.join("workspace/MEMORY.md")).unwrap(), "later");
    assert_restored(&scene, &live);
    assert!(live.join("workspace/SOUL.md").exists());
    assert_eq!(names(&scene.state()), [""; 0], "nothing goes beneath the mount");
    let left = names(&scene.home());
    assert!(!left.iter().any(|name| name.contains("ocbak") || name.contains("restore")), "{left:?}");
}

#[test]
fn a_workspace_mounted_in_the_state_directory_is_replaced_in_its_mount_or_stays() {
    let Some(options) = unshare() else { return };
    for only in [None, Some("state"), Some("workspace")] {
        let scene = scene();
        let workspace = scene.state().join("workspace");
        let live = volume(&scene, "volume", &workspace);
        let more: Vec<&str> = only.iter().flat_map(|role| ["--only", role]).collect();
        restore_mounted(&scene, options, &[(&live, &workspace)], &more);
        let memory = fs::read_to_string(live.join("MEMORY.md")).unwrap();
        if only == Some("state") {
            assert_eq!(memory, "later");
            assert!(!names(&live).iter().any(|name| name.contains(KEPT)));
        } else {
            assert_ne!(memory, "later");
            assert_eq!(fs::read_to_string(kept(&live).join("MEMORY.md")).unwrap(), "later");
        }
        if only == Some("workspace") {
            assert_old(&scene.state());
        } else {
            assert_old(&kept(&scene.state()));
            assert_restored(&scene, &scene.state());
        }
        assert_eq!(names(&workspace), [""; 0], "nothing goes beneath the mount");
    }
}

#[test]
fn what_is_mounted_deep_in_the_state_directory_is_replaced_in_its_mount_or_stays() {
    let Some(options) = unshare() else { return };
    let scene = scene();
    let (login, cache) = (scene.state().join("credentials/whatsapp"), scene.state().join("cache/assets"));
    fs::create_dir_all(&cache).unwrap();
    fs::write(cache.join("asset"), "later").unwrap();
    fs::write(login.join("default/creds.json"), "later").unwrap();
    fs::write(login.join("since"), "later").unwrap();
    let (live, kept_out) = (volume(&scene, "login", &login), volume(&scene, "cache", &cache));
    let mounts = [(&*live, &*login), (&*kept_out, &*cache)];
    let creds = |directory: &Path| fs::read_to_string(directory.join("default/creds.json")).unwrap();

    restore_mounted(&scene, options, &mounts, &[]);
    assert_ne!(creds(&live), "later");
    assert_eq!(creds(&kept(&live)), "later");
    assert!(kept(&live).join("since").exists() && !live.join("since").exists());
    assert_eq!(names(&kept_out), ["asset"], "the archive has nothing of it");
    assert_old(&kept(&scene.state()));
    assert_ne!(fs::read_to_string(scene.state().join("openclaw.json")).unwrap(), "later");
    for mount in [&login, &cache] {
        assert_eq!(names(mount), [""; 0], "nothing goes beneath the mount");
    }

    mounted(options, &mounts).args(["undo", "--yes", "--home"]).arg(scene.home()).success();
    assert_eq!(creds(&live), "later");
    assert!(live.join("since").exists());
    assert_old(&scene.state());
}

#[test]
fn single_names_go_into_a_mount_on_their_way() {
    let Some(options) = unshare() else { return };
    let scene = scene();
    let login = scene.state().join("credentials/whatsapp");
    fs::write(login.join("default/creds.json"), "later").unwrap();
    let live = volume(&scene, "login", &login);
    let creds = |directory: &Path| fs::read_to_string(directory.join("default/creds.json")).unwrap();
    restore_mounted(&scene, options, &[(&live, &login)], &["--path", "state/credentials/**"]);
    assert_ne!(creds(&live), "later");
    assert_eq!(creds(&kept(&live)), "later");
    assert_eq!(names(&login), [""; 0], "nothing goes beneath the mount");

    let (out, empty) = (scene.path("out"), scene.path("empty"));
    let inner = out.join("state/credentials/whatsapp");
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir(&empty).unwrap();
    let run = mounted(options, &[(&empty, &inner)]).arg("extract").arg(scene.archive());
    run.arg("-i").arg(scene.key()).arg("state/credentials").arg("-C").arg(&out).success();
    assert_eq!(creds(&empty), creds(&live));
    assert!(out.join("state/credentials/telegram-allowFrom.json").exists());
    assert_eq!(names(&inner), [""; 0], "nothing goes beneath the mount");
}

#[test]
fn a_file_that_is_mounted_by_itself_is_named_before_anything_is_done() {
    let Some(options) = unshare() else { return };
    let scene = scene();
    let live = volume(&scene, "volume", &scene.state());
    let own = scene.path("own.json");
    fs::write(&own, "{}").unwrap();
    let config = scene.state().join("openclaw.json");
    for more in [&["--dry-run"][..], &["--yes"], &["--yes", "--path", "state/openclaw.json"]] {
        let run = mounted(options, &[(&live, &scene.state()), (&own, &config)]).arg("restore").args(more);
        let ran = run.arg(scene.archive()).arg("-i").arg(scene.key()).arg("--home").arg(scene.home()).code(1);
        ran.fails_with(&[&format!("`{}` is mounted by itself and cannot be replaced", config.display())]);
        ran.hints("--to DIR");
        assert_old(&live);
    }
}

#[test]
fn a_linked_state_directory_stays_a_link() {
    let scene = scene();
    let live = scene.path("data/oc");
    fs::create_dir(scene.path("data")).unwrap();
    fs::rename(scene.state(), &live).unwrap();
    symlink("../data/oc", scene.state()).unwrap();
    done(scene.with_key("restore").args(["--yes", "--home"]).arg(scene.home()));
    assert_eq!(fs::read_link(scene.state()).unwrap(), Path::new("../data/oc"));
    let old = kept(&scene.path("data"));
    assert!(old.file_name().and_then(OsStr::to_str).unwrap().starts_with("oc.before-restore-"));
    assert_old(&old);
    assert_restored(&scene, &live);
}
