//! Hashes and writes on a thread of its own, beside whoever encrypts (spec §8.1).

use std::io::{self, Write};
use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::payload::digest::DigestWriter;
use crate::payload::{join, spawn};

/// A sink that takes over what is written to it in large pieces.
pub(super) struct Store<W> {
    piece: Vec<u8>,
    /// `None` once ended.
    pieces: Option<SyncSender<Vec<u8>>>,
    /// Pieces that were written, for reuse.
    free: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<Result<Stored<W>>>>,
}

/// The sink, the number of bytes and their SHA-256.
pub(super) type Stored<W> = (W, u64, [u8; 32]);

impl<W: Write + Send + 'static> Store<W> {
    /// # Errors
    ///
    /// `Io` when no thread can be started.
    pub(super) fn new(sink: W) -> Result<Self> {
        let (pieces, taken) = sync_channel::<Vec<u8>>(QUEUE);
        let (give_back, free) = channel();
        let thread = spawn("store", move || {
            let mut sink = DigestWriter::new(sink);
            for mut piece in taken {
                sink.write_all(&piece).map_err(failed)?;
                piece.clear();
                // Nobody may want it any more.
                let _ = give_back.send(piece);
            }
            Ok(sink.finish())
        })?;
        Ok(Self { piece: Vec::with_capacity(PIECE), pieces: Some(pieces), free, thread: Some(thread) })
    }

    /// Ends when everything is written.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(super) fn finish(mut self) -> Result<Stored<W>> {
        if self.send().is_ok() {
            self.pieces = None;
        }
        self.join()
    }

    /// Sends what there is; fails when the thread ended before, which it only does with an error.
    fn send(&mut self) -> Result<(), ()> {
        let next = self.free.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
        let piece = mem::replace(&mut self.piece, next);
        self.pieces.as_ref().map_or(Err(()), |pieces| pieces.send(piece).map_err(drop))
    }

    fn join(&mut self) -> Result<Stored<W>> {
        self.pieces = None;
        join(&mut self.thread)
    }
}

impl<W: Write + Send + 'static> Write for Store<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE && self.send().is_err() {
            let ended = || Error::invalid("the payload was ended before");
            return Err(self.join().err().unwrap_or_else(ended).into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> Drop for Store<W> {
    /// Waits for the thread, so that nothing is written after an abandoned archive was removed.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::stream("write the archive", error)
}

/// Large enough for few system calls, small enough to stay in the cache.
const PIECE: usize = 256 * 1024;
/// So many that nobody waits for each single one.
const QUEUE: usize = 16;

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use sha2::{Digest as _, Sha256};

    use super::{PIECE, QUEUE, Store};

    #[test]
    fn everything_arrives_in_order_with_its_hash() {
        for length in [0, 1, PIECE, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect();
            let mut store = Store::new(Vec::new()).unwrap();
            for piece in bytes.chunks(65_552) {
                store.write_all(piece).unwrap();
            }
            let (sink, count, sha256) = store.finish().unwrap();
            assert!(sink == bytes && count == length as u64);
            assert_eq!(sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_error_of_the_sink_is_told() {
        let mut store = Store::new(Full).unwrap();
        // One piece is taken and as many as the queue holds wait; the next one finds nobody.
        let error = store.write_all(&vec![0; (QUEUE + 2) * PIECE]).unwrap_err();
        assert_eq!(crate::Error::stream("write", error).kind(), crate::ErrorKind::Io);
        let mut store = Store::new(Full).unwrap();
        store.write_all(b"a").unwrap();
        assert!(store.finish().is_err());
    }
}
