//! Writes a payload: the tar is cut into frames, compressed on all cores, encrypted and written in order (spec §8).
//!
//! The bytes of the frames do not depend on the number of threads. What is in flight is bounded by channels.

use std::io::{Read, Write};
use std::mem;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Encrypt;
use crate::error::{Error, Result};
use crate::payload::codec::Compressor;
use crate::payload::digest::DigestWriter;
use crate::payload::workers;

/// How a payload is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadOptions {
    /// Tar bytes in a frame.
    pub(crate) frame_size: u32,
    /// Level of zstd.
    pub(crate) level: i32,
    /// Threads that compress; 0 for all cores.
    pub(crate) threads: usize,
}

/// Takes the tar of a payload.
pub(crate) struct PayloadWriter<W> {
    /// The frame being filled; never longer than `frame_size`.
    frame: Vec<u8>,
    frame_size: usize,
    /// Frames sent so far.
    sent: usize,
    position: u64,
    workers: Vec<SyncSender<Vec<u8>>>,
    /// Frame buffers that come back for reuse.
    free: Receiver<Vec<u8>>,
    /// Ends when every worker has ended; `None` once joined.
    writer: Option<JoinHandle<Result<Written<W>>>>,
}

/// A payload that was written.
pub(crate) struct Written<W> {
    /// The sink.
    pub(crate) sink: W,
    /// Lengths of the compressed frames.
    pub(crate) frames: Vec<u64>,
    /// Length of the ciphertext.
    pub(crate) length: u64,
    /// SHA-256 of the ciphertext.
    pub(crate) sha256: [u8; 32],
}

impl<W: Write + Send + 'static> PayloadWriter<W> {
    /// Starts a payload on `sink`.
    ///
    /// # Errors
    ///
    /// Those of the sink; `Invalid` for a level that is not known.
    pub(crate) fn new(identity: &ArchiveIdentity, sink: W, options: PayloadOptions) -> Result<Self> {
        let encrypt = Encrypt::new(identity, DigestWriter::new(sink))?;
        let (give_back, free) = channel();
        let mut senders = Vec::new();
        let mut compressed = Vec::new();
        for _ in 0..workers(options.threads, options.frame_size) {
            let compressor = Compressor::new(options.level)?;
            let (to_worker, from_caller) = sync_channel(1);
            let (to_writer, from_worker) = sync_channel(1);
            let give_back = give_back.clone();
            spawn("compress", move || {
                compress(compressor, &from_caller, &to_writer, &give_back);
            })?;
            senders.push(to_worker);
            compressed.push(from_worker);
        }
        let writer = spawn("write", move || write(encrypt, &compressed))?;
        Ok(Self {
            frame: Vec::with_capacity(options.frame_size as usize),
            frame_size: options.frame_size as usize,
            sent: 0,
            position: 0,
            workers: senders,
            free,
            writer: Some(writer),
        })
    }

    /// Length of the tar so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Appends bytes to the tar.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.frame_size - self.frame.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.frame.extend_from_slice(now);
            self.grown(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Appends up to `size` bytes of `content`, handing each piece to `seen`; returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of the content and of the sink.
    pub(crate) fn copy(
        &mut self,
        content: &mut dyn Read,
        size: u64,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<u64> {
        let mut done = 0;
        while done < size {
            let start = self.frame.len();
            let room = (self.frame_size - start).min(PIECE);
            let wanted = usize::try_from(size - done).map_or(room, |left| left.min(room));
            // Read into the frame itself: no copy between file and compressor.
            self.frame.resize(start + wanted, 0);
            let count = match content.read(&mut self.frame[start..]) {
                Ok(count) => count,
                Err(error) => {
                    self.frame.truncate(start);
                    if error.kind() == std::io::ErrorKind::Interrupted {
                        continue;
                    }
                    return Err(Error::stream("read", error));
                }
            };
            self.frame.truncate(start + count);
            if count == 0 {
                break;
            }
            seen(&self.frame[start..]);
            self.grown(count)?;
            done += count as u64;
        }
        Ok(done)
    }

    /// Ends the payload and returns the sink.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn finish(mut self) -> Result<Written<W>> {
        if !self.frame.is_empty() {
            self.send()?;
        }
        self.join()
    }

    fn grown(&mut self, count: usize) -> Result<()> {
        self.position += count as u64;
        if self.frame.len() == self.frame_size {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let mut next = self.free.try_recv().unwrap_or_default();
        next.clear();
        next.reserve_exact(self.frame_size);
        let full = mem::replace(&mut self.frame, next);
        let turn = self.sent % self.workers.len().max(1);
        self.sent += 1;
        let sent = self.workers.get(turn).map(|worker| worker.send(full).is_ok());
        if sent == Some(true) {
            return Ok(());
        }
        // A worker only ends early when the writer did, and the writer says why.
        match self.join() {
            Err(error) => Err(error),
            Ok(_) => Err(Error::invalid("the payload was ended before")),
        }
    }

    fn join(&mut self) -> Result<Written<W>> {
        self.workers.clear();
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            // A panic of the writer goes on in the caller.
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(Error::invalid("the payload was ended before")),
        }
    }
}

impl<W> Drop for PayloadWriter<W> {
    /// Waits for the threads, so that nothing is written after an abandoned archive was removed.
    fn drop(&mut self) {
        self.workers.clear();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Compresses the frames of one worker's turn.
fn compress(
    mut compressor: Compressor,
    frames: &Receiver<Vec<u8>>,
    done: &SyncSender<Result<Vec<u8>>>,
    give_back: &Sender<Vec<u8>>,
) {
    for tar in frames {
        let mut frame = Vec::new();
        let result = compressor.compress(&tar, &mut frame).map(|()| frame);
        // Nobody may want the buffer any more.
        let _ = give_back.send(tar);
        if done.send(result).is_err() {
            break;
        }
    }
}

/// Writes the frames in order: the workers take turns.
fn write<W: Write>(
    mut encrypt: Encrypt<DigestWriter<W>>,
    workers: &[Receiver<Result<Vec<u8>>>],
) -> Result<Written<W>> {
    let mut frames = Vec::new();
    for worker in workers.iter().cycle() {
        let Ok(frame) = worker.recv() else {
            break;
        };
        let frame = frame?;
        encrypt.write_all(&frame).map_err(|error| Error::stream("write the archive", error))?;
        frames.push(frame.len() as u64);
    }
    let (sink, length, sha256) = encrypt.finish()?.finish();
    Ok(Written { sink, frames, length, sha256 })
}

pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    thread::Builder::new()
        .name(format!("ocbak-{name}"))
        .spawn(work)
        .map_err(|error| Error::stream("start a thread", error))
}

/// What is read and hashed at a time, small enough to stay in the cache.
const PIECE: usize = 128 * 1024;
