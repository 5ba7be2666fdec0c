//! The frames of a whole payload in order: decrypted ahead, decompressed on all cores (spec §8.4).

use std::io::{self, Read, Seek};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::stream::Decrypt;
use crate::error::{Error, Result};
use crate::format::index::Index;
use crate::format::manifest::Member;
use crate::payload::codec::Decompressor;
use crate::payload::digest::DigestReader;
use crate::payload::{spawn, workers};

/// Reads the tar of a payload from its start to its end.
pub(super) struct FrameReader {
    workers: Vec<Receiver<Result<Vec<u8>>>>,
    /// Frames received so far.
    received: usize,
    current: Vec<u8>,
    position: usize,
    /// Says at the end whether the member's digest held; `None` once joined.
    reader: Option<JoinHandle<Result<()>>>,
}

/// A compressed frame and the length of its content.
type Job = (Vec<u8>, usize);

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
            spawn("decompress", move || {
                decompress(frame_size, &from_reader, &to_caller);
            })?;
            jobs.push(to_worker);
            results.push(from_worker);
        }
        let lengths = frame_lengths(index);
        let what = name.to_owned();
        let reader = spawn("read", move || read(&identity, file, lengths, &jobs, member, &what))?;
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
        match worker.recv() {
            Ok(frame) => {
                self.current = frame?;
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
fn read<R: Read + Seek>(
    identity: &ArchiveIdentity,
    file: R,
    lengths: Vec<(u32, u32)>,
    workers: &[SyncSender<Result<Job>>],
    member: Member,
    name: &str,
) -> Result<()> {
    let mut file = DigestReader::new(file);
    let mut decrypt = Decrypt::new(identity, &mut file, name)?;
    for ((compressed, length), worker) in lengths.into_iter().zip(workers.iter().cycle()) {
        let mut frame = vec![0; compressed as usize];
        let job = decrypt.fill(&mut frame).map(|()| (frame, length as usize));
        let failed = job.is_err();
        if worker.send(job).is_err() || failed {
            return Ok(());
        }
    }
    let mut more = [0];
    let beyond = decrypt.read(&mut more).map_err(|error| Error::stream("read the archive", error))?;
    let (length, sha256) = file.finish();
    if beyond > 0 {
        return Err(Error::malformed(format!("`{name}` is longer than its frames")));
    }
    // §10 step 6: the whole ciphertext, not only the chunks that decrypted.
    if length != member.length || sha256 != member.sha256 {
        return Err(Error::tampered(format!("`{name}` does not match its digest")));
    }
    Ok(())
}

fn decompress(frame_size: u32, jobs: &Receiver<Result<Job>>, done: &SyncSender<Result<Vec<u8>>>) {
    let mut decompressor = Decompressor::new();
    for job in jobs {
        let result = job.and_then(|(frame, length)| {
            let mut tar = Vec::new();
            decompressor.decompress(&frame, length, frame_size, &mut tar)?;
            Ok(tar)
        });
        if done.send(result).is_err() {
            break;
        }
    }
}
