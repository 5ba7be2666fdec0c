//! Drives as people have them: exFAT, without links, modes and a rename that refuses to replace, and pulled out
//! in the middle of the work. What cannot be shown here is in `drives.md` beside this file.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::cli::{Run, ocbak};
use crate::support::home::noise;
use crate::support::scene::{Scene, names};
use crate::support::stock;

#[test]
fn archives_are_made_and_read_on_exfat() {
    let scene = Scene::plain();
    let Some(drive) = Drive::new(&scene) else { return };
    fs::write(scene.state().join("media/inbound/big.bin"), noise(3 << 20)).unwrap();
    let (whole, parted) = (drive.path("backup.ocbak"), drive.path("parted.ocbak.001"));
    scene.creation(&whole).arg("--verify").success();
    scene.creation(&drive.path("parted.ocbak")).args(["--verify", "--split", "1M"]).success();
    let parts = [1, 2, 3, 4].map(|number| format!("parted.ocbak.00{number}"));
    assert_eq!(names(&drive.point), [&["backup.ocbak".to_owned()][..], &parts].concat());
    scene.creation(&whole).code(1).fails_with(&["backup.ocbak` exists already"]);
    // A name is one in whatever case.
    scene.creation(&drive.path("BACKUP.ocbak")).code(1).fails_with(&["BACKUP.ocbak` exists already"]);
    for (number, archive) in [whole, parted].into_iter().enumerate() {
        let with_key = |command: &str| ocbak([command]).arg(&archive).arg("-i").arg(scene.key());
        with_key("verify").success();
        ocbak(["verify", "--quick"]).arg(&archive).success();
        with_key("list").success();
        with_key("restore").arg("--quiet").arg("--to").arg(scene.path(&format!("out{number}"))).success();
    }
    same(&scene.path("out0"), &scene.path("out1"));
}

#[test]
fn files_are_restored_onto_exfat_and_links_are_refused() {
    let scene = Scene::plain();
    let Some(drive) = Drive::new(&scene) else { return };
    scene.create();
    scene.restoring("expected").args(["--only", "state"]).success();
    let onto = |to: &str| scene.with_key("restore").arg("--quiet").arg("--to").arg(drive.path(to));
    onto("out").args(["--only", "state"]).success();
    same(&scene.path("expected"), &drive.path("out"));
    // Two seconds is what these drives tell apart.
    let modified = |directory: &Path| fs::metadata(directory.join("state/openclaw.json")).unwrap().mtime();
    let apart = modified(&scene.path("expected")).abs_diff(modified(&drive.path("out")));
    assert!(apart < 2, "{apart}");
    // The sample's workspace has a link.
    let refused = onto("links").code(1);
    refused.fails_with(&["cannot create `", "/links/workspace/main/"]);
    refused.hints("the file system there has no such thing, links for instance");
    assert_eq!(names(&drive.point), ["out"]);
}

#[test]
fn names_that_are_one_on_exfat_are_refused_before_either_is_lost() {
    let scene = Scene::plain();
    let Some(drive) = Drive::new(&scene) else { return };
    for name in ["Notes.md", "notes.md"] {
        fs::write(scene.state().join("media").join(name), name).unwrap();
    }
    scene.create();
    let run = scene.with_key("restore").args(["--quiet", "--only", "state", "--to"]).arg(drive.path("out"));
    run.code(1).fails_with(&["Notes.md` and `", "notes.md` are one name"]);
    assert_eq!(names(&drive.point), [""; 0]);
}

#[test]
fn a_drive_that_is_pulled_out_during_a_create_is_said_and_holds_no_archive() {
    let scene = Scene::plain();
    let Some(mut drive) = Drive::new(&scene) else { return };
    fs::write(scene.state().join("media/inbound/big.bin"), noise(24 << 20)).unwrap();
    let run = scene.creation(&drive.path("backup.ocbak"));
    let (code, stderr) = pulled_out(&mut drive, run, |drive| !names(&drive.point).is_empty());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot write `") && stderr.contains("/backup.ocbak`"), "{stderr}");
    drive.mount();
    assert!(!drive.path("backup.ocbak").exists());
}

#[test]
fn a_drive_that_is_pulled_out_during_a_restore_leaves_nothing_half() {
    let scene = Scene::plain();
    let Some(mut drive) = Drive::new(&scene) else { return };
    fs::write(scene.state().join("media/inbound/big.bin"), noise(24 << 20)).unwrap();
    let archive = drive.path("backup.ocbak");
    scene.creation(&archive).success();
    // What was written is not to be read from memory.
    drive.unmount();
    drive.mount();
    let room = scene.path("room");
    fs::create_dir(&room).unwrap();
    let run = ocbak(["restore", "--quiet"]).arg(&archive).arg("-i").arg(scene.key());
    let run = run.arg("--to").arg(room.join("out"));
    let (code, stderr) = pulled_out(&mut drive, run, |_| !names(&room).is_empty());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot read"), "{stderr}");
    assert_eq!(names(&room), [""; 0]);
}

#[test]
fn an_installation_on_a_drive_that_is_pulled_out_during_a_restore_is_not_lost() {
    let scene = Scene::plain();
    let Some(mut drive) = Drive::new(&scene) else { return };
    fs::write(scene.state().join("media/inbound/big.bin"), noise(24 << 20)).unwrap();
    scene.create();
    let config = drive.path(".openclaw/openclaw.json");
    fs::create_dir(drive.path(".openclaw")).unwrap();
    fs::write(&config, "{}\n").unwrap();
    File::open(&config).unwrap().sync_all().unwrap();
    let run = scene.with_key("restore").args(["--yes", "--quiet", "--only", "state", "--home"]);
    let run = run.arg(&drive.point);
    let (code, stderr) = pulled_out(&mut drive, run, |drive| names(&drive.point).len() > 1);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot "), "{stderr}");
    drive.mount();
    assert_eq!(fs::read_to_string(config).unwrap(), "{}\n");
}

/// Runs a program, and takes the drive away as soon as it is `under_way`.
fn pulled_out(drive: &mut Drive, run: Run, under_way: impl Fn(&Drive) -> bool) -> (Option<i32>, String) {
    let mut child = run.into_command().spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !under_way(drive) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything was seen");
        assert!(Instant::now() < deadline, "nothing was seen to begin");
        std::thread::yield_now();
    }
    drive.pull_out();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), stderr)
}

/// Expects the same names and contents; modes are not looked at.
fn same(one: &Path, other: &Path) {
    Run::new("diff").args(["-r", "--no-dereference"]).arg(one).arg(other).success();
}

/// An exFAT drive in a file, which a program of its own serves.
struct Drive {
    device: String,
    point: PathBuf,
    server: Option<Child>,
}

impl Drive {
    /// Makes one and mounts it; says where that cannot be done.
    fn new(scene: &Scene) -> Option<Self> {
        let (image, point) = (scene.path("drive.img"), scene.path("drive"));
        fs::create_dir(&point).unwrap();
        File::create(&image).unwrap().set_len(96 << 20).unwrap();
        let made = run("mkfs.exfat", &[&image]).is_some();
        let device = made.then(|| run("losetup", &[Path::new("-f"), Path::new("--show"), &image])).flatten();
        let Some(device) = device else {
            stock::skip("no exFAT file system can be made here: exfatprogs, losetup and root are needed");
            return None;
        };
        let mut drive = Self { device: device.trim_end().to_owned(), point, server: None };
        if drive.try_mount() {
            return Some(drive);
        }
        stock::skip("no exFAT file system can be mounted here: exfat-fuse and /dev/fuse are needed");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }

    #[track_caller]
    fn mount(&mut self) {
        assert!(self.try_mount());
    }

    fn try_mount(&mut self) -> bool {
        let device = |path: &Path| fs::metadata(path).map(|facts| facts.dev()).ok();
        let before = device(&self.point);
        let mut command = Command::new("mount.exfat-fuse");
        command.arg("-d").arg(&self.device).arg(&self.point);
        let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut server) = silent.spawn() else {
            return false;
        };
        while device(&self.point) == before {
            if server.try_wait().unwrap().is_some() {
                return false;
            }
            sleep(Duration::from_millis(5));
        }
        self.server = Some(server);
        true
    }

    fn unmount(&mut self) {
        run("umount", &[&self.point]).unwrap();
        if let Some(mut server) = self.server.take() {
            server.wait().unwrap();
        }
    }

    /// Ends the program that serves it: from here on every access fails.
    fn pull_out(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
        run("umount", &[Path::new("-l"), &self.point]).unwrap();
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.pull_out();
        }
        run("losetup", &[Path::new("-d"), Path::new(&self.device)]);
    }
}

/// Runs a program of the system; its output where it went well.
fn run(program: &str, arguments: &[&Path]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}
