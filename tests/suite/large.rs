//! A file of more than 8 GiB, the size that the octal field of a tar header does not hold.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::cli::Run;
use crate::support::scene::Scene;
use crate::support::stock;

#[test]
fn a_file_of_more_than_8_gib_goes_in_and_comes_out() {
    let scene = Scene::plain();
    let inbound = scene.state().join("media/inbound");
    let mut large = File::create(inbound.join("large.bin")).unwrap();
    large.set_len(SIZE).unwrap();
    for (at, text) in MARKS {
        large.seek(SeekFrom::Start(at)).unwrap();
        large.write_all(text).unwrap();
    }
    // Sorts after the large one, so that it lies beyond 8 GiB of tar.
    fs::write(inbound.join("later.txt"), "behind it\n").unwrap();
    scene.create();
    fs::remove_dir_all(scene.home()).unwrap();

    let listed = scene.with_key("list").args(["--json", LARGE, LATER]).success().json();
    let entries = listed["payloads"][0]["entries"].as_array().unwrap();
    assert_eq!(entries[0]["path"], LARGE);
    assert_eq!(entries[0]["size"], SIZE);
    assert_eq!(entries[1]["path"], LATER);

    let later = scene.with_key("extract").args([LATER, "--stdout"]).success();
    assert_eq!(later.text(), "behind it\n");

    scene.with_key("verify").success();

    scene.restoring("out").success();
    let large = scene.path("out").join(LARGE);
    let facts = fs::metadata(&large).unwrap();
    assert_eq!(facts.len(), SIZE);
    assert!(facts.blocks() * 512 <= 1 << 20, "{} blocks: not sparse", facts.blocks());
    let mut large = File::open(large).unwrap();
    for (at, text) in MARKS {
        let mut found = vec![0; text.len()];
        large.seek(SeekFrom::Start(at)).unwrap();
        large.read_exact(&mut found).unwrap();
        assert_eq!(found, text);
    }

    listed_by_stock_programs(&scene);
}

/// Expects that the tar of the payload is one for everybody.
fn listed_by_stock_programs(scene: &Scene) {
    if !stock::have(&["tar", "age", "zstd", "bash"]) {
        return;
    }
    Run::new("tar").arg("-xf").arg(scene.archive()).current_dir(&scene.path("")).success();
    let members = scene.path("ocbak");
    // As RECOVERY.txt says; only that the tar is kept, sparse.
    let open = "age -d -i \"$KEY\" recipients.key.age | age -d -i - state.tar.zst.age \
                | zstd -dq --sparse -o state.tar";
    Run::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", open])
        .env("KEY", scene.key())
        .current_dir(&members)
        .success();
    let tar = members.join("state.tar");
    for (program, arguments) in
        [("tar", vec!["-tvf"]), ("bsdtar", vec!["-tvf"]), ("python3", vec!["-c", PYTHON])]
    {
        if stock::have(&[program]) {
            let listed = Run::new(program).args(arguments).arg(&tar).success();
            assert_listed(listed.text(), LARGE, SIZE);
            assert_listed(listed.text(), LATER, 10);
        }
    }
    assert_record(&tar);
}

/// Expects a line that has both the size and, at its end, the name.
#[track_caller]
fn assert_listed(listing: &str, name: &str, size: u64) {
    let size = size.to_string();
    let found = listing
        .lines()
        .any(|line| line.ends_with(&format!(" {name}")) && line.split_whitespace().any(|word| word == size));
    assert!(found, "`{name}` of {size} bytes is not listed:\n{listing}");
}

/// Expects the size in an extended header, which every program understands, and not in base 256,
/// which only some do.
fn assert_record(tar: &Path) {
    let mut start = vec![0; 16 << 20];
    File::open(tar).unwrap().read_exact(&mut start).unwrap();
    let record = format!("19 size={SIZE}\n");
    assert!(start.windows(record.len()).any(|window| window == record.as_bytes()));
    let header = |window: &&[u8]| window.starts_with(LARGE.as_bytes()) && &window[257..262] == b"ustar";
    let header = start.chunks_exact(512).find(header).expect("no header block of the file");
    assert!(header[124] & 0x80 == 0, "the size is in base 256");
}

const SIZE: u64 = (8 << 30) + 1;
const LARGE: &str = "state/media/inbound/large.bin";
const LATER: &str = "state/media/inbound/later.txt";

/// What is in the large file, and where: at both ends and where 33 bits begin.
const MARKS: [(u64, &[u8]); 3] = [(0, b"FAKE head"), ((8 << 30) - 4, b"FAKE"), (SIZE - 1, b"!")];

const PYTHON: &str = "
import sys, tarfile
for member in tarfile.open(sys.argv[1], 'r:'):
    print(member.size, member.name)
";
