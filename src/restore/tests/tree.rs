//! What a restored tree looks like.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use super::{Job, Payload, extract_to, list, mode, mtime, path, scratch};
use crate::error::ErrorKind;
use crate::observer::Observer;
use crate::restore::names::Folding;

#[test]
fn a_new_directory_gets_everything() {
    let (_scratch, base) = scratch();
    let target = base.join("deep/target");
    let payload = Payload::state()
        .directory("state/empty", 0o755)
        .file("state/file", b"content")
        .mode(0o640)
        .hardlink("state/hard", "state/file")
        .symlink("state/link", "file");
    let restored = Job::new(&[payload]).to(&target).unwrap();
    assert_eq!(
        list(&target),
        ["state/", "state/empty/", "state/file: content", "state/hard: content", "state/link -> file"]
    );
    assert_eq!((restored.entries, restored.bytes), (5, 7));
    assert!(restored.kept.is_empty() && restored.notes.is_empty());
    assert_eq!(mode(&target), 0o700);
    assert_eq!(mode(target.join("state")), 0o700);
    assert_eq!(mode(target.join("state/empty")), 0o755);
    assert_eq!(mode(target.join("state/file")), 0o640);
    let inode = |name| fs::metadata(target.join(name)).unwrap().ino();
    assert_eq!(inode("state/file"), inode("state/hard"));
    assert_eq!(list(&base).len(), 7, "nothing is left beside it");
}

#[test]
fn an_empty_directory_is_taken() {
    let (_scratch, base) = scratch();
    for inside in [false, true] {
        let target = base.join(format!("target-{inside}"));
        fs::create_dir(&target).unwrap();
        let payloads = [Payload::state().file("state/a", b"x")];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        job.to(&target).unwrap();
        assert_eq!(list(&target), ["state/", "state/a: x"]);
    }
    assert_eq!(list(&base).len(), 6);
}

#[test]
fn directories_that_their_owner_may_not_write() {
    let (_scratch, base) = scratch();
    for inside in [false, true] {
        let target = base.join(format!("target-{inside}"));
        fs::create_dir(&target).unwrap();
        let payloads = [Payload::state()
            .directory("state/closed", 0o500)
            .directory("state/closed/below", 0o500)
            .file("state/closed/below/file", b"x")
            .mode(0o400)];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        job.to(&target).unwrap();
        assert_eq!(mode(target.join("state/closed")), 0o500);
        assert_eq!(mode(target.join("state/closed/below")), 0o500);
        assert_eq!(mode(target.join("state/closed/below/file")), 0o400);
        for name in ["state/closed", "state/closed/below"] {
            use std::os::unix::fs::PermissionsExt;
            let open = fs::Permissions::from_mode(0o700);
            fs::set_permissions(target.join(name), open).unwrap();
        }
    }
}

#[test]
fn nanoseconds_and_times_of_directories_and_links() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state()
        .mtime(1_000_000_000, 999_999_999)
        .directory("state/dir", 0o755)
        .mtime(5, 1)
        .file("state/dir/file", b"x")
        .mtime(-5, 400_000_000)
        .hardlink("state/dir/hard", "state/dir/file")
        .symlink("state/dir/link", "file")
        .mtime(7, 8);
    Job::new(&[payload]).to(&target).unwrap();
    assert_eq!(mtime(target.join("state")), (1_000_000_000, 999_999_999));
    assert_eq!(mtime(target.join("state/dir")), (5, 1));
    assert_eq!(mtime(target.join("state/dir/file")), (-5, 400_000_000));
    assert_eq!(mtime(target.join("state/dir/link")), (7, 8));
}

#[test]
fn names_that_are_not_utf_8() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state().file(b"state/\xff\xfe\n", b"x").symlink("state/z", b"\xff\xfe\n");
    Job::new(&[payload]).to(&target).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe\n");
    assert_eq!(fs::read(target.join("state").join(name)).unwrap(), b"x");
    assert_eq!(fs::read_link(target.join("state/z")).unwrap(), name);
}

#[test]
fn long_runs_of_zeros_are_holes() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let mut content = vec![0; 40 << 20];
    content[0] = 1;
    content[20 << 20] = 2;
    let zeros = vec![0; 1_000_001];
    let payload = Payload::state().file("state/sparse", &content).file("state/zeros", &zeros);
    Job::new(&[payload]).to(&target).unwrap();
    assert!(fs::read(target.join("state/sparse")).unwrap() == content);
    assert!(fs::read(target.join("state/zeros")).unwrap() == zeros);
    let blocks = |name: &str| fs::metadata(target.join("state").join(name)).unwrap().blocks();
    assert!(blocks("sparse") * 512 <= 1 << 20, "{}", blocks("sparse"));
    assert_eq!(blocks("zeros"), 0);
}

#[test]
fn content_of_every_length_around_a_block() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let mut payload = Payload::state();
    let lengths = [0, 1, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 400_000];
    let content = |length: usize| -> Vec<u8> {
        // Data, a hole, data.
        let mut bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let hole = length.min(70_000)..length.min(200_000);
        bytes[hole].fill(0);
        bytes
    };
    for length in lengths {
        payload = payload.file(format!("state/{length:06}"), &content(length));
    }
    Job::new(&[payload]).to(&target).unwrap();
    for length in lengths {
        let found = fs::read(target.join(format!("state/{length:06}"))).unwrap();
        assert!(found == content(length), "{length}");
    }
}

#[test]
fn attributes_of_the_user() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payload = Payload::state()
        .xattr("user.dir", b"1")
        .file("state/a", b"x")
        .mode(0o400)
        .xattr("user.file", b"two\0");
    let restored = Job::new(&[payload]).to(&target).unwrap();
    assert_eq!(restored.notes, [""; 0]);
    let value = |name: &str, attribute: &str| {
        let mut value = vec![0; 100];
        let length = rustix::fs::getxattr(target.join(name), attribute, &mut value[..]).unwrap();
        value.truncate(length);
        value
    };
    assert_eq!(value("state", "user.dir"), b"1");
    assert_eq!(value("state/a", "user.file"), b"two\0");
}

#[test]
fn a_tree_deeper_than_there_are_handles() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let mut name = "state".to_owned();
    let mut payload = Payload::state();
    for _ in 0..1100 {
        name += "/d";
        payload = payload.directory(&name, 0o755).mtime(9, 9);
    }
    payload =
        payload.file(format!("{name}/file"), b"x").hardlink(&format!("{name}/hard"), &format!("{name}/file"));
    Job::new(std::slice::from_ref(&payload)).to(&target).unwrap();
    assert_eq!(mtime(target.join(name)), (9, 9));
    // Taken down again as deep as it is.
    let payload = payload.file("state/z", b"forged");
    let error = Job::new(&[payload]).to(&base.join("other")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    assert_eq!(fs::read_dir(&base).unwrap().count(), 1);
}

#[test]
fn globs_take_directories_and_what_is_above() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payloads = [Payload::state()
        .directory("state/a", 0o750)
        .mtime(3, 4)
        .directory("state/a/b", 0o755)
        .file("state/a/b/x.json", b"1")
        .file("state/a/y.json", b"2")
        .file("state/c", b"3")];
    let job = Job::new(&payloads).glob("state/*/b/");
    let restored = job.to(&target).unwrap();
    assert_eq!(list(&target), ["state/", "state/a/", "state/a/b/", "state/a/b/x.json: 1"]);
    assert_eq!(mode(target.join("state/a")), 0o750);
    assert_eq!(mtime(target.join("state/a")), (3, 4));
    assert_eq!(restored.entries, 4);
}

#[test]
fn a_glob_that_matches_nothing() {
    let (_scratch, base) = scratch();
    let payloads = [Payload::state().file("state/a", b"1")];
    let job = Job::new(&payloads).glob("state/a").glob("*.json");
    let error = job.to(&base.join("target")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "nothing matches `*.json`");
    let error = Job::new(&payloads).glob("state/[").to(&base.join("target")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn hardlinks_whose_file_is_not_selected() {
    let (_scratch, base) = scratch();
    let target = base.join("target");
    let payloads = [Payload::state()
        .file("state/a", b"content")
        .mode(0o640)
        .hardlink("state/b", "state/a")
        .hardlink("state/c", "state/a")];
    let job = Job::new(&payloads).glob("state/[bc]");
    job.to(&target).unwrap();
    assert_eq!(list(&target), ["state/", "state/b: content", "state/c: content"]);
    assert_eq!(mode(target.join("state/c")), 0o640);
    assert_eq!(fs::metadata(target.join("state/b")).unwrap().nlink(), 2);
}

#[test]
fn extracted_names_lie_beside_what_is_there() {
    let (_scratch, base) = scratch();
    fs::create_dir_all(base.join("state/a")).unwrap();
    fs::write(base.join("state/a/mine"), "mine").unwrap();
    let payload = Payload::state()
        .directory("state/a", 0o500)
        .file("state/a/new", b"new")
        .directory("state/b", 0o750)
        .mtime(5, 6)
        .file("state/b/other", b"other")
        .file("state/c", b"not wanted");
    let restored = extract_to(&payload, &["state/a", "state/b/other"], &base).unwrap();
    assert_eq!(
        list(&base),
        ["state/", "state/a/", "state/a/mine: mine", "state/a/new: new", "state/b/", "state/b/other: other"]
    );
    assert_eq!(restored.bytes, 8);
    assert_eq!(mode(base.join("state/b")), 0o750);
    assert_eq!(mtime(base.join("state/b")), (5, 6));
    let error = extract_to(&payload, &["state/x"], &base).unwrap_err();
    assert_eq!(error.to_string(), "there is no entry `state/x`");
}

#[test]
fn a_database_is_not_extracted_beside_a_foreign_journal() {
    let (_scratch, base) = scratch();
    fs::create_dir(base.join("state")).unwrap();
    fs::write(base.join("state/db.sqlite-wal"), "old").unwrap();
    let payload = Payload::state().file("state/db.sqlite", b"SQLite format 3\0...");
    let error = extract_to(&payload, &["state"], &base).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("db.sqlite-wal"), "{error}");
    assert_eq!(list(&base), ["state/", "state/db.sqlite-wal: old"]);
}

#[test]
fn interrupted_leaves_nothing() {
    struct Stop(std::sync::atomic::AtomicU32);
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 3
        }
    }
    let (_scratch, base) = scratch();
    let payloads = [Payload::state().file("state/a", b"1").file("state/b", b"2").file("state/c", b"3")];
    let stop = Stop(0.into());
    let mut job = Job::new(&payloads);
    job.observer = &stop;
    let error = job.to(&base.join("new/target")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(list(&base).is_empty(), "{:?}", list(&base));
}

#[test]
fn an_error_names_the_file() {
    let (_scratch, base) = scratch();
    let payload = Payload::state().file("state/a", b"x");
    let payloads = [payload];
    let job = Job::new(&payloads);
    let layout = job.layout(&crate::restore::Target::Directory(base.join("target"))).unwrap();
    let error = job
        .run(&layout, |entry| {
            if entry.path == path("state/a") {
                let mut names = fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().path());
                let stage = names.find(|path| path.is_dir()).unwrap();
                fs::write(stage.join("state/a"), "taken").unwrap();
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let file = base.join("target/state/a");
    assert_eq!(error.to_string(), format!("cannot create `{}`", file.display()));
    assert!(list(&base).is_empty());
}

#[test]
fn the_file_system_is_asked_for_its_folding() {
    let (_scratch, base) = scratch();
    let directory = crate::restore::stage::Directory::open(&base).unwrap();
    let stage =
        crate::restore::stage::Stage::create(directory.into(), path("stage"), &base.join("x"), None).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(stage.folding().unwrap(), Folding::default());
    }
    drop(stage);
    assert!(list(&base).is_empty());
}

#[test]
fn a_directory_whose_surroundings_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let (_scratch, base) = scratch();
    let target = base.join("closed/target");
    fs::create_dir_all(&target).unwrap();
    let close = |mode| {
        fs::set_permissions(base.join("closed"), fs::Permissions::from_mode(mode)).unwrap();
    };
    // To root nothing is closed: then this is the usual case once more.
    close(0o500);
    let outcome = Job::new(&[Payload::state().file("state/a", b"x")]).to(&target);
    close(0o700);
    outcome.unwrap();
    assert_eq!(list(&base.join("closed")), ["target/", "target/state/", "target/state/a: x"]);
}

#[cfg(target_os = "linux")]
#[test]
fn mount_points_are_seen() {
    let is_mount_point = |path: &str| {
        let directory = crate::restore::stage::Directory::open(path.as_ref()).unwrap();
        directory.is_mount_point().unwrap()
    };
    assert!(is_mount_point("/proc"));
    assert!(!is_mount_point("/proc/self"));
}
