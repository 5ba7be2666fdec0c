//! Whole backups of homes that real OpenClaw releases wrote.
//!
//! The samples lie beside the repository, in `../shared/openclaw`; where they are not, the tests
//! say so and are not done.

use std::fs;
use std::path::Path;

use crate::support::cli::{Run, ocbak};
use crate::support::round_trip::{assert_logged_row, assert_stored_once, assert_unpacked};
use crate::support::scene::Scene;
use crate::support::stock::{self, Secret};
use crate::support::tree::{Tolerance, Tree};

#[test]
fn a_home_of_2026_9_6_comes_out() {
    let Some(scene) = sample("home-2026.9.6.tar.zst") else {
        return;
    };
    acceptance(&scene);
    // OpenClaw: after a clean stop a log with live frames remains.
    let shared = "state/openclaw.sqlite";
    let source = scene.state().join(shared);
    let restored = scene.path("out/state").join(shared);
    let logged = only_in_log(&source);
    assert!(!logged.is_empty(), "the sample has nothing in its log");
    for (table, text) in logged {
        assert_logged_row(&source, &restored, &table, &text);
    }
    let listing = scene.listing();
    for agent in ["main", "research", "ops"] {
        assert!(listing.has(&format!("workspace/{agent}/SOUL.md")), "{agent}");
    }
    assert_eq!(listing.payload("state").facts["openclaw_version"].as_str(), Some("2026.9.6"));
}

#[test]
fn a_home_of_2026_3_13_comes_out() {
    let Some(scene) = sample("home-legacy-2026.3.13.tar.zst") else {
        return;
    };
    acceptance(&scene);
    let listing = scene.listing();
    // Transcripts and cron jobs are plain files in the old layout.
    assert!(listing.has("state/cron/jobs.json"));
    let transcripts = scene.state().join("agents/main/sessions");
    for entry in fs::read_dir(transcripts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "jsonl") {
            let name = path.strip_prefix(scene.state()).unwrap().display();
            assert!(listing.has(&format!("state/{name}")), "{name} is not stored");
        }
    }
}

#[test]
fn a_plain_copy_of_a_home_is_seen_for_what_it_is() {
    let Some(scene) = sample("home-2026.9.6.tar.zst") else {
        return;
    };
    let before = Tree::read(&scene.home());
    let ran = ocbak(["check", "--home"]).arg(scene.home()).code(3);
    let said = ran.text();
    for part in [
        "was copied or moved from `/home/alice`: 7 things lead there still\n",
        "\n  workspace of agent `main`: `/home/alice/.openclaw/workspace`; OpenClaw would",
        "\n  workspace of agent `research`: `/home/alice/projects/research-ws`; OpenClaw would",
        "\n  workspace of agent `ops`: `/home/alice/.openclaw/workspace-ops`; OpenClaw would",
        "\n  cron job `daily`: lost, kept under `/home/alice/.openclaw/cron/jobs.json`",
        "\n  short-term memory: 5 records\n",
        "\n  `config_machine_state.value_json` of the shared database: 6 paths, such as",
        "such as `agents.entries.main.agentDir`: `/home/alice/.openclaw/agents/main/agent`\n",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    assert!(!said.contains("damaged"), "{said}");
    before.assert_same(&Tree::read(&scene.home()), Tolerance::default());
    // The commands that it names put all of it right.
    let moved = scene.path("moved.ocbak");
    scene.creation(&moved).success();
    let map = format!("/home/alice={}", scene.home().display());
    let restore =
        ocbak(["restore", "--yes", "--quiet", "-i"]).arg(scene.key()).arg("--home").arg(scene.home());
    let ran = restore.args(["--map", &map]).arg(moved).success();
    assert_eq!(ran.text(), "");
    ocbak(["check", "--quiet", "--home"]).arg(scene.home()).success();
}

/// Create, verify, restore, both payloads alone, stock programs.
fn acceptance(scene: &Scene) {
    let before = Tree::read(&scene.home());
    scene.create();
    before.assert_same(&Tree::read(&scene.home()), Tolerance::default());
    scene.with_key("verify").success();
    ocbak(["verify", "--quick"]).arg(scene.archive()).success();
    let listing = scene.listing();
    assert_stored_once(&listing);
    let both = ["state", "workspace"];
    scene.restoring("out").success();
    let whole = Tolerance::default();
    assert_unpacked(&listing, &both, &scene.path("out"), &[], whole);
    for role in both {
        scene.restoring(role).args(["--only", role]).success();
        assert_unpacked(&listing, &[role], &scene.path(role), &[], whole);
    }
    if stock::have(&["tar", "age", "zstd", "bash"]) {
        let out = scene.path("stock");
        stock::recover(&scene.archive(), &Secret::Key(&scene.key()), &out);
        let out = out.join("ocbak");
        let files: Vec<_> = fs::read_dir(&out)
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let tolerance = Tolerance { xattrs: true };
        assert_unpacked(&listing, &both, &out, &files, tolerance);
    }
}

/// Unpacks a sample as the home of a scene.
fn sample(name: &str) -> Option<Scene> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/openclaw").join(name);
    if !archive.exists() {
        stock::skip(&format!("no {}", archive.display()));
        return None;
    }
    if !stock::have(&["tar", "zstd"]) {
        return None;
    }
    let scene = Scene::bare();
    fs::create_dir(scene.home()).unwrap();
    Run::new("tar").args(["--zstd", "-xpf"]).arg(archive).arg("-C").arg(scene.home()).success();
    Some(scene)
}

/// Texts of rows that a database has only through its log.
fn only_in_log(database: &Path) -> Vec<(String, String)> {
    crate::support::sqlite::read(database)
        .texts_missing_from(&crate::support::sqlite::read_without_log(database))
}
