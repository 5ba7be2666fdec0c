//! When this machine last found an archive sound, in ocbak's own local state.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use jiff::Timestamp;

use super::series::local_state;

/// Returns when an archive was last found sound here.
pub(crate) fn when(archive: &[u8; 16]) -> Option<Timestamp> {
    let path = local_state()?.join(DIRECTORY).join(hex::encode(archive));
    fs::read_to_string(path).ok()?.trim_end().parse().ok()
}

/// Remembers that an archive was found sound. What is not remembered is only not shown.
pub(crate) fn remember(archive: &[u8; 16]) {
    let _ = write(archive);
}

/// Forgets an archive that is removed.
pub(crate) fn forget(archive: &[u8; 16]) {
    if let Some(state) = local_state() {
        let _ = fs::remove_file(state.join(DIRECTORY).join(hex::encode(archive)));
    }
}

fn write(archive: &[u8; 16]) -> io::Result<()> {
    let directory = local_state().ok_or(io::ErrorKind::NotFound)?.join(DIRECTORY);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let path = directory.join(hex::encode(archive));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // Cut short by a crash, it is no time and counts as nothing.
    writeln!(file, "{}", Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default())
}

const DIRECTORY: &str = "verified";
