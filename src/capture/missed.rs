//! Symbolic links that lead out of everything that is stored: only the link is in the archive.

use std::cell::Cell;
use std::fs;
use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::capture::roots::{PlannedRoot, Scope};
use crate::path::{ArchivePath, sanitize};

/// The links of one root to what is not in the archive.
#[derive(Debug, Default)]
pub(crate) struct Missed(u64);

impl Missed {
    /// Says what lies behind a link and is not in the archive; `None` where nothing is missed, or where
    /// so many links were named that nobody reads on.
    pub(crate) fn look(&mut self, scope: &Scope, root: &PlannedRoot, path: &ArchivePath) -> Option<String> {
        let missed = missed(scope, root, path)?;
        self.0 += 1;
        (self.0 <= MOST_NAMED).then_some(missed)
    }

    /// Says how many links there are that were not named.
    pub(crate) fn rest(&self) -> Option<String> {
        let more = self.0.saturating_sub(MOST_NAMED);
        (more > 0).then(|| format!("{more} more links in it lead to what is not in the archive"))
    }
}

const MOST_NAMED: u64 = 100;

fn missed(scope: &Scope, root: &PlannedRoot, path: &ArchivePath) -> Option<String> {
    let link = root.place_of(path);
    let look = move || {
        let place = fs::canonicalize(link)?;
        let facts = fs::metadata(&place)?;
        Ok((place, facts.is_dir() || facts.is_file()))
    };
    let (place, has_content) = match scope.patience.give(look) {
        Ok(found) => found,
        Err(error) if leads_nowhere(&error) => return None,
        Err(error) => return Some(format!("a link to what cannot be looked at: {error}")),
    };
    (has_content && scope.policy.misses(path, &place) && !scope.holds(&place)).then(|| {
        let place = sanitize(place.as_os_str().as_encoded_bytes());
        format!("a link to `{place}`, which is not in the archive")
    })
}

fn leads_nowhere(error: &io::Error) -> bool {
    let nowhere = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG];
    Errno::from_io_error(error).is_some_and(|error| nowhere.contains(&error))
}

/// How long a look at what may never answer is waited for: behind a link may be a mount whose server
/// is gone.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Cell<Duration>,
    /// Looks that still wait; each keeps a thread.
    lost: Cell<u32>,
}

impl Patience {
    pub(crate) fn new(first: Duration) -> Self {
        Self { left: Cell::new(first), lost: Cell::new(0) }
    }

    /// Looks in a thread of its own; `TimedOut` where that takes too long.
    fn give<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.lost.get() < MOST_LOST {
            let (sender, receiver) = channel();
            // Nobody listens any more to what comes too late.
            thread::Builder::new().spawn(move || drop(sender.send(look())))?;
            if let Ok(found) = receiver.recv_timeout(self.left.get()) {
                return found;
            }
            self.lost.set(self.lost.get() + 1);
            // The next link probably leads to the same mount.
            self.left.set(self.left.get().min(LATER));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(Duration::from_secs(5))
    }
}

const LATER: Duration = Duration::from_millis(200);
const MOST_LOST: u32 = 16;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use super::{MOST_LOST, Patience};

    #[test]
    fn what_does_not_answer_is_not_waited_for() {
        let patience = Patience::new(Duration::from_millis(20));
        let (sender, receiver) = channel::<()>();
        let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
        let start = Instant::now();
        for _ in 0..MOST_LOST + 100 {
            let receiver = receiver.clone();
            let error = patience.give(move || {
                // Ends with the test.
                let _ = receiver.lock().map(|receiver| receiver.recv());
                Ok(())
            });
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        drop(sender);
    }

    #[test]
    fn an_answer_is_given_as_it_is() {
        let patience = Patience::default();
        assert_eq!(patience.give(|| Ok(1)).unwrap(), 1);
        let error = patience.give::<()>(|| Err(io::ErrorKind::NotFound.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
