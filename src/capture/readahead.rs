//! Reads small files before their turn, several at a time, where each costs a wait for the disk.
//!
//! A disk answers many questions at once nearly as fast as one, and a backup by night finds nothing in memory. What
//! is in memory is read in turn: handing it over would cost more than reading it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use crate::capture::meta::{Kind, Meta};
use crate::capture::stable;
use crate::capture::xattr::{self, Xattrs};

/// A small file that stayed the same while it was read.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) meta: Meta,
    pub(crate) bytes: Vec<u8>,
    pub(crate) xattrs: Xattrs,
    room: Arc<Room>,
}

impl Drop for Early {
    fn drop(&mut self) {
        self.room.give_back(self.bytes.len());
    }
}

/// A name whose file may come early.
pub(crate) struct Coming(Option<Receiver<Early>>);

impl Coming {
    /// Of what is not to be read early.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Waits for the file; `None` where it is to be read in its turn.
    pub(crate) fn file(self) -> Option<Early> {
        self.0?.recv().ok()
    }
}

/// Threads that read, while reading takes long.
pub(crate) struct ReadAhead {
    /// `None` where no thread could be started.
    jobs: Option<Sender<Job>>,
    pace: Arc<Pace>,
}

struct Job {
    directory: Arc<OwnedFd>,
    name: CString,
    taker: SyncSender<Early>,
}

impl ReadAhead {
    /// Starts the threads, which wait.
    pub(crate) fn start<'scope>(scope: &'scope Scope<'scope, '_>, pace: Pace) -> Self {
        let (to_threads, jobs) = channel::<Job>();
        let (jobs, pace, room) = (Arc::new(Mutex::new(jobs)), Arc::new(pace), Arc::new(Room::default()));
        let mut started = false;
        for _ in 0..THREADS {
            let (jobs, pace, room) = (jobs.clone(), pace.clone(), room.clone());
            let next = move || jobs.lock().ok()?.recv().ok();
            let work = move || std::iter::from_fn(next).for_each(|job| job.run(&pace, &room));
            started |= Builder::new().name("ocbak-read".to_owned()).spawn_scoped(scope, work).is_ok();
        }
        Self { jobs: started.then_some(to_threads), pace }
    }

    /// How many names to ask for ahead; none while there is nothing to gain.
    pub(crate) fn window(&self) -> usize {
        if self.pace.is_slow() { WINDOW } else { 0 }
    }

    /// How long reading takes.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Asks for a file.
    pub(crate) fn ask(&self, directory: &Arc<OwnedFd>, name: &CStr) -> Coming {
        // Closing a file that SQLite has open in this process would take its locks away: these it has open while the
        // database before them is copied.
        let side: [&[u8]; 3] = [b"-wal", b"-shm", b"-journal"];
        if side.into_iter().any(|end| name.to_bytes().ends_with(end)) {
            return Coming::none();
        }
        let (taker, file) = sync_channel(1);
        let job = Job { directory: directory.clone(), name: name.to_owned(), taker };
        let asked = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        Coming(asked.then_some(file))
    }
}

impl Job {
    fn run(self, pace: &Pace, room: &Arc<Room>) {
        let start = Instant::now();
        let Ok(meta) = Meta::at(&self.directory, &*self.name) else {
            return;
        };
        // By another name it may be a database that is being copied, as above.
        let wanted = meta.kind == Kind::File && meta.links == 1 && meta.size <= SMALL;
        let size = usize::try_from(meta.size).unwrap_or(usize::MAX);
        if !wanted || !room.take(size) {
            return;
        }
        let mut early =
            Early { meta, bytes: Vec::with_capacity(size), xattrs: xattr::NONE, room: room.clone() };
        let file = stable::read_at_once(self.directory.as_fd(), &self.name, &meta, &mut early.bytes);
        let Some(file) = file else {
            early.bytes.clear();
            room.give_back(size);
            return;
        };
        early.xattrs = xattr::read(&file);
        pace.took(start.elapsed());
        // Nobody takes it where the work was ended.
        let _ = self.taker.send(early);
    }
}

/// Bytes that are read and not yet taken.
#[derive(Debug, Default)]
struct Room(AtomicI64);

impl Room {
    fn take(&self, size: usize) -> bool {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let fits = self.0.fetch_add(size, Ordering::Relaxed).saturating_add(size) <= MOST_BYTES;
        if !fits {
            self.0.fetch_sub(size, Ordering::Relaxed);
        }
        fits
    }

    fn give_back(&self, size: usize) {
        self.0.fetch_sub(i64::try_from(size).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// How long a small file takes to read, a moving average in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// Takes note of a file. (Of two at the same moment one may be lost: it is an average.)
    pub(crate) fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(LONGEST);
        let average = self.0.load(Ordering::Relaxed);
        self.0.store(average - average / WEIGHT + time / WEIGHT, Ordering::Relaxed);
    }

    fn is_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) > SLOW
    }

    #[cfg(test)]
    pub(crate) fn slow() -> Self {
        Self(AtomicU64::new(LONGEST))
    }
}

/// Disks and network drives gain up to here; the processor is not what they wait for.
const THREADS: usize = 8;
const WINDOW: usize = 128;
/// Larger files are read ahead by the system.
const SMALL: u64 = 128 << 10;
const MOST_BYTES: i64 = 8 << 20;
/// From memory it takes a tenth of this, from any disk more.
const SLOW: u64 = 50_000;
/// One pause of another reason does not count for many.
const LONGEST: u64 = 1_000_000;
const WEIGHT: u64 = 32;

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, File, hard_link};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::symlink;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::{MOST_BYTES, Pace, ReadAhead, SMALL};

    #[test]
    fn small_files_come_early_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "content").unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("one"), "").unwrap();
        hard_link(at("one"), at("two")).unwrap();
        symlink("file", at("link")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("a.sqlite-shm"), "").unwrap();
        File::create(at("large")).unwrap().set_len(SMALL + 1).unwrap();
        let handle = Arc::new(OwnedFd::from(File::open(directory.path()).unwrap()));
        thread::scope(|scope| {
            let ahead = ReadAhead::start(scope, Pace::default());
            let read = |name: &str| {
                let early = ahead.ask(&handle, &CString::new(name).unwrap()).file()?;
                assert_eq!(early.meta.size, early.bytes.len() as u64);
                Some(String::from_utf8(early.bytes.clone()).unwrap())
            };
            assert_eq!(read("file").as_deref(), Some("content"));
            assert_eq!(read("empty").as_deref(), Some(""));
            for name in ["one", "two", "link", "directory", "a.sqlite-shm", "large", "missing"] {
                assert_eq!(read(name), None, "{name}");
            }
        });
    }

    #[test]
    fn what_waits_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), vec![0; 100 << 10]).unwrap();
        let handle = Arc::new(OwnedFd::from(File::open(directory.path()).unwrap()));
        thread::scope(|scope| {
            let ahead = ReadAhead::start(scope, Pace::default());
            for _ in 0..2 {
                let coming: Vec<_> = (0..200).map(|_| ahead.ask(&handle, c"file")).collect();
                let files: Vec<_> = coming.into_iter().filter_map(super::Coming::file).collect();
                // What is taken makes room again.
                assert_eq!(i64::try_from(files.len()).unwrap(), MOST_BYTES / (100 << 10));
            }
        });
    }

    #[test]
    fn the_window_opens_while_reading_is_slow() {
        thread::scope(|scope| {
            let ahead = ReadAhead::start(scope, Pace::default());
            let windows = |time: u64| {
                for _ in 0..200 {
                    ahead.pace().took(Duration::from_micros(time));
                }
                ahead.window() > 0
            };
            assert!(!windows(5) && windows(100) && !windows(10));
            ahead.pace().took(Duration::from_secs(9));
            assert!(ahead.window() == 0, "one pause");
        });
    }
}
