//! A damaged member, chunk by chunk: each authenticates on its own, so that one that is lost takes no other with it
//! (spec §10.1).

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::preflight::{self, Stanzas};
use crate::crypto::stream::{Decrypt, ReadPlain};
use crate::error::{Error, Result};

/// Reads the plaintext of a member of which some chunks may be lost.
pub(crate) struct Chunks<R> {
    identity: Arc<ArchiveIdentity>,
    file: R,
    name: String,
    /// Length of the plaintext, as it follows from that of the member.
    length: u64,
    /// A reader that failed is in no state to go on from: there is another after each loss. With it, the number of the
    /// chunk that it reads next.
    reader: Option<(Decrypt<R>, u64)>,
    chunk: Vec<u8>,
    /// Which chunk that is.
    number: Option<u64>,
}

impl<R: Read + Seek + Clone> Chunks<R> {
    /// Begins with a member that stands at the start of `file` and is `length` bytes long, however many of these are
    /// there; without its age header, everything in it is lost.
    ///
    /// # Errors
    ///
    /// As of [`Decrypt::new`].
    pub(crate) fn new(identity: Arc<ArchiveIdentity>, file: R, length: u64, name: &str) -> Result<Self> {
        let reader = Decrypt::new(&identity, file.clone(), name)?;
        let mut start = file.clone();
        start.seek(SeekFrom::Start(0)).map_err(|error| Error::stream("read the archive", error))?;
        let header = preflight::check(&mut start, Stanzas::Member)?;
        let chunks = length.checked_sub(header as u64 + NONCE).filter(|chunks| *chunks >= TAG);
        let length = chunks
            .and_then(|chunks| chunks.checked_sub(chunks.div_ceil(CHUNK + TAG) * TAG))
            .ok_or_else(|| Error::malformed(format!("`{name}` is too short for an age file")))?;
        Ok(Self {
            identity,
            file,
            name: name.to_owned(),
            length,
            reader: Some((reader, 0)),
            chunk: Vec::new(),
            number: None,
        })
    }

    /// Returns the length of the plaintext.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the plaintext from `position`, which is below the length, to the end of its chunk.
    ///
    /// # Errors
    ///
    /// `Tampered` where the chunk is lost, which says nothing of others; those of the file.
    pub(crate) fn rest_of_chunk(&mut self, position: u64) -> Result<&[u8]> {
        let number = position / CHUNK;
        if self.number != Some(number) {
            self.number = None;
            self.load(number)?;
            self.number = Some(number);
        }
        // Within a chunk.
        let start = usize::try_from(position % CHUNK).unwrap_or(usize::MAX);
        Ok(self.chunk.get(start..).unwrap_or_default())
    }

    fn load(&mut self, number: u64) -> Result<()> {
        let start = number * CHUNK;
        let length = self.length.saturating_sub(start).min(CHUNK);
        self.chunk.resize(usize::try_from(length).unwrap_or_default(), 0);
        let mut reader = match self.reader.take() {
            Some((reader, next)) if next == number => reader,
            _ => {
                let mut file = self.file.clone();
                file.seek(SeekFrom::Start(0)).map_err(|error| Error::stream("read the archive", error))?;
                let mut reader = Decrypt::new(&self.identity, file, &self.name)?;
                if number > 0 && length > 1 {
                    // Straight to the start of a chunk, age would want to authenticate the last one too.
                    reader.seek_to(start + 1)?;
                    reader.seek_to(start)?;
                } else {
                    reader.seek_to(start)?;
                }
                reader
            }
        };
        reader.fill(&mut self.chunk)?;
        self.reader = Some((reader, number + 1));
        Ok(())
    }
}

impl<R: Read + Seek + Clone> ReadPlain for Chunks<R> {
    fn read_plain(&mut self, position: u64, buffer: &mut [u8]) -> Result<()> {
        if self.read_up_to_loss(position, buffer)? < buffer.len() {
            return Err(Error::tampered(format!("`{}` ends before its frames do", self.name)));
        }
        Ok(())
    }

    fn read_up_to_loss(&mut self, position: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let at = position.saturating_add(done as u64);
            if at >= self.length {
                break;
            }
            match self.rest_of_chunk(at) {
                Ok(rest) => {
                    let count = rest.len().min(buffer.len() - done);
                    buffer[done..done + count].copy_from_slice(&rest[..count]);
                    done += count;
                }
                Err(error) if error.is_damage() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// Plaintext of a chunk.
const CHUNK: u64 = 64 * 1024;
/// What a chunk is longer when encrypted.
const TAG: u64 = 16;
/// What stands between header and chunks.
const NONCE: u64 = 16;

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::sync::Arc;

    use super::{CHUNK, Chunks};
    use crate::crypto::identity::ArchiveIdentity;
    use crate::crypto::stream::{Encrypt, ReadPlain};
    use crate::error::ErrorKind;

    const SIZE: usize = 64 * 1024;

    /// The bytes of a member, and its plaintext.
    fn sealed(identity: &ArchiveIdentity, length: usize) -> (Vec<u8>, Vec<u8>) {
        let plain: Vec<u8> = b"seven \xff".iter().copied().cycle().take(length).collect();
        let mut writer = Encrypt::new(identity, Vec::new()).unwrap();
        writer.write_all(&plain).unwrap();
        (writer.finish().unwrap(), plain)
    }

    /// The chunks that can be read, in an order that goes back and forth.
    fn readable(identity: &Arc<ArchiveIdentity>, bytes: Vec<u8>, length: u64, plain: &[u8]) -> Vec<usize> {
        let mut chunks = Chunks::new(identity.clone(), Cursor::new(bytes), length, "m").unwrap();
        assert_eq!(chunks.length(), plain.len() as u64);
        let count = plain.len().div_ceil(SIZE);
        let mut found = Vec::new();
        for number in (0..count).chain((0..count).rev()) {
            let expected = &plain[number * SIZE..plain.len().min((number + 1) * SIZE)];
            match chunks.rest_of_chunk(number as u64 * CHUNK) {
                Ok(chunk) => {
                    assert!(chunk == expected, "{number}");
                    found.push(number);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Tampered),
            }
        }
        let (there, back) = found.split_at(found.len() / 2);
        assert!(there.iter().eq(back.iter().rev()), "{found:?}");
        there.to_vec()
    }

    #[test]
    fn a_lost_chunk_takes_no_other_with_it() {
        let identity = Arc::new(ArchiveIdentity::generate());
        for length in [1, SIZE, 4 * SIZE, 4 * SIZE + 1, 4 * SIZE + 700] {
            let (bytes, plain) = sealed(&identity, length);
            let all: Vec<usize> = (0..length.div_ceil(SIZE)).collect();
            let start = bytes.len() - length - 16 * all.len();
            assert_eq!(readable(&identity, bytes.clone(), bytes.len() as u64, &plain), all);
            for lost in &all {
                let mut damaged = bytes.clone();
                damaged[start + lost * (SIZE + 16)] ^= 1;
                let rest: Vec<usize> = all.iter().copied().filter(|number| number != lost).collect();
                assert_eq!(readable(&identity, damaged, bytes.len() as u64, &plain), rest, "{length}");
            }
        }
    }

    #[test]
    fn what_stands_before_a_cut_comes_out() {
        let identity = Arc::new(ArchiveIdentity::generate());
        let (bytes, plain) = sealed(&identity, 5 * SIZE + 9);
        let start = bytes.len() - plain.len() - 16 * 6;
        for (cut, expected) in [(0, 0), (SIZE, 0), (SIZE + 16, 1), (3 * (SIZE + 16) + 1, 3)] {
            for zeros in [false, true] {
                let mut short = bytes[..start + cut].to_vec();
                if zeros {
                    short.resize(bytes.len(), 0);
                }
                let found = readable(&identity, short, bytes.len() as u64, &plain);
                assert_eq!(found, (0..expected).collect::<Vec<_>>(), "{cut} {zeros}");
            }
        }
    }

    #[test]
    fn plaintext_across_chunks_and_beyond_the_end() {
        let identity = Arc::new(ArchiveIdentity::generate());
        let (bytes, plain) = sealed(&identity, 2 * SIZE + 9);
        let length = bytes.len() as u64;
        let mut chunks = Chunks::new(identity, Cursor::new(bytes), length, "m").unwrap();
        let mut buffer = vec![0; SIZE + 55];
        chunks.read_plain(CHUNK - 50, &mut buffer).unwrap();
        assert!(buffer == plain[SIZE - 50..2 * SIZE + 5]);
        let error = chunks.read_plain(2 * CHUNK, &mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tampered);
    }
}
