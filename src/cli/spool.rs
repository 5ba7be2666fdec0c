//! The file without a name in which an archive grows that goes to standard output.
//!
//! A head that holds the digests of what follows can only be written last, and a pipe cannot
//! seek. Only ciphertext goes here.

use std::fs::{File, OpenOptions, remove_file};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure::Failure;

/// Creates a file in `directory` that is gone when it is closed, however the program ends.
pub(crate) fn create(directory: &Path) -> Result<File, Failure> {
    let failed =
        |source| Failure::File { action: "create a temporary file in", path: directory.to_owned(), source };
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| failed(io::Error::other(error.to_string())))?;
    let path = directory.join(format!(".ocbak-spool-{}", hex::encode(random)));
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    remove_file(&path).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::create;

    #[test]
    fn the_file_has_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = create(directory.path()).unwrap();
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        file.write_all(b"abc").unwrap();
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
