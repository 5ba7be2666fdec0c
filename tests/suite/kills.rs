//! `create` killed at any moment: what has the final name is whole, and what is left goes with a later run.
//!
//! Restores are killed in `undo.rs`. `OCBAK_KILLS=200 cargo test --release --test suite -- kills:: undo::` does it more often.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::cli::ocbak;
use crate::support::kills::{kill_after, length, rounds};
use crate::support::random::Random;
use crate::support::scene::{Scene, names};

#[test]
fn killed_at_any_moment_nothing_unfinished_has_the_final_name() {
    let scene = Scene::plain();
    // Some of the time shall be spent on content.
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(scene.state().join("media/inbound/noise.bin"), bytes).unwrap();
    let (out, scratch) = (scene.path("out"), scene.path("scratch"));
    fs::create_dir(&out).unwrap();
    fs::create_dir(&scratch).unwrap();
    let archive = out.join("backup.ocbak");
    let create = || scene.creation(&archive).env("TMPDIR", &scratch);
    let whole = |at: &Path| {
        ocbak(["verify", "--quiet"]).arg(at).arg("-i").arg(scene.key()).success();
        fs::remove_file(at).unwrap();
    };
    let length = length(|| {
        create().success();
        whole(&archive);
    });

    let mut random = Random::new(0x2026_1122);
    let (mut killed, mut complete) = (0, 0);
    for round in 0..rounds() {
        let before = names(&out).len();
        killed += u32::from(kill_after(create(), length.mul_f64(random.fraction())));
        if archive.exists() {
            whole(&archive);
            complete += 1;
        }
        let left = names(&out);
        assert!(left.len() <= before + 1, "round {round}: {left:?}");
        assert!(
            left.iter().all(|name| name.starts_with(".backup.ocbak.")
                && Path::new(name).extension() == Some("tmp".as_ref())),
            "{left:?}"
        );
    }
    let left = names(&out);
    println!("killed {killed}, unfinished {}, complete {complete}, one run takes {length:?}", left.len());
    assert!(!left.is_empty(), "nothing was killed while it wrote");

    // What is young may be of another machine that works on the same drive.
    create().success();
    assert_eq!(names(&out).len(), left.len() + 1);
    whole(&archive);
    let then = SystemTime::now() - Duration::from_secs(2 * 3600);
    for name in &left {
        File::options().write(true).open(out.join(name)).unwrap().set_modified(then).unwrap();
    }
    let ran = ocbak(["create", "--home"])
        .arg(scene.home())
        .arg("-R")
        .arg(scene.path("recipient.txt"))
        .arg("-o")
        .arg(&archive)
        .env("TMPDIR", &scratch)
        .success();
    for name in &left {
        let said = format!("removed `{}`, which an interrupted run left", out.join(name).display());
        assert!(ran.stderr.contains(&said), "{ran}");
    }
    assert_eq!(names(&out), ["backup.ocbak"]);
    assert_eq!(names(&scratch), [""; 0]);
    whole(&archive);
}
