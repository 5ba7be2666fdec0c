//! Every failure is one clear line, a hint where there is a way out, and the documented exit code.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::cli::{PROGRAM, Run, ocbak};
use crate::support::home::noise;
use crate::support::scene::{Scene, names};
use crate::support::stock;
use crate::support::tree::{Tolerance, Tree};
use rustix::fs::{CWD, Mode, mkfifoat};
use sha2::{Digest, Sha256};

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
fn two_installations_found_and_none_chosen() {
    let scene = Scene::plain();
    for name in [".openclaw-work", ".openclaw-Dev"] {
        fs::create_dir(scene.home().join(name)).unwrap();
    }
    // The default one is taken, as OpenClaw takes it.
    let ran = ocbak(["create", "--home"])
        .arg(scene.home())
        .arg("-R")
        .arg(scene.path("recipient.txt"))
        .arg("-o")
        .arg(scene.archive())
        .success();
    let note = format!(
        "note: this is the installation in `{}`; the home directory has others, of the profiles `Dev`, `work`: \
         `--profile NAME` or `--all-profiles`\n",
        scene.state().display()
    );
    assert_eq!(ran.stderr, note);
    let ran = ocbak(["create", "--dry-run", "--home"]).arg(scene.home()).success();
    assert_eq!(ran.stderr, note);
    let document = scene.creation(&scene.path("b.ocbak")).arg("--json").success().json();
    assert_eq!(document["other_profiles"], serde_json::json!(["Dev", "work"]));
    // Who chose one need not be told.
    let chosen = scene.creation(&scene.path("c.ocbak")).arg("--state-dir").arg(scene.state());
    assert_eq!(chosen.arg("--json").success().json()["other_profiles"], serde_json::json!([]));
    // Without a default one, none is guessed, be there several or one.
    fs::remove_dir_all(scene.state()).unwrap();
    for words in ["there are the profiles `Dev`, `work`", "there is the profile `work`"] {
        let before = names(&scene.path(""));
        let ran = scene.creation(&scene.path("d.ocbak")).code(1);
        ran.fails_with(&["no OpenClaw state directory", "/.openclaw`", words]);
        ran.hints("--profile NAME");
        assert_eq!(names(&scene.path("")), before);
        let _ = fs::remove_dir(scene.home().join(".openclaw-Dev"));
    }
}

#[test]
fn a_profile_that_does_not_exist() {
    let scene = Scene::plain();
    fs::create_dir(scene.home().join(".openclaw-work")).unwrap();
    let before = names(&scene.path(""));
    let ran = scene.creation(&scene.archive()).args(["--profile", "wrok"]).code(1);
    ran.fails_with(&["/.openclaw-wrok`", "there is the profile `work`"]);
    ran.hints("--profile NAME");
    let ran = scene.creation(&scene.archive()).args(["--profile", "../work"]).code(2);
    ran.fails_with(&["`../work` is no name of a profile"]);
    ran.hints("1 to 64 letters");
    assert_eq!(names(&scene.path("")), before);
}

#[test]
fn a_workspace_on_a_missing_drive() {
    let scene = Scene::plain();
    let drive = scene.home().join("projects");
    fs::rename(&drive, scene.path("unplugged")).unwrap();
    let ran = scene.creation(&scene.archive()).code(3);
    let place = drive.join("research-ws");
    let detail = format!("`{}` does not exist", place.display());
    assert_eq!(ran.stderr, format!("warning: `workspace/research` is left out: {detail}\n"));
    let listing = scene.listing();
    let skipped: Vec<_> = listing.skipped().filter(|(_, why)| why == "unreadable").collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].0, Path::new("workspace/research"));
    assert!(listing.has("workspace/main/SOUL.md") && listing.has("state/openclaw.json"));
    assert!(!drive.exists());
    // Who does not want workspaces does not miss one.
    scene.creation(&scene.path("b.ocbak")).arg("--no-workspace").success();
    // With the drive there again, a restore leaves what is on it alone.
    fs::rename(scene.path("unplugged"), &drive).unwrap();
    let before = Tree::read(&drive);
    // The look afterwards finds that the sample home is a copy.
    scene.with_key("restore").args(["--yes", "--home"]).arg(scene.home()).code(3);
    before.assert_same(&Tree::read(&drive), Tolerance::default());
}

#[test]
fn a_config_with_a_symlink_out_of_the_state_dir() {
    let scene = Scene::plain();
    let (config, real) = (scene.state().join("openclaw.json"), scene.home().join("dotfiles/oc.json5"));
    fs::create_dir(scene.home().join("dotfiles")).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("~/projects", scene.home().join("projects").to_str().unwrap());
    fs::write(&real, &text).unwrap();
    fs::remove_file(&config).unwrap();
    symlink("../dotfiles/oc.json5", &config).unwrap();
    // The file comes with the link, and its paths with both.
    scene.create();
    let home = scene.path("other");
    fs::create_dir(&home).unwrap();
    scene.with_key("restore").args(["--yes", "--home"]).arg(&home).success();
    let moved = text.replace(scene.home().to_str().unwrap(), home.to_str().unwrap());
    assert_eq!(fs::read_to_string(home.join("dotfiles/oc.json5")).unwrap(), moved);
    let link = fs::read_link(home.join(".openclaw/openclaw.json")).unwrap();
    assert_eq!(link, Path::new("../dotfiles/oc.json5"));
    // What is included through a link is refused, as OpenClaw refuses it, and said.
    let include = scene.state().join("include/channels.json5");
    fs::rename(&include, scene.home().join("channels.json5")).unwrap();
    symlink("../../channels.json5", &include).unwrap();
    let before = Tree::read(&scene.home());
    let ran = scene.creation(&scene.path("b.ocbak")).code(3);
    assert!(
        ran.stderr.contains("include/channels.json5` lies outside the configuration's directory"),
        "{ran}"
    );
    before.assert_same(&Tree::read(&scene.home()), Tolerance::default());
}

#[test]
fn a_config_that_is_a_fifo_hangs_nothing() {
    let scene = Scene::plain();
    let config = scene.state().join("openclaw.json");
    fs::remove_file(&config).unwrap();
    mkfifoat(CWD, &config, Mode::RWXU).unwrap();
    let ran = scene.creation(&scene.archive()).code(3);
    assert_eq!(ran.stderr, format!("warning: configuration `{}` is no file\n", config.display()));
    let listing = scene.listing();
    assert!(listing.has("workspace/main/SOUL.md") && listing.has("state/.env"));
    assert!(listing.skipped().any(|(path, why)| path == Path::new("state/openclaw.json") && why == "kind"));
    let ran = scene.creation(&scene.path("b.ocbak")).arg("--only-config").code(1);
    ran.fails_with(&["no configuration file in"]);
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
        .code(2);
    ran.fails_with(&["passphrase"]);
    ran.hints("--passphrase-file");
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
            .code(1);
        ran.fails_with(&[word]);
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
