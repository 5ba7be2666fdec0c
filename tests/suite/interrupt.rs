//! What an interrupted run leaves: nothing under the final name, and nothing else where it could clean up.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::cli::Run;
use crate::support::scene::{Scene, names};
use crate::support::tree::{Tolerance, Tree};

/// Signals that ask a program to stop.
const ASKING: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

#[test]
fn an_interrupted_create_leaves_nothing() {
    let scene = Scene::plain();
    let (out, scratch) = (room(&scene, "out"), room(&scene, "scratch"));
    endless(&scene);
    for signal in ASKING {
        let run = scene.creation(&out.join("backup.ocbak")).env("TMPDIR", &scratch);
        let end = interrupt(run, signal, || !names(&out).is_empty() && !names(&scratch).is_empty());
        end.assert_clean();
        assert_eq!(names(&out), [""; 0], "{signal:?}");
        assert_eq!(names(&scratch), [""; 0], "{signal:?}");
    }
}

#[test]
fn an_interrupted_create_for_a_pipe_sends_and_leaves_nothing() {
    let scene = Scene::plain();
    let (spool, scratch) = (room(&scene, "spool"), room(&scene, "scratch"));
    endless(&scene);
    for signal in ASKING {
        let run = scene.creation(Path::new("-")).arg("--spool-dir").arg(&spool).env("TMPDIR", &scratch);
        let end = interrupt(run, signal, || !names(&scratch).is_empty());
        end.assert_clean();
        assert_eq!(end.stdout, b"", "{signal:?}");
        assert_eq!(names(&spool), [""; 0], "{signal:?}");
        assert_eq!(names(&scratch), [""; 0], "{signal:?}");
    }
}

#[test]
fn a_killed_create_leaves_nothing_under_the_final_name_and_the_next_one_sweeps() {
    let scene = Scene::plain();
    let (out, scratch) = (room(&scene, "out"), room(&scene, "scratch"));
    endless(&scene);
    let archive = out.join("backup.ocbak");
    let run = || scene.creation(&archive).env("TMPDIR", &scratch);
    let end = interrupt(run(), Signal::KILL, || !names(&out).is_empty() && !names(&scratch).is_empty());
    assert_eq!(end.status.code(), None);
    assert!(!archive.exists());
    fs::remove_file(scene.state().join(ENDLESS)).unwrap();
    run().success();
    assert!(archive.exists());
    assert_eq!(names(&scratch), [""; 0]);
}

#[test]
fn an_interrupted_restore_leaves_nothing_and_changes_nothing() {
    let scene = Scene::plain();
    let long = scene.state().join(ENDLESS);
    // Zeros enough for seconds; restored, they take no room.
    File::create(&long).unwrap().set_len(2 << 30).unwrap();
    scene.create();
    fs::remove_file(long).unwrap();
    let before = Live::read(&scene);
    let room = room(&scene, "room");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let run = scene.with_key("restore").arg("--to").arg(room.join("out"));
        let end = interrupt(run, signal, || !names(&room).is_empty());
        assert!(!room.join("out").exists(), "{signal:?}");

        let run = scene.with_key("restore").arg("--yes").arg("--home").arg(scene.home());
        let in_place = interrupt(run, signal, || around(&scene).len() > before.names.len());
        let after = Live::read(&scene);
        before.state.assert_same(&after.state, Tolerance::default());
        before.workspace.assert_same(&after.workspace, Tolerance::default());
        if signal == Signal::KILL {
            assert_eq!((end.status.code(), in_place.status.code()), (None, None));
        } else {
            end.assert_clean();
            in_place.assert_clean();
            assert_eq!(names(&room), [""; 0], "{signal:?}");
            assert_eq!(after.names, before.names, "{signal:?}");
        }
    }
}

/// What a restore in place would replace, and the names around it.
struct Live {
    state: Tree,
    workspace: Tree,
    names: Vec<String>,
}

impl Live {
    fn read(scene: &Scene) -> Self {
        Self {
            state: Tree::read(&scene.state()),
            workspace: Tree::read(&scene.path("home/projects/research-ws")),
            names: around(scene),
        }
    }
}

fn around(scene: &Scene) -> Vec<String> {
    [names(&scene.home()), names(&scene.path("home/projects"))].concat()
}

/// How an interrupted run ended.
struct End {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
}

impl End {
    #[track_caller]
    fn assert_clean(&self) {
        assert_eq!(self.status.code(), Some(130), "{}", self.stderr);
        let said: Vec<_> = self.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert_eq!(said, ["error: interrupted"]);
    }
}

/// Starts a run, sends the signal as soon as it is `under_way` and waits for its end.
#[track_caller]
fn interrupt(run: Run, signal: Signal, under_way: impl Fn() -> bool) -> End {
    let mut child = run.into_command().spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let begun = loop {
        if under_way() {
            break true;
        }
        if child.try_wait().unwrap().is_some() || Instant::now() > deadline {
            break false;
        }
        std::thread::yield_now();
    };
    if begun {
        kill_process(Pid::from_child(&child), signal).unwrap();
    } else {
        child.kill().unwrap();
    }
    let (mut stdout, mut stderr) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    assert!(begun, "nothing was seen to begin; {status}: {stderr}");
    End { status, stdout, stderr }
}

fn room(scene: &Scene, name: &str) -> std::path::PathBuf {
    let room = scene.path(name);
    fs::create_dir(&room).unwrap();
    room
}

/// Adds zeros enough for minutes.
fn endless(scene: &Scene) {
    File::create(scene.state().join(ENDLESS)).unwrap().set_len(1 << 40).unwrap();
}

const ENDLESS: &str = "media/inbound/endless.bin";
