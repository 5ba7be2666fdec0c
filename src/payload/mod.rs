//! Entries to tar to frames to encrypted bytes, and back: parallel, in bounded memory (spec §8).

mod ahead;
mod codec;
pub(crate) mod crew;
pub(crate) mod digest;
mod frames;
mod noise;
pub(crate) mod random;
pub(crate) mod rebuild;
#[cfg(feature = "stages")]
pub(crate) mod stages;
mod store;
pub(crate) mod stream;
mod walk;
pub(crate) mod write;

use std::num::NonZero;
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};

/// Number of frames that are worked on at a time.
///
/// Each costs about five frames of memory and a context of the compressor, so that large frames get fewer
/// threads: what is in flight stays below 160 MiB whatever was asked for. That is twelve threads of the usual frames,
/// more than one thread can encrypt for.
fn workers(threads: usize, frame_size: u32) -> usize {
    let wanted = match threads {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        wanted => wanted,
    };
    let each = 5 * frame_size as usize + CONTEXT;
    wanted.clamp(1, (IN_FLIGHT / each).max(1))
}

/// Starts a thread.
///
/// # Errors
///
/// `Io` when the system has none to give.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    thread::Builder::new()
        .name(format!("ocbak-{name}"))
        .spawn(work)
        .map_err(|error| Error::stream("start a thread", error))
}

/// Waits for a thread and returns what it came to; a panic of it goes on in the caller.
///
/// # Errors
///
/// Those of the thread; `Invalid` when it was waited for before.
pub(crate) fn join<T>(thread: &mut Option<JoinHandle<Result<T>>>) -> Result<T> {
    match thread.take().map(JoinHandle::join) {
        Some(Ok(outcome)) => outcome,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => Err(Error::invalid("the payload was ended before")),
    }
}

const IN_FLIGHT: usize = 160 * 1024 * 1024;
const CONTEXT: usize = 3 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::workers;

    #[test]
    fn memory_bounds_the_number_of_threads() {
        assert_eq!(workers(2, 1 << 20), 2);
        assert_eq!(workers(64, 1 << 20), 20);
        assert_eq!(workers(64, 2 << 20), 12);
        assert_eq!(workers(64, 16 << 20), 1);
        assert!(workers(0, 1 << 20) >= 1);
    }
}
