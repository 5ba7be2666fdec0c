//! What a person sees: messages and progress on stderr, the answer on stdout.

use std::env;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use console::{StyledObject, set_colors_enabled, set_colors_enabled_stderr, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
use rustix::io::Errno;
use serde::Serialize;
use serde_json::{Value, json};

use ocbak::{Error, Observer, sanitize};

use super::args::{Color, Global};
use super::failure::Failure;
use super::json::Escaped;

/// How the user wants to be spoken to, and what else holds for every command.
pub(crate) struct Ui {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
    pub(crate) threads: usize,
    pub(crate) config_file: Option<PathBuf>,
    /// Identities that the config file names.
    pub(crate) identities: Vec<PathBuf>,
    stop: Arc<AtomicBool>,
    warnings: Mutex<Vec<String>>,
}

impl Ui {
    pub(crate) fn new(global: &Global, stop: Arc<AtomicBool>) -> Self {
        // By itself, the library looks at each stream, and at `NO_COLOR`, even where that is empty, and `TERM`.
        if matches!(global.color, Color::Auto)
            && env::var_os("NO_COLOR").is_some_and(|value| value.is_empty())
        {
            let capable = env::var_os("TERM").is_some_and(|term| term != "dumb");
            set_colors_enabled(capable && io::stdout().is_terminal());
            set_colors_enabled_stderr(capable && io::stderr().is_terminal());
        }
        if !matches!(global.color, Color::Auto) || global.json {
            let wanted = matches!(global.color, Color::Always);
            set_colors_enabled(wanted && !global.json);
            set_colors_enabled_stderr(wanted);
        }
        Self {
            quiet: global.quiet,
            verbose: global.verbose,
            json: global.json,
            threads: global.threads,
            config_file: global.config_file.clone(),
            identities: Vec::new(),
            stop,
            warnings: Mutex::new(Vec::new()),
        }
    }

    /// One more of the same, with warnings of its own.
    #[cfg(feature = "plugins")]
    pub(crate) fn another(&self) -> Self {
        Self {
            stop: self.stop.clone(),
            config_file: self.config_file.clone(),
            identities: Vec::new(),
            warnings: Mutex::new(Vec::new()),
            ..*self
        }
    }

    /// Whether a signal asked to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Fails once a signal asked to stop.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.stopped() { Err(Error::Interrupted.into()) } else { Ok(()) }
    }

    /// Says something that a person should know and that stops nothing.
    pub(crate) fn warn(&self, message: impl fmt::Display) {
        let message = sanitize(message.to_string().as_bytes());
        lines([format!("{} {message}", label("warning:").yellow())]);
        self.kept().push(message);
    }

    /// Says something that is good to know and needs nobody's attention.
    pub(crate) fn note(&self, message: impl fmt::Display) {
        if !self.quiet {
            lines([format!("{} {}", label("note:").dim(), sanitize(message.to_string().as_bytes()))]);
        }
    }

    /// Says something that `--verbose` asks for.
    pub(crate) fn detail(&self, message: impl fmt::Display) {
        if self.verbose {
            lines([sanitize(message.to_string().as_bytes())]);
        }
    }

    /// Returns the warnings so far, for the document of `--json`.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.kept().clone()
    }

    /// Writes the document of `--json` for a failure.
    pub(crate) fn json_failure(&self, error: &Value) {
        if self.json {
            // The failure was said on stderr already.
            let _ = document(&json!({ "error": error, "warnings": self.warnings() }));
        }
    }

    /// Whether long work shall show how far it is.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Starts long work over `total` bytes, where that is known.
    pub(crate) fn progress(&self, verb: &'static str, total: Option<u64>) -> Progress<'_> {
        let bar = self.shows_progress().then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            let template = if total.is_some() {
                "{msg} {bar:24} {percent:>3}% {binary_bytes}/{binary_total_bytes} \
                 {binary_bytes_per_sec} {eta}"
            } else {
                "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(verb);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Progress { ui: self, bar }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        // A list of texts is whole even where another thread died.
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a line on stderr begins with.
pub(crate) fn label(text: &'static str) -> StyledObject<&'static str> {
    style(text).for_stderr().bold()
}

/// Writes lines to stderr. Where that is closed, there is nobody to tell.
pub(crate) fn lines(lines: impl IntoIterator<Item = String>) {
    let mut stderr = io::stderr().lock();
    for line in lines {
        let _ = writeln!(stderr, "{line}");
    }
}

/// Writes the document of `--json`.
pub(crate) fn document(document: &impl Serialize) -> Result<(), Failure> {
    let mut output = Output::new();
    output.document(document)?;
    output.finish()
}

/// Long work that a person watches; its bar goes away with it.
pub(crate) struct Progress<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
}

impl Observer for Progress<'_> {
    fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn warn(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.ui.warn(message)),
            None => self.ui.warn(message),
        }
    }

    fn cancelled(&self) -> bool {
        self.ui.stopped()
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Standard output. A reader that went away is no failure: what is written afterwards is dropped.
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    closed: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stdout: BufWriter::with_capacity(1 << 16, io::stdout().lock()), closed: false }
    }

    /// Whether the reader went away.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), Failure> {
        let written = writeln!(self.stdout, "{line}");
        self.settle(written)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.stdout.write_all(bytes);
        self.settle(written)
    }

    pub(crate) fn document(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        let written = serde_json::to_writer_pretty(Escaped(&mut self.stdout), document);
        self.settle(written.map_err(io::Error::from))?;
        self.line("")
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let written = self.stdout.flush();
        self.settle(written)
    }

    /// Ends what is worth nothing in part: here a reader that went away is a failure.
    pub(crate) fn finish_whole(mut self) -> Result<(), Failure> {
        let written = self.stdout.flush();
        self.settle(written)?;
        if self.closed { Err(Failure::Output(io::ErrorKind::BrokenPipe.into())) } else { Ok(()) }
    }

    fn settle(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(_) if self.closed => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Failure::Output),
        }
    }
}

/// Fails where standard output was closed before the program began.
///
/// Rust opens `/dev/null` in its place, for reading and writing; a shell's `> /dev/null` is for writing.
pub(crate) fn closed_stdout() -> Result<(), Failure> {
    let stdout = io::stdout();
    let facts = fstat(&stdout).ok().map(|facts| facts.st_rdev);
    let nothing = stat("/dev/null").ok().map(|facts| facts.st_rdev);
    let both = fcntl_getfl(&stdout).is_ok_and(|flags| flags.contains(OFlags::RDWR));
    if facts == nothing && both { Err(Failure::Output(Errno::BADF.into())) } else { Ok(()) }
}

/// A file's name as a terminal may see it.
pub(crate) fn shown(path: &Path) -> String {
    sanitize(path.as_os_str().as_encoded_bytes())
}

/// Shows a number of bytes: `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut whole = bytes;
    // Tenths are counted in integers; one place after the point is all that is shown.
    let mut tenths = 0;
    while whole >= 1024 {
        tenths = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    format!("{whole}.{tenths} {}", UNITS[unit - 1])
}

/// Shows a number with the noun it counts: `1 entry`, `2 entries`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::{count, size};

    #[test]
    fn sizes_have_one_place_and_a_binary_unit() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(size(u64::MAX), "15.9 EiB");
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(count(1, "entry", "entries"), "1 entry");
        assert_eq!(count(0, "entry", "entries"), "0 entries");
    }
}
