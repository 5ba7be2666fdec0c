//! Attacks by another process that changes what is around a target while a restore runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Job, Payload, Target, extract, list, path, scratch};

/// A directory with a home in it, and one that nobody may touch.
struct Scene {
    _scratch: TempDir,
    base: PathBuf,
    before: (Vec<String>, [i64; 3]),
}

impl Scene {
    fn new() -> Self {
        let (scratch, base) = scratch();
        let outside = base.join("outside");
        fs::create_dir_all(outside.join(".openclaw")).unwrap();
        fs::create_dir(outside.join("to")).unwrap();
        fs::write(outside.join(".openclaw/precious"), "before").unwrap();
        let before = Self::look(&outside);
        Self { _scratch: scratch, base, before }
    }

    fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    fn outside(&self) -> PathBuf {
        self.base.join("outside")
    }

    /// Makes the home anew.
    fn furnish(&self) {
        let home = self.home();
        let _ = fs::remove_file(&home);
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(home.join(".openclaw/dir")).unwrap();
        fs::create_dir(home.join("to")).unwrap();
        fs::write(home.join(".openclaw/dir/file"), "live").unwrap();
    }

    /// Expects that nothing was made, changed or removed outside, not even for a moment: a directory's time tells.
    #[track_caller]
    fn check(&self) {
        assert_eq!(Self::look(&self.outside()), self.before);
    }

    fn look(outside: &Path) -> (Vec<String>, [i64; 3]) {
        let changed = |name: &str| {
            let facts = fs::symlink_metadata(outside.join(name)).unwrap();
            facts.mtime() * 1_000_000_000 + facts.mtime_nsec()
        };
        (list(outside), ["", ".openclaw", "to"].map(changed))
    }
}

fn payload() -> Payload {
    let mut payload = Payload::new(&[("state", "/nowhere/.openclaw".as_ref())])
        .fact("home", "/nowhere".as_ref())
        .fact("state_dir", "/nowhere/.openclaw".as_ref())
        .directory("state", 0o700);
    for directory in 0..5 {
        payload = payload.directory(format!("state/dir{directory}"), 0o755);
        for file in 0..10 {
            payload = payload.file(format!("state/dir{directory}/{file}"), b"new");
        }
    }
    payload
}

#[test]
fn parent_of_the_live_target_swapped_for_a_symlink() {
    let scene = Scene::new();
    scene.furnish();
    let payloads = [payload()];
    let job = Job::new(&payloads);
    let state_dir = scene.home().join(".openclaw");
    let layout = job.layout(&Target::Original { home: scene.home(), state_dir }).unwrap();
    fs::rename(scene.home(), scene.base.join("away")).unwrap();
    symlink(scene.outside(), scene.home()).unwrap();
    let error = job.run(&layout, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("home"), "{error}");
    scene.check();
    assert_eq!(list(&scene.base.join("away")).len(), 4, "{:?}", list(&scene.base));
}

#[test]
fn parent_of_a_new_target_swapped_for_a_symlink() {
    let scene = Scene::new();
    scene.furnish();
    let payloads = [payload()];
    let job = Job::new(&payloads);
    for target in ["to", "to/new", "to/new/new"] {
        let layout = job.layout(&Target::Directory(scene.home().join(target))).unwrap();
        fs::rename(scene.home().join("to"), scene.base.join("away")).unwrap();
        symlink(scene.outside(), scene.home().join("to")).unwrap();
        job.run(&layout, |_| Ok(())).unwrap_err();
        scene.check();
        fs::remove_file(scene.home().join("to")).unwrap();
        fs::rename(scene.base.join("away"), scene.home().join("to")).unwrap();
    }
}

#[test]
fn everything_around_swapped_for_symlinks_for_seconds() {
    let scene = Scene::new();
    // Held while things are elsewhere than they were.
    let turn = Mutex::new(());
    let stop = AtomicBool::new(false);
    let (mut attempts, mut failures) = (0_u32, 0_u32);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                swap_something(&scene, number, &turn);
            }
        });
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            let payloads = [payload()];
            let job = Job::new(&payloads);
            let state_dir = scene.home().join(".openclaw");
            let target = match attempts % 3 {
                0 => Some(Target::Original { home: scene.home(), state_dir }),
                1 => Some(Target::Directory(scene.home().join("to"))),
                _ => None,
            };
            let layout = {
                let _quiet = turn.lock().unwrap();
                scene.furnish();
                // A link that is there when the plan is made is the user's own, and followed.
                match target {
                    Some(target) => job.layout(&target),
                    None => extract::lay_out(
                        &[payloads[0].contents()],
                        &[path("state")],
                        &scene.home().join("to"),
                    ),
                }
            };
            attempts += 1;
            failures += u32::from(job.run(&layout.unwrap(), |_| Ok(())).is_err());
        }
        stop.store(true, Ordering::Relaxed);
    });
    scene.check();
    assert!(attempts > 5 && failures > 0, "{failures} of {attempts}: nothing was disturbed");
}

/// Puts a link to outside in the place of something for a moment: the home, what is in it, and what is in that.
fn swap_something(scene: &Scene, number: u64, turn: &Mutex<()>) {
    let below = |paths: &[PathBuf]| -> Vec<PathBuf> {
        let entries = paths.iter().filter_map(|path| fs::read_dir(path).ok()).flatten();
        entries.flatten().map(|entry| entry.path()).collect()
    };
    let home = vec![scene.home()];
    let inside = below(&home);
    let deeper = below(&inside);
    let victims = [home, inside, deeper].concat();
    let chosen = usize::try_from(number * 7919 % victims.len() as u64).unwrap();
    let (victim, away) = (&victims[chosen], scene.base.join("away"));
    let _quiet = turn.lock().unwrap();
    // The restore may have brought one of these links to another name: this test must not go through it itself.
    let is_below = |path: &Path| {
        path.parent().is_some_and(|above| fs::canonicalize(above).is_ok_and(|real| real == above))
    };
    if is_below(victim) && fs::rename(victim, &away).is_ok() {
        let link = if number.is_multiple_of(2) { scene.outside() } else { scene.outside().join(".openclaw") };
        let _ = symlink(link, victim);
        std::thread::yield_now();
        let _ = fs::remove_file(victim);
        if fs::rename(&away, victim).is_err() {
            let _ = fs::remove_dir_all(&away);
            let _ = fs::remove_file(&away);
        }
    }
}
