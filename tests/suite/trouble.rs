//! What a run does when the system does not play along: it says so and leaves nothing half done.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::age_keys::RECIPIENT;
use crate::support::cli::{PROGRAM, Ran, Run};
use crate::support::home::noise;
use crate::support::scene::{Scene, names};
use crate::support::stock;

/// User and group `nobody`, for what root may do and others may not.
const NOBODY: u32 = 65_534;

#[test]
fn an_unreadable_file_is_listed_and_the_rest_is_kept() {
    let as_root = rustix::process::geteuid().is_root();
    let mut command = if as_root {
        if !stock::have(&["setpriv"]) {
            return;
        }
        let mut command = Command::new("setpriv");
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        command
    } else {
        Command::new(PROGRAM)
    };
    let scene = Scene::plain();
    let base = scene.path("");
    if as_root {
        // The build directory may be closed to others.
        fs::copy(PROGRAM, base.join("ocbak")).unwrap();
        command.arg(base.join("ocbak"));
    }
    let secret = scene.state().join("credentials/telegram-allowFrom.json");
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o000)).unwrap();
    if as_root {
        fs::set_permissions(&base, PermissionsExt::from_mode(0o755)).unwrap();
        own(&base);
    }
    let output = command
        .args(["create", "--quiet", "-r", RECIPIENT, "--home"])
        .arg(scene.home())
        .arg("-o")
        .arg(scene.archive())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("telegram-allowFrom.json"), "{stderr}");
    let listing = scene.listing();
    let name = PathBuf::from("state/credentials/telegram-allowFrom.json");
    assert!(listing.skipped().any(|(skipped, why)| skipped == &name && why == "unreadable"));
    assert!(listing.has("state/openclaw.json"));
    scene.with_key("verify").success();
}

#[test]
fn a_file_that_cannot_be_finished_leaves_nothing() {
    let scene = Scene::plain();
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(scene.state().join("media/inbound/big.bin"), noise(3 << 20)).unwrap();
    // Blocks of 1024 bytes in bash; without the signal, writes fail with EFBIG.
    let ran = limited(&scene, &out, "trap '' XFSZ; ulimit -f 1024; exec \"$@\"");
    ran.fails_with(&["cannot write"]);
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(names(&out), [""; 0]);
}

#[test]
fn a_limit_of_size_ends_no_run_halfway() {
    let scene = Scene::plain();
    let (out, to) = (scene.path("out"), scene.path("to"));
    fs::create_dir(&out).unwrap();
    // The signal of the limit keeps its default, which ends a process.
    let ran = limited(&scene, &out, "ulimit -f 1; exec \"$@\"");
    ran.fails_with(&["cannot write"]);
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(names(&out), [""; 0]);
    scene.creation(&scene.archive()).success();
    let restore = Run::new("bash").args(["-c", "ulimit -f 1; exec \"$@\"", "bash", PROGRAM, "restore"]);
    let ran = restore.arg(scene.archive()).arg("-i").arg(scene.path("key.txt")).arg("--to").arg(&to).run();
    assert_eq!(ran.code, 1, "{ran}");
    let left: Vec<_> = names(&scene.path("")).into_iter().filter(|name| name.contains("restore")).collect();
    assert_eq!(left, [""; 0]);
    assert!(!to.exists());
}

#[test]
fn an_archive_that_a_drive_does_not_keep_gets_no_name() {
    let scene = Scene::plain();
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(scene.state().join("media/inbound/big.bin"), noise(24 << 20)).unwrap();
    for changed in [true, false] {
        let run = scene.creation(&out.join("backup.ocbak")).arg("--verify");
        let mut child = run.into_command().spawn().unwrap();
        // What is written once is not written again, so that a byte changed early stays changed.
        let file = loop {
            let name = names(&out).into_iter().next();
            if let Some(file) = name.and_then(|name| File::options().write(true).open(out.join(name)).ok())
                && file.metadata().unwrap().len() > 1 << 20
            {
                break file;
            }
            assert!(child.try_wait().unwrap().is_none(), "it ended before anything was seen");
        };
        if changed {
            file.write_all_at(&[0x55; 64], 100_000).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        if changed {
            assert_eq!(output.status.code(), Some(4), "{stderr}");
            assert!(stderr.contains("backup.ocbak` reads back otherwise than it was written: "), "{stderr}");
            assert!(stderr.contains("hint: it is removed; the drive"), "{stderr}");
            assert_eq!(names(&out), [""; 0]);
        } else {
            assert_eq!(output.status.code(), Some(0), "{stderr}");
            assert_eq!(names(&out), ["backup.ocbak"]);
        }
    }
}

#[test]
fn an_archive_that_nobody_takes_is_a_failure() {
    let scene = Scene::plain();
    let mut command = scene.creation(Path::new("-")).into_command();
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write to standard output"), "{stderr}");
}

/// Runs `create` into `out` from a shell that limits itself first.
fn limited(scene: &Scene, out: &Path, script: &str) -> Ran {
    Run::new("bash")
        .args(["-c", script, "bash", PROGRAM])
        .args(["create", "--quiet", "-r", RECIPIENT, "--home"])
        .arg(scene.home())
        .arg("-o")
        .arg(out.join("backup.ocbak"))
        .run()
}

/// Gives a tree to nobody.
fn own(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path());
        }
    }
}
