//! A whole backup and restore of the sample home, through the command line.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::support::cli::{Run, ocbak};
use crate::support::databases::{LOGGED_EVENT, LOGGED_JOB, MAIN_AGENT, SHARED};
use crate::support::home::noise;
use crate::support::rich::{FIFO, LATIN1, SOCKET};
use crate::support::round_trip::{assert_logged_row, assert_stored_once, assert_unpacked};
use crate::support::scene::{Scene, names};
use crate::support::stock::{self, Secret};
use crate::support::tree::{Tolerance, Tree};

const BOTH: [&str; 2] = ["state", "workspace"];

#[test]
fn what_goes_in_comes_out() {
    let scene = Scene::rich();
    scene.create();
    scene.with_key("verify").success();
    scene.restoring("out").success();
    let out = scene.path("out");
    assert_unpacked(&scene.listing(), &BOTH, &out, &[], Tolerance::default());
    for (database, table, text) in
        [(SHARED, "cron_jobs", LOGGED_JOB), (MAIN_AGENT, "transcript_events", LOGGED_EVENT)]
    {
        let restored = out.join("state").join(database);
        assert_logged_row(&scene.state().join(database), &restored, table, text);
    }
}

#[test]
fn a_home_fresh_from_git_comes_out() {
    let scene = Scene::plain();
    scene.create();
    scene.restoring("out").success();
    let out = scene.path("out");
    assert_unpacked(&scene.listing(), &BOTH, &out, &[], Tolerance::default());
}

#[test]
fn create_leaves_the_source_as_it_was() {
    let scene = Scene::rich();
    let before = Tree::read(&scene.home());
    scene.create();
    before.assert_same(&Tree::read(&scene.home()), Tolerance::default());
    assert_eq!(names(&scene.path("")), SCENE_WITH_ARCHIVE);
}

#[test]
fn the_policy_drops_nothing_precious_and_keeps_nothing_pointless() {
    let scene = Scene::rich();
    scene.create();
    let listing = scene.listing();
    for precious in PRECIOUS {
        assert!(listing.has(precious), "{precious} is not stored");
    }
    for pointless in POINTLESS {
        let out = Path::new(pointless)
            .ancestors()
            .any(|name| listing.skipped().any(|(skipped, _)| skipped == name));
        assert!(out, "{pointless} is not listed as left out");
        assert!(!listing.has(pointless), "{pointless} is stored");
    }
    let of_kind: BTreeSet<_> =
        listing.skipped().filter(|(_, why)| why == "kind").map(|(name, _)| name.clone()).collect();
    assert!(of_kind.contains(&PathBuf::from(format!("state/{FIFO}"))));
    // The policy may know a socket by its name.
    let socket = PathBuf::from(format!("state/{SOCKET}"));
    assert!(listing.skipped().any(|(name, _)| name == &socket));
    let outside = ["not for the backup", "Steuer", ".bashrc"];
    for payload in &listing.0 {
        for entry in &payload.entries {
            let name = entry.path.to_string_lossy();
            assert!(!outside.iter().any(|word| name.contains(word)), "{name}");
        }
    }
}

#[test]
fn no_file_is_stored_twice_and_workspaces_are_in_their_payload_only() {
    let scene = Scene::rich();
    scene.create();
    let listing = scene.listing();
    assert_stored_once(&listing);
    let (state, workspace) = (listing.payload("state"), listing.payload("workspace"));
    assert!(state.leaves_out("state/workspace"));
    assert!(!state.entries.iter().any(|entry| entry.path.starts_with("state/workspace")));
    assert!(workspace.has("workspace/main/MEMORY.md"));
    assert!(workspace.has("workspace/research/data/Übersicht 2026.csv"));
    assert!(workspace.entries.iter().all(|entry| entry.path.starts_with("workspace")));
    // The file with names in both payloads is in both, and said to be where it is stored again.
    assert!(state.has("state/media/outbound/shared.txt"));
    let name = Path::new("workspace/main/shared.txt");
    let shared = |(noted, why): &(PathBuf, String)| noted == name && why == "shared";
    assert!(workspace.noted.iter().any(shared));
}

#[test]
fn one_payload_can_be_restored_alone() {
    let scene = Scene::rich();
    scene.create();
    let listing = scene.listing();
    for role in BOTH {
        scene.restoring(role).args(["--only", role]).success();
        let out = scene.path(role);
        assert_unpacked(&listing, &[role], &out, &[], Tolerance::default());
    }
}

#[test]
fn a_glob_restores_what_it_matches() {
    let scene = Scene::rich();
    scene.create();
    scene.restoring("out").args(["--path", "state/credentials"]).success();
    let out = scene.path("out/state");
    assert_eq!(names(&out), ["credentials"]);
    Tree::read(&scene.state().join("credentials"))
        .assert_same(&Tree::read(&out.join("credentials")), Tolerance::default());
}

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::rich();
    scene.creation(&scene.archive()).arg("--dry-run").success();
    assert!(!scene.archive().exists());
    scene.create();
    scene.restoring("out").arg("--dry-run").success();
    assert!(!scene.path("out").exists());
}

#[test]
fn a_name_that_is_no_text_comes_out_too() {
    let scene = Scene::rich();
    scene.create();
    let latin1 = OsStr::from_bytes(LATIN1);
    let file = fs::read(scene.state().join("workspace/odd").join(latin1)).unwrap();
    let name = Path::new("workspace/main/odd").join(latin1);
    let ran = scene.with_key("extract").arg(&name).arg("--stdout").success();
    assert_eq!(ran.stdout, file);
    let ran = scene.with_key("extract").arg(OsStr::from_bytes(b"state/\xe9")).arg("--stdout").code(1);
    ran.fails_with(&["no entry `state/\\xe9`"]);
}

#[test]
fn one_file_comes_out_by_itself() {
    let scene = Scene::rich();
    scene.create();
    let memory = fs::read(scene.state().join("workspace/MEMORY.md")).unwrap();
    let ran = scene.with_key("extract").args(["workspace/main/MEMORY.md", "--stdout"]).success();
    assert_eq!(ran.stdout, memory);
    fs::create_dir(scene.path("here")).unwrap();
    scene.with_key("extract").args(["workspace/main/MEMORY.md", "-C"]).arg(scene.path("here")).success();
    let extracted = crate::support::scene::names(&scene.path("here"));
    assert_eq!(extracted, ["workspace"]);
    let copy = scene.path("here/workspace/main/MEMORY.md");
    assert_eq!(fs::read(copy).unwrap(), memory);
}

#[test]
fn info_and_quick_verify_need_no_secret() {
    let scene = Scene::plain();
    scene.create();
    let info = ocbak(["info"]).arg(scene.archive()).success();
    assert!(info.text().contains("not authenticated"), "{info}");
    let info = ocbak(["info", "--json"]).arg(scene.archive()).success();
    let public = info.json().to_string();
    assert!(!public.contains("openclaw.json") && !public.contains("/home"), "{info}");
    ocbak(["verify", "--quick"]).arg(scene.archive()).success();
}

#[test]
fn the_archive_is_private_and_ordinary_for_tar() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::plain();
    scene.create();
    let mode = fs::metadata(scene.archive()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let python = "import sys, tarfile\nprint(*tarfile.open(sys.argv[1]).getnames(), sep='\\n')";
    let archive = scene.archive();
    for (program, arguments) in
        [("tar", vec!["-tf"]), ("bsdtar", vec!["-tf"]), ("python3", vec!["-c", python])]
    {
        if !stock::have(&[program]) {
            continue;
        }
        let listed = crate::support::cli::Run::new(program).args(arguments).arg(&archive).success();
        let lines: Vec<_> = listed.text().lines().collect();
        assert_eq!(lines.first(), Some(&"ocbak/manifest.toml"), "{listed}");
        assert!(lines.contains(&"ocbak/state.tar.zst.age"), "{listed}");
        assert_eq!(lines.last(), Some(&"ocbak/RECOVERY.txt"), "{listed}");
    }
}

#[test]
fn stock_programs_recover_the_same_tree_with_a_key() {
    if !stock::have(&["tar", "age", "zstd", "bash", "sha256sum"]) {
        return;
    }
    let scene = Scene::rich();
    scene.create();
    let out = scene.path("stock");
    stock::recover(&scene.archive(), &Secret::Key(&scene.key()), &out);
    stock::check_header(&out);
    assert_recovered(&scene, &out);
}

#[test]
fn stock_programs_recover_the_same_tree_from_parts() {
    if !stock::have(&["cat", "tar", "age", "zstd", "bash"]) {
        return;
    }
    let scene = Scene::plain();
    fs::write(scene.state().join("media/inbound/big.bin"), noise(11 << 20)).unwrap();
    scene.creation(&scene.archive()).args(["--split", "1M"]).success();
    assert!(scene.path("backup.ocbak.011").exists() && !scene.archive().exists());
    // As README says it.
    let join = "cat backup.ocbak.* > backup.ocbak";
    Run::new("bash").args(["-ec", join]).current_dir(&scene.path("")).success();
    let out = scene.path("stock");
    stock::recover(&scene.archive(), &Secret::Key(&scene.key()), &out);
    assert_recovered(&scene, &out);
}

#[test]
fn stock_programs_recover_the_same_tree_with_the_passphrase() {
    if !stock::have(&["tar", "age", "zstd", "bash", "python3"]) {
        return;
    }
    let scene = Scene::plain();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/passphrase.txt");
    scene.creation(&scene.archive()).arg("--passphrase-file").arg(&fixture).success();
    let passphrase = fs::read_to_string(fixture).unwrap();
    let out = scene.path("stock");
    stock::recover(&scene.archive(), &Secret::Passphrase(passphrase.trim_end()), &out);
    assert_recovered(&scene, &out);
}

/// Expects the trees of both payloads beside the members that they came from.
fn assert_recovered(scene: &Scene, out: &Path) {
    let out = out.join("ocbak");
    let members: Vec<_> = names(&out).into_iter().filter(|name| out.join(name).is_file()).collect();
    let members: Vec<_> = members.iter().map(String::as_str).collect();
    let tolerance = Tolerance { xattrs: true };
    assert_unpacked(&scene.listing(), &BOTH, &out, &members, tolerance);
}

const SCENE_WITH_ARCHIVE: [&str; 5] = ["backup.ocbak", "home", "key.txt", "recipient.txt", "stranger.txt"];

const PRECIOUS: [&str; 17] = [
    "state",
    "state/openclaw.json",
    "state/openclaw.json.bak",
    "state/include/channels.json5",
    "state/.env",
    "state/config-journal-fingerprint.key",
    "state/credentials/whatsapp/default/creds.json",
    "state/credentials/telegram-allowFrom.json",
    "state/media/inbound/Foto Größe 1.jpg",
    "state/state/openclaw.sqlite",
    "state/agents/main/agent/openclaw-agent.sqlite",
    "state/agents/research/sessions",
    "state/extensions/demo-plug/index.js",
    "state/skills/my-skill/SKILL.md",
    "workspace/main/.git/HEAD",
    "workspace/main/gone",
    "workspace/main/empty/inner",
];

const POINTLESS: [&str; 7] = [
    "state/extensions/demo-plug/node_modules/left-pad/index.js",
    "state/cache/control-ui-assets/index.js",
    "state/tmp/openclaw-1000/gateway.state.lock.sqlite",
    "state/agents/main/agent/openclaw-agent.sqlite.generation-lock.sqlite",
    "state/browser/openclaw/user-data/SingletonLock",
    "state/plugin-skills/browser",
    "state/media/playback-transcode/1.opus",
];
