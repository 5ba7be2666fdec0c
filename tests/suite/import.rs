//! `import`: backups that OpenClaw made itself, through the program.
//!
//! The sample lies beside the repository, in `../shared/openclaw`; where it is not, its test says so
//! and is not done. What the library makes of single entries is tested beside it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::json;

use crate::support::cli::{Run, ocbak};
use crate::support::scene::Scene;
use crate::support::stock;

const ROOT: &str = "2026-11-22T05-11-33.645+00-00-openclaw-backup";

/// Makes the backup of a scene's home that OpenClaw would: databases first, the manifest last.
fn native(scene: &Scene, home: &Path) -> PathBuf {
    let backup = scene.path("native.tar.gz");
    let gzip = GzEncoder::new(File::create(&backup).unwrap(), Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    tar.follow_symlinks(false);
    let state = home.join(".openclaw");
    let name = |path: &Path| format!("{ROOT}/payload/posix{}", path.display());
    let config = state.join("openclaw.json");
    tar.append_path_with_name(&config, name(&config)).unwrap();
    // From the last to the first: no order of ours.
    let mut paths = vec![state.clone()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    for path in paths.iter().rev().filter(|path| **path != config) {
        tar.append_path_with_name(path, name(path)).unwrap();
    }
    let manifest = json!({
        "schemaVersion": 1,
        "createdAt": "2026-11-22T05:11:33.645Z",
        "archiveRoot": ROOT,
        "runtimeVersion": "2026.9.6",
        "platform": "linux",
        "options": { "includeWorkspace": true, "onlyConfig": false },
        "paths": { "stateDir": state, "configPath": config, "workspaceDirs": [state.join("workspace")] },
        "assets": [{ "kind": "state", "sourcePath": state, "archivePath": name(&state) }],
        "skipped": [],
    });
    let manifest = manifest.to_string();
    let mut header = tar::Header::new_ustar();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, format!("{ROOT}/manifest.json"), manifest.as_bytes()).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    backup
}

/// A home of a few files, the largest of them random enough to fill frames.
fn home(scene: &Scene) -> PathBuf {
    let home = scene.path("old");
    let mut noise = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_le_bytes()[3]
    })
    .take(3 << 20)
    .collect();
    for (name, content) in [
        ("openclaw.json", &b"{ \"agents\": {} }\n"[..]),
        ("agents/main/agent/models.json", b"{}"),
        ("media/inbound/photo.jpg", &noise),
        ("workspace/MEMORY.md", b"The user likes tests.\n"),
    ] {
        let path = home.join(".openclaw").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(home.join(".openclaw"), PermissionsExt::from_mode(0o700)).unwrap();
    home
}

fn importing(scene: &Scene, backup: &Path, key: &str) -> Run {
    ocbak(["import"]).arg(backup).arg("-R").arg(scene.path(key)).arg("-o").arg(scene.archive())
}

/// No file of the archive, whole or not.
fn assert_nothing_left(scene: &Scene) {
    for entry in fs::read_dir(scene.path(".")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains("backup.ocbak"), "{name}");
    }
}

#[test]
fn what_openclaw_backed_up_is_restored_to_another_home() {
    let scene = Scene::bare();
    let old = home(&scene);
    let backup = native(&scene, &old);
    let ran = importing(&scene, &backup, "recipient.txt").success();
    for part in [
        "backup.ocbak  ",
        "\n  state      ",
        "\n  workspace  2 entries, 22 B of content\n",
        "read back and found sound",
    ] {
        assert!(ran.text().contains(part), "no `{part}` in {ran}");
    }
    assert!(ran.text().ends_with("native.tar.gz` is still there, and still unencrypted\n"), "{ran}");
    scene.with_key("verify").success();
    scene.with_key("restore").args(["--yes", "--home"]).arg(scene.path("new")).success();
    for name in
        ["openclaw.json", "media/inbound/photo.jpg", "workspace/MEMORY.md", "agents/main/agent/models.json"]
    {
        let read = |home: &Path| fs::read(home.join(".openclaw").join(name)).unwrap();
        assert!(read(&old) == read(&scene.path("new")), "{name}");
    }
}

#[test]
fn the_document_tells_the_same_and_parts_are_made() {
    let scene = Scene::bare();
    let backup = native(&scene, &home(&scene));
    let document =
        importing(&scene, &backup, "recipient.txt").args(["--split", "1M", "--json"]).success().json();
    assert_eq!(document["file"], backup.to_str().unwrap());
    let first = format!("{}.001", scene.archive().display());
    assert_eq!((&document["output"], &document["parts"][0]), (&first.clone().into(), &first.clone().into()));
    assert!(document["parts"].as_array().unwrap().len() > 2, "{document}");
    assert_eq!(document["payloads"][1]["role"], "workspace");
    assert_eq!(document["payloads"][1]["content_bytes"], 22);
    assert_eq!(document["verified"], true);
    let info = ocbak(["info", "--json", &first]).success().json();
    assert_eq!(info["created"], "2026-11-22T05:11:33Z");
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let scene = Scene::bare();
    let backup = native(&scene, &home(&scene));
    let whole = fs::read(&backup).unwrap();
    let cases: [(&[u8], i32, &[&str], &str); 4] = [
        (&whole[..whole.len() / 2], 4, &["native.tar.gz`: gzip: ends early"], "another copy of the backup"),
        (b"plain text", 1, &["native.tar.gz`: no gzip file"], "what `openclaw backup create` writes"),
        (b"", 1, &["no gzip file"], "a `.tar.gz` of schema version 1"),
        (b"\x1f\x8b\x08\x00 and more", 4, &["gzip: "], "`gzip -t`"),
    ];
    for (bytes, code, words, hint) in cases {
        fs::write(&backup, bytes).unwrap();
        importing(&scene, &backup, "recipient.txt").code(code).fails_with(words).hints(hint);
        assert_nothing_left(&scene);
    }
    // What cannot be read twice is not waited for.
    mkfifoat(CWD, scene.path("pipe"), Mode::RWXU).unwrap();
    fs::create_dir(scene.path("directory")).unwrap();
    for name in ["pipe", "directory"] {
        importing(&scene, &scene.path(name), "recipient.txt")
            .code(1)
            .fails_with(&[&format!("{name}`: is no file")]);
        assert_nothing_left(&scene);
    }
    let missing = scene.path("none.tar.gz");
    importing(&scene, &missing, "recipient.txt").code(1).fails_with(&["cannot open", "none.tar.gz"]);
    assert_nothing_left(&scene);
    fs::write(&backup, &whole).unwrap();
    fs::write(scene.archive(), "mine").unwrap();
    importing(&scene, &backup, "recipient.txt").code(1).fails_with(&["exists already"]);
    assert_eq!(fs::read(scene.archive()).unwrap(), b"mine");
}

#[test]
fn a_backup_given_for_an_archive_names_the_command() {
    let scene = Scene::bare();
    let backup = native(&scene, &home(&scene));
    ocbak(["info"]).arg(backup).code(1).fails_with(&["a gzip file"]).hints("`ocbak import`");
}

#[test]
fn the_sample_is_imported_restored_elsewhere_and_found_well() {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/openclaw/native-backup-2026.9.6.tar.gz");
    if !sample.exists() {
        stock::skip(&format!("no {}", sample.display()));
        return;
    }
    let scene = Scene::bare();
    importing(&scene, &sample, "recipient.txt").success();
    scene.with_key("verify").success();
    let listing = scene.listing();
    for name in [
        "state/openclaw.json",
        "workspace/main/SOUL.md",
        "workspace/ops/SOUL.md",
        "workspace/research/SOUL.md",
    ] {
        assert!(listing.has(name), "{name}");
    }
    assert_eq!(listing.payload("state").facts["home"].as_str(), Some("/home/alice"));
    let home = scene.path("new");
    scene.with_key("restore").args(["--yes", "--home"]).arg(&home).success();
    assert!(home.join("projects/research-ws/SOUL.md").exists());
    let ran = ocbak(["check", "--home"]).arg(&home).success();
    assert!(!ran.text().contains("/home/alice"), "{ran}");
}
