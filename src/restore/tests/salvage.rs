//! Damaged archives: what is intact comes out, and nothing else; the test knows from a sound copy what that is.

use std::ops::Range;
use std::sync::Arc;

use super::archives::{noise, open, selection};
use super::sound::{CHUNK, Sound, sound};
use super::{Payload, path, scratch};
use crate::archive::lossy::tests::Failing;
use crate::archive::{Lossy, ReadAt};
use crate::error::{ErrorKind, Result};
use crate::format::entry::Role;
use crate::observer::Silent;
use crate::restore::{Adaptation, Restored, SalvagedPayload, salvage};

fn run(source: Arc<dyn ReadAt>, globs: &[&str]) -> Result<(Restored, Vec<SalvagedPayload>, Vec<String>)> {
    let (_scratch, base) = scratch();
    let target = base.join("out");
    let archive = open(source);
    let outcome = salvage(&archive, &selection(&Role::ALL, globs), &target, &Adaptation::default(), &Silent);
    if outcome.is_err() {
        assert!(!target.exists());
    }
    let (restored, payloads) = outcome?;
    Ok((restored, payloads, super::list(&target)))
}

#[test]
fn a_sound_archive_comes_out_whole() {
    let sound = sound();
    sound.check(Arc::new(sound.bytes.clone()), [true, true], &|_| false);
}

#[test]
fn a_cut_archive_gives_every_file_before_the_cut() {
    let sound = sound();
    let first = sound.place("state.tar").content + 300;
    let ends = ["state.tar", "state.index", "workspace.tar", "workspace.index"]
        .map(|name| sound.place(name).content + sound.place(name).member.length);
    let steps = (1..20).map(|part| sound.len() * part / 20);
    let around = ends.iter().flat_map(|end| [end - 1, *end, end + 1]);
    for cut in steps.chain(around).filter(|cut| *cut > first + 2 * CHUNK + 300_000) {
        let listed = [cut >= ends[1], cut >= ends[3]];
        let bad = |range: &Range<u64>| range.end > cut;
        let bytes = sound.bytes[..usize::try_from(cut).unwrap()].to_vec();
        // Without the wrapper too: a file ends, it does not fail.
        let source: Arc<dyn ReadAt> =
            if cut % 2 == 0 { Arc::new(bytes) } else { Arc::new(Lossy::new(Arc::new(bytes))) };
        sound.check(source, listed, &bad);
    }
}

#[test]
fn a_bad_chunk_takes_only_the_files_that_lie_in_its_frames() {
    let sound = sound();
    for name in ["state.tar", "workspace.tar"] {
        let place = sound.place(name);
        let count = place.member.length / (CHUNK + 16);
        for number in (0..=count).step_by(7) {
            let chunk = sound.chunk(place, number * CHUNK);
            let at = usize::try_from(chunk.start + (chunk.end - chunk.start) / 2).unwrap();
            let bad = |range: &Range<u64>| *range == chunk;
            sound.check(Arc::new(sound.with(|bytes| bytes[at] ^= 1)), [true, true], &bad);
        }
    }
}

#[test]
fn without_an_index_nothing_behind_a_loss_is_taken() {
    let sound = sound();
    let index = sound.place("state.index");
    let at = usize::try_from(sound.chunk(index, 0).start + 10).unwrap();
    sound.check(Arc::new(sound.with(|bytes| bytes[at] ^= 1)), [false, true], &|_| false);
    let place = sound.place("state.tar");
    for number in [5, 11, place.member.length / (CHUNK + 16)] {
        let chunk = sound.chunk(place, number * CHUNK);
        let bad = |range: &Range<u64>| *range == chunk;
        let bytes = sound.with(|bytes| {
            bytes[at] ^= 1;
            bytes[usize::try_from(chunk.start).unwrap()] ^= 1;
        });
        sound.check(Arc::new(bytes), [false, true], &bad);
    }
}

#[test]
fn sectors_that_cannot_be_read_are_lost_and_the_rest_goes_on() {
    let sound = sound();
    let (state, workspace) = (sound.place("state.tar"), sound.place("workspace.tar"));
    let index = sound.place("workspace.index");
    let sector = |at: u64| at / 4096 * 4096..at / 4096 * 4096 + 4096;
    let payloads = [state.content + 500_000, state.content + 1_700_000, workspace.content + 900_000];
    // A copy of the header region, or an index.
    for (further, listed) in [(0..4096, true), (sector(index.content + 300), false)] {
        let sectors: Vec<_> = payloads.iter().map(|at| sector(*at)).chain([further]).collect();
        let bad =
            |range: &Range<u64>| sectors.iter().any(|bad| bad.start < range.end && range.start < bad.end);
        let source = Failing { bytes: sound.bytes.clone(), bad: sectors.clone() };
        sound.check(Arc::new(Lossy::new(Arc::new(source))), [true, listed], &bad);
    }
}

#[test]
fn a_payload_that_is_gone_is_listed_and_the_other_is_whole() {
    let sound = sound();
    let place = sound.place("state.tar");
    let bytes = sound.with(|bytes| bytes[usize::try_from(place.content).unwrap() + 30] ^= 1);
    let (restored, payloads, list) = run(Arc::new(bytes), &[]).unwrap();
    let empty = |name: &String| sound.contents[name].is_empty();
    let files: Vec<_> = sound.contents.keys().filter(|name| name.starts_with("state/")).collect();
    assert_eq!(payloads[0].lost.len(), files.iter().filter(|name| !empty(name)).count());
    assert_eq!(payloads[1].lost, []);
    assert_eq!(payloads[1].whole.len(), files.len());
    // Directories and empty files need nothing but the index.
    assert!(list.contains(&"state/01/".to_owned()) && list.contains(&"state/00/a: ".to_owned()));
    assert!(!list.iter().any(|name| name.starts_with("state/01/a")));
    assert_eq!(restored.notes.len(), 1, "{:?}", restored.notes);
    assert!(restored.notes[0].starts_with("19 directories or empty files"), "{:?}", restored.notes);
}

#[test]
fn nothing_left_is_an_error_and_makes_nothing() {
    let sound = sound();
    let region = usize::try_from(sound.place("state.tar").content).unwrap();
    let error = run(Arc::new(sound.bytes[..region + 20].to_vec()), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    assert!(error.to_string().starts_with("nothing of the archive is left: "), "{error}");
}

#[test]
fn a_selection_of_what_is_left() {
    let sound = sound();
    let place = sound.place("state.tar");
    let bad = sound.chunk(place, 3 * CHUNK);
    let bytes = sound.with(|bytes| bytes[usize::try_from(bad.start).unwrap()] ^= 1);
    let (_, payloads, list) = run(Arc::new(bytes.clone()), &["state/01/*", "state/11/b"]).unwrap();
    assert_eq!(payloads[0].lost, [path("state/01/a")]);
    assert_eq!(payloads[0].whole, [path("state/01/b"), path("state/11/b")]);
    assert!(!list.iter().any(|name| name.starts_with("state/02")));
    let error = run(Arc::new(bytes), &["state/none"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let cut = sound.bytes[..usize::try_from(sound.chunk(place, 20 * CHUNK).end).unwrap()].to_vec();
    let error = run(Arc::new(cut), &["state/12/a"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered, "it may have been there: {error}");
}

#[test]
fn links_to_a_lost_file_are_lost() {
    let state = Payload::state()
        .file("state/a", &noise(300_000, 1))
        .file("state/b", &noise(300_000, 2))
        .hardlink("state/c", "state/a")
        .hardlink("state/d", "state/b")
        .symlink("state/e", "a");
    let workspace = Payload::new(&[("workspace/main", "/nowhere/ws".as_ref())]);
    let sound = Sound::new(&[
        (Role::State, &state),
        (Role::Workspace, &workspace.directory("workspace/main", 0o755)),
    ]);
    let bad = sound.chunk(sound.place("state.tar"), 0);
    let bytes = sound.with(|bytes| bytes[usize::try_from(bad.start).unwrap()] ^= 1);
    for (globs, lost, whole) in [
        (&[][..], &["state/a", "state/c"][..], &["state/b", "state/d", "state/e"][..]),
        // A link whose file is not selected takes its content.
        (&["state/[cd]"], &["state/c"], &["state/d"]),
    ] {
        let (restored, payloads, _) = run(Arc::new(bytes.clone()), globs).unwrap();
        let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
        assert_eq!(payloads[0].lost, paths(lost));
        assert_eq!(payloads[0].whole, paths(whole));
        assert_eq!(restored.lost, paths(lost));
    }
}

#[test]
fn a_tar_in_a_file_whose_header_is_lost_is_not_taken_for_entries() {
    // What stands in `state/a` is a file `state/b` as a payload has it, once a block, so that it is met anywhere.
    let inner = Payload::state().file("state/b", b"FAKE");
    let item = crate::format::entry::Item {
        path: &path("state/b"),
        mode: 0o600,
        mtime: inner.entries[1].mtime,
        xattrs: &[],
        kind: crate::format::entry::ItemKind::File { size: 4 },
    };
    let mut block = crate::format::tar::encode(&item).unwrap();
    block.extend(b"FAKE");
    block.resize(block.len().next_multiple_of(512), 0);
    let mut content = noise(300_000 / 512 * 512, 7);
    for _ in 0..1000 {
        content.extend(&block);
    }
    let state = Payload::state().file("state/0", &noise(1000, 1)).file("state/a", &content);
    let workspace = Payload::new(&[("workspace/main", "/nowhere/ws".as_ref())]);
    let sound = Sound::new(&[
        (Role::State, &state),
        (Role::Workspace, &workspace.directory("workspace/main", 0o755)),
    ]);
    let index = sound.chunk(sound.place("state.index"), 0);
    for number in 0..4 {
        let bad = sound.chunk(sound.place("state.tar"), number * CHUNK);
        let bytes = sound.with(|bytes| {
            bytes[usize::try_from(bad.start).unwrap()] ^= 1;
            bytes[usize::try_from(index.start).unwrap()] ^= 1;
        });
        let (_, payloads, list) = run(Arc::new(bytes), &[]).unwrap();
        assert!(!list.iter().any(|name| name.contains("FAKE")), "{number}");
        assert!(payloads[0].cut.is_some(), "{number}");
    }
}

#[test]
fn a_part_of_an_index_names_what_it_lists() {
    let mut state = Payload::state();
    for number in 0_u16..2500 {
        state = state.file(format!("state/{number:04}"), format!("FAKE {number}").as_bytes());
    }
    let workspace = Payload::new(&[("workspace/main", "/nowhere/ws".as_ref())]);
    let sound = Sound::new(&[
        (Role::State, &state),
        (Role::Workspace, &workspace.directory("workspace/main", 0o755)),
    ]);
    let place = sound.place("state.index");
    let end = usize::try_from(sound.chunk(place, CHUNK).start).unwrap();
    assert!(place.member.length > CHUNK + 1000, "{}", place.member.length);
    let broken = sound.with(|bytes| bytes[end] ^= 1);
    let (_, payloads, _) = run(Arc::new(broken.clone()), &[]).unwrap();
    let SalvagedPayload { index_intact, whole, authenticated, lost, cut, .. } = &payloads[0];
    assert!(!index_intact && whole.len() > 500 && authenticated.len() > 500, "{}", whole.len());
    assert_eq!((whole.len() + authenticated.len(), lost.len(), cut), (2500, 0, &None));

    // The first frame lost as well: what the part lists is named, and nothing else is known.
    let bad = usize::try_from(sound.chunk(sound.place("state.tar"), 0).start).unwrap();
    let mut bytes = broken;
    bytes[bad] ^= 1;
    let (_, payloads, list) = run(Arc::new(bytes), &[]).unwrap();
    assert_eq!(payloads[0].lost.len(), whole.len());
    assert_eq!((payloads[0].whole.len(), payloads[0].authenticated.len()), (0, 0));
    assert!(payloads[0].cut.is_some());
    assert_eq!(list, ["state/", "workspace/", "workspace/main/"]);
}
