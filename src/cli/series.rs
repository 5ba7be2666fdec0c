//! The series of an installation: a random id that all its archives share (spec §6.2).
//!
//! Kept in ocbak's own local state, never in OpenClaw's, so that a drive with archives of two installations
//! can be told apart without any key.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ui::Ui;

/// Returns the id of the installation at `state_dir`, making it at the first time.
///
/// An archive without a series is a good archive: what goes wrong here is said under `--verbose` alone.
pub(crate) fn of(state_dir: &Path, ui: &Ui) -> Option<[u8; 16]> {
    let directory = directory()?;
    let real = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    match id(&directory, &name_of(&real)) {
        Ok(id) => Some(id),
        Err(error) => {
            let shown = directory.display();
            ui.detail(format_args!("no series, since its id cannot be kept in `{shown}`: {error}"));
            None
        }
    }
}

/// A name in the local state for a path.
pub(crate) fn name_of(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..16])
}

fn directory() -> Option<PathBuf> {
    Some(local_state()?.join("series"))
}

/// `$XDG_STATE_HOME/ocbak`, by the XDG base directory specification: what ocbak knows on this machine.
pub(crate) fn local_state() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(base.join("ocbak"))
}

fn id(directory: &Path, name: &str) -> io::Result<[u8; 16]> {
    let path = directory.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => return parse(&text),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Written aside and linked, so that of two first backups at a time both take the id of one.
    let aside = directory.join(format!("{name}.{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    writeln!(file, "{}", hex::encode(id))?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => parse(&fs::read_to_string(&path)?),
        result => result.map(|()| id),
    }
}

fn parse(text: &str) -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    hex::decode_to_slice(text.trim_end(), &mut id)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not 32 hex digits"))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn an_installation_keeps_its_id() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("ocbak/series");
        let first = id(&below, "a").unwrap();
        assert_eq!(id(&below, "a").unwrap(), first);
        assert_ne!(id(&below, "b").unwrap(), first);
        std::fs::write(below.join("c"), "nonsense\n").unwrap();
        assert!(id(&below, "c").is_err());
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 3);
    }
}
