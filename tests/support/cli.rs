//! Runs the program the way a shell does, in an environment that holds nothing of the tester's.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ocbak");

/// One run of a program, being put together.
pub struct Run {
    program: OsString,
    command: Command,
    shown: Vec<OsString>,
    stdin: Vec<u8>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    shown: String,
}

/// Starts a run of `ocbak` with these arguments.
pub fn ocbak<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Run {
    Run::new(PROGRAM).args(arguments)
}

impl Run {
    /// Starts a run of any program, without terminal input and with `PATH` as the only variable.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program.as_ref());
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { program: program.as_ref().to_owned(), command, shown: Vec::new(), stdin: Vec::new() }
    }

    /// Appends one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(argument.as_ref().to_owned());
        self.command.arg(argument);
        self
    }

    /// Appends arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(self, arguments: I) -> Self {
        arguments.into_iter().fold(self, Run::arg)
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working directory.
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives bytes to standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Returns the command, for a test that drives the process itself.
    pub fn into_command(mut self) -> Command {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command
    }

    /// Runs to the end.
    pub fn run(mut self) -> Ran {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let mut pipe = child.stdin.take().unwrap();
        let stdin = self.stdin;
        let writer = std::thread::spawn(move || {
            // A program that ends without reading its input is no failure of the test.
            let _ = pipe.write_all(&stdin);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let name = Path::new(&self.program).file_name().unwrap();
        let shown: Vec<_> = std::iter::once(name)
            .chain(self.shown.iter().map(OsString::as_os_str))
            .map(|word| word.to_string_lossy())
            .collect();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            shown: shown.join(" "),
        }
    }

    /// Runs and expects exit code 0.
    #[track_caller]
    pub fn success(self) -> Ran {
        self.code(0)
    }

    /// Runs and expects this exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Ran {
        let ran = self.run();
        assert_eq!(ran.code, code, "exit code of {ran}");
        ran
    }
}

impl Ran {
    /// Parses standard output as the one JSON document that `--json` promises.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("no single JSON document ({error}): {self}"))
    }

    /// Returns standard output as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Expects the shape of every failure: `error: ` with these words on one line, `caused by: `
    /// and `hint: ` lines after it, nothing on standard output.
    #[track_caller]
    pub fn fails_with(&self, words: &[&str]) -> &Self {
        assert!(self.stdout.is_empty(), "data beside a failure: {self}");
        let errors: Vec<_> = self.lines("error: ").collect();
        assert_eq!(errors.len(), 1, "not exactly one error line: {self}");
        for word in words {
            assert!(errors[0].contains(word), "`{word}` is missing: {self}");
        }
        assert!(!self.stderr.contains("panicked"), "a panic: {self}");
        self
    }

    /// Expects a hint that holds these words.
    #[track_caller]
    pub fn hints(&self, words: &str) -> &Self {
        assert!(self.lines("hint: ").any(|line| line.contains(words)), "no hint with `{words}`: {self}");
        self
    }

    /// Iterates over the lines of standard error that begin with `label`.
    fn lines<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        self.stderr.lines().filter(move |line| line.starts_with(label))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}`: exit {}\n--- stderr\n{}\n--- stdout\n{}",
            self.shown,
            self.code,
            self.stderr,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(2000)])
        )
    }
}
