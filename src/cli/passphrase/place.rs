//! The places that a passphrase may come from, and how it is read there.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Secret, command};
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;

/// The places that may give one passphrase.
pub(super) struct Places<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) fd: Option<u16>,
    pub(super) command: Option<&'a str>,
    pub(super) names: &'static Names,
}

/// What the places of one passphrase are called.
pub(super) struct Names {
    file: &'static str,
    fd: &'static str,
    command: &'static str,
    variable: &'static str,
    command_variable: &'static str,
}

impl Places<'_> {
    /// Reads the passphrase from the one place given; none is no error here.
    pub(super) fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        let names = self.names;
        let variable = env::var_os(bare(names.variable));
        let in_variable = env::var_os(bare(names.command_variable));
        let given: Vec<&'static str> = [
            (self.file.is_some(), names.file),
            (self.fd.is_some(), names.fd),
            (self.command.is_some(), names.command),
            (variable.is_some(), names.variable),
            (in_variable.is_some(), names.command_variable),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect();
        if let [first, second, ..] = given[..] {
            return Err(Failure::Conflict { first, second });
        }
        let (place, text) = if let Some(value) = variable {
            let place = names.variable.to_owned();
            let bytes = Zeroizing::new(value.into_encoded_bytes());
            let text = first_line(&mut bytes.as_slice(), &place)?;
            (place, text)
        } else if let (Some(text), Some(name)) =
            (self.command.map(AsRef::as_ref).or(in_variable.as_deref()), given.first())
        {
            let place = format!("the command of {name}");
            let output = command::output(text, &place, ui)?;
            let text = first_line(&mut output.as_slice(), &place)?;
            (place, text)
        } else if self.takes_stdin() {
            let place = "standard input".to_owned();
            let text = first_line(&mut io::stdin().lock(), &place)?;
            (place, text)
        } else if let Some(number) = self.fd {
            // A descriptor number cannot be taken over without `unsafe`; opening it anew can.
            let path = PathBuf::from(format!("/dev/fd/{number}"));
            let place = format!("file descriptor {number}");
            let text = first_line(&mut open(&path)?, &place)?;
            (place, text)
        } else if let Some(path) = self.file {
            let place = format!("`{}`", path.display());
            let mut file = open(path)?;
            warn_if_shared(&file, path, ui);
            let text = first_line(&mut file, &place)?;
            (place, text)
        } else {
            return Ok(None);
        };
        Secret { text, place }.not_empty().map(Some)
    }

    /// Tells whether standard input gives it.
    pub(super) fn takes_stdin(&self) -> bool {
        self.file.is_some_and(|file| file.as_os_str() == "-") || self.fd == Some(0)
    }
}

/// The name of a variable as the system knows it.
fn bare(named: &str) -> &str {
    named.split('`').nth(1).unwrap_or(named)
}

/// Reads up to the first newline, without it and without a carriage return before it, which
/// nobody could type at the prompt of `age`.
fn first_line(source: &mut dyn Read, place: &str) -> Result<Zeroizing<String>, Failure> {
    let problem = |what| Failure::BadPassphrase { place: place.to_owned(), what };
    let mut buffer = Zeroizing::new([0_u8; LONGEST + 1]);
    let mut filled = 0;
    let end = loop {
        if let Some(end) = buffer[..filled].iter().position(|&byte| byte == b'\n') {
            break end;
        }
        if filled == buffer.len() {
            return Err(problem("is longer than 4096 bytes"));
        }
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break filled,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(Failure::File {
                    action: "read the passphrase from",
                    path: PathBuf::from(place.trim_matches('`')),
                    source,
                });
            }
        }
    };
    let line = &buffer[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| problem("is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|source| Failure::File { action: "open", path: path.to_owned(), source })
}

pub(crate) fn warn_if_shared(file: &File, path: &Path, ui: &Ui) {
    let Ok(metadata) = file.metadata() else {
        return;
    };
    let mode = metadata.permissions().mode();
    // Pipes of the shell's `<(…)` have modes too, but nobody else reads them.
    if metadata.is_file() && mode & 0o077 != 0 {
        ui.warn(format_args!(
            "others may read the secret in `{}` (mode {:04o}); `chmod 600` it",
            path.display(),
            mode & 0o7777
        ));
    }
}

/// Of the passphrase that opens an archive, or of a new one's.
pub(super) const NAMES: Names = Names {
    file: "`--passphrase-file`",
    fd: "`--passphrase-fd`",
    command: "`--passphrase-command`",
    variable: "the variable `OCBAK_PASSPHRASE`",
    command_variable: "the variable `OCBAK_PASSPHRASE_COMMAND`",
};
/// Of the passphrase that takes the place of another.
pub(super) const NEW_NAMES: Names = Names {
    file: "`--new-passphrase-file`",
    fd: "`--new-passphrase-fd`",
    command: "`--new-passphrase-command`",
    variable: "the variable `OCBAK_NEW_PASSPHRASE`",
    command_variable: "the variable `OCBAK_NEW_PASSPHRASE_COMMAND`",
};
/// Most bytes of a passphrase.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{NAMES, NEW_NAMES, bare, first_line};
    use crate::cli::passphrase::VARIABLES;

    fn line(mut bytes: &[u8]) -> Option<String> {
        first_line(&mut bytes, "here").ok().map(|text| text.to_string())
    }

    #[test]
    fn the_first_line_counts_and_its_newline_does_not() {
        assert_eq!(line(b"a b \nsecond").as_deref(), Some("a b "));
        assert_eq!(line(b"no newline").as_deref(), Some("no newline"));
        assert_eq!(line(b"dos\r\n").as_deref(), Some("dos"));
        assert_eq!(line(b"\nsecond").as_deref(), Some(""));
        assert_eq!(line(b"").as_deref(), Some(""));
    }

    #[test]
    fn lines_that_are_no_passphrase_are_refused() {
        assert_eq!(line(b"\xff\n"), None);
        assert!(line(&[b'a'; 4096]).is_some());
        assert_eq!(line(&[b'a'; 4098]), None);
    }

    #[test]
    fn no_variable_is_passed_on() {
        let named = [&NAMES, &NEW_NAMES].map(|names| [names.variable, names.command_variable].map(bare));
        assert_eq!(named.concat(), VARIABLES);
    }
}
