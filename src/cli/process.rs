//! What the process does about the system around it: no core dumps, enough open files, signals as a flag.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

use super::failure::Exit;

/// Keeps passphrases and keys out of core dumps and away from other processes' debuggers.
///
/// Where the system refuses, the work goes on: a dump needs a crash first.
pub(crate) fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Lets the process hold all parts of an archive open at a time; many systems begin with 1,024 or fewer.
pub(crate) fn allow_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if current.is_some_and(|current| current < wanted) {
        // Where this fails, the part that cannot be opened says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

const OPEN_FILES: u64 = 4096;

/// Returns a flag that the first signal to stop sets; a second signal ends the process at once.
pub(crate) fn stop_on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the first delivery must find the flag still unset here. A signal that
        // cannot be caught keeps its default, which ends the process too.
        let _ = flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, stop.clone());
        let _ = flag::register(signal, stop.clone());
    }
    // At the limit of a file's size, a write shall fail like any other: the default ends the process
    // at once, and would leave what was written.
    let _ = flag::register(SIGXFSZ, Arc::default());
    stop
}
