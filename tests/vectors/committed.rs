//! The files in `fixtures/v1`: a header, an empty line, and an archive compressed with zstd.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::suite::Vector;

/// The end of a vector's name.
const EXTENSION: &str = "vector";

/// Where a vector stands.
pub fn path(vector: &Vector) -> PathBuf {
    directory().join(vector.directory()).join(vector.name).with_extension(EXTENSION)
}

/// Reads all vectors that are committed: header and archive.
pub fn all() -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    ["valid", "invalid"]
        .iter()
        .flat_map(|half| fs::read_dir(directory().join(half)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .map(|path| {
            let (header, archive) = split(&fs::read(&path).unwrap());
            (path, (header, archive))
        })
        .collect()
}

fn split(bytes: &[u8]) -> (String, Vec<u8>) {
    let end = bytes.windows(2).position(|window| window == b"\n\n").unwrap() + 2;
    let header = String::from_utf8(bytes[..end].to_vec()).unwrap();
    (header, zstd::decode_all(&bytes[end..]).unwrap())
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1")
}
