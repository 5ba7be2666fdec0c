//! Opening archives with `tar`, `age` and `zstd` alone, by the text that the archive carries.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::cli::{Ran, Run};

/// Tells whether these programs can be run. Missing ones fail the test where `CI` is set.
pub fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| Run::new("sh").args(["-c", "command -v -- \"$1\"", "sh", program]).run().code != 0)
        .collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("programs missing: {missing:?}"));
    assert!(std::env::var_os("CI").is_none(), "programs missing: {missing:?}");
    false
}

/// Says that a test is not done, also where the output of tests is captured.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    // `eprintln!` would be captured.
    let line = format!("SKIPPED {test}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// What answers age's question for the secret.
pub enum Secret<'a> {
    /// A key file.
    Key(&'a Path),
    /// A passphrase, typed on a terminal.
    Passphrase(&'a str),
}

/// Unpacks an archive in the empty `directory` by the commands of its own RECOVERY.txt; the
/// trees are then in `directory/ocbak`.
#[track_caller]
pub fn recover(archive: &Path, secret: &Secret, directory: &Path) {
    fs::create_dir(directory).unwrap();
    Run::new("tar").arg("-xf").arg(archive).current_dir(directory).success();
    let members = directory.join("ocbak");
    let text = fs::read_to_string(members.join("RECOVERY.txt")).unwrap();
    for (payload, into) in [("state.tar.zst.age", "s"), ("workspace.tar.zst.age", "w")] {
        fs::create_dir(members.join(into)).unwrap();
        if members.join(payload).exists() {
            let command = command_for(&text, payload, matches!(secret, Secret::Key(_)));
            shell(&command, secret, &members).assert_silent_success();
            for tree in fs::read_dir(members.join(into)).unwrap() {
                let tree = tree.unwrap();
                fs::rename(tree.path(), members.join(tree.file_name())).unwrap();
            }
        }
        fs::remove_dir(members.join(into)).unwrap();
    }
}

/// Checks the key files of an unpacked archive as RECOVERY.txt says.
#[track_caller]
pub fn check_header(directory: &Path) {
    Run::new("sha256sum").args(["--quiet", "-c", "ocbak/header.sha256"]).current_dir(directory).success();
}

/// Finds the one command of the text that opens a payload, which is two lines; with a key it is changed as the
/// text says.
#[track_caller]
fn command_for(text: &str, payload: &str, with_key: bool) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let mut pairs = lines.windows(2).filter(|pair| pair[0].ends_with('|') && pair[1].contains(payload));
    let command = pairs.next().expect("no recovery command").join(" ");
    assert_eq!(pairs.next(), None, "two recovery commands");
    if !with_key {
        return command;
    }
    let (with_passphrase, with_key) = ("age -d passphrase.key.age", "age -d -i KEY recipients.key.age");
    for part in [with_passphrase, with_key] {
        assert!(text.replace('\n', " ").contains(&format!("\"{part}\"")), "the text does not say `{part}`");
    }
    command.replace(with_passphrase, with_key)
}

fn shell(line: &str, secret: &Secret, directory: &Path) -> Ran {
    let run = match secret {
        Secret::Key(key) => Run::new("bash")
            .args(["-eu", "-o", "pipefail", "-c"])
            .arg(line.replace(" KEY ", " \"$KEY\" "))
            .env("KEY", key),
        Secret::Passphrase(passphrase) => {
            Run::new("python3").args(["-c", TYPE_PASSPHRASE]).arg(line).env("PASSPHRASE", passphrase)
        }
    };
    run.current_dir(directory).run()
}

impl Ran {
    #[track_caller]
    fn assert_silent_success(&self) {
        assert_eq!(self.code, 0, "{self}");
    }
}

/// Runs a command on a terminal of its own and types the passphrase when it is asked for.
const TYPE_PASSPHRASE: &str = r#"
import os, pty, signal, sys
signal.alarm(120)  # a question that never comes must not wait for ever
pid, terminal = pty.fork()
if pid == 0:
    secret = os.environ.pop("PASSPHRASE")
    os.execvp("bash", ["bash", "-eu", "-o", "pipefail", "-c", sys.argv[1]])
said, typed = b"", False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # Linux: the other side is gone
        break
    if not piece:
        break
    said += piece
    if not typed and b"passphrase" in said:
        os.write(terminal, os.environ["PASSPHRASE"].encode() + b"\n")
        typed = True
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stderr.buffer.write(said)
sys.exit(code)
"#;
