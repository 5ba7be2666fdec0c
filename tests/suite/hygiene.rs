//! Secrets stay where they belong: nothing of them on the drive, in messages, in what remains, in core dumps.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::age_keys::IDENTITY;
use crate::support::cli::{PROGRAM, Run};
use crate::support::home::noise;
use crate::support::scene::{Scene, names};

/// FAKE: in every kind of file of the home.
const SECRET: &str = "FAKE-a-secret-that-nobody-may-see-7c41";
/// FAKE: in the name of a file.
const NAME: &str = "FAKE-a-name-that-nobody-may-see-92e8";
/// FAKE: opens the archives here.
const PASSPHRASE: &str = "FAKE elephants never forget 58d3";

/// What may be in no message.
const UNSPEAKABLE: [&str; 3] = [SECRET, PASSPHRASE, IDENTITY];
/// What may be in no byte of the drive; a copy of a database begins with the last one.
const UNWRITABLE: [&str; 5] = [SECRET, PASSPHRASE, IDENTITY, NAME, "SQLite format 3\0"];

/// A home with secrets, a drive, and a place for temporary files.
struct Stage {
    scene: Scene,
}

impl Stage {
    fn new() -> Self {
        let scene = Scene::plain();
        let write = |name: &str, content: &[u8]| {
            let path = scene.state().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let text = format!("{{ \"token\": \"{SECRET}\" }}\n");
        write(".env", format!("TOKEN={SECRET}\n").as_bytes());
        write("credentials/whatsapp/secret/creds.json", text.as_bytes());
        write(&format!("credentials/{NAME}.json"), text.as_bytes());
        write("agents/main/sessions/secret.jsonl", text.repeat(1000).as_bytes());
        // It does not compress, so that it would be on the drive as it is here.
        write("media/inbound/noise.bin", &[noise(12_000_000), SECRET.into()].concat());
        write("credentials/database.sqlite", b"");
        let database = scene.path("database");
        let open = Connection::open(&database).unwrap();
        open.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a);")
            .unwrap();
        open.execute("INSERT INTO t VALUES (?1)", [SECRET.repeat(20_000)]).unwrap();
        for suffix in ["", "-wal"] {
            let mut name = database.clone().into_os_string();
            name.push(suffix);
            write(&format!("credentials/database.sqlite{suffix}"), &fs::read(name).unwrap());
        }
        drop(open);
        fs::write(scene.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        fs::set_permissions(scene.path("passphrase"), PermissionsExt::from_mode(0o600)).unwrap();
        for room in ["drive", "scratch", "user"] {
            fs::create_dir(scene.path(room)).unwrap();
        }
        Self { scene }
    }

    fn drive(&self) -> PathBuf {
        self.scene.path("drive")
    }

    fn archive(&self) -> PathBuf {
        self.drive().join("box.ocbak")
    }

    /// A run of a shell that keeps nothing from anybody, and then of the program.
    fn run(&self, command: &str) -> Run {
        Run::new("sh")
            .args(["-c", "umask 000; ulimit -c unlimited; exec \"$0\" \"$@\"", PROGRAM, command])
            .current_dir(&self.drive())
            .env("TMPDIR", self.scene.path("scratch"))
            .env("HOME", self.scene.path("user"))
    }

    fn creation(&self) -> Run {
        self.run("create").arg("--home").arg(self.scene.home()).arg("-o").arg(self.archive())
    }

    /// A run that opens the archive.
    fn opening(&self, command: &str) -> Run {
        self.run(command).arg(self.archive()).arg("-i").arg(self.scene.key())
    }

    fn watch(&self) -> Watch {
        Watch::start(self.drive(), self.scene.path("scratch"))
    }

    /// Looks at what a run leaves beside the home and the keys.
    #[track_caller]
    fn assert_clean(&self, on_drive: &[&str]) {
        assert_eq!(names(&self.drive()), on_drive);
        assert_eq!(names(&self.scene.path("scratch")), [""; 0]);
        for room in ["drive", "user"] {
            for file in files(&self.scene.path(room)) {
                assert_eq!(found(&fs::read(&file).unwrap(), &UNWRITABLE), [""; 0], "{}", file.display());
            }
        }
    }
}

#[test]
fn nothing_of_a_secret_leaves_its_place() {
    let stage = Stage::new();
    let watch = stage.watch();
    let passphrase = stage.scene.path("passphrase");
    let ran = stage
        .creation()
        .arg("--verbose")
        .arg("--passphrase-file")
        .arg(&passphrase)
        .arg("-R")
        .arg(stage.scene.path("recipient.txt"))
        .success();
    watch.end_well();
    assert_unspoken(&ran.stdout, &ran.stderr);
    assert_eq!(fs::metadata(stage.archive()).unwrap().permissions().mode() & 0o7777, 0o600);
    stage.assert_clean(&["box.ocbak"]);

    let out = |name: &str| stage.scene.path(name);
    fs::create_dir(out("found")).unwrap();
    let wrong = format!("{PASSPHRASE}!");
    let home = stage.scene.home();
    for (run, code) in [
        (stage.run("list").arg(stage.archive()).env("OCBAK_PASSPHRASE", PASSPHRASE), 0),
        (stage.run("list").arg(stage.archive()).env("OCBAK_PASSPHRASE", &wrong), 5),
        (stage.run("info").arg(stage.archive()), 0),
        (stage.opening("list").arg("--skipped"), 0),
        (stage.opening("list").arg("--json"), 0),
        (stage.opening("verify").arg("--verbose"), 0),
        (stage.opening("restore").arg("--to").arg(out("restored")), 0),
        (stage.opening("extract").args(["state/.env", "state/credentials", "-C"]).arg(out("found")), 0),
        (stage.opening("restore").arg("--dry-run").arg("--home").arg(&home), 0),
        (stage.opening("restore").args(["--yes", "--home"]).arg(&home), 3),
        (stage.run("check").arg("--home").arg(&home), 3),
        (stage.run("check").args(["--json", "--home"]).arg(&home), 3),
        (stage.run("undo").args(["--yes", "--home"]).arg(&home), 0),
    ] {
        let ran = run.code(code);
        assert_unspoken(&ran.stdout, &ran.stderr);
        stage.assert_clean(&["box.ocbak"]);
    }
    assert!(fs::read_to_string(out("restored/state/.env")).unwrap().contains(SECRET));

    // The passphrase of the new archive comes from a command; none of the content touches a disk on its way.
    let watch = stage.watch();
    let command = format!("cat '{}'", passphrase.display());
    let anew = stage.drive().join("new.ocbak");
    let ran = stage.opening("rekey").args(["--new-passphrase-command", &command, "-o"]).arg(&anew).success();
    watch.end_well();
    assert_unspoken(&ran.stdout, &ran.stderr);
    assert_eq!(fs::metadata(&anew).unwrap().permissions().mode() & 0o7777, 0o600);
    stage.assert_clean(&["box.ocbak", "new.ocbak"]);
}

#[test]
fn an_interrupted_create_leaves_nothing_of_a_secret() {
    let stage = Stage::new();
    // Zeros enough for minutes.
    File::create(stage.scene.state().join("media/inbound/zeros.bin")).unwrap().set_len(1 << 40).unwrap();
    let run = || stage.creation().arg("-R").arg(stage.scene.path("recipient.txt"));
    for signal in [Signal::INT, Signal::KILL] {
        let watch = stage.watch();
        let mut child = run().into_command().spawn().unwrap();
        wait_for_bytes(&stage.drive(), &mut child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let (stdout, stderr) = said(child);
        watch.end_well();
        assert_unspoken(&stdout, &stderr);
        if signal == Signal::INT {
            stage.assert_clean(&[]);
        }
    }
    // What was killed left a file; a later run removes it.
    assert_eq!(names(&stage.drive()).len(), 1);
}

#[test]
fn no_core_is_dumped() {
    let stage = Stage::new();
    let mut control = Command::new("sh");
    let control =
        control.args(["-c", "ulimit -c unlimited; kill -SEGV $$"]).current_dir(stage.scene.path("user"));
    if !control.status().unwrap().core_dumped() {
        eprintln!("SKIPPED: nothing dumps core here");
        return;
    }
    File::create(stage.scene.state().join("media/inbound/zeros.bin")).unwrap().set_len(1 << 40).unwrap();
    for signal in [Signal::QUIT, Signal::ABORT] {
        let run = stage.creation().arg("-R").arg(stage.scene.path("recipient.txt"));
        let mut child = run.into_command().spawn().unwrap();
        wait_for_bytes(&stage.drive(), &mut child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped(), "{signal:?}");
        let left = names(&stage.drive());
        assert!(left.iter().all(|name| Path::new(name).extension() == Some("tmp".as_ref())), "{left:?}");
        for name in left {
            fs::remove_file(stage.drive().join(name)).unwrap();
        }
    }
}

#[test]
fn what_is_typed_is_in_no_place() {
    let stage = Stage::new();
    let mut child = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command"])
        .arg("umask 000; exec $ocbak create --verbose --home \"$source\" -o box.ocbak")
        .arg("/dev/null")
        .current_dir(stage.drive())
        .env("ocbak", PROGRAM)
        .env("source", stage.scene.home())
        .env("TMPDIR", stage.scene.path("scratch"))
        .env("HOME", stage.scene.path("user"))
        .env("SHELL", "/bin/sh")
        .env_remove("OCBAK_PASSPHRASE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let watch = stage.watch();
    let mut keys = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    for question in ["have one made): ", "The same again: "] {
        while !shown.ends_with(question.as_bytes()) {
            let mut byte = [0];
            screen.read_exact(&mut byte).unwrap();
            shown.push(byte[0]);
        }
        keys.write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    }
    screen.read_to_end(&mut shown).unwrap();
    let text = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().unwrap().success(), "{text}");
    watch.end_well();
    assert_unspoken(&shown, &text);
    stage.assert_clean(&["box.ocbak"]);
}

/// Looks at every file on the drive and at all modes, again and again while something runs.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What a [`Watch`] saw.
#[derive(Default)]
struct Seen {
    /// Reads of a file that was growing on the drive.
    growing: u32,
    wrong: BTreeSet<String>,
}

impl Watch {
    fn start(drive: PathBuf, scratch: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let thread = spawn(move || {
            let mut seen = Seen::default();
            while !ended.load(Ordering::Relaxed) {
                seen.look(&drive, &scratch);
            }
            seen
        });
        Self { stop, thread }
    }

    #[track_caller]
    fn end_well(self) {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap();
        assert_eq!(seen.wrong, BTreeSet::new());
        assert!(seen.growing > 0, "nothing was seen to grow");
    }
}

impl Seen {
    fn look(&mut self, drive: &Path, scratch: &Path) {
        for file in files(drive) {
            // It may be gone by now.
            let content = fs::read(&file).unwrap_or_default();
            self.growing += u32::from(!content.is_empty() && (file.extension() == Some("tmp".as_ref())));
            for word in found(&content, &UNWRITABLE) {
                self.wrong.insert(format!("`{word}` is in {}", file.display()));
            }
            self.mode(&file, 0o600);
        }
        for entry in fs::read_dir(scratch).unwrap().flatten() {
            self.mode(&entry.path(), 0o700);
            for file in files(&entry.path()) {
                self.mode(&file, 0o600);
            }
        }
    }

    fn mode(&mut self, path: &Path, widest: u32) {
        let mode = fs::symlink_metadata(path).map_or(0, |facts| facts.permissions().mode() & 0o7777);
        if mode & !widest != 0 {
            self.wrong.insert(format!("{} has the mode {mode:o}", path.display()));
        }
    }
}

/// All files below a directory that are there now.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn found<'a>(bytes: &[u8], words: &[&'a str]) -> Vec<&'a str> {
    // The first byte is sought by a routine that is fast in every build.
    let has = |word: &[u8]| {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == word[0]) {
            if rest[at..].starts_with(word) {
                return true;
            }
            rest = &rest[at + 1..];
        }
        false
    };
    words.iter().copied().filter(|word| has(word.as_bytes())).collect()
}

#[track_caller]
fn assert_unspoken(stdout: &[u8], stderr: &str) {
    assert_eq!(found(stdout, &UNSPEAKABLE), [""; 0]);
    assert_eq!(found(stderr.as_bytes(), &UNSPEAKABLE), [""; 0]);
}

/// Waits until something is in a file on the drive.
#[track_caller]
fn wait_for_bytes(drive: &Path, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while files(drive).iter().all(|file| fs::metadata(file).map_or(0, |facts| facts.len()) < 1 << 20) {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        assert!(Instant::now() < deadline, "nothing is written");
        std::thread::yield_now();
    }
}

fn said(mut child: Child) -> (Vec<u8>, String) {
    let (mut stdout, mut stderr) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    child.wait().unwrap();
    (stdout, stderr)
}
