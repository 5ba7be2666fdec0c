//! Work in many pieces on several threads, with the outcome that one thread after the other would have.
//!
//! Pieces are begun in the order in which they are given. So every piece before one that failed was begun too, and the
//! first failure in that order is the same whatever the number of threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::error::{Error, Result};

/// Threads that work off pieces of type `P`.
pub(crate) struct Crew<'scope, P, T> {
    work: &'scope Work<'scope, P, T>,
    /// `None` where the caller's thread does the work itself.
    queue: Option<SyncSender<(usize, P)>>,
    members: Vec<ScopedJoinHandle<'scope, Outcomes<T>>>,
    failed: Arc<AtomicBool>,
    given: usize,
    /// Of the pieces done here.
    own: Outcomes<T>,
}

/// What is done with a piece.
pub(crate) type Work<'scope, P, T> = dyn Fn(P) -> Result<T> + Sync + 'scope;

/// What came of pieces, with their numbers.
type Outcomes<T> = Vec<(usize, Result<T>)>;

impl<'scope, P: Send + 'scope, T: Send + 'scope> Crew<'scope, P, T> {
    /// Starts `threads` threads (0 for all cores); none where one is enough.
    ///
    /// # Errors
    ///
    /// `Io` when no thread can be started.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        threads: usize,
        work: &'scope Work<'scope, P, T>,
    ) -> Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            wanted => wanted,
        };
        let threads = if threads == 1 { 0 } else { threads.min(MOST) };
        let failed = Arc::new(AtomicBool::new(false));
        let (queue, pieces) = sync_channel(threads);
        let pieces = Arc::new(Mutex::new(pieces));
        let mut members = Vec::new();
        for _ in 0..threads {
            let (pieces, failed) = (pieces.clone(), failed.clone());
            let member = thread::Builder::new()
                .name("ocbak-work".to_owned())
                .spawn_scoped(scope, move || work_off(work, &pieces, &failed))
                .map_err(|error| Error::stream("start a thread", error))?;
            members.push(member);
        }
        let queue = (threads > 0).then_some(queue);
        Ok(Self { work, queue, members, failed, given: 0, own: Vec::new() })
    }

    /// Gives the next piece; waits while enough are on their way.
    pub(crate) fn give(&mut self, piece: P) {
        let number = self.given;
        self.given += 1;
        match &self.queue {
            // Nobody takes it where all ended after a failure.
            Some(queue) => drop(queue.send((number, piece))),
            None if self.has_failed() => {}
            None => {
                let outcome = (self.work)(piece);
                self.failed.fetch_or(outcome.is_err(), Ordering::AcqRel);
                self.own.push((number, outcome));
            }
        }
    }

    /// Tells whether a piece failed, so that it is no use to give more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Waits for all; returns what came of the pieces before the first that failed, and its error.
    pub(crate) fn finish(self) -> (Vec<T>, Result<()>) {
        drop(self.queue);
        let mut outcomes = self.own;
        for member in self.members {
            match member.join() {
                Ok(more) => outcomes.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        let mut done = Vec::new();
        for (_, outcome) in outcomes {
            match outcome {
                Ok(one) => done.push(one),
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }
}

fn work_off<P, T>(
    work: &Work<'_, P, T>,
    pieces: &Mutex<Receiver<(usize, P)>>,
    failed: &AtomicBool,
) -> Outcomes<T> {
    let mut outcomes = Vec::new();
    // Looked at before a piece is taken: one that was taken may come before the one that failed.
    while !failed.load(Ordering::Acquire) {
        // Taking a piece cannot panic and leave the queue in between.
        let piece = pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, piece)) = piece else {
            break;
        };
        let outcome = work(piece);
        failed.fetch_or(outcome.is_err(), Ordering::AcqRel);
        outcomes.push((number, outcome));
    }
    outcomes
}

/// More threads than this wait for each other in the file system.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Crew;
    use crate::error::{Error, Result};

    /// Gives numbers to a crew; those in `bad` fail. Returns what it made and what it says.
    fn run(threads: usize, count: usize, bad: &[usize]) -> (Vec<usize>, Result<()>) {
        let work = |piece: usize| {
            if piece.is_multiple_of(3) {
                thread::yield_now();
            }
            if bad.contains(&piece) { Err(Error::invalid(piece.to_string())) } else { Ok(piece) }
        };
        thread::scope(|scope| {
            let mut crew = Crew::start(scope, threads, &work).unwrap();
            for piece in 0..count {
                crew.give(piece);
            }
            crew.finish()
        })
    }

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [0, 1, 2, 7] {
            let (made, outcome) = run(threads, 500, &[]);
            outcome.unwrap();
            assert!(made.into_iter().eq(0..500), "{threads} threads");
        }
    }

    #[test]
    fn the_first_failure_is_told_whatever_the_threads() {
        for threads in [1, 2, 3, 8] {
            for _ in 0..200 {
                let (made, outcome) = run(threads, 60, &[7, 8, 9, 30]);
                assert_eq!(outcome.unwrap_err().to_string(), "7");
                assert!(made.into_iter().eq(0..7), "{threads} threads");
            }
        }
    }

    #[test]
    fn after_a_failure_the_rest_is_not_begun() {
        for threads in [1, 4] {
            let begun = AtomicUsize::new(0);
            let work = |piece: usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                if piece == 0 { Err(Error::invalid("first")) } else { Ok(()) }
            };
            thread::scope(|scope| {
                let mut crew = Crew::start(scope, threads, &work).unwrap();
                crew.give(0);
                while !crew.has_failed() {
                    thread::yield_now();
                }
                (1..1000).for_each(|piece| crew.give(piece));
                crew.finish().1.unwrap_err();
            });
            // Each thread may have waited for one when it failed.
            assert!(begun.into_inner() <= 1 + threads);
        }
    }
}
