//! Moments at which a program is killed, spread over its whole run.

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cli::Run;

/// How often the tests kill: `OCBAK_KILLS`, else a number that takes some seconds.
pub fn rounds() -> u32 {
    std::env::var("OCBAK_KILLS").map_or(40, |number| number.parse().unwrap())
}

/// Starts a run and kills it, if it did not end before; says whether it was killed.
pub fn kill_after(run: Run, time: Duration) -> bool {
    let start = Instant::now();
    let child = run.into_command().spawn().unwrap();
    sleep(time.saturating_sub(start.elapsed()));
    kill(child)
}

/// Kills a child, if it did not end before; says whether it was killed.
pub fn kill(mut child: Child) -> bool {
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// The time that a run takes here: the middle one of three.
pub fn length(mut run: impl FnMut()) -> Duration {
    let mut times = [(); 3].map(|()| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.sort();
    times[1]
}
