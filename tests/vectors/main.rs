//! The vectors of `fixtures/v1`: the committed files are what the forge makes, and every reader does with each what its
//! header says.

// Changes of one kind of piece have one type; tables of vectors are long.
#![allow(unreachable_pub, clippy::ptr_arg, clippy::too_many_lines)]

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod committed;
mod forge;
mod program;
mod readers;
mod repair;
mod script;
mod seeds;
mod suite;

use std::fs;

use suite::Vector;

#[test]
fn the_committed_vectors_are_what_the_forge_makes() {
    let mut committed = committed::all();
    assert!(committed.len() > 300, "only {} vectors were found", committed.len());
    let wrong = of_all(|vector, archive| {
        let same = committed
            .get(&committed::path(vector))
            .is_some_and(|(header, committed)| *header == vector.header() && committed == archive);
        (!same).then(|| vector.name.to_owned())
    });
    assert!(wrong.is_empty(), "changed or missing: {}", wrong.join(" "));
    for vector in Vector::all() {
        committed.remove(&committed::path(&vector));
    }
    assert!(committed.is_empty(), "made by nobody: {:?}", committed.keys());
}

#[test]
fn every_step_of_reading_comes_to_what_the_header_says() {
    let wrong: Vec<_> = of_all(|vector, archive| {
        let seen = readers::read(archive, vector.forge.key);
        let expected = readers::Seen { steps: vector.outcome.steps.clone(), released: vector.released() };
        (seen != expected).then(|| {
            format!(
                "{}: {:?} instead of {:?}, {} bytes instead of {}",
                vector.name,
                seen.steps,
                expected.steps,
                seen.released.len(),
                expected.released.len()
            )
        })
    });
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_restore_is_whole_or_leaves_nothing() {
    let wrong: Vec<_> = of_all(|vector, archive| {
        let scratch = tempfile::tempdir().unwrap();
        let target = scratch.path().join("out");
        let result = readers::restored(archive, vector.forge.key, &target);
        let left = readers::everything_in(scratch.path());
        let expected = readers::end(&vector.outcome.steps);
        let clean = result == "ok" || left.is_empty();
        (result != expected || !clean).then(|| format!("{}: {result} {left:?}", vector.name))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_extraction_is_whole_or_adds_nothing() {
    let wrong: Vec<_> = of_all(|vector, archive| {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("mine"), "FAKE").unwrap();
        let result = readers::extracted(archive, vector.forge.key, scratch.path());
        let left = readers::everything_in(scratch.path());
        let expected = readers::end(&vector.outcome.steps);
        let clean = result == "ok" || left.len() == 1;
        (result != expected || !clean).then(|| format!("{}: {result} {left:?}", vector.name))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_content_of_a_sound_one_is_the_same_under_another_identity() {
    let wrong = of_all(|vector, archive| {
        let sound = vector.outcome == suite::sound();
        (sound && !readers::survives_rekeying(archive, vector.forge.key)).then(|| vector.name.to_owned())
    });
    assert!(wrong.is_empty(), "{}", wrong.join(" "));
}

/// For new vectors: those of a release never change.
#[test]
#[ignore = "writes missing vectors to fixtures/v1"]
fn write_the_missing_vectors() {
    for vector in Vector::all() {
        let path = committed::path(&vector);
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vector.file(&vector.forge.build())).unwrap();
        }
    }
}

/// Looks at all vectors, on all cores; returns what was found.
fn of_all(look: impl Fn(&Vector, &[u8]) -> Option<String> + Sync) -> Vec<String> {
    let vectors = Vector::all();
    let half = vectors.len().div_ceil(2);
    std::thread::scope(|scope| {
        let part = |part| {
            let look = &look;
            scope.spawn(move || {
                let part: &[Vector] = part;
                part.iter().filter_map(|vector| look(vector, &vector.forge.build())).collect::<Vec<_>>()
            })
        };
        let parts: Vec<_> = vectors.chunks(half).map(part).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}
