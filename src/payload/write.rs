//! Writes a payload: the tar is cut into frames, compressed on all cores, encrypted and written in order (spec §8).
//!
//! The bytes of the frames do not depend on the number of threads. What is in flight is bounded by channels.

use std::io::{Read, Write};
use std::mem;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Encrypt;
use crate::error::{Error, Result};
use crate::payload::codec::Compressor;
use crate::payload::noise::{self, is_noise};
use crate::payload::store::{Store, Stored};
use crate::payload::{join, spawn, workers};

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

/// Sees the frames before they are compressed, which goes on meanwhile.
pub(crate) trait Tap {
    /// The next content is at this place of the frame being filled.
    fn content(&mut self, place: Range<usize>);
    /// The frame is full, or the last.
    fn frame(&mut self, frame: Frame);
    /// Called between entries with what is in the frame being filled.
    fn relieve(&mut self, pending: &[u8]) -> Result<()>;
}

/// Takes the tar of a payload.
pub(crate) struct PayloadWriter<W, T> {
    tap: T,
    /// The frame being filled, always as long as a frame can be, and how much of it is.
    frame: Vec<u8>,
    filled: usize,
    /// Frames sent so far.
    sent: usize,
    position: u64,
    workers: Vec<SyncSender<Frame>>,
    /// Frame buffers that come back for reuse, and the way back.
    free: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
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

/// The tar bytes of a frame; the memory goes back when the last who has it lets it go.
#[derive(Clone)]
pub(crate) struct Frame {
    bytes: Arc<Vec<u8>>,
    length: usize,
    give_back: Sender<Vec<u8>>,
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(bytes) = Arc::into_inner(mem::take(&mut self.bytes)) {
            // Nobody may want the buffer any more.
            let _ = self.give_back.send(bytes);
        }
    }
}

impl<W: Write + Send + 'static, T: Tap> PayloadWriter<W, T> {
    /// Starts a payload on `sink`.
    ///
    /// # Errors
    ///
    /// Those of the sink; `Invalid` for a level that is not known.
    pub(crate) fn new(identity: &ArchiveIdentity, sink: W, options: PayloadOptions, tap: T) -> Result<Self> {
        let encrypt = Encrypt::new(identity, Store::new(sink)?)?;
        let (give_back, free) = channel();
        let mut senders = Vec::new();
        let mut turns = Vec::new();
        for _ in 0..workers(options.threads, options.frame_size) {
            let compressor = Compressor::new(options.level, options.frame_size)?;
            let (to_worker, from_caller) = sync_channel(1);
            let (to_writer, from_worker) = sync_channel(1);
            let (to_reuse, reusable) = channel();
            spawn("compress", move || compress(compressor, &from_caller, &to_writer, &reusable))?;
            senders.push(to_worker);
            turns.push(Turn { frames: from_worker, give_back: to_reuse });
        }
        let writer = spawn("encrypt", move || write(encrypt, &turns))?;
        Ok(Self {
            tap,
            frame: vec![0; options.frame_size as usize],
            filled: 0,
            sent: 0,
            position: 0,
            workers: senders,
            free,
            give_back,
            writer: Some(writer),
        })
    }

    /// Length of the tar so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Who sees the frames.
    pub(crate) fn tap(&mut self) -> &mut T {
        &mut self.tap
    }

    /// Lets the tap hand over what it has gathered, where that is much.
    ///
    /// # Errors
    ///
    /// Those of the tap.
    pub(crate) fn relieve(&mut self) -> Result<()> {
        self.tap.relieve(&self.frame[..self.filled])
    }

    /// Appends bytes to the tar.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.frame.len() - self.filled;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.frame[self.filled..][..now.len()].copy_from_slice(now);
            self.grown(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Appends up to `size` bytes of `content`, of which the tap hears; returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of the content and of the sink.
    pub(crate) fn copy(&mut self, content: &mut dyn Read, size: u64) -> Result<u64> {
        let mut done = 0;
        while done < size {
            // Read into the frame itself: no copy between file and compressor.
            let room = &mut self.frame[self.filled..];
            let wanted = usize::try_from(size - done).map_or(room.len(), |left| left.min(room.len()));
            let count = match content.read(&mut room[..wanted]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::stream("read", error)),
            };
            self.tap.content(self.filled..self.filled + count);
            self.grown(count)?;
            done += count as u64;
        }
        Ok(done)
    }

    /// Ends the payload; returns it and the tap.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub(crate) fn finish(mut self) -> Result<(Written<W>, T)>
    where
        T: Default,
    {
        if self.filled > 0 {
            self.send()?;
        }
        let written = self.join()?;
        Ok((written, mem::take(&mut self.tap)))
    }

    fn grown(&mut self, count: usize) -> Result<()> {
        self.position += count as u64;
        self.filled += count;
        if self.filled == self.frame.len() {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let next = self.free.try_recv().unwrap_or_else(|_| vec![0; self.frame.len()]);
        let full = Frame {
            bytes: Arc::new(mem::replace(&mut self.frame, next)),
            length: mem::take(&mut self.filled),
            give_back: self.give_back.clone(),
        };
        self.tap.frame(full.clone());
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
        join(&mut self.writer)
    }
}

impl<W, T> Drop for PayloadWriter<W, T> {
    /// Waits for the threads, so that nothing is written after an abandoned archive was removed.
    fn drop(&mut self) {
        self.workers.clear();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A frame as it is to be written.
enum Ready {
    Compressed(Vec<u8>),
    /// Nothing makes it smaller: as it is, with its checksum.
    Noise(Frame, [u8; 4]),
}

/// Compresses the frames of one worker's turn.
fn compress(
    mut compressor: Compressor,
    frames: &Receiver<Frame>,
    done: &SyncSender<Result<Ready>>,
    reusable: &Receiver<Vec<u8>>,
) {
    for tar in frames {
        let ready = if is_noise(&tar) {
            let checksum = noise::checksum(&tar);
            Ok(Ready::Noise(tar, checksum))
        } else {
            let mut frame = reusable.try_recv().unwrap_or_default();
            let result = compressor.compress(&tar, &mut frame);
            drop(tar);
            result.map(|()| Ready::Compressed(frame))
        };
        if done.send(ready).is_err() {
            break;
        }
    }
}

/// What one worker compressed, and the way back of its buffers.
struct Turn {
    frames: Receiver<Result<Ready>>,
    give_back: Sender<Vec<u8>>,
}

/// Encrypts the frames in order: the workers take turns.
fn write<W: Write + Send + 'static>(mut encrypt: Encrypt<Store<W>>, workers: &[Turn]) -> Result<Written<W>> {
    let failed = |error| Error::stream("write the archive", error);
    let mut frames = Vec::new();
    for worker in workers.iter().cycle() {
        let Ok(frame) = worker.frames.recv() else {
            break;
        };
        match frame? {
            Ready::Compressed(frame) => {
                encrypt.write_all(&frame).map_err(failed)?;
                frames.push(frame.len() as u64);
                // Nobody may want the buffer any more.
                let _ = worker.give_back.send(frame);
            }
            Ready::Noise(tar, checksum) => {
                frames.push(noise::write(&tar, checksum, &mut encrypt).map_err(failed)?);
            }
        }
    }
    let (sink, length, sha256): Stored<W> = encrypt.finish()?.finish()?;
    Ok(Written { sink, frames, length, sha256 })
}

#[cfg(test)]
mod tests;
