//! Repairing archives.

use std::fs;

use super::split::noise;
use super::support::Test;

/// A place in the payload, behind the header region.
const PAYLOAD: usize = 32 * 1024 + 600;

/// An archive with one byte of its payload changed, and what it was before.
fn damaged() -> (Test, Vec<u8>) {
    let test = Test::archived();
    let sound = fs::read(test.path("box.ocbak")).unwrap();
    let mut bytes = sound.clone();
    bytes[PAYLOAD] ^= 1;
    (test.write("box.ocbak", bytes), sound)
}

#[test]
fn damage_is_found_told_and_repaired_in_place() {
    let (test, sound) = damaged();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    bytes[100] ^= 1;
    let test = test
        .write("box.ocbak", bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("damaged: `ocbak/state.tar.zst.age` does not match its digest\n")
        .stdout_has("`ocbak repair box.ocbak` can put it right: 1 block of 4 KiB\n")
        .ends_with(4)
        .args(["repair", "box.ocbak"])
        .stdout_has("damaged: the head copy of the header region ")
        .stdout_has("damaged: `ocbak/state.tar.zst.age` ")
        .stdout_has("repaired: `box.ocbak`, with 1 block of 4 KiB rebuilt\n")
        .success();
    assert!(fs::read(test.path("box.ocbak")).unwrap() == sound);
    let test = test
        .args(["repair", "box.ocbak"])
        .stdout("nothing is damaged: not authenticated, no key was used\n")
        .success();
    assert_eq!(names(&test), ["box.ocbak"]);
}

#[test]
fn a_new_file_leaves_the_old_one_alone() {
    let (test, sound) = damaged();
    let bytes = fs::read(test.path("box.ocbak")).unwrap();
    let (test, document) = test.args(["repair", "box.ocbak", "--output", "new.ocbak", "--json"]).json(0);
    assert_eq!(document["output"], "new.ocbak");
    assert_eq!(document["repaired_blocks"], 1);
    assert_eq!(document["left"], serde_json::json!([]));
    assert_eq!(document["damage"][0], "`ocbak/state.tar.zst.age` does not match its digest");
    assert!(fs::read(test.path("box.ocbak")).unwrap() == bytes);
    assert!(fs::read(test.path("new.ocbak")).unwrap() == sound);
    test.args(["repair", "box.ocbak", "-o", "new.ocbak"]).stderr_has("exists already").ends_with(1);
}

#[test]
fn what_is_beyond_repair_stays_as_it_is() {
    let test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    let length = bytes.len();
    bytes[PAYLOAD..length - 34_000].fill(0);
    let mut test = test
        .write("box.ocbak", &bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("beyond repair: ")
        .ends_with(4);
    for output in [&[][..], &["-o", "new.ocbak"][..]] {
        test = test
            .args(["repair", "box.ocbak"])
            .args(output.iter().copied())
            .stderr_has("error: `box.ocbak`: beyond repair: ")
            .stderr_has("hint: nothing was changed")
            .ends_with(4);
        assert!(fs::read(test.path("box.ocbak")).unwrap() == bytes);
        assert_eq!(names(&test), ["box.ocbak"]);
    }
}

#[test]
fn without_parity_only_what_is_known_is_repaired() {
    let test = Test::installed()
        .args([
            "create",
            "-q",
            "--parity",
            "0",
            "--state-dir",
            "state",
            "-R",
            "public.txt",
            "-o",
            "box.ocbak",
        ])
        .success()
        .args(["info", "box.ocbak"])
        .stdout_has("parity     none\n")
        .success();
    let sound = fs::read(test.path("box.ocbak")).unwrap();
    let mut bytes = sound.clone();
    bytes[100] ^= 1;
    let test = test
        .write("box.ocbak", &bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("`ocbak repair box.ocbak` can put it right\n")
        .ends_with(4)
        .args(["repair", "box.ocbak"])
        .stdout_has("repaired: `box.ocbak`")
        .success();
    assert!(fs::read(test.path("box.ocbak")).unwrap() == sound);
    bytes[PAYLOAD] ^= 1;
    test.write("box.ocbak", bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has("beyond repair: the archive has no parity\n")
        .ends_with(4)
        .args(["repair", "box.ocbak"])
        .stderr_has("there is no parity to rebuild it with")
        .ends_with(4);
}

#[test]
fn an_archive_in_parts_is_repaired_into_one_file() {
    let test = Test::installed()
        .write("state/noise.bin", noise(2 << 20))
        .args([
            "create",
            "-q",
            "--split",
            "1M",
            "--state-dir",
            "state",
            "-R",
            "public.txt",
            "-o",
            "box.ocbak",
        ])
        .success();
    let mut second = fs::read(test.path("box.ocbak.002")).unwrap();
    second[5000] ^= 1;
    test.write("box.ocbak.002", second)
        .args(["repair", "box.ocbak.001"])
        .stderr_has("box.ocbak.001`: is not one file, which alone can be replaced")
        .stderr_has("hint: write the repaired archive to a new file with `--output NEW`")
        .ends_with(1)
        .args(["repair", "box.ocbak.001", "-o", "new.ocbak"])
        .stdout_has("repaired: `new.ocbak`, with 1 block of 4 KiB rebuilt\n")
        .success()
        .args(["verify", "new.ocbak", "-i", "private.txt"])
        .stdout_has("sound: ")
        .success();
}

#[test]
fn a_slot_that_is_lost_in_both_copies_needs_attention() {
    let test = Test::archived();
    let mut bytes = fs::read(test.path("box.ocbak")).unwrap();
    let tail = bytes.len() - 32 * 1024 - 1024;
    let slot = bytes.windows(10).position(|bytes| bytes == b"age-encryp").unwrap();
    bytes[slot + 200] ^= 1;
    bytes[tail + slot + 200] ^= 1;
    let test = test
        .write("box.ocbak", &bytes)
        .args(["repair", "box.ocbak"])
        .stdout_has(
            "left as it is: the head copy of the header region has a damaged `ocbak/recipients.key.age`\n",
        )
        .stdout_has("nothing else is damaged\n")
        .ends_with(3);
    assert!(fs::read(test.path("box.ocbak")).unwrap() == bytes);
    bytes[PAYLOAD] ^= 1;
    test.write("box.ocbak", &bytes)
        .args(["verify", "--quick", "box.ocbak"])
        .stdout_has(
            "`ocbak repair box.ocbak` can put it right: 1 block of 4 KiB, all but the header region\n",
        )
        .ends_with(4)
        .args(["repair", "box.ocbak"])
        .stdout_has("left as it is: the tail copy of the header region ")
        .stdout_has("repaired: `box.ocbak`, with 1 block of 4 KiB rebuilt\n")
        .ends_with(3);
}

fn names(test: &Test) -> Vec<String> {
    let names = fs::read_dir(test.path(".")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".ocbak")).collect()
}
