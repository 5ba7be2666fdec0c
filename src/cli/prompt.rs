//! Questions on the controlling terminal.
//!
//! What is typed or shown here passes by standard input, output and error, which may go to files.
//! However a question ends, the terminal echoes again afterwards.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use ocbak::Error;

use super::failure::Failure;
use super::ui::Ui;

/// The terminal at which somebody sits.
pub(crate) struct Terminal<'a> {
    file: File,
    ui: &'a Ui,
}

impl<'a> Terminal<'a> {
    /// Opens the terminal, if somebody sits there.
    ///
    /// A process whose three standard streams all go elsewhere runs in a script or a service: it
    /// must fail, not wait for an answer on a terminal that it happens to have.
    pub(crate) fn open(ui: &'a Ui) -> Option<Self> {
        let watched = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
        if !watched {
            return None;
        }
        let file = OpenOptions::new().read(true).write(true).open(TERMINAL).ok()?;
        Some(Self { file, ui })
    }

    /// Asks for a line that is not shown while it is typed.
    pub(crate) fn secret(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        let answer = {
            let _silence = Silence::keep(&self.file).map_err(|e| failure("read", e))?;
            self.show(question)?;
            self.read_line()
        };
        // The newline that was typed was not shown either.
        self.show("\n")?;
        answer
    }

    /// Asks a question that only `y` or `yes` agrees to.
    pub(crate) fn agrees(&self, question: &str) -> Result<bool, Failure> {
        self.show(question)?;
        let answer = self.read_line()?;
        Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    /// Asks for a line.
    #[cfg(feature = "plugins")]
    pub(crate) fn line(&self, question: &str) -> Result<String, Failure> {
        self.show(question)?;
        self.read_line().map(|line| line.to_string())
    }

    /// Shows a text and waits for Enter.
    pub(crate) fn acknowledge(&self, text: &str) -> Result<(), Failure> {
        self.show(text)?;
        self.read_line().map(drop)
    }

    fn show(&self, text: &str) -> Result<(), Failure> {
        (&self.file).write_all(text.as_bytes()).map_err(|source| failure("write to", source))
    }

    /// Reads a line without its newline; Ctrl-D instead of a line is a wish to stop.
    fn read_line(&self) -> Result<Zeroizing<String>, Failure> {
        // Of the full size from the start: growing would leave copies behind.
        let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
        loop {
            self.wait()?;
            let mut byte = Zeroizing::new([0]);
            match (&self.file).read(&mut *byte) {
                Ok(0) if line.is_empty() => return Err(Error::Interrupted.into()),
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) if line.len() < LONGEST => line.push(byte[0]),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure("read", error)),
            }
        }
        match std::str::from_utf8(&line) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(Failure::BadPassphrase { place: "the terminal".to_owned(), what: "is not UTF-8" }),
        }
    }

    /// Waits until something is typed or a signal asks to stop.
    fn wait(&self) -> Result<(), Failure> {
        // A signal just before `poll` is noticed at its end.
        let moment = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        loop {
            self.ui.check()?;
            let mut watched = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut watched, Some(&moment)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(failure("read", error.into())),
            }
        }
    }
}

/// Keeps the terminal from echoing while it lives.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn keep(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        // Also drops what was typed before the question stood there.
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn failure(action: &'static str, source: io::Error) -> Failure {
    Failure::File { action, path: Path::new(TERMINAL).to_owned(), source }
}

const TERMINAL: &str = "/dev/tty";

/// More than a terminal's line buffer takes.
const LONGEST: usize = 4096;
