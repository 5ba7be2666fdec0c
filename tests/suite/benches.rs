//! The scripts of `benches/` work, and see it where a restored tree is not the one that was backed up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::cli::{PROGRAM, Ran, Run};
use crate::support::stock;

/// Runs the script on the smallest tree, below `scratch`.
fn peers(scratch: &Path, program: &str, arguments: &[&str]) -> Ran {
    script("peers")
        .args(["--tiny", "--rounds", "1", "--limit", "none", "--ocbak", program])
        .arg("--scratch")
        .arg(scratch)
        .args(arguments)
        .run()
}

fn script(name: &str) -> Run {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name);
    Run::new("python3").arg(path).env("PYTHONDONTWRITEBYTECODE", "1")
}

#[test]
fn a_race_measures_every_operation() {
    if !stock::have(&["python3", "tar", "gzip"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("race.json");
    let race = peers(
        scratch.path(),
        PROGRAM,
        &["--tools", "ocbak,tar-gz,ocbak-level-1", "--json", file.to_str().unwrap()],
    );
    assert_eq!(race.code, 0, "{}", race.stderr);
    let table = String::from_utf8(race.stdout).unwrap();
    for operation in ["create", "list", "verify", "quick verify", "restore", "one file"] {
        assert!(table.contains(&format!("\n  {operation:<16}    wall s")), "{operation}: {table}");
    }
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let measured = document["trees"]["tiny"].as_array().unwrap();
    let tools: BTreeSet<_> = measured.iter().map(|row| row["tool"].as_str().unwrap()).collect();
    assert_eq!(tools, ["ocbak", "ocbak-level-1", "tar-gz"].into());
    // Six of ocbak, twice; tar has no quick verification.
    assert_eq!(measured.len(), 17, "{document:#}");
    for row in measured {
        assert!(row["wall"].as_f64().unwrap() > 0.0 && row["memory"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["size"].as_u64().unwrap() > 1_000_000, row["operation"] == "create", "{row}");
    }
}

#[test]
fn a_race_ends_where_a_file_comes_back_changed() {
    if !stock::have(&["python3", "sh"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cheat = scratch.path().join("cheat");
    // Not written here: a test beside this one could start a program while the file is open, and hold it.
    let write = format!("cat >{cheat} && chmod +x {cheat}\n", cheat = cheat.display());
    let file = scratch.path().join("work").join("restored/state/openclaw.json");
    let script = format!(
        "#!/bin/sh\n'{PROGRAM}' \"$@\" || exit\n[ $1 = restore ] || exit 0\necho x >>'{}'",
        file.display()
    );
    assert_eq!(Run::new("sh").args(["-c", &write]).stdin(script).run().code, 0);
    let race = peers(scratch.path(), cheat.to_str().unwrap(), &["--tools", "ocbak"]);
    assert_eq!(race.code, 1, "{}", race.stderr);
    assert!(race.stderr.ends_with("differs: openclaw.json\n"), "{}", race.stderr);
}

#[test]
fn what_a_race_does_not_know_is_wrong_usage() {
    if !stock::have(&["python3"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let race = peers(scratch.path(), PROGRAM, &["--tools", "ocbak,duplicity"]);
    assert_eq!(race.code, 2);
    assert!(race.stderr.contains("unknown: duplicity"), "{}", race.stderr);
}

#[test]
fn growth_is_measured_in_every_operation() {
    if !stock::have(&["python3"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("scale.json");
    let growth = script("scale")
        .args(["--entries", "1000,2000", "--gigabytes", "", "--ocbak", PROGRAM, "--scratch"])
        .args([scratch.path(), Path::new("--json"), &file])
        .run();
    assert_eq!(growth.code, 0, "{}", growth.stderr);
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let entries: Vec<_> = document["entries"].as_array().unwrap().iter().map(|row| &row["entries"]).collect();
    // With the directories around them, and the one file that is asked for.
    assert_eq!(entries, [1004, 2006]);
    for operation in ["create", "list", "one file", "verify", "quick verify", "restore"] {
        assert!(document["entries"][1]["costs"][operation]["wall"].as_f64().unwrap() > 0.0, "{operation}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "the trees are removed");
}
