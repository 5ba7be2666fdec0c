//! Makes the copies of large databases while what lies before them in the archive is stored.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use crate::capture::scratch::Scratch;
use crate::capture::sqlite::{self, Moment, Snapshot};
use crate::capture::stable::Remark;

/// The copies to come, in the order of the archive. At most two are there at a time: one that is being stored, and
/// the next.
pub(crate) struct Ahead {
    expected: VecDeque<PathBuf>,
    copies: Receiver<Early>,
}

/// A copy made early, and what the files were like then.
struct Early {
    moment: Option<Moment>,
    snapshot: Result<Option<Snapshot>, Remark>,
}

impl Ahead {
    /// Begins to copy. Where no thread can be started, nothing comes, and whoever needs a copy makes it.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        databases: &'scope [PathBuf],
        scratch: &'scope Scratch,
    ) -> Self {
        // Nothing waits in the channel: the next copy is begun when this one was taken.
        let (to_taker, copies) = sync_channel(0);
        let started = Builder::new()
            .name("ocbak-databases".to_owned())
            .spawn_scoped(scope, move || copy(databases, scratch, &to_taker));
        let expected = if started.is_ok() { databases.iter().cloned().collect() } else { VecDeque::new() };
        Self { expected, copies }
    }

    /// Returns the copy of a database that is as it was when it was copied; `None` where there is none such.
    ///
    /// To be called before the database is opened otherwise: that would take SQLite's locks away.
    pub(crate) fn take(&mut self, path: &Path) -> Option<Result<Snapshot, Remark>> {
        let position = self.expected.iter().position(|expected| expected == path)?;
        // Those before it were not met again.
        let mut early = None;
        for _ in 0..=position {
            self.expected.pop_front();
            early = self.copies.recv().ok();
        }
        let Early { moment, snapshot } = early?;
        let is_current = moment.is_some() && moment == Moment::of(path);
        snapshot.transpose().filter(|_| is_current)
    }
}

fn copy(databases: &[PathBuf], scratch: &Scratch, taker: &SyncSender<Early>) {
    for path in databases {
        let moment = Moment::of(path);
        let snapshot = sqlite::snapshot_of(path, scratch);
        // Nobody takes it where the work was ended.
        if taker.send(Early { moment, snapshot }).is_err() {
            break;
        }
    }
}
