//! Restores of single names into live directories.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Job, Payload, home, kept, list, mode, mtime, state};

#[test]
fn files_beside_those_of_the_config_root_stay() {
    let (_scratch, home) = home();
    let directory = home.join("etc");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("openclaw.json"), "live").unwrap();
    fs::write(directory.join("other"), "live").unwrap();
    for with_root in [false, true] {
        let mut payload = Payload::new(&[("config", &directory)]);
        if with_root {
            payload = payload.directory("config", 0o700);
        }
        let payloads = [payload.file("config/openclaw.json", b"saved")];
        let restored = Job::new(&payloads).in_place(&home).unwrap();
        assert_eq!(list(&directory), ["openclaw.json: saved", "other: live"]);
        assert_eq!(list(&restored.kept[0]), ["openclaw.json: live"]);
        assert_eq!(mode(&restored.kept[0]), 0o700);
        fs::write(directory.join("openclaw.json"), "live").unwrap();
    }
    assert!(home.join(kept("etc") + "-2").exists());
}

#[test]
fn a_root_that_is_one_file() {
    let (_scratch, home) = home();
    fs::write(home.join("gateway.env"), "live").unwrap();
    let payload = Payload::new(&[("env", &home.join("gateway.env"))]).file("env", b"saved");
    let restored = Job::new(&[payload]).in_place(&home).unwrap();
    assert_eq!(fs::read(home.join("gateway.env")).unwrap(), b"saved");
    assert_eq!(restored.kept, [home.join(kept(""))]);
    assert_eq!(list(&restored.kept[0]), ["gateway.env: live"]);
    assert!(home.join(".openclaw/extra").exists());
}

#[test]
fn globs_replace_what_they_select() {
    let (_scratch, home) = home();
    let live = home.join(".openclaw");
    let payloads = [state(&home)
        .directory("state/new", 0o750)
        .directory("state/new/dir", 0o750)
        .mtime(17, 18)
        .file("state/new/dir/file", b"saved")
        .file("state/not", b"wanted")];
    let job = Job::new(&payloads).glob("state/openclaw.json").glob("state/new/**");
    let restored = job.in_place(&home).unwrap();
    assert_eq!(restored.kept, [home.join(kept(".openclaw"))]);
    assert_eq!(list(&restored.kept[0]), ["openclaw.json: live"]);
    assert_eq!(fs::read(live.join("openclaw.json")).unwrap(), b"saved");
    assert_eq!(fs::read(live.join("extra")).unwrap(), b"live");
    assert_eq!(fs::read(live.join("new/dir/file")).unwrap(), b"saved");
    assert!(!live.join("not").exists());
    assert_eq!(mode(live.join("new")), 0o750);
    assert_eq!(mtime(live.join("new/dir")), (17, 18));
    // The live directory, the kept one, and the journal.
    assert_eq!(fs::read_dir(&home).unwrap().count(), 3);
}

#[test]
fn a_link_where_a_directory_was_is_kept_and_not_followed() {
    let (_scratch, home) = home();
    let live = home.join(".openclaw");
    fs::create_dir(home.join("elsewhere")).unwrap();
    symlink("../elsewhere", live.join("sub")).unwrap();
    let payloads = [state(&home).directory("state/sub", 0o755).file("state/sub/file", b"saved")];
    let job = Job::new(&payloads).glob("state/sub/file");
    let restored = job.in_place(&home).unwrap();
    assert_eq!(list(&restored.kept[0]), ["sub -> ../elsewhere"]);
    assert_eq!(fs::read(live.join("sub/file")).unwrap(), b"saved");
    assert!(list(&home.join("elsewhere")).is_empty());
}

#[test]
fn no_side_file_survives_beside_a_replaced_database() {
    let (_scratch, home) = home();
    let live = home.join(".openclaw");
    let database = b"SQLite format 3\0...";
    for name in ["db", "db-wal", "db-shm", "db-journal", "text", "text-wal"] {
        fs::write(live.join(name), "live").unwrap();
    }
    let payloads = [state(&home).file("state/db", database).file("state/text", b"saved")];
    let job = Job::new(&payloads).glob("state/{db,text}");
    let restored = job.in_place(&home).unwrap();
    assert_eq!(
        list(&restored.kept[0]),
        ["db-journal: live", "db-shm: live", "db-wal: live", "db: live", "text: live"]
    );
    assert!(live.join("text-wal").exists());
    assert_eq!(fs::read(live.join("db")).unwrap(), database);
}
