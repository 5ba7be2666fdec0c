//! Reads and hashes on a thread of its own, beside whoever decrypts (spec §10 step 6).

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::payload::{join, spawn};

/// The content of a member, read before it is asked for.
pub(super) struct Ahead {
    piece: Vec<u8>,
    position: usize,
    /// `None` once there is nobody to take more.
    pieces: Option<Receiver<io::Result<Vec<u8>>>>,
    /// Pieces that were taken, for reuse.
    give_back: Sender<Vec<u8>>,
    thread: Option<JoinHandle<Result<Digest>>>,
}

/// The number of bytes and their SHA-256.
pub(super) type Digest = (u64, [u8; 32]);

impl Ahead {
    /// # Errors
    ///
    /// `Io` when no thread can be started.
    pub(super) fn new<R: Read + Send + 'static>(mut file: R) -> Result<Self> {
        let (to_taker, pieces) = sync_channel(QUEUE);
        let (give_back, free) = channel::<Vec<u8>>();
        let thread = spawn("read", move || {
            let (mut length, mut hash) = (0, Sha256::new());
            loop {
                let mut piece = free.try_recv().unwrap_or_default();
                piece.resize(PIECE, 0);
                let outcome = fill(&mut file, &mut piece);
                piece.truncate(*outcome.as_ref().unwrap_or(&0));
                hash.update(&piece);
                length += piece.len() as u64;
                let is_last = piece.len() < PIECE;
                // Nobody may want more.
                if to_taker.send(outcome.map(|_| piece)).is_err() || is_last {
                    return Ok((length, hash.finalize().into()));
                }
            }
        })?;
        Ok(Self { piece: Vec::new(), position: 0, pieces: Some(pieces), give_back, thread: Some(thread) })
    }

    /// Returns the digest of all that was read: of everything, where reading came to the end.
    ///
    /// # Errors
    ///
    /// None but that it was asked for before.
    pub(super) fn finish(mut self) -> Result<Digest> {
        self.pieces = None;
        join(&mut self.thread)
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.piece.len() {
            let Some(Ok(next)) = self.pieces.as_ref().map(Receiver::recv) else {
                return Ok(0);
            };
            // Nobody may want it any more.
            let _ = self.give_back.send(std::mem::replace(&mut self.piece, next?));
            self.position = 0;
        }
        let rest = &self.piece[self.position..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads until the buffer is full or the file at its end.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Large enough for few system calls, small enough to stay in the cache.
const PIECE: usize = 256 * 1024;
/// So many that nobody waits for each single one.
const QUEUE: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};

    use sha2::{Digest as _, Sha256};

    use super::{Ahead, PIECE};

    #[test]
    fn everything_comes_in_order_with_its_hash() {
        for length in [0, 1, PIECE, 2 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect();
            let mut ahead = Ahead::new(Cursor::new(bytes.clone())).unwrap();
            let mut read = Vec::new();
            ahead.read_to_end(&mut read).unwrap();
            assert!(read == bytes);
            let digest = (length as u64, Sha256::digest(&bytes).into());
            assert_eq!(ahead.finish().unwrap(), digest);
        }
    }

    #[test]
    fn an_error_of_the_file_is_told_and_an_early_end_is_no_trouble() {
        struct Bad;
        impl Read for Bad {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("a bad sector"))
            }
        }
        let mut ahead = Ahead::new(Cursor::new(vec![7; 3 * PIECE]).chain(Bad)).unwrap();
        let mut buffer = [0; 10];
        ahead.read_exact(&mut buffer).unwrap();
        let mut rest = Vec::new();
        let error = ahead.read_to_end(&mut rest).unwrap_err();
        assert_eq!((error.to_string().as_str(), rest.len()), ("a bad sector", 3 * PIECE - 10));
        let mut ahead = Ahead::new(io::repeat(1)).unwrap();
        ahead.read_exact(&mut buffer).unwrap();
        drop(ahead);
    }
}
