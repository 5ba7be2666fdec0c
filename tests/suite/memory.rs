//! Peak memory of every command: at most 64 MiB and 400 bytes an entry, beside what scrypt takes.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::support::cli::{PROGRAM, Run};
use crate::support::home::noise;
use crate::support::scene::Scene;
use crate::support::stock;

#[test]
fn one_large_file_takes_constant_memory() {
    let scene = Scene::plain();
    // More than the limit; a frame holds less than the noise, so that nothing repeats within one.
    let noise = noise(4 << 20);
    let mut file = File::create(scene.state().join("media/inbound/large.bin")).unwrap();
    for _ in 0..40 {
        file.write_all(&noise).unwrap();
    }
    measure(&scene, 0);
}

#[test]
fn many_small_files_take_little_more_than_their_index() {
    let scene = Scene::plain();
    let base = scene.state().join("media/inbound");
    for directory in 0..300 {
        let directory = base.join(format!("directory {directory}"));
        fs::create_dir(&directory).unwrap();
        for file in 0..100 {
            fs::write(directory.join(format!("file {file}.txt")), format!("{file}\n")).unwrap();
        }
    }
    measure(&scene, 30_000);
}

/// Runs every command on a backup of the scene's home, which has at least so many entries.
fn measure(scene: &Scene, entries: u64) {
    if !stock::have(&["python3"]) {
        return;
    }
    let limit = 64 * 1024 + entries * 400 / 1024;
    let (home, archive, key) = (scene.home(), scene.archive(), scene.key());
    let (recipient, out, directory) =
        (scene.path("recipient.txt"), scene.path("out"), scene.path("extracted"));
    let salvaged = scene.path("salvaged");
    fs::create_dir(&directory).unwrap();
    let [home, archive, key, recipient, out, directory] =
        [&home, &archive, &key, &recipient, &out, &directory].map(|path: &std::path::PathBuf| path.as_path());
    let path = Path::new;
    let mut report = String::new();
    let mut over = Vec::new();
    for (command, arguments) in [
        ("create", vec![path("--home"), home, path("-R"), recipient, path("-o"), archive]),
        ("verify", vec![archive, path("--quick")]),
        ("verify", vec![archive, path("-i"), key]),
        ("list", vec![archive, path("-l"), path("-i"), key]),
        ("list", vec![archive, path("--json"), path("-i"), key]),
        ("restore", vec![archive, path("--to"), out, path("-i"), key]),
        ("restore", vec![path("--salvage"), archive, path("--to"), &salvaged, path("-i"), key]),
        ("extract", vec![archive, path("state/media"), path("-C"), directory, path("-i"), key]),
    ] {
        let run = Run::new("python3").args(["-c", PEAK, PROGRAM, command, "--threads", "2"]).args(&arguments);
        let peak: u64 = run.success().text().trim().parse().unwrap();
        let line = format!("{command} {}: {} MiB", arguments[1].display(), peak / 1024);
        report += &format!("  {line}\n");
        if peak > limit {
            over.push(line);
        }
    }
    println!("peak memory, of {} MiB allowed:\n{report}", limit / 1024);
    assert_eq!(over, [""; 0], "more than {} MiB", limit / 1024);
}

/// Prints the peak of a program's resident memory in KiB; what Python itself had before counts too.
const PEAK: &str = "
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak // 1024 if sys.platform == 'darwin' else peak)
";
