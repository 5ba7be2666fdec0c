//! What the fuzzers of `fuzz/` begin with: the vectors, and the pieces that they are made of.

use std::fs;
use std::path::Path;

use crate::forge::REGION;
use crate::suite::Vector;
use crate::suite::parity::repairable;

#[test]
#[ignore = "writes fuzz/corpus"]
fn write_the_seeds() {
    for (number, (damaged, _)) in repairable().iter().enumerate() {
        seed("repair", &format!("damaged-{number}"), damaged);
    }
    for vector in Vector::all() {
        let archive = vector.forge.build();
        let payload = &vector.forge.state;
        seed("archive", vector.name, &archive);
        seed("repair", vector.name, &archive);
        seed("index", vector.name, &payload.plain().1);
        for (number, entry) in payload.entries.iter().enumerate() {
            let mut blocks = Vec::new();
            entry.append(&mut blocks);
            seed("tar_entry", &format!("{}-{number}", vector.name), &blocks);
        }
        if archive.len() > 2 * REGION + 1024 {
            let tail = &archive[archive.len() - REGION - 1024..][..REGION];
            seed("header_region", vector.name, &[&archive[..REGION], tail].concat());
        }
        if archive.starts_with(b"ocbak/manifest.toml\0") && archive.len() > REGION {
            let size = std::str::from_utf8(&archive[124..135]).unwrap();
            let length = usize::from_str_radix(size, 8).unwrap();
            seed("manifest", vector.name, &archive[512..512 + length]);
        }
    }
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    // The largest say no more to a fuzzer than others, and are slow.
    if bytes.len() <= 128 * 1024 {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), bytes).unwrap();
    }
}
