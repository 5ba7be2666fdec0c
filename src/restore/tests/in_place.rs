//! Restores back to where everything was.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Job, Payload, Target, home, kept, list, mode, mtime, scratch, state, workspace};
use crate::error::ErrorKind;

#[test]
fn state_and_workspace_in_it() {
    for inside in [false, true] {
        let (_scratch, home) = home();
        let payloads = [state(&home), workspace(&home)];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        let restored = job.in_place(&home).unwrap();
        let live = home.join(".openclaw");
        let old = if inside { live.join(kept("")) } else { home.join(kept(".openclaw")) };
        assert_eq!(restored.kept, std::slice::from_ref(&old));
        assert_eq!(
            list(&old),
            [
                "extra: live",
                "openclaw.json: live",
                "workspace/",
                "workspace/notes/",
                "workspace/notes/today: live"
            ]
        );
        assert_eq!(mode(&live), 0o700);
        assert_eq!(mtime(&live), (11, 12));
        assert_eq!(mtime(live.join("workspace")), (13, 14));
        if inside {
            fs::remove_dir_all(&old).unwrap();
        }
        assert_eq!(list(&live), ["openclaw.json: saved", "workspace/", "workspace/MEMORY.md: saved"]);
    }
}

#[test]
fn only_state_leaves_the_workspace_live() {
    for inside in [false, true] {
        for hint in [false, true] {
            let (_scratch, home) = home();
            let mut state = state(&home);
            if !hint {
                state.skipped.clear();
            }
            let payloads = [state];
            let mut job = Job::new(&payloads);
            job.inside = inside;
            if !hint {
                job.others = vec![workspace(&home).source];
            }
            job.in_place(&home).unwrap();
            let live = home.join(".openclaw");
            assert_eq!(mtime(&live), (11, 12));
            let old = if inside { live.join(kept("")) } else { home.join(kept(".openclaw")) };
            assert_eq!(list(&old), ["extra: live", "openclaw.json: live"]);
            fs::remove_dir_all(&old).unwrap();
            assert_eq!(
                list(&live),
                ["openclaw.json: saved", "workspace/", "workspace/notes/", "workspace/notes/today: live"]
            );
        }
    }
}

#[test]
fn a_deeper_workspace_stays_live_too() {
    for inside in [false, true] {
        let (_scratch, home) = home();
        let payloads = [Payload::new(&[("state", &home.join(".openclaw"))])
            .directory("state", 0o700)
            .mtime(11, 12)
            .directory("state/workspace", 0o755)
            .mtime(15, 16)
            .skipped_root("state/workspace/notes")];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        job.in_place(&home).unwrap();
        let live = home.join(".openclaw");
        assert_eq!(fs::read(live.join("workspace/notes/today")).unwrap(), b"live");
        assert_eq!(mtime(live.join("workspace")), (15, 16));
        assert_eq!(mtime(&live), (11, 12));
    }
}

#[test]
fn a_workspace_that_is_newer_than_the_archive_stays_where_none_is_restored() {
    for (inside, whole) in [(false, false), (true, false), (false, true)] {
        let (_scratch, home) = home();
        let live = home.join(".openclaw");
        for name in ["workspace-new", "workspace-file-in-archive", "workspace.before-restore-x"] {
            fs::create_dir(live.join(name)).unwrap();
            fs::write(live.join(name).join("own"), "live").unwrap();
        }
        let mut payloads = vec![state(&home).file("state/workspace-file-in-archive", b"saved")];
        payloads.extend(whole.then(|| workspace(&home)));
        let mut job = Job::new(&payloads);
        job.inside = inside;
        job.in_place(&home).unwrap();
        let stays = live.join("workspace-new/own").exists();
        assert_eq!(stays, !whole, "a whole restore gives what the archive has");
        assert_eq!(fs::read(live.join("workspace-file-in-archive")).unwrap(), b"saved");
        assert!(!live.join("workspace.before-restore-x").exists());
    }
}

#[test]
fn only_workspace_leaves_the_state_and_other_workspaces() {
    let (_scratch, home) = home();
    let outside = home.join("ws");
    for directory in [outside.clone(), home.join("other"), home.join(".openclaw/workspace-new")] {
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("own"), "live").unwrap();
    }
    let payload = Payload::new(&[("workspace/main", &outside)])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"saved");
    let payloads = [payload];
    let mut job = Job::new(&payloads);
    job.others = vec![state(&home).source];
    let before = list(&home.join(".openclaw"));
    let restored = job.in_place(&home).unwrap();
    assert_eq!(list(&home.join(".openclaw")), before);
    assert_eq!(list(&outside), ["MEMORY.md: saved"]);
    assert_eq!(list(&home.join("other")), ["own: live"]);
    assert_eq!(restored.kept, [home.join(kept("ws"))]);
}

#[test]
fn only_workspace_touches_nothing_else() {
    let (_scratch, home) = home();
    let payloads = [workspace(&home)];
    let mut job = Job::new(&payloads);
    job.others = vec![state(&home).source];
    let restored = job.in_place(&home).unwrap();
    let live = home.join(".openclaw");
    let old = kept("workspace");
    assert_eq!(restored.kept, [live.join(&old)]);
    let mut expected = [
        "extra: live".to_owned(),
        "openclaw.json: live".to_owned(),
        "workspace/".to_owned(),
        format!("{old}/"),
        format!("{old}/notes/"),
        format!("{old}/notes/today: live"),
        "workspace/MEMORY.md: saved".to_owned(),
    ];
    expected.sort();
    assert_eq!(list(&live), expected);
    assert_eq!(mode(&live), 0o755);
}

#[test]
fn nothing_was_there() {
    let (_scratch, base) = scratch();
    let home = base.join("users/new");
    let payloads = [state(&home), workspace(&home)];
    let job = Job::new(&payloads);
    let layout =
        job.layout(&Target::Original { home: home.clone(), state_dir: home.join(".openclaw") }).unwrap();
    assert!(layout.roots.iter().all(|root| !root.replaces));
    assert_eq!(layout.roots[1].target, home.join(".openclaw/workspace"));
    assert_eq!((layout.roots[0].entries, layout.roots[0].bytes), (2, 5));
    let restored = job.in_place(&home).unwrap();
    assert!(restored.kept.is_empty());
    assert_eq!(list(&home).len(), 4);
    assert_eq!(mode(home.join(".openclaw")), 0o700);
}

#[test]
fn a_linked_state_directory_is_swapped_behind_its_link() {
    let (_scratch, home) = home();
    fs::create_dir(home.join("data")).unwrap();
    fs::rename(home.join(".openclaw"), home.join("data/oc")).unwrap();
    symlink("data/oc", home.join(".openclaw")).unwrap();
    let payloads = [state(&home), workspace(&home)];
    let restored = Job::new(&payloads).in_place(&home).unwrap();
    assert_eq!(restored.kept, [home.join("data").join(kept("oc"))]);
    assert!(home.join(".openclaw").is_symlink());
    assert_eq!(
        list(&home.join("data/oc")),
        ["openclaw.json: saved", "workspace/", "workspace/MEMORY.md: saved"]
    );
}

#[test]
fn a_linked_workspace_is_swapped_behind_its_link() {
    let (_scratch, home) = home();
    fs::rename(home.join(".openclaw/workspace"), home.join("ws")).unwrap();
    symlink("../ws", home.join(".openclaw/workspace")).unwrap();
    let mut state = state(&home).symlink("state/workspace", "../ws");
    state.skipped.clear();
    for nothing_left in [false, true] {
        if nothing_left {
            fs::remove_dir_all(home.join(".openclaw")).unwrap();
            fs::remove_dir_all(home.join("ws")).unwrap();
        }
        let payloads = [state.clone(), workspace(&home)];
        Job::new(&payloads).in_place(&home).unwrap();
        assert_eq!(list(&home.join(".openclaw")), ["openclaw.json: saved", "workspace -> ../ws"]);
        assert_eq!(list(&home.join("ws")), ["MEMORY.md: saved"]);
    }
}

#[test]
fn a_link_to_nothing_is_refused() {
    let (_scratch, home) = scratch();
    symlink("gone", home.join(".openclaw")).unwrap();
    let error = Job::new(&[state(&home)]).in_place(&home).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().ends_with("is a symbolic link to nothing"));
}

#[test]
fn a_failing_step_takes_all_back() {
    for inside in [false, true] {
        let (_scratch, home) = home();
        let before = list(&home);
        let outer = home.join("outer/ws");
        let other = Payload::new(&[("workspace/ops", &outer)])
            .directory("workspace/ops", 0o755)
            .file("workspace/ops/a", b"saved");
        let payloads = [state(&home), other];
        let mut job = Job::new(&payloads);
        job.inside = inside;
        let target = Target::Original { home: home.clone(), state_dir: home.join(".openclaw") };
        let layout = job.layout(&target).unwrap();
        // The second tree finds its stage gone, after the first was put into place.
        let error = job
            .run(&layout, |entry| {
                if entry.path.as_bytes() == b"workspace/ops/a" {
                    let stage = fs::read_dir(home.join("outer")).unwrap().next().unwrap();
                    let stage = stage.unwrap().path();
                    fs::rename(&stage, home.join("stolen")).unwrap();
                }
                Ok(())
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        fs::remove_dir_all(home.join("stolen")).unwrap();
        assert_eq!(list(&home), before);
        assert_eq!(mode(home.join(".openclaw")), 0o755);
    }
}

#[test]
fn forged_content_changes_nothing() {
    let (_scratch, home) = home();
    let before = list(&home);
    let payloads = [state(&home).file("state/z", b"forged"), workspace(&home)];
    let error = Job::new(&payloads).in_place(&home).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tampered);
    assert_eq!(list(&home), before);
}

#[test]
fn a_config_in_a_workspace() {
    for with_state in [false, true] {
        let (_scratch, home) = scratch();
        let directory = home.join("ws");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("openclaw.json"), "live").unwrap();
        fs::write(directory.join("notes"), "live").unwrap();
        let config = Payload::new(&[("config", &directory)])
            .directory("config", 0o755)
            .file("config/openclaw.json", b"saved");
        let mut workspace = Payload::new(&[("workspace/main", &directory)])
            .directory("workspace/main", 0o755)
            .file("workspace/main/notes", b"saved");
        workspace = workspace.skipped_root("workspace/main/openclaw.json");
        let payloads = if with_state { vec![config, workspace] } else { vec![workspace] };
        let restored = Job::new(&payloads).in_place(&home).unwrap();
        assert_eq!(restored.kept, [home.join(kept("ws"))]);
        let config = if with_state { "openclaw.json: saved" } else { "openclaw.json: live" };
        assert_eq!(list(&directory), ["notes: saved", config]);
    }
}

#[test]
fn a_workspace_that_could_not_be_read_stays_live() {
    let (_scratch, home) = home();
    let mut state = state(&home);
    state.skipped.clear();
    let mut workspace = workspace(&home);
    workspace.entries.clear();
    Job::new(&[state, workspace]).in_place(&home).unwrap();
    let note = home.join(".openclaw/workspace/notes/today");
    assert_eq!(fs::read(note).unwrap(), b"live");
}

/// A workspace beside the state directory, by its own path.
fn beside(home: &Path) -> Payload {
    Payload::new(&[("workspace/two", &home.join("ws2"))])
        .directory("workspace/two", 0o755)
        .file("workspace/two/TWO.md", b"saved")
}

#[test]
fn places_that_links_lead_into_each_other_are_refused() {
    // What the link of the second workspace leads to: what is around the state, the state, and the first.
    for (end, globs) in [
        (".", &[][..]),
        (".openclaw", &[]),
        (".openclaw/workspace", &[]),
        (".openclaw/workspace", &["workspace/**"]),
    ] {
        let (_scratch, home) = home();
        symlink(end, home.join("ws2")).unwrap();
        let before = list(&home);
        let payloads = [state(&home), workspace(&home), beside(&home)];
        let mut job = Job::new(&payloads);
        for glob in globs {
            job = job.glob(glob);
        }
        let error = job.in_place(&home).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{end}: {error}");
        let says = ["links lead", "go to the same place"];
        assert!(says.iter().any(|text| error.to_string().contains(text)), "{end}: {error}");
        assert_eq!(list(&home), before);
    }
}

#[test]
fn a_workspace_that_lies_in_the_state_through_a_link_is_put_there() {
    let (_scratch, home) = home();
    symlink(".openclaw", home.join("oc")).unwrap();
    let workspace = Payload::new(&[("workspace/main", &home.join("oc/workspace"))])
        .directory("workspace/main", 0o755)
        .file("workspace/main/MEMORY.md", b"saved");
    Job::new(&[state(&home), workspace]).in_place(&home).unwrap();
    assert_eq!(
        list(&home.join(".openclaw")),
        ["openclaw.json: saved", "workspace/", "workspace/MEMORY.md: saved"]
    );
}
