//! Changes of passphrase that are killed: the archive always opens with the old or the new one.
//!
//! Kills at eight moments, or at as many as `OCBAK_KILLS` says; every round pays scrypt's real price.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ocbak::{Archive, ArchiveBuilder, Identity, Keys, Passphrase, Role, Root, Source};

use crate::support::age_keys::{IDENTITY, RECIPIENT};
use crate::support::cli::{Run, ocbak};
use crate::support::random::Random;
use crate::support::scene::Scene;

const REGION: usize = 32 * 1024;
const OLD: &str = "an old fake passphrase";
const NEW: &str = "yet another fake passphrase";

fn keys(passphrase: &str) -> Keys {
    Keys::new().passphrase(Passphrase::new(passphrase.to_owned()))
}

/// An archive whose old passphrase costs next to nothing.
fn archive() -> Vec<u8> {
    let builder = ArchiveBuilder::new()
        .passphrase(Passphrase::new(OLD.to_owned()))
        .recipients(vec![ocbak::Recipient::parse(RECIPIENT).unwrap()])
        .work_factor(1);
    let mut writer = builder.create(std::io::Cursor::new(Vec::new())).unwrap();
    let path = ocbak::ArchivePath::parse(b"state").unwrap();
    let root = Root { path, source: b"/home/alice/.openclaw".to_vec(), agents: vec![] };
    writer.begin(Source { roots: vec![root], ..Source::default() }, Role::State).unwrap();
    writer.finish().unwrap().0.into_inner()
}

fn change(scene: &Scene) -> Run {
    ocbak(["passwd", "--quiet"])
        .arg(scene.archive())
        .arg("-i")
        .arg(scene.key())
        .env("OCBAK_NEW_PASSPHRASE", NEW)
}

fn opens(path: &Path, keys: &Keys) -> bool {
    Archive::open(path, keys).is_ok()
}

#[test]
fn killed_at_any_moment_it_opens_with_the_old_or_the_new() {
    let kills = std::env::var("OCBAK_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let scene = Scene::bare();
    let path = scene.archive();
    let whole = archive();
    let tail = whole.len() - 1024 - REGION;
    let identity = Keys::new().identities(Identity::parse_file(IDENTITY).unwrap());
    fs::write(&path, &whole).unwrap();
    let start = Instant::now();
    change(&scene).success();
    let length = start.elapsed();
    assert!(opens(&path, &keys(NEW)) && !opens(&path, &keys(OLD)));

    let mut random = Random::new(0x2026_1122);
    let (mut old, mut new, mut both) = (0, 0, 0);
    for round in 0..kills {
        let mut before = whole.clone();
        match round % 4 {
            1 => before[..REGION].fill(0xa5),
            2 => before[tail..tail + REGION].fill(0xa5),
            // Of two slots one is hit.
            3 => before[2600] ^= 1,
            _ => {}
        }
        fs::write(&path, &before).unwrap();
        let mut child = change(&scene).into_command().spawn().unwrap();
        if round % 8 < 2 {
            sleep(length.mul_f64(random.fraction()));
        } else {
            // The time in which something is written is short.
            let file = File::open(&path).unwrap();
            let mut now = before.clone();
            while now == before && child.try_wait().unwrap().is_none() {
                file.read_exact_at(&mut now, 0).unwrap();
            }
            sleep(Duration::from_millis(20).mul_f64(random.fraction()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let with_old = opens(&path, &keys(OLD));
        let with_new = (!with_old || round % 4 == 0) && opens(&path, &keys(NEW));
        assert!(with_old || with_new, "round {round}: nothing opens it");
        assert!(opens(&path, &identity), "round {round}: the private key does not open it");
        old += usize::from(with_old && !with_new);
        new += usize::from(with_new && !with_old);
        both += usize::from(with_old && with_new);
        // The same again brings it to its end.
        if round % 8 == 3 {
            change(&scene).success();
            assert!(opens(&path, &keys(NEW)));
        }
    }
    println!(
        "{kills} kills: {old} times the old passphrase opens, {new} times the new one, {both} times both"
    );
}
