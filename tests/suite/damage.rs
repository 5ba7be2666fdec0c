//! What the commands do with an archive that rotted: told apart from a wrong key, and used as far as it goes.

use std::fs;
use std::path::Path;

use crate::support::cli::{Ran, ocbak};
use crate::support::round_trip::assert_unpacked;
use crate::support::scene::Scene;
use crate::support::tree::Tolerance;

/// Length of a header region (spec §4.1).
const REGION: usize = 32 * 1024;

/// First bytes of everything that age encrypted.
const AGE: &[u8] = b"age-encryption.org/v1\n";

#[test]
fn a_rotten_slot_at_the_head_is_replaced_by_the_one_at_the_tail() {
    let scene = archive_with(|bytes| {
        let slot = find(&bytes[..REGION], AGE);
        bytes[slot + 100] ^= 1;
    });
    let listed = scene.with_key("list").success();
    assert_warns(&listed, &scene.archive());
    let listing = scene.listing();
    assert_warns(&scene.restoring("out").success(), &scene.archive());
    let both = ["state", "workspace"];
    assert_unpacked(&listing, &both, &scene.path("out"), &[], Tolerance::default());
    assert_damaged(&scene);
}

#[test]
fn a_lost_tail_is_replaced_by_the_head() {
    let scene = archive_with(|bytes| {
        let length = bytes.len();
        bytes[length - REGION..].fill(0);
    });
    assert_warns(&scene.with_key("list").success(), &scene.archive());
    assert_damaged(&scene);
}

#[test]
fn slots_that_rotted_in_both_places_are_damage_and_not_a_wrong_key() {
    let scene = archive_with(|bytes| {
        for place in [0, bytes.len() - REGION - 1024] {
            let slot = place + find(&bytes[place..], AGE);
            bytes[slot + 100] ^= 1;
        }
    });
    scene.with_key("list").code(4).fails_with(&["backup.ocbak"]);
    assert_damaged(&scene);
}

#[test]
fn rot_in_a_payload_is_found_with_and_without_a_key_and_never_restored() {
    let scene = archive_with(|bytes| {
        let payload = REGION + find(&bytes[REGION..], AGE);
        bytes[payload + 5000] ^= 1;
    });
    assert_damaged(&scene);
    scene.restoring("out").code(4).fails_with(&[]);
}

#[test]
fn a_cut_or_lengthened_archive_is_damaged() {
    for change in [
        (|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 512)) as fn(&mut Vec<u8>),
        |bytes| bytes.truncate(bytes.len() / 2 / 512 * 512),
        |bytes| bytes.truncate(REGION),
        |bytes| bytes.truncate(700),
        |bytes| bytes.extend(b"more"),
        |bytes| bytes.extend([0; 512]),
    ] {
        assert_damaged(&archive_with(change));
    }
}

/// Makes an archive of the sample home and changes its bytes.
fn archive_with(change: impl FnOnce(&mut Vec<u8>)) -> Scene {
    let scene = Scene::plain();
    scene.create();
    let mut bytes = fs::read(scene.archive()).unwrap();
    change(&mut bytes);
    fs::write(scene.archive(), bytes).unwrap();
    scene
}

/// Expects both kinds of `verify` to report damage.
#[track_caller]
fn assert_damaged(scene: &Scene) {
    for run in [scene.with_key("verify"), ocbak(["verify", "--quick"]).arg(scene.archive())] {
        let ran = run.code(4);
        assert!(!ran.stderr.contains("panicked"), "{ran}");
    }
}

/// Expects a warning that names the archive.
#[track_caller]
fn assert_warns(ran: &Ran, archive: &Path) {
    let name = archive.display().to_string();
    let warned = |line: &str| line.starts_with("warning: ") && line.contains(&name);
    assert!(ran.stderr.lines().any(warned), "{ran}");
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}
