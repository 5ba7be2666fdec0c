//! A terminal, made by `script`.
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::support::Test;

/// The program at a terminal, and somebody who types.
pub(crate) struct Session {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    pub(crate) shown: String,
}

impl Session {
    /// Starts a line of shell in which `$ocbak` is the program.
    pub(crate) fn start(test: &Test, line: &str) -> Self {
        Self::with(test, line, &[("NO_COLOR", "1")])
    }

    /// The same with variables.
    pub(crate) fn with(test: &Test, line: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", line, "/dev/null"])
            .current_dir(test.path("."))
            .env("ocbak", env!("CARGO_BIN_EXE_ocbak"))
            .env("SHELL", "/bin/sh")
            .env("HOME", test.path("."))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env_remove("OCBAK_PASSPHRASE")
            .env_remove("XDG_CONFIG_HOME")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keys: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            shown: String::new(),
            child,
        }
    }

    /// Reads the screen up to `text`, and forgets what was shown until then.
    pub(crate) fn wait_for(&mut self, text: &str) -> &mut Self {
        let mut byte = [0];
        let mut bytes = Vec::new();
        while !bytes.ends_with(text.as_bytes()) {
            let count = self.screen.read(&mut byte).unwrap();
            let so_far = String::from_utf8_lossy(&bytes);
            assert_eq!(count, 1, "the screen ends before `{text}`: {so_far}");
            bytes.push(byte[0]);
        }
        self.shown = String::from_utf8_lossy(&bytes).into_owned();
        self
    }

    pub(crate) fn type_in(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Returns the exit code and the rest of the screen.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, String::from_utf8_lossy(&rest).into_owned())
    }
}
