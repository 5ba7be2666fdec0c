//! Runs the program in a directory of its own and compares what it says, in builder style.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory, and the next call of the program in it.
///
/// Every check consumes one call; the directory stays for the next.
pub(crate) struct Test {
    directory: TempDir,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    stdin: Vec<u8>,
    stdout: Option<String>,
    stderr: Option<String>,
    stdout_parts: Vec<String>,
    stderr_parts: Vec<String>,
}

impl Test {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            args: Vec::new(),
            variables: Vec::new(),
            stdin: Vec::new(),
            stdout: None,
            stderr: None,
            stdout_parts: Vec::new(),
            stderr_parts: Vec::new(),
        }
    }

    /// A directory with a small installation in `state`, and keys and passphrases in `*.txt`.
    pub(crate) fn installed() -> Self {
        Self::new()
            .write("state/openclaw.json", "{ \"gateway\": { \"port\": 18789 } }\n")
            .write("state/agents/main/sessions/sessions.json", "{}\n")
            .write("state/credentials/test/creds.json", "{ \"fake\": true }\n")
            .mode("state", 0o700)
            .mode("state/credentials", 0o700)
            .mode("state/credentials/test", 0o700)
            .write("state/workspace/MEMORY.md", "The user likes tests.\n")
            .write("state/workspace/notes/a.md", "a\n")
            .write("passphrase.txt", "an obviously fake passphrase\n")
            .write("wrong.txt", "another obviously fake one\n")
            .write("public.txt", PUBLIC)
            .write("private.txt", PRIVATE)
            .write("stranger.txt", STRANGER)
    }

    /// Makes it look as if this very process were the gateway of the installation.
    pub(crate) fn gateway(self) -> Self {
        let lock = format!("{{\"pid\":{},\"port\":18789}}    \n", std::process::id());
        self.write("state/tmp/openclaw-1000/gateway.state.lock", lock)
    }

    /// An installation and its archive `box.ocbak`, encrypted to `public.txt`.
    pub(crate) fn archived() -> Self {
        Self::installed()
            .args(["create", "-q", "--state-dir", "state", "-R", "public.txt", "-o", "box.ocbak"])
            .success()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        self.mode(name, 0o600)
    }

    pub(crate) fn mode(self, name: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(ToOwned::to_owned));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin.extend(bytes);
        self
    }

    /// Expects exactly this on stdout.
    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.stdout = Some(text.to_owned());
        self
    }

    /// Expects exactly this on stderr, which is empty otherwise where the call succeeds.
    pub(crate) fn stderr(mut self, text: &str) -> Self {
        self.stderr = Some(text.to_owned());
        self
    }

    /// Expects this somewhere on stdout.
    pub(crate) fn stdout_has(mut self, text: &str) -> Self {
        self.stdout_parts.push(text.to_owned());
        self
    }

    /// Expects this somewhere on stderr.
    pub(crate) fn stderr_has(mut self, text: &str) -> Self {
        self.stderr_parts.push(text.to_owned());
        self
    }

    pub(crate) fn success(mut self) -> Self {
        if self.stderr_parts.is_empty() {
            self.stderr.get_or_insert_default();
        }
        self.ends_with(0)
    }

    /// Calls the program and compares; then everything but the directory is as new.
    pub(crate) fn ends_with(self, code: i32) -> Self {
        self.run(code).0
    }

    /// As [`Test::ends_with`], and returns stdout.
    pub(crate) fn run(self, code: i32) -> (Self, Vec<u8>) {
        let mut child = program(self.directory.path())
            .args(&self.args)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may well end without reading.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = format!("{:?}\nstdout:\n{stdout}\nstderr:\n{stderr}", self.args);
        assert_eq!(output.status.code(), Some(code), "{said}");
        if let Some(expected) = &self.stdout {
            assert_eq!(stdout, *expected, "{said}");
        }
        if let Some(expected) = &self.stderr {
            assert_eq!(stderr, *expected, "{said}");
        }
        for part in &self.stdout_parts {
            assert!(stdout.contains(part), "no `{part}` in {said}");
        }
        for part in &self.stderr_parts {
            assert!(stderr.contains(part), "no `{part}` in {said}");
        }
        let next = Self { directory: self.directory, ..Self::new() };
        (next, output.stdout)
    }

    /// Calls the program and reads the document that it writes.
    pub(crate) fn json(self, code: i32) -> (Self, serde_json::Value) {
        let (next, stdout) = self.run(code);
        let document = serde_json::from_slice(&stdout).unwrap();
        (next, document)
    }
}

/// The program, with nothing around it but a directory.
pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocbak"));
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", directory);
    command
}

/// Made for these tests with `age-keygen`; protects nothing.
pub(crate) const PUBLIC: &str = "age14h6xca903nezaw406jg3um76ahkdmkwzvszvzacclqwwlgnuevwstdq5xc\n";
/// Belongs to [`PUBLIC`]; as public as that one.
pub(crate) const PRIVATE: &str =
    "# fake, for tests\nAGE-SECRET-KEY-12RZ9TK5AN3QZXCLCURCHAG36CJSHNC02N0CLDRJLJG22L2QDC6VQU2UNFS\n";
/// Belongs to no archive.
pub(crate) const STRANGER: &str =
    "# fake, for tests\nAGE-SECRET-KEY-1EY6A4KM6QGLX0ESV2HE527L0H8JGPG00HQPKQES8TXN2W7F94DYQ79LWHF\n";
