//! What work costs, in what can be counted: nothing here depends on how fast the machine is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::cli::{PROGRAM, Run};
use crate::support::scene::Scene;
use crate::support::stock;

/// Calls of the system by their names.
type Calls = BTreeMap<String, i32>;

#[test]
fn a_small_file_costs_few_system_calls() {
    // Elsewhere than on Linux, and in most containers.
    if Run::new("strace").args(["-o", "/dev/null", "true"]).run().code != 0 {
        stock::skip("strace does not work here");
        return;
    }
    let [few, many] = [FEW, MANY].map(calls);
    let files = f64::from(MANY - FEW);
    for (command, most) in COMMANDS {
        let mut each: Vec<_> = many[command]
            .iter()
            .map(|(name, calls)| (name, f64::from(calls - few[command].get(name).unwrap_or(&0)) / files))
            .filter(|(name, each)| !OTHERS.contains(&name.as_str()) && *each > 0.05)
            .collect();
        each.sort_by(|one, other| other.1.total_cmp(&one.1));
        let sum: f64 = each.iter().map(|(_, each)| each).sum();
        println!("{command}: {sum:.2} a file: {each:.2?}");
        assert!(sum <= most, "{command}: {sum:.2} system calls a file: {each:.2?}");
    }
}

/// What the commands call for a home with so many small files.
fn calls(files: i32) -> BTreeMap<&'static str, Calls> {
    let scene = Scene::plain();
    let directory = scene.state().join("media/inbound");
    for number in 0..files {
        fs::write(directory.join(format!("{number}.txt")), number.to_string()).unwrap();
    }
    let (home, archive, key) = (scene.home(), scene.archive(), scene.key());
    let (recipient, out) = (scene.path("recipient.txt"), scene.path("out"));
    let path = Path::new;
    let arguments = |command| match command {
        "create" => vec![path("--home"), &home, path("-R"), &recipient, path("-o"), &archive],
        "verify" => vec![archive.as_path(), path("-i"), &key],
        _ => vec![archive.as_path(), path("-i"), &key, path("--to"), &out],
    };
    let count = |command| {
        let report = scene.path(command);
        let run = Run::new("strace").args(["-f", "-qq", "-c", "-U", "calls,name", "-o"]).arg(&report);
        let run = run.args([PROGRAM, command, "--threads", "2"]).args(arguments(command));
        run.env("HOME", scene.path("nobody")).success();
        let report = fs::read_to_string(report).unwrap();
        let line = |line: &str| {
            let (calls, name) = line.trim().split_once(' ')?;
            Some((name.trim().to_owned(), calls.parse().ok()?))
        };
        (command, report.lines().filter_map(line).filter(|(name, _)| name != "total").collect())
    };
    COMMANDS.iter().map(|(command, _)| count(command)).collect()
}

/// The most that a small file may cost. Create: two looks, of which one is beforehand; open, read, look again, list
/// attributes, close. Restore: create, look at its mode, write, set its time, close. Verify: nothing.
const COMMANDS: [(&str, f64); 3] = [("create", 7.2), ("verify", 0.3), ("restore", 5.2)];
const FEW: i32 = 500;
const MANY: i32 = 2500;
/// How often threads wait for each other, and where memory lies, is another matter. A build for tests looks at each
/// handle before it closes it.
const OTHERS: [&str; 9] =
    ["brk", "fcntl", "futex", "madvise", "mmap", "mprotect", "mremap", "munmap", "restart_syscall"];
