//! Passphrases: where they come from, and what one must be.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use zeroize::Zeroizing;

use ocbak::{Passphrase, sanitize};

use super::failure::{Failure, Wanted};
use super::prompt::Terminal;
use super::ui::Ui;

/// Where a passphrase comes from, if not from the prompt.
#[derive(Debug, Group)]
pub(crate) struct PassphraseArgs {
    /// Take the passphrase from the first line of this file, without its newline; `-` is standard
    /// input.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the passphrase from the first line of this open file descriptor.
    #[arg(long, value_name = "N", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u16>,
}

impl PassphraseArgs {
    /// Reads the passphrase from the one place given; none is no error here.
    pub(crate) fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        Places {
            file: self.passphrase_file.as_deref(),
            file_option: "`--passphrase-file`",
            fd: self.passphrase_fd,
            fd_option: "`--passphrase-fd`",
            variable: VARIABLE,
            variable_named: "the variable `OCBAK_PASSPHRASE`",
        }
        .read(ui)
    }

    /// Tells whether standard input gives it.
    pub(crate) fn takes_stdin(&self) -> bool {
        takes_stdin(self.passphrase_file.as_deref(), self.passphrase_fd)
    }
}

/// Where the new passphrase of an archive comes from, if not from the prompt.
#[derive(Debug, Group)]
pub(crate) struct NewPassphraseArgs {
    /// Take the new passphrase from the first line of this file, without its newline; `-` is
    /// standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    new_passphrase_file: Option<PathBuf>,
    /// Take the new passphrase from the first line of this open file descriptor.
    #[arg(long, value_name = "N", conflicts_with_all = ["new_passphrase_file", "remove"])]
    new_passphrase_fd: Option<u16>,
}

impl NewPassphraseArgs {
    /// As [`PassphraseArgs::read`].
    pub(crate) fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        Places {
            file: self.new_passphrase_file.as_deref(),
            file_option: "`--new-passphrase-file`",
            fd: self.new_passphrase_fd,
            fd_option: "`--new-passphrase-fd`",
            variable: NEW_VARIABLE,
            variable_named: "the variable `OCBAK_NEW_PASSPHRASE`",
        }
        .read(ui)
    }

    /// As [`PassphraseArgs::takes_stdin`].
    pub(crate) fn takes_stdin(&self) -> bool {
        takes_stdin(self.new_passphrase_file.as_deref(), self.new_passphrase_fd)
    }
}

fn takes_stdin(file: Option<&Path>, fd: Option<u16>) -> bool {
    file.is_some_and(|file| file.as_os_str() == "-") || fd == Some(0)
}

/// The places that may give one passphrase, and what messages call them.
struct Places<'a> {
    file: Option<&'a Path>,
    file_option: &'static str,
    fd: Option<u16>,
    fd_option: &'static str,
    variable: &'static str,
    variable_named: &'static str,
}

impl Places<'_> {
    fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        let variable = std::env::var_os(self.variable);
        if variable.is_some() {
            for (given, first) in
                [(self.file.is_some(), self.file_option), (self.fd.is_some(), self.fd_option)]
            {
                if given {
                    return Err(Failure::Conflict { first, second: self.variable_named });
                }
            }
        }
        let (place, text) = if let Some(value) = variable {
            let place = self.variable_named.to_owned();
            let bytes = Zeroizing::new(value.into_encoded_bytes());
            let text = first_line(&mut bytes.as_slice(), &place)?;
            (place, text)
        } else if takes_stdin(self.file, self.fd) {
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
}

/// A passphrase and where it came from, for the message that it cannot be used.
pub(crate) struct Secret {
    text: Zeroizing<String>,
    place: String,
}

impl Secret {
    pub(crate) fn not_empty(self) -> Result<Self, Failure> {
        if self.text.is_empty() {
            return Err(Failure::EmptyPassphrase { place: self.place });
        }
        Ok(self)
    }

    /// For a new archive only: an old one opens with what it was made with.
    pub(crate) fn long_enough(self) -> Result<Self, Failure> {
        if self.text.chars().count() < LEAST {
            return Err(Failure::ShortPassphrase { place: self.place, least: LEAST });
        }
        if self.text.chars().any(char::is_control) {
            return Err(Failure::UntypablePassphrase { place: self.place });
        }
        Ok(self)
    }

    pub(crate) fn passphrase(self) -> Passphrase {
        Passphrase::new(self.text.to_string())
    }
}

/// Asks for the passphrase of an archive that exists.
pub(crate) fn ask(file: &Path, ui: &Ui) -> Result<Passphrase, Failure> {
    let terminal = Terminal::open(ui).ok_or(Failure::NobodyToAsk(Wanted::Open))?;
    let name = sanitize(file.as_os_str().as_encoded_bytes());
    let secret =
        Secret { text: terminal.secret(&format!("Passphrase of `{name}`: "))?, place: PROMPT.to_owned() };
    secret.not_empty().map(Secret::passphrase)
}

/// Asks for a new passphrase of `what`, or makes one; `nobody` is what it means that nobody can be asked.
pub(crate) fn ask_new(what: &str, nobody: Failure, ui: &Ui) -> Result<Passphrase, Failure> {
    let terminal = Terminal::open(ui).ok_or(nobody)?;
    let text = terminal.secret(&format!("{what} (leave empty to have one made): "))?;
    if text.is_empty() {
        let words = generate()?;
        let shown = Zeroizing::new(format!(
            "The passphrase is\n\n    {}\n\n\
             It is shown this once and cannot be recovered: write it down.\n\
             Press Enter when that is done. ",
            *words
        ));
        terminal.acknowledge(&shown)?;
        return Ok(Passphrase::new(words.to_string()));
    }
    let secret = Secret { text, place: PROMPT.to_owned() }.long_enough()?;
    let again = terminal.secret("The same again: ")?;
    if *again != *secret.text {
        return Err(Failure::Mismatch);
    }
    Ok(secret.passphrase())
}

/// Makes a passphrase of ten words, which is 110 bits.
fn generate() -> Result<Zeroizing<String>, Failure> {
    let words = bip39::Language::English.word_list();
    let mut random = Zeroizing::new([0_u8; 2 * WORDS]);
    getrandom::fill(&mut *random).map_err(|error| Failure::File {
        action: "get random bytes from",
        path: PathBuf::from("the system"),
        source: io::Error::other(error.to_string()),
    })?;
    let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
    for pair in random.chunks_exact(2) {
        if !text.is_empty() {
            text.push('-');
        }
        // The list has 2^11 words, so the remainder is uniform.
        let number = usize::from(u16::from_le_bytes([pair[0], pair[1]]));
        text.push_str(words[number % words.len()]);
    }
    Ok(text)
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

/// The variables that may hold a passphrase: no other program is to inherit them.
pub(crate) const VARIABLE: &str = "OCBAK_PASSPHRASE";
pub(crate) const NEW_VARIABLE: &str = "OCBAK_NEW_PASSPHRASE";
const PROMPT: &str = "the prompt";
const WORDS: usize = 10;
/// Fewest characters of a new passphrase.
const LEAST: usize = 12;
/// Most bytes of a passphrase.
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{WORDS, first_line, generate};

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
    fn generated_passphrases_are_ten_words_of_the_list() {
        let text = generate().unwrap();
        let list = bip39::Language::English.word_list();
        let words: Vec<&str> = text.split('-').collect();
        assert_eq!(words.len(), WORDS);
        assert!(words.iter().all(|word| list.contains(word)));
        assert_ne!(*text, *generate().unwrap());
    }
}
