//! A command that prints a passphrase: a password manager's, for instance.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::VARIABLES;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;

/// Runs a line of shell and returns what it writes to standard output; `place` says whose line it is.
///
/// Standard input is not for it, as other secrets may come from there. What it says on standard error goes through;
/// what it writes to standard output is in no message.
pub(super) fn output(line: &OsStr, place: &str, ui: &Ui) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |source| Failure::File { action: "run", path: PathBuf::from(place), source };
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped());
    for name in VARIABLES {
        command.env_remove(name);
    }
    let mut child = Running(command.spawn().map_err(failed)?);
    let output = match child.0.stdout.take() {
        Some(stdout) => read(stdout, place, ui)?,
        None => Zeroizing::default(),
    };
    let status = child.0.wait().map_err(failed)?;
    // The same Ctrl-C ended both.
    ui.check()?;
    if !status.success() {
        return Err(Failure::PassphraseCommand { place: place.to_owned(), status });
    }
    Ok(output)
}

/// Reads to the end, or until a signal asks to stop.
fn read(mut stdout: ChildStdout, place: &str, ui: &Ui) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |source| Failure::File { action: "read from", path: PathBuf::from(place), source };
    // Of the full size from the start: growing would leave copies behind.
    let mut buffer = Zeroizing::new(vec![0; MOST]);
    let mut filled = 0;
    let moment = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    loop {
        ui.check()?;
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&moment)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(failed(error.into())),
        }
        if filled == buffer.len() {
            return Err(Failure::BadPassphrase { place: place.to_owned(), what: "comes with too much text" });
        }
        match stdout.read(&mut buffer[filled..]) {
            Ok(0) => {
                buffer.truncate(filled);
                return Ok(buffer);
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// A command that does not outlive the wait for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A manager may print more than the passphrase, behind its line.
const MOST: usize = 64 * 1024;
