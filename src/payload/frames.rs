//! The frames of a whole payload in order: decrypted ahead, decompressed on all cores (spec §8.4).

use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Decrypt;
use crate::error::{Error, Result};
use crate::format::index::Index;
use crate::format::manifest::Member;
use crate::payload::ahead::Ahead;
use crate::payload::codec::Decompressor;
use crate::payload::{spawn, workers};

/// Reads the tar of a payload from its start to its end.
pub(super) struct FrameReader {
    workers: Vec<Turn>,
    /// Frames received so far.
    received: usize,
    current: Vec<u8>,
    position: usize,
    /// Says at the end whether the member's digest held; `None` once joined.
    reader: Option<JoinHandle<Result<()>>>,
}

/// A compressed frame and the length of its content.
type Job = (Vec<u8>, usize);

/// What one worker decompressed, and the way back of its buffers.
struct Turn {
    frames: Receiver<Result<Vec<u8>>>,
    give_back: Sender<Vec<u8>>,
}

/// The way to a worker, and what comes back from it.
struct Dealt {
    jobs: SyncSender<Result<Job>>,
    reusable: Receiver<Vec<u8>>,
}

impl FrameReader {
    /// Starts reading a payload whose member begins at the start of `file`.
    ///
    /// # Errors
    ///
    /// `Io` when no thread can be started.
    pub(super) fn new<R: Read + Seek + Send + 'static>(
        identity: Arc<ArchiveIdentity>,
        file: R,
        name: &str,
        member: Member,
        index: &Index,
        threads: usize,
    ) -> Result<Self> {
        let frame_size = index.frame_size;
        let mut jobs = Vec::new();
        let mut results = Vec::new();
        for _ in 0..workers(threads, frame_size) {
            let (to_worker, from_reader) = sync_channel::<Result<Job>>(1);
            let (to_caller, from_worker) = sync_channel(1);
            let (compressed_back, compressed_reusable) = channel();
            let (tar_back, tar_reusable) = channel();
            spawn("decompress", move || {
                decompress(frame_size, &from_reader, &compressed_back, &to_caller, &tar_reusable);
            })?;
            jobs.push(Dealt { jobs: to_worker, reusable: compressed_reusable });
            results.push(Turn { frames: from_worker, give_back: tar_back });
        }
        let lengths = frame_lengths(index);
        let what = name.to_owned();
        let reader = spawn("decrypt", move || read(&identity, file, lengths, &jobs, member, &what))?;
        Ok(Self { workers: results, received: 0, current: Vec::new(), position: 0, reader: Some(reader) })
    }

    /// Fails unless all frames were read and the digest of the whole member held.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.position < self.current.len() || self.advance()? {
            return Err(Error::malformed("tar: goes on after its end"));
        }
        self.join()
    }

    /// Reads `count` bytes onto the end of `content`.
    pub(super) fn append(&mut self, mut count: u64, content: &mut Vec<u8>) -> Result<()> {
        while count > 0 {
            if self.position == self.current.len() && !self.advance()? {
                return Err(Error::malformed("tar: ends in the middle of an entry"));
            }
            let rest = &self.current[self.position..];
            let now = usize::try_from(count).map_or(rest.len(), |count| count.min(rest.len()));
            content.extend_from_slice(&rest[..now]);
            self.position += now;
            count -= now as u64;
        }
        Ok(())
    }

    /// Moves to the next frame; false at the end.
    fn advance(&mut self) -> Result<bool> {
        let Some(worker) = self.workers.get(self.received % self.workers.len().max(1)) else {
            return Ok(false);
        };
        match worker.frames.recv() {
            Ok(frame) => {
                // Nobody may want the buffer any more.
                let _ = worker.give_back.send(std::mem::replace(&mut self.current, frame?));
                self.position = 0;
                self.received += 1;
                Ok(true)
            }
            // All workers ended: the reader did too, and says whether well.
            Err(_) => self.join().map(|()| false),
        }
    }

    fn join(&mut self) -> Result<()> {
        match self.reader.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Read for FrameReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.current.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let rest = &self.current[self.position..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        // Without receivers every thread ends at its next frame.
        self.workers.clear();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn frame_lengths(index: &Index) -> Vec<(u32, u32)> {
    let frames = (0..).map_while(|number| index.frame(number));
    // Both are within the limits of a frame, far below 4 GiB.
    let small = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
    frames.map(|(range, length)| (small(range.end - range.start), small(length as u64))).collect()
}

/// Decrypts frame after frame and deals them out.
fn read<R: Read + Seek + Send + 'static>(
    identity: &ArchiveIdentity,
    file: R,
    lengths: Vec<(u32, u32)>,
    workers: &[Dealt],
    member: Member,
    name: &str,
) -> Result<()> {
    let mut file = Ahead::new(Decrypt::checked(file, name)?)?;
    let mut decrypt = Decrypt::begin(identity, &mut file, name)?;
    for ((compressed, length), worker) in lengths.into_iter().zip(workers.iter().cycle()) {
        let mut frame = worker.reusable.try_recv().unwrap_or_default();
        frame.resize(compressed as usize, 0);
        let job = decrypt.fill(&mut frame).map(|()| (frame, length as usize));
        let failed = job.is_err();
        if worker.jobs.send(job).is_err() || failed {
            return Ok(());
        }
    }
    let mut more = [0];
    let beyond = decrypt.read(&mut more).map_err(|error| Error::stream("read the archive", error))?;
    let (length, sha256) = file.finish()?;
    if beyond > 0 {
        return Err(Error::malformed(format!("`{name}` is longer than its frames")));
    }
    // §10 step 6: the whole ciphertext, not only the chunks that decrypted.
    if length != member.length || sha256 != member.sha256 {
        return Err(Error::tampered(format!("`{name}` does not match its digest")));
    }
    Ok(())
}

fn decompress(
    frame_size: u32,
    jobs: &Receiver<Result<Job>>,
    compressed_back: &Sender<Vec<u8>>,
    done: &SyncSender<Result<Vec<u8>>>,
    reusable: &Receiver<Vec<u8>>,
) {
    let mut decompressor = Decompressor::new();
    for job in jobs {
        let result = job.and_then(|(frame, length)| {
            let mut tar = reusable.try_recv().unwrap_or_default();
            decompressor.decompress(&frame, length, frame_size, &mut tar)?;
            // Nobody may want the buffer any more.
            let _ = compressed_back.send(frame);
            Ok(tar)
        });
        if done.send(result).is_err() {
            break;
        }
    }
}
