//! What this machine last found of an archive, in ocbak's own local state.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::series::{local_state, name_of};

/// Returns when an archive was last found sound here, whichever copy of it.
pub(crate) fn when(archive: &[u8; 16]) -> Option<Timestamp> {
    fs::read_to_string(sound(archive)?).ok()?.trim_end().parse().ok()
}

/// Returns when the archive in this file was last found damaged here; `None` where it was found sound since.
pub(crate) fn damaged(file: &Path, archive: &[u8; 16]) -> Option<Timestamp> {
    let text = fs::read_to_string(damage(file)?).ok()?;
    // Another archive may stand in its place.
    text.trim_end().strip_prefix(&hex::encode(archive))?.trim_start().parse().ok()
}

/// Remembers that an archive was found sound. What is not remembered is only not shown.
pub(crate) fn remember(file: &Path, archive: &[u8; 16]) {
    forget(file, archive);
    let _ = sound(archive).map(|path| write(&path, ""));
}

/// Remembers that an archive was found damaged.
pub(crate) fn remember_damage(file: &Path, archive: &[u8; 16]) {
    forget(file, archive);
    let _ = damage(file).map(|path| write(&path, &format!("{} ", hex::encode(archive))));
}

/// Forgets an archive that is removed, or was changed.
pub(crate) fn forget(file: &Path, archive: &[u8; 16]) {
    for path in [sound(archive), damage(file)].into_iter().flatten() {
        let _ = fs::remove_file(path);
    }
}

fn sound(archive: &[u8; 16]) -> Option<PathBuf> {
    Some(local_state()?.join("verified").join(hex::encode(archive)))
}

/// By its place: another copy of the same archive may be sound.
fn damage(file: &Path) -> Option<PathBuf> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let place = directory.unwrap_or(Path::new(".")).canonicalize().ok()?.join(file.file_name()?);
    Some(local_state()?.join("damaged").join(name_of(&place)))
}

/// Writes the time behind `text`.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // Cut short by a crash, it is no time and counts as nothing.
    writeln!(file, "{text}{}", Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default())
}
