//! Every failure is one clear line, a hint where there is a way out, and the documented exit code.

mod support;

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use support::cli::{PROGRAM, Run, ocbak};
use support::home::noise;
use support::scene::{Scene, names};
use support::stock;

#[test]
fn other_files_are_named_for_what_they_are() {
    let scene = Scene::plain();
    let ark = [&b"OCBAK1"[..], &noise(200)].concat();
    let tar = scene.path("plain.tar");
    Run::new("tar").arg("-cf").arg(&tar).arg("-C").arg(scene.home()).arg("projects").success();
    let tar = fs::read(tar).unwrap();
    for (name, content, words) in [
        ("ark.ocbak", ark, "`OCBAK1` file of the openclaw-ark plugin"),
        ("noise.ocbak", noise(100_000), "unknown bytes"),
        ("empty.ocbak", Vec::new(), "the file is empty"),
        ("plain.ocbak", tar, "tar archive that begins with `projects"),
    ] {
        fs::write(scene.path(name), content).unwrap();
        for command in ["info", "list", "verify"] {
            let ran = ocbak([command]).arg(scene.path(name)).run();
            ran.fails_with(&[name, "not an ocbak archive", words]);
            assert_eq!(ran.code, 1, "{ran}");
            assert!(!ran.stderr.contains("corrupt"), "{ran}");
        }
    }
}

#[test]
fn a_future_version_is_unsupported_and_not_damaged() {
    let scene = Scene::plain();
    scene.create();
    let archive = fs::read(scene.archive()).unwrap();
    fs::write(scene.archive(), of_version_2(&archive)).unwrap();
    for run in [
        scene.with_key("verify"),
        scene.with_key("list"),
        ocbak(["info"]).arg(scene.archive()),
        ocbak(["verify", "--quick"]).arg(scene.archive()),
    ] {
        let ran = run.code(1);
        ran.fails_with(&["version 2"]);
        ran.hints("later");
    }
}

#[test]
fn a_missing_state_directory_is_named() {
    let scene = Scene::bare();
    fs::create_dir(scene.home()).unwrap();
    let ran = scene.creation(&scene.archive()).code(1);
    ran.fails_with(&[".openclaw"]);
    ran.hints("--state-dir");
    assert!(!scene.archive().exists());
}

#[test]
fn a_target_that_is_not_empty_is_refused() {
    let scene = Scene::plain();
    scene.create();
    fs::create_dir(scene.path("out")).unwrap();
    fs::write(scene.path("out/mine"), "mine").unwrap();
    let ran = scene.restoring("out").code(1);
    ran.fails_with(&["out"]);
    ran.hints("--to DIR");
    assert_eq!(names(&scene.path("out")), ["mine"]);
}

#[test]
fn without_a_terminal_a_passphrase_is_not_waited_for() {
    if !stock::have(&["setsid"]) {
        return;
    }
    let scene = Scene::plain();
    // A session of its own has no controlling terminal, wherever the tests run.
    let ran = Run::new("setsid")
        .args(["--wait", PROGRAM, "create", "--home"])
        .arg(scene.home())
        .arg("-o")
        .arg(scene.archive())
        .run();
    ran.fails_with(&["passphrase"]);
    ran.hints("--passphrase-file");
    assert!(matches!(ran.code, 1 | 2), "{ran}");
    assert!(!scene.archive().exists());
}

#[test]
fn empty_and_short_passphrases_are_refused() {
    let scene = Scene::plain();
    for (content, word) in [("", "empty"), ("\n", "empty"), ("abc\n", "short")] {
        let file = scene.path("passphrase.txt");
        fs::write(&file, content).unwrap();
        let ran = ocbak(["create", "--home"])
            .arg(scene.home())
            .arg("--passphrase-file")
            .arg(&file)
            .arg("-o")
            .arg(scene.archive())
            .run();
        ran.fails_with(&[word]);
        assert!(matches!(ran.code, 1 | 2), "{ran}");
        assert!(!scene.archive().exists());
    }
}

#[test]
fn a_key_that_does_not_fit_is_exit_5() {
    let scene = Scene::plain();
    scene.create();
    for command in ["list", "verify"] {
        let ran = ocbak([command]).arg(scene.archive()).arg("-i").arg(scene.path("stranger.txt")).code(5);
        ran.fails_with(&["no key slot", "backup.ocbak"]);
    }
}

#[test]
fn a_wrong_passphrase_is_exit_5_and_one_line() {
    let scene = Scene::plain();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/passphrase.txt");
    scene.creation(&scene.archive()).arg("--passphrase-file").arg(fixture).success();
    let ran =
        ocbak(["list"]).arg(scene.archive()).env("OCBAK_PASSPHRASE", "FAKE but not the right one").code(5);
    ran.fails_with(&["no key slot", "passphrase"]);
    ran.hints("--identity");
}

#[test]
fn a_glob_that_matches_nothing_is_said() {
    let scene = Scene::plain();
    scene.create();
    for run in [
        scene.with_key("list").arg("state/nope*"),
        scene.restoring("out").args(["--path", "state/nope*"]),
        scene.with_key("extract").args(["state/nope", "--stdout"]),
    ] {
        let ran = run.code(1);
        ran.fails_with(&["state/nope"]);
        ran.hints("ocbak list");
    }
    assert!(!scene.path("out").exists());
}

#[test]
fn wrong_usage_is_exit_2() {
    let scene = Scene::plain();
    for arguments in [&["frobnicate"][..], &[], &["create", "--frobnicate"]] {
        ocbak(arguments).code(2);
    }
    ocbak(["create", "-r", "not-a-recipient", "--home"])
        .arg(scene.home())
        .arg("-o")
        .arg(scene.archive())
        .code(2)
        .fails_with(&["not-a-recipient"]);
}

/// Makes both manifests say version 2, with a header.sha256 that fits.
fn of_version_2(archive: &[u8]) -> Vec<u8> {
    let size = std::str::from_utf8(&archive[124..135]).unwrap();
    let manifest = &archive[512..512 + usize::from_str_radix(size, 8).unwrap()];
    let text = std::str::from_utf8(manifest).unwrap();
    let later = text.replacen("\nversion = 1\n", "\nversion = 2\n", 1);
    assert_ne!(text, later);
    let hex = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes)).into_bytes();
    let changed = replace(archive, manifest, later.as_bytes());
    replace(&changed, &hex(manifest), &hex(later.as_bytes()))
}

/// Replaces every occurrence by as many bytes.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut changed = bytes.to_vec();
    let places = bytes.windows(from.len()).enumerate();
    for (at, _) in places.filter(|(_, window)| *window == from) {
        changed[at..at + to.len()].copy_from_slice(to);
    }
    changed
}
