//! Hashes contents and writes the index on a thread of its own, beside whoever reads files (spec §9).

use std::io::{self, Write};
use std::mem;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node};
use crate::format::index::line::Line;
use crate::payload::write::{Frame, Tap};
use crate::payload::{join, spawn};

/// The entries on their way into an index, in order.
#[derive(Default)]
pub(super) struct Entries {
    /// What belongs to the frame being filled.
    steps: Vec<Step>,
    /// `None` once ended.
    batches: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<Result<Index>>>,
}

/// An index being written.
pub(super) type Index = zstd::Encoder<'static, Vec<u8>>;

enum Step {
    /// Bytes of the current content.
    Content(Range<usize>),
    /// The content is complete, and its hash is to be put into this entry.
    File(Entry),
    Line(Line),
}

/// Steps, and the bytes that they are about.
struct Batch {
    bytes: Bytes,
    steps: Vec<Step>,
}

enum Bytes {
    Frame(Frame),
    Copy(Vec<u8>),
}

impl Entries {
    /// Goes on with an index whose head is written.
    ///
    /// # Errors
    ///
    /// `Io` when no thread can be started.
    pub(super) fn new(mut index: Index) -> Result<Self> {
        let (batches, taken) = sync_channel(1);
        let thread = spawn("index", move || write(&mut index, &taken).map(|()| index))?;
        Ok(Self { steps: Vec::new(), batches: Some(batches), thread: Some(thread) })
    }

    /// Appends the line of an entry; a file's hash is that of all contents since the file before.
    pub(super) fn entry(&mut self, entry: Entry) {
        let is_file = matches!(entry.node, Node::File { .. });
        self.steps.push(if is_file { Step::File(entry) } else { Step::Line(Line::Entry(entry)) });
    }

    /// Appends any other line.
    pub(super) fn line(&mut self, line: Line) {
        self.steps.push(Step::Line(line));
    }

    /// Ends when every line is in the index, and returns it.
    ///
    /// # Errors
    ///
    /// Those of the index.
    pub(super) fn finish(mut self) -> Result<Index> {
        self.send(Bytes::Copy(Vec::new()));
        self.join()
    }

    /// False when the thread ended before, which it only does with an error.
    fn send(&mut self, bytes: Bytes) -> bool {
        let batch = Batch { bytes, steps: mem::take(&mut self.steps) };
        self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok())
    }

    fn join(&mut self) -> Result<Index> {
        self.batches = None;
        join(&mut self.thread)
    }
}

impl Tap for Entries {
    fn content(&mut self, place: Range<usize>) {
        self.steps.push(Step::Content(place));
    }

    fn frame(&mut self, frame: Frame) {
        // What went wrong is told when it ends.
        self.send(Bytes::Frame(frame));
    }

    fn relieve(&mut self, pending: &[u8]) -> Result<()> {
        if self.steps.len() < MOST_STEPS {
            return Ok(());
        }
        if self.send(Bytes::Copy(pending.to_vec())) { Ok(()) } else { self.join().map(drop) }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(index: &mut Index, batches: &Receiver<Batch>) -> Result<()> {
    let mut hash = Sha256::new();
    let mut lines = Vec::new();
    for Batch { bytes, steps } in batches {
        let bytes: &[u8] = match &bytes {
            Bytes::Frame(frame) => frame,
            Bytes::Copy(copy) => copy,
        };
        for step in steps {
            match step {
                Step::Content(place) => hash.update(&bytes[place]),
                Step::File(mut entry) => {
                    if let Node::File { sha256, .. } = &mut entry.node {
                        *sha256 = hash.finalize_reset().into();
                    }
                    lines.extend(Line::Entry(entry).encode()?);
                }
                Step::Line(line) => lines.extend(line.encode()?),
            }
            if lines.len() >= LINES {
                put(index, &mut lines)?;
            }
        }
        put(index, &mut lines)?;
    }
    Ok(())
}

/// The compressor takes large pieces more cheaply than single lines.
fn put(index: &mut Index, lines: &mut Vec<u8>) -> Result<()> {
    index.write_all(lines).map_err(|error: io::Error| Error::stream("write the archive", error))?;
    lines.clear();
    Ok(())
}

/// As many as a frame of the usual size has without any content.
const MOST_STEPS: usize = 4096;
const LINES: usize = 128 * 1024;
