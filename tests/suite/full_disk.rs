//! Drives without room: what is said, and that nothing is left and nothing lost, wherever the room ends.

use std::fs;
use std::path::Path;

use crate::support::age_keys::RECIPIENT;
use crate::support::cli::{PROGRAM, Ran, Run};
use crate::support::home::noise;
use crate::support::scene::Scene;
use crate::support::stock;

#[test]
fn a_disk_that_is_too_small_is_told_before_anything_is_written() {
    let scene = large(3 << 20);
    let out = scene.path("out");
    let (file, spool) = (out.join("backup.ocbak"), [Path::new("--spool-dir"), &out]);
    for (output, more) in [(&*file, &[][..]), (Path::new("-"), &spool)] {
        let Some(ran) = create(&scene, 1 << 20, output, more) else { return };
        ran.fails_with(&[
            "the archive does not fit into `",
            "about 3.",
            "MiB are needed, and 1.0 MiB are free",
        ]);
        ran.hints("`--split` gives no room");
        assert_eq!(ran.code, 1, "{ran}");
    }
    let Some(ran) = create(&scene, 4 << 20, &file, &[]) else { return };
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "backup.ocbak\n"), "{ran}");
}

#[test]
fn a_disk_that_may_be_too_small_is_warned_of() {
    let scene = large(3 << 20);
    // Of a higher level less is certain.
    let more = ["--level", "4"].map(Path::new);
    let Some(ran) = create(&scene, 3 << 20, &scene.path("out/backup.ocbak"), &more) else { return };
    assert!(ran.stderr.contains("warning: the archive may not fit: it needs about 3."), "{ran}");
}

#[test]
fn a_disk_that_fills_up_during_a_create_is_left_empty() {
    let scene = large(200_000);
    let output = scene.path("out/backup.ocbak");
    // From where nothing is certain any more to where all fits, over payload, index, tail and head.
    let sizes: Vec<u64> = (160 << 10..480 << 10).step_by(8 << 10).collect();
    filled_up(&scene, &output, &["--level", "4"], &sizes);
}

#[test]
fn a_disk_that_fills_up_during_a_create_in_parts_is_left_empty() {
    let scene = large(2_500_000);
    let output = scene.path("out/backup.ocbak");
    let sizes: Vec<u64> = (1900 << 10..2900 << 10).step_by(50 << 10).collect();
    filled_up(&scene, &output, &["--level", "4", "--split", "1M"], &sizes);
}

/// Runs `create` on disks of these sizes, and expects an archive or nothing, each of them at least once.
fn filled_up(scene: &Scene, output: &Path, more: &[&str], sizes: &[u64]) {
    let more: Vec<&Path> = more.iter().map(Path::new).collect();
    let (mut failed, mut done) = (0, 0);
    for size in sizes {
        let Some(ran) = create(scene, *size, output, &more) else { return };
        let left: Vec<_> =
            ran.stderr.lines().filter(|line| line.starts_with("backup") || line.starts_with('.')).collect();
        if ran.code == 0 {
            assert!(!left.is_empty(), "{ran}");
            done += 1;
            continue;
        }
        assert_eq!(ran.code, 1, "{size}: {ran}");
        assert_eq!(left, [""; 0], "{size}: {ran}");
        ran.fails_with(&["`", "backup.ocbak"]);
        assert!(ran.stderr.contains("No space left"), "{size}: {ran}");
        ran.hints("free some, or name a place on another drive");
        failed += 1;
    }
    assert!(failed > 5 && done > 0, "{failed} failed, {done} were done");
}

#[test]
fn a_disk_that_fills_up_during_a_restore_keeps_what_was_there() {
    let scene = Scene::plain();
    scene.create();
    // A small installation, which a larger one is to replace.
    let script = r#"
        mount -t tmpfs -o size="$SIZE" none "$OUT" || exit 99
        mkdir -p "$OUT/.openclaw/workspace"
        echo '{}' > "$OUT/.openclaw/openclaw.json"
        echo old > "$OUT/.openclaw/workspace/MEMORY.md"
        before=$(cd "$OUT"; find . -type f -exec sha256sum {} + | sort; find . | sort)
        "$@"; code=$?
        after=$(cd "$OUT"; find . -type f -exec sha256sum {} + | sort; find . | sort)
        if [ $code != 0 ] && [ $code != 3 ] && [ "$before" != "$after" ]; then
            diff <(echo "$before") <(echo "$after") >&2; exit 98
        fi
        exit $code"#;
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    let (mut failed, mut done) = (0, 0);
    for size in (24_u64 << 10..560 << 10).step_by(20 << 10) {
        let run = on_disk(script, size, &out).args(["restore", "--yes", "--quiet", "--only", "state"]);
        let ran = run.arg(scene.archive()).arg("-i").arg(scene.key()).arg("--home").arg(&out).run();
        if skipped(&ran) {
            return;
        }
        if ran.code == 3 {
            done += 1;
            continue;
        }
        assert_eq!(ran.code, 1, "{size}: {ran}");
        assert!(ran.stderr.contains("error: cannot ") && ran.stderr.contains("/out/"), "{size}: {ran}");
        // SQLite has its own words.
        let full = ran.stderr.contains("No space left") || ran.stderr.contains("disk is full");
        assert!(full, "{size}: {ran}");
        ran.hints("free some, or name a place on another drive");
        failed += 1;
    }
    assert!(failed > 5 && done > 0, "{failed} failed, {done} were done");
}

/// The sample home with a file of this size that does not compress.
fn large(size: usize) -> Scene {
    let scene = Scene::plain();
    fs::create_dir(scene.path("out")).unwrap();
    fs::write(scene.state().join("media/inbound/big.bin"), noise(size)).unwrap();
    scene
}

/// Runs `create` where `out` is a disk of this size, and lists on standard error what is in it afterwards.
fn create(scene: &Scene, size: u64, output: &Path, more: &[&Path]) -> Option<Ran> {
    let script = r#"
        mount -t tmpfs -o size="$SIZE" none "$OUT" || exit 99
        "$@"; code=$?; ls -A "$OUT" >&2; exit $code"#;
    let run = on_disk(script, size, &scene.path("out"))
        .args(["create", "--quiet", "-r", RECIPIENT, "--home"])
        .arg(scene.home())
        .arg("-o")
        .arg(output)
        .args(more);
    let ran = run.run();
    (!skipped(&ran)).then_some(ran)
}

/// Begins a run of the program in a script that can mount for itself alone.
fn on_disk(script: &str, size: u64, out: &Path) -> Run {
    let run = Run::new("unshare").args(["-m", "bash", "-c", script, "bash", PROGRAM]);
    run.env("SIZE", size.to_string()).env("OUT", out)
}

fn skipped(ran: &Ran) -> bool {
    let skipped = ran.code == 99 || ran.stderr.starts_with("unshare: ");
    if skipped {
        stock::skip("no small file system can be mounted here");
    }
    skipped
}
