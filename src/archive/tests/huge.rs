//! A member of more than 8 GiB, as ocbak and as other programs see it: a sparse file, since only
//! what stands around the member matters here.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use crate::archive::Sealed;
use crate::format::block::BLOCK;
use crate::format::layout::{Layout, member_header};
use crate::format::manifest::tests::sample;
use crate::format::region::{Region, SlotKind};

#[test]
fn a_member_of_more_than_8_gib_is_one_for_every_program() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("huge.ocbak");
    write(&path);

    let sealed = Sealed::open(&path).unwrap();
    assert_eq!(sealed.damage(), []);
    assert_eq!(sealed.manifest().payloads[0].payload.length, LENGTH);

    let python =
        "import sys, tarfile\nfor member in tarfile.open(sys.argv[1], 'r:'): print(member.size, member.name)";
    for (program, arguments) in
        [("tar", vec!["-tvf"]), ("bsdtar", vec!["-tvf"]), ("python3", vec!["-c", python])]
    {
        let Ok(output) = Command::new(program).args(arguments).arg(&path).output() else {
            skip(&format!("no `{program}`"));
            continue;
        };
        let listing = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaints.is_empty(), "{program}: {complaints}");
        let line = |name: &str| {
            let mut lines = listing.lines().filter(|line| line.ends_with(name));
            lines.next_back().unwrap_or_else(|| panic!("{program} does not list `{name}`: {listing}"))
        };
        let size = LENGTH.to_string();
        assert!(line("ocbak/state.tar.zst.age").split_whitespace().any(|word| word == size), "{listing}");
        // Found only where the length before was understood.
        line("ocbak/workspace.index.zst.age");
        assert_eq!(
            listing.lines().filter(|line| line.ends_with("ocbak/RECOVERY.txt")).count(),
            2,
            "{listing}"
        );
    }
}

/// Writes everything of an archive but the content of its members.
fn write(path: &Path) {
    let mut manifest = sample();
    manifest.payloads[0].payload.length = LENGTH;
    let region = Region {
        manifest: manifest.encode().into_bytes(),
        mac: [b"0".repeat(64), b"\n".to_vec()].concat(),
        slots: vec![(SlotKind::Recipients, b"no slot".to_vec())],
    }
    .encode()
    .unwrap();
    let layout = Layout::new(&manifest).unwrap();
    let file = File::create(path).unwrap();
    file.set_len(layout.length).unwrap();
    file.write_all_at(&region, 0).unwrap();
    file.write_all_at(&region, layout.tail).unwrap();
    for place in layout.places {
        let header = member_header(&place.name, place.member.length);
        file.write_all_at(&header, place.content - BLOCK as u64).unwrap();
    }
}

/// Says so also where the output of tests is captured. CI has every program.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    std::io::stderr().write_all(format!("SKIPPED in part: {why}\n").as_bytes()).unwrap();
}

const LENGTH: u64 = (9 << 30) + 1;
