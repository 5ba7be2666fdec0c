//! Restores whose process ends at every single point, and what a later run makes of them.
//!
//! The restore runs in a process of its own, this test program once more, which exits without
//! any cleaning up.

use std::cell::Cell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::past::{PastRestore, TakenBack};
use super::{Job, Payload, Silent, extract_to, home, list, state, workspace};
use crate::error::{ErrorKind, Result};

/// Where the process shall end: counts down.
static LEFT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(number("OCBAK_TEST_CRASH")));

/// Ends the process at its time.
pub(in crate::restore) fn point() {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        exit(CRASHED);
    }
}

thread_local! {
    static EXCHANGES: Cell<bool> = const { Cell::new(true) };
}

/// Whether the file system can exchange two names.
pub(in crate::restore) fn can_exchange() -> bool {
    EXCHANGES.get()
}

/// What is restored: everything `beside` or `inside` the targets, everything in `two steps` where
/// names cannot be exchanged, some `names`, or `state` alone.
fn payloads(scene: &str, home: &Path) -> Vec<Payload> {
    let mut payloads = vec![
        state(home)
            .directory("state/logs", 0o700)
            .file("state/logs/new", b"saved")
            .file("state/memory.sqlite", b"SQLite format 3\0saved"),
    ];
    if scene != "state" {
        payloads.push(workspace(home));
        payloads.push(
            Payload::new(&[("workspace/ops", &home.join("ops"))])
                .directory("workspace/ops", 0o755)
                .file("workspace/ops/SOUL.md", b"saved"),
        );
    }
    payloads
}

/// A home with what the restore replaces, and what it does not.
fn live_home() -> (tempfile::TempDir, PathBuf) {
    let (scratch, home) = home();
    fs::create_dir(home.join("ops")).unwrap();
    fs::write(home.join("ops/SOUL.md"), "live").unwrap();
    fs::write(home.join("ops/old"), "live").unwrap();
    for name in ["memory.sqlite", "memory.sqlite-wal", "memory.sqlite-shm"] {
        fs::write(home.join(".openclaw").join(name), "live").unwrap();
    }
    fs::create_dir(home.join(".openclaw/logs")).unwrap();
    (scratch, home)
}

/// What a process of its own does.
fn act(action: &str, scene: &str, home: &Path) -> Result<()> {
    EXCHANGES.set(scene != "two steps");
    match action {
        "restore" => {
            let payloads = payloads(scene, home);
            let mut job = Job::new(&payloads);
            job.inside = scene == "inside";
            if scene == "names" {
                job = job.glob("state/**/*").glob("workspace/**/*.md");
            }
            job.in_place(home).map(drop)
        }
        "resume" => latest(home).unwrap().resume(&Silent).map(drop),
        "undo" => undo(home).map(drop),
        _ => unreachable!(),
    }
}

#[test]
fn child() {
    if let (Ok(action), Ok(scene), Ok(home)) =
        (env::var("OCBAK_TEST_ACTION"), env::var("OCBAK_TEST_SCENE"), env::var("OCBAK_TEST_HOME"))
    {
        act(&action, &scene, Path::new(&home)).unwrap();
    }
}

/// Runs an action in a process that ends at a point; `false` where it came to its end before.
fn crash(action: &str, scene: &str, home: &Path, at: u64) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "restore::tests::crash::child", "--nocapture"])
        .env("OCBAK_TEST_ACTION", action)
        .env("OCBAK_TEST_SCENE", scene)
        .env("OCBAK_TEST_HOME", home)
        .env("OCBAK_TEST_CRASH", at.to_string());
    let output = command.output().unwrap();
    match output.status.code() {
        Some(0) => false,
        Some(CRASHED) => true,
        _ => panic!("{}", String::from_utf8_lossy(&output.stdout)),
    }
}

fn latest(home: &Path) -> Option<PastRestore> {
    PastRestore::find(&home.join(".openclaw")).unwrap().into_iter().next()
}

fn undo(home: &Path) -> Result<TakenBack> {
    latest(home).unwrap().take_back()
}

/// The home as it is without what is put aside, and without the journal.
fn visible(home: &Path) -> Vec<String> {
    let mut names = list(home);
    names.retain(|name| !name.contains(".before-"));
    names
}

/// Ends a restore at every point, and looks at what a later run makes of it.
fn sweep(scene: &str) {
    let new = restored(scene);
    let (mut points, mut finished) = (0, 0);
    for at in 1.. {
        let (_scratch, home) = live_home();
        let old = list(&home);
        if !crash("restore", scene, &home, at) {
            break;
        }
        points += 1;
        if scene != "inside" && scene != "two steps" {
            // In one step from the old to the new.
            for file in [".openclaw/openclaw.json", "ops/SOUL.md"] {
                assert!(matches!(&*fs::read(home.join(file)).unwrap(), b"live" | b"saved"), "{scene} {at}");
            }
        }
        let Some(past) = latest(&home) else {
            assert_eq!(list(&home), old, "{scene} {at}");
            continue;
        };
        if past.can_resume() && at % 2 == 0 {
            past.resume(&Silent).unwrap();
            assert_eq!(visible(&home), new, "{scene} {at}");
            undo(&home).unwrap();
            assert_eq!(visible(&home), old, "{scene} {at}");
            finished += 1;
        } else if past.is_interrupted() {
            past.take_back().unwrap();
            assert_eq!(list(&home), old, "{scene} {at}");
        } else {
            // An emptied stage may be left until it is undone.
            let is_stage = |name: &String| name.contains(".ocbak-restore-") && name.ends_with('/');
            let found: Vec<_> = visible(&home).into_iter().filter(|name| !is_stage(name)).collect();
            assert_eq!(found, new, "{scene} {at}");
            past.take_back().unwrap();
            assert_eq!(visible(&home), old, "{scene} {at}");
        }
        assert!(latest(&home).is_none());
    }
    assert!(points > 10 && finished > 3, "{scene}: {points}, {finished}");
}

/// The home after a restore.
fn restored(scene: &str) -> Vec<String> {
    let (_scratch, home) = live_home();
    act("restore", scene, &home).unwrap();
    visible(&home)
}

#[test]
fn beside_everywhere() {
    sweep("beside");
}

#[test]
fn inside_everywhere() {
    sweep("inside");
}

#[test]
fn in_two_steps_everywhere() {
    sweep("two steps");
}

#[test]
fn single_names_everywhere() {
    sweep("names");
}

#[test]
fn state_alone_everywhere() {
    sweep("state");
}

#[test]
fn an_interrupted_undo_goes_on() {
    for scene in ["beside", "inside", "two steps", "names"] {
        for at in 1.. {
            let (_scratch, home) = live_home();
            let old = list(&home);
            act("restore", scene, &home).unwrap();
            if !crash("undo", scene, &home, at) {
                assert!(at > 5);
                break;
            }
            // All but the removal of the journal may have been done.
            if latest(&home).is_some() {
                undo(&home).unwrap();
            }
            assert_eq!(visible(&home), old, "{scene} {at}");
            let aside = fs::read_dir(&home).unwrap().filter(|entry| {
                let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
                scene == "inside" || name.starts_with(".openclaw.before-undo-")
            });
            assert!(aside.count() > 0, "{scene} {at}");
        }
    }
}

#[test]
fn an_interrupted_resumption_is_resumed() {
    for scene in ["beside", "inside", "two steps", "names"] {
        let new = restored(scene);
        // The first crash, where half of the steps are done.
        let first = first_complete(scene) + 5;
        for at in 1.. {
            let (_scratch, home) = live_home();
            let old = list(&home);
            assert!(crash("restore", scene, &home, first));
            if !crash("resume", scene, &home, at) {
                assert!(at > 5);
                break;
            }
            if let Some(past) = latest(&home).filter(PastRestore::can_resume) {
                past.resume(&Silent).unwrap();
                assert_eq!(visible(&home), new, "{scene} {at}");
            }
            undo(&home).unwrap();
            assert_eq!(visible(&home), old, "{scene} {at}");
        }
    }
}

/// A home with a restore that ended with everything unpacked, and the names of what is there.
fn interrupted(scene: &str) -> (tempfile::TempDir, PathBuf, Vec<String>) {
    let at = first_complete(scene);
    let (scratch, home) = live_home();
    assert!(crash("restore", scene, &home, at));
    let names = list(&home);
    (scratch, home, names)
}

/// The first point at which everything is unpacked.
fn first_complete(scene: &str) -> u64 {
    let is_complete = |at: &u64| {
        let (_scratch, home) = live_home();
        assert!(crash("restore", scene, &home, *at));
        latest(&home).is_some_and(|past| past.can_resume())
    };
    (1..1000).find(is_complete).unwrap()
}

#[test]
fn a_look_writes_nothing() {
    let (_scratch, home, _) = interrupted("beside");
    let journal = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
    let journal =
        journal.into_iter().find(|path| path.extension().is_some_and(|end| end == "journal")).unwrap();
    // A line that was being written, and a journal that was being made.
    let mut text = fs::read(&journal).unwrap();
    text.extend(b"{\"made");
    fs::write(&journal, text).unwrap();
    fs::write(journal.with_extension("journal.new"), "").unwrap();
    let before = list(&home);
    let look = || PastRestore::look(&home.join(".openclaw"));
    let (one, other) = (look().unwrap(), look().unwrap());
    assert!(one.len() == 1 && one[0].can_resume() && other[0].can_resume());
    assert!(one.into_iter().next().unwrap().take_back().is_err());
    drop(other);
    assert_eq!(list(&home), before);
    let held = latest(&home).unwrap();
    assert_eq!(look().err().map(|error| error.kind()), Some(ErrorKind::Invalid));
    held.take_back().unwrap();
}

#[test]
fn nothing_is_added_to_an_installation_between_two_states() {
    let (_scratch, home, before) = interrupted("names");
    let payload = state(&home).file("state/new", b"new");
    let error = extract_to(&payload, &["state/new"], &home.join(".openclaw")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("was interrupted"), "{error}");
    assert_eq!(list(&home), before);
}

const CRASHED: i32 = 86;

fn number(name: &str) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or_default()
}
