//! Encrypted members: writing them, and reading them from any place (spec §8.1, §10).

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::preflight::{self, Stanzas};
use crate::error::{Error, Result};

/// Encrypts what is written to it.
pub(crate) struct Encrypt<W: Write>(age::stream::StreamWriter<W>);

impl<W: Write> Encrypt<W> {
    /// Starts an age file for the archive identity.
    ///
    /// # Errors
    ///
    /// Those of `sink`.
    pub(crate) fn new(identity: &ArchiveIdentity, sink: W) -> Result<Self> {
        let recipient = identity.key.to_public();
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(|error| Error::invalid(format!("a member cannot be encrypted: {error}")))?
            .wrap_output(sink)
            .map(Self)
            .map_err(|error| Error::stream("write the archive", error))
    }

    /// Ends the age file; without this it does not decrypt.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn finish(self) -> Result<W> {
        self.0.finish().map_err(|error| Error::stream("write the archive", error))
    }
}

impl<W: Write> Write for Encrypt<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Plaintext that can be read from any place.
pub(crate) trait ReadPlain {
    /// Fills the buffer from `position` on.
    ///
    /// # Errors
    ///
    /// `Tampered` for what does not authenticate or is not there; those of the file.
    fn read_plain(&mut self, position: u64, buffer: &mut [u8]) -> Result<()>;

    /// Reads from `position` on up to the first byte that is lost, where the reader goes on behind a loss; returns how
    /// much that is.
    ///
    /// # Errors
    ///
    /// Those of the file; where no loss is expected, those of [`ReadPlain::read_plain`].
    fn read_up_to_loss(&mut self, position: u64, buffer: &mut [u8]) -> Result<usize> {
        self.read_plain(position, buffer).map(|()| buffer.len())
    }
}

/// Decrypts a member.
pub(crate) struct Decrypt<R> {
    reader: age::stream::StreamReader<BufReader<R>>,
    /// Name of the member, for errors.
    name: String,
}

impl<R: Read + Seek> Decrypt<R> {
    /// Reads and checks the age header of a member that begins at the start of `file`.
    ///
    /// # Errors
    ///
    /// `Malformed`, `Tampered` where it is not encrypted to the archive identity, those of `file`.
    pub(crate) fn new(identity: &ArchiveIdentity, file: R, name: &str) -> Result<Self> {
        Self::begin(identity, Self::checked(file, name)?, name)
    }

    /// Checks the age header of a member that begins at the start of `file`; for [`Decrypt::begin`] by a reader that
    /// cannot seek.
    ///
    /// # Errors
    ///
    /// `Malformed`, those of `file`.
    pub(crate) fn checked(mut file: R, name: &str) -> Result<R> {
        preflight::check(&mut file, Stanzas::Member).map_err(|error| named(name, error))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Error::stream("read the archive", error))?;
        Ok(file)
    }

    /// Authenticates the last chunk and returns the length of the plaintext.
    ///
    /// # Errors
    ///
    /// `Tampered` when the end is missing or damaged.
    pub(crate) fn authenticate_end(&mut self) -> Result<u64> {
        self.reader.seek(SeekFrom::End(0)).map_err(|error| self.failed(error))
    }

    /// Moves to `position`, which must be below the length that [`Decrypt::authenticate_end`] gave.
    ///
    /// # Errors
    ///
    /// As for reading.
    pub(crate) fn seek_to(&mut self, position: u64) -> Result<()> {
        self.reader.seek(SeekFrom::Start(position)).map(drop).map_err(|error| self.failed(error))
    }
}

impl<R: Read> Decrypt<R> {
    /// Reads the age header, which was checked.
    ///
    /// # Errors
    ///
    /// `Malformed`, `Tampered` where it is not encrypted to the archive identity, those of `file`.
    pub(crate) fn begin(identity: &ArchiveIdentity, file: R, name: &str) -> Result<Self> {
        // A small buffer: reading one file must not read much of the archive.
        let file = BufReader::with_capacity(1024, file);
        let decryptor = match age::Decryptor::new_buffered(file) {
            Ok(decryptor) => decryptor,
            Err(age::DecryptError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(Error::stream("read the archive", error));
            }
            Err(_) => {
                return Err(Error::malformed(format!("`{name}` is not an intact age file")));
            }
        };
        let reader =
            decryptor.decrypt(std::iter::once(&identity.key as &dyn age::Identity)).map_err(|_| {
                Error::tampered(format!("`{name}` is damaged, or not encrypted to this archive's identity"))
            })?;
        Ok(Self { reader, name: name.to_owned() })
    }

    /// Fills the buffer.
    ///
    /// # Errors
    ///
    /// `Tampered` for chunks that do not authenticate or end early; those of the file.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.reader.read_exact(buffer).map_err(|error| self.failed(error))
    }

    /// Tells what went wrong in age's reader.
    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Error::tampered(format!(
                "`{}` is damaged or cut: an encrypted chunk does not authenticate",
                self.name
            )),
            _ => Error::stream("read the archive", error),
        }
    }
}

/// Only after [`Decrypt::authenticate_end`], and below the length that it gave.
impl<R: Read + Seek> ReadPlain for Decrypt<R> {
    fn read_plain(&mut self, position: u64, buffer: &mut [u8]) -> Result<()> {
        self.seek_to(position)?;
        self.fill(buffer)
    }
}

impl<R: Read> Read for Decrypt<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| self.failed(error).into())
    }
}

fn named(name: &str, error: Error) -> Error {
    match error {
        Error::Malformed { what } => Error::malformed(format!("`{name}`: {what}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Write};

    use super::{ArchiveIdentity, Decrypt, Encrypt};
    use crate::error::ErrorKind;

    const CHUNK: usize = 64 * 1024;

    fn sealed(identity: &ArchiveIdentity, length: usize) -> (Vec<u8>, Vec<u8>) {
        let plain: Vec<u8> = b"seven \xff".iter().copied().cycle().take(length).collect();
        let mut writer = Encrypt::new(identity, Vec::new()).unwrap();
        writer.write_all(&plain).unwrap();
        (writer.finish().unwrap(), plain)
    }

    #[test]
    fn every_place_of_a_member_can_be_read() {
        let identity = ArchiveIdentity::generate();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let (bytes, plain) = sealed(&identity, length);
            let mut reader = Decrypt::new(&identity, Cursor::new(bytes), "m").unwrap();
            assert_eq!(reader.authenticate_end().unwrap(), length as u64);
            for start in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK, length.saturating_sub(1)] {
                if start < length {
                    reader.seek_to(start as u64).unwrap();
                    let mut rest = Vec::new();
                    reader.read_to_end(&mut rest).unwrap();
                    assert_eq!(rest, plain[start..], "{length} from {start}");
                }
            }
        }
    }

    #[test]
    fn a_cut_or_flipped_member_is_noticed() {
        let identity = ArchiveIdentity::generate();
        let (bytes, _) = sealed(&identity, 2 * CHUNK);
        for end in [bytes.len() - 1, bytes.len() - CHUNK, bytes.len() - CHUNK - 16] {
            let cut = Cursor::new(bytes[..end].to_vec());
            let mut reader = Decrypt::new(&identity, cut, "m").unwrap();
            assert_eq!(reader.authenticate_end().unwrap_err().kind(), ErrorKind::Tampered);
        }
        for at in [bytes.len() - 1, bytes.len() - CHUNK - 20] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let mut reader = Decrypt::new(&identity, Cursor::new(flipped), "m").unwrap();
            let mut plain = vec![0; 2 * CHUNK];
            assert_eq!(reader.fill(&mut plain).unwrap_err().kind(), ErrorKind::Tampered);
        }
    }
}
