//! Puts a growing file on the disk while it grows, so that its end waits for little.
//!
//! Without it the system may keep a gigabyte in memory, and whoever ends the file waits for all of it.

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Starts to write what was handed to the system, every so many bytes.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    /// Bytes since the last start.
    waiting: AtomicU64,
    thread: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    start: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writeback {
    /// Takes note of bytes that were written into `file`.
    pub(super) fn written(&self, file: &File, count: u64) {
        if self.waiting.fetch_add(count, Ordering::Relaxed).saturating_add(count) < EVERY {
            return;
        }
        let mut running = match self.thread.lock() {
            Ok(running) => running,
            Err(poisoned) => poisoned.into_inner(),
        };
        if running.is_none() {
            *running = start(file);
        }
        // Without a thread, or while it is busy, there is nothing to lose: the end writes everything in any case.
        let started = running.as_ref().map(|running| running.start.try_send(()));
        if !matches!(started, Some(Err(TrySendError::Full(())))) {
            self.waiting.store(0, Ordering::Relaxed);
        }
    }

    /// Waits for what was started.
    ///
    /// # Errors
    ///
    /// Those of the disk, which the system tells only once: to be asked before the file counts as written.
    pub(super) fn finish(&self) -> io::Result<()> {
        let running = match self.thread.lock() {
            Ok(mut running) => running.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        let Some(Running { start, thread }) = running else {
            return Ok(());
        };
        drop(start);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("writing to the disk was broken off")))
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        // The file is abandoned, or its end was asked for its errors.
        let _ = self.finish();
    }
}

fn start(file: &File) -> Option<Running> {
    let file = file.try_clone().ok()?;
    // Nothing waits in the channel: a start that comes while the thread is busy is for later.
    let (start, started) = sync_channel(0);
    let work = move || started.into_iter().try_for_each(|()| file.sync_data());
    let thread = Builder::new().name("ocbak-writeback".to_owned()).spawn(work).ok()?;
    Some(Running { start, thread })
}

/// Takes a fast disk some hundredths of a second, and a slow one less than to be noticed at the end.
const EVERY: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::{EVERY, Writeback};

    #[test]
    fn errors_of_the_disk_are_told_at_the_end() {
        let file = tempfile::tempfile().unwrap();
        let writeback = Writeback::default();
        for _ in 0..10 {
            writeback.written(&file, EVERY / 2);
        }
        writeback.finish().unwrap();
        writeback.finish().unwrap();

        // A pipe has no disk: to sync it is an error.
        let (_reader, writer) = std::io::pipe().unwrap();
        let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(writer));
        let writeback = Writeback::default();
        while writeback.thread.lock().unwrap().as_ref().is_none_or(|running| !running.thread.is_finished()) {
            writeback.written(&pipe, EVERY);
        }
        assert!(writeback.finish().is_err());
    }
}
