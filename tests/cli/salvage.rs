//! Getting what is intact out of damaged archives.

use std::fs;

use super::support::Test;

const REGION: usize = 32 * 1024;

/// An archive of which the last byte of the state payload is flipped: its only frame is lost.
fn damaged() -> Test {
    let test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    let end = end_of(&bytes, "ocbak/state.tar.zst.age");
    bytes[end - 1] ^= 1;
    test.write("box.ocbak", bytes)
}

/// Where the content of a member ends.
fn end_of(archive: &[u8], member: &str) -> usize {
    let header = [member.as_bytes(), b"\0"].concat();
    let at = archive.windows(header.len()).rposition(|window| window == header).unwrap();
    let size = std::str::from_utf8(&archive[at + 124..at + 135]).unwrap();
    at + 512 + usize::from_str_radix(size, 8).unwrap()
}

#[test]
fn what_is_intact_comes_out_and_what_is_lost_is_named() {
    let test = damaged()
        .args(["restore", "box.ocbak", "--to", "all", "-i", "private.txt"])
        .stderr_has("hint: `ocbak verify --quick box.ocbak` says what is damaged")
        .stderr_has("; else `ocbak restore --salvage box.ocbak --to DIR` gets out what is intact\n")
        .ends_with(4)
        .args(["restore", "--salvage", "box.ocbak", "--to", "out", "-i", "private.txt"])
        .stdout_has("opened by its recipients slot\n")
        .stdout_has("lost: state/openclaw.json\n")
        .stdout_has("state: 0 whole, 0 authenticated only, 3 lost\n")
        .stdout_has("workspace: 2 whole, 0 authenticated only, 0 lost\n")
        .stdout_has(", 24 B, into out\n")
        .stderr_has("extended attributes that they had are lost")
        .ends_with(4);
    assert!(!test.path("all").exists());
    assert!(!test.path("out/state/openclaw.json").exists());
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap();
    assert_eq!(read("out/workspace/main/MEMORY.md"), "The user likes tests.\n");
}

#[test]
fn json_has_every_name() {
    let (_, document) = damaged()
        .args(["restore", "--salvage", "box.ocbak", "--to", "out", "-i", "private.txt", "--json"])
        .json(4);
    let [state, workspace] = [0, 1].map(|number| &document["payloads"][number]);
    assert_eq!(
        (&state["role"], &state["index_intact"], &state["cut"]),
        (&"state".into(), &true.into(), &().into())
    );
    assert_eq!(state["whole"], serde_json::json!([]));
    assert_eq!(state["lost"][2]["path"], "state/openclaw.json");
    assert_eq!(workspace["whole"][0]["path"], "workspace/main/MEMORY.md");
    assert_eq!(document["restored"]["bytes"], 24);
    assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_cut_archive_gives_what_stands_before_the_cut() {
    let test = Test::archived();
    let bytes = fs::read(test.path("box.ocbak")).unwrap();
    let cut = end_of(&bytes, "ocbak/workspace.tar.zst.age");
    let test = test
        .write("box.ocbak", &bytes[..cut])
        .args(["restore", "--salvage", "box.ocbak", "--to", "out", "-i", "private.txt", "-v"])
        .stdout_has("state: 3 whole, 0 authenticated only, 0 lost\n")
        .stdout_has("workspace: the index is damaged; what it does not list is authenticated only\n")
        .stdout_has("workspace: 0 whole, 2 authenticated only, 0 lost\n")
        .stderr_has("warning: `box.ocbak`: the file ends early: ")
        .stderr_has("whole: state/openclaw.json\n")
        .stderr_has("authenticated only: workspace/main/MEMORY.md\n")
        .ends_with(4);
    assert!(test.path("out/workspace/main/notes/a.md").exists());
    let cut = end_of(&bytes, "ocbak/state.tar.zst.age") - 10;
    let test = test
        .write("box.ocbak", &bytes[..cut])
        .args(["restore", "--salvage", "box.ocbak", "--to", "none", "-i", "private.txt"])
        .stderr_has("error: `box.ocbak`: nothing of the archive is left: ")
        .ends_with(4);
    assert!(!test.path("none").exists());
}

#[test]
fn a_sound_archive_is_restored_as_it_is() {
    Test::archived()
        .args(["restore", "--salvage", "box.ocbak", "--to", "out", "-i", "private.txt", "-q"])
        .stdout("")
        .success()
        .args(["restore", "--salvage", "box.ocbak", "--to", "one", "-i", "private.txt"])
        .args(["--only", "workspace", "--path", "**/*.md"])
        .stdout_has("workspace: 2 whole, 0 authenticated only, 0 lost\n")
        .success();
}

#[test]
fn a_salvage_replaces_nothing() {
    Test::archived()
        .args(["restore", "--salvage", "box.ocbak", "-i", "private.txt"])
        .stderr_has("--to <DIR>")
        .ends_with(2)
        .args(["restore", "--salvage", "box.ocbak", "--to", "out", "--dry-run", "-i", "private.txt"])
        .stderr_has("cannot be used with")
        .ends_with(2)
        .args(["restore", "--salvage", "box.ocbak", "--to", "state", "-i", "private.txt"])
        .stderr_has("`state` exists and is not empty")
        .ends_with(1);
}

#[test]
fn without_both_header_regions_every_command_says_what_is_lost() {
    let mut test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    let tail = bytes.len() - REGION - 1024;
    bytes[..REGION].fill(0);
    bytes[tail..tail + REGION].fill(0);
    test = test.write("box.ocbak", bytes);
    for args in [
        &["info"][..],
        &["list", "-i", "private.txt"],
        &["verify", "-i", "private.txt"],
        &["verify", "--quick"],
        &["restore", "-i", "private.txt", "--to", "out"],
        &["restore", "-i", "private.txt", "--to", "out", "--salvage"],
        &["extract", "-i", "private.txt", "--stdout", "state/openclaw.json"],
    ] {
        test = test
            .args([args[0], "box.ocbak"])
            .args(args[1..].iter().copied())
            .stderr_has(
                "error: `box.ocbak`: not an ocbak archive: this was one, but both copies of its header ",
            )
            .stderr_has(" are lost, and with them the key slots and the manifest\n")
            .stderr_has("hint: another copy of the archive may be whole; nothing can be had of this one\n")
            .ends_with(1);
    }
}
