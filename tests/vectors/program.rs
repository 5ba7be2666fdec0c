//! What the program says of a part of the vectors: the exit code of the kind, one error line, nothing that a terminal obeys.

use std::fs;

use crate::forge::Key;
use crate::readers::end;
use crate::suite::Vector;
use crate::support::cli::{Ran, Run, ocbak};
use crate::support::scene::{Scene, names};

#[test]
fn every_command_ends_as_the_header_says() {
    let vectors = Vector::all();
    let some: Vec<_> = vectors.iter().step_by(9).collect();
    std::thread::scope(|scope| {
        for part in some.chunks(some.len().div_ceil(2)) {
            scope.spawn(|| part.iter().for_each(|vector| run_all(vector)));
        }
    });
}

#[test]
fn names_that_a_terminal_would_obey_are_escaped() {
    let vectors = Vector::all();
    for name in ["name-escape-sequence", "name-line-feed", "name-bidi", "name-invisible"] {
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        let scene = Scene::bare();
        fs::write(scene.archive(), vector.forge.build()).unwrap();
        for run in [scene.with_key("list"), scene.with_key("list").arg("-l")] {
            let ran = run.success();
            assert!(ran.text().contains("\\u{"), "{ran}");
            assert!(!ran.text().lines().any(|line| line.starts_with("error")), "{ran}");
            assert_plain(&ran);
        }
    }
}

/// Runs every command on a vector.
fn run_all(vector: &Vector) {
    let scene = Scene::bare();
    fs::write(scene.archive(), vector.forge.build()).unwrap();
    let open = |command: &str| with_key(vector, &scene, ocbak([command, "--quiet"]).arg(scene.archive()));
    let steps = &vector.outcome.steps;
    let code = |steps: &[&'static str]| code_of(end(steps));
    // Damage is an error where it is what was asked for.
    let checked = |steps: &[&'static str]| if steps.contains(&"damage") { 4 } else { code_of(end(steps)) };

    assert_ends(ocbak(["info"]).arg(scene.archive()), code(&steps[..1]));
    assert_ends(ocbak(["verify", "--quick"]).arg(scene.archive()), checked(&steps[..2.min(steps.len())]));
    assert_ends(open("list"), code(&steps[..4.min(steps.len())]));
    let all = if end(steps) == "ok" { checked(&steps[2.min(steps.len())..]) } else { code(steps) };
    assert_ends(open("verify"), all);
    assert_ends(open("restore").arg("--to").arg(scene.path("out")), code(steps));
    assert_eq!(scene.path("out").exists(), code(steps) == 0, "{}", vector.name);
    let root = vector.forge.state.entries.first().map(|entry| entry.path.as_slice());
    if root == Some(b"state") {
        fs::create_dir(scene.path("there")).unwrap();
        assert_ends(open("extract").args(["state", "-C"]).arg(scene.path("there")), code(steps));
        assert_eq!(names(&scene.path("there")).is_empty(), code(steps) != 0, "{}", vector.name);
    }
}

fn with_key(vector: &Vector, scene: &Scene, run: Run) -> Run {
    match vector.forge.key {
        Key::Identity(identity) | Key::Ssh(identity) => {
            fs::write(scene.path("vector-key.txt"), identity).unwrap();
            run.arg("-i").arg(scene.path("vector-key.txt"))
        }
        Key::Passphrase(passphrase) => run.env("OCBAK_PASSPHRASE", passphrase),
    }
}

#[track_caller]
fn assert_ends(run: Run, code: i32) {
    let ran = run.code(code);
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    assert_plain(&ran);
    if code != 0 && code != 4 {
        ran.fails_with(&["backup.ocbak"]);
    }
}

/// Nothing that moves a cursor or hides a character.
#[track_caller]
fn assert_plain(ran: &Ran) {
    for text in [ran.text(), &ran.stderr] {
        let hazard = |c: char| c.is_control() && c != '\n' || ('\u{200b}'..='\u{202e}').contains(&c);
        assert!(!text.contains(hazard), "{ran}");
    }
}

/// The documented exit code of a kind.
fn code_of(kind: &str) -> i32 {
    match kind {
        "ok" => 0,
        "malformed" | "truncated" | "tampered" => 4,
        "wrong-key" => 5,
        _ => 1,
    }
}
