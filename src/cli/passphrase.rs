//! Passphrases: where they come from, and what one must be.

mod command;
mod place;
mod strength;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use zeroize::Zeroizing;

use ocbak::{Passphrase, sanitize};

use super::failure::{Failure, Wanted};
use super::prompt::Terminal;
use super::ui::Ui;

use place::{NAMES, NEW_NAMES, Places};
pub(crate) use place::{open, warn_if_shared};
use strength::Strength;

/// Where a passphrase comes from, if not from the prompt.
#[derive(Debug, Group)]
#[allow(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct PassphraseArgs {
    /// Take the passphrase from the first line of this file, without its newline; `-` is standard
    /// input.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take the passphrase from the first line of this open file descriptor.
    #[arg(long, value_name = "N", conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u16>,
    /// Take the passphrase from the first line that this command prints; `sh -c` runs it. It names
    /// where the passphrase is kept (`pass show ocbak`); never write the passphrase itself there.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    passphrase_command: Option<String>,
}

impl PassphraseArgs {
    /// Reads the passphrase from the one place given; none is no error here.
    pub(crate) fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        self.places().read(ui)
    }

    /// Tells whether standard input gives it.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.places().takes_stdin()
    }

    fn places(&self) -> Places<'_> {
        Places {
            file: self.passphrase_file.as_deref(),
            fd: self.passphrase_fd,
            command: self.passphrase_command.as_deref(),
            names: &NAMES,
        }
    }
}

/// Where the new passphrase of an archive comes from, if not from the prompt.
#[derive(Debug, Group)]
#[allow(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct NewPassphraseArgs {
    /// Take the new passphrase from the first line of this file, without its newline; `-` is
    /// standard input.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Take the new passphrase from the first line of this open file descriptor.
    #[arg(long, value_name = "N", conflicts_with = "new_passphrase_file")]
    new_passphrase_fd: Option<u16>,
    /// Take the new passphrase from the first line that this command prints; `sh -c` runs it.
    #[arg(long, value_name = "COMMAND",
          conflicts_with_all = ["new_passphrase_file", "new_passphrase_fd"])]
    new_passphrase_command: Option<String>,
}

impl NewPassphraseArgs {
    /// As [`PassphraseArgs::read`].
    pub(crate) fn read(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        self.places().read(ui)
    }

    /// As [`PassphraseArgs::takes_stdin`].
    pub(crate) fn takes_stdin(&self) -> bool {
        self.places().takes_stdin()
    }

    fn places(&self) -> Places<'_> {
        Places {
            file: self.new_passphrase_file.as_deref(),
            fd: self.new_passphrase_fd,
            command: self.new_passphrase_command.as_deref(),
            names: &NEW_NAMES,
        }
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
    let name = sanitize(file.as_os_str().as_encoded_bytes());
    ask_for(&format!("Passphrase of `{name}`: "), Failure::NobodyToAsk(Wanted::Open), ui)
}

/// Asks for the passphrase that protects the private key in a file.
pub(crate) fn ask_of_key(file: &Path, ui: &Ui) -> Result<Passphrase, Failure> {
    let name = sanitize(file.as_os_str().as_encoded_bytes());
    let nobody = Failure::ProtectedKey { path: file.to_owned() };
    ask_for(&format!("Passphrase of the key `{name}`: "), nobody, ui)
}

fn ask_for(question: &str, nobody: Failure, ui: &Ui) -> Result<Passphrase, Failure> {
    let terminal = Terminal::open(ui).ok_or(nobody)?;
    let secret = Secret { text: terminal.secret(question)?, place: PROMPT.to_owned() };
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
    // Before it is typed again, so that another one can be taken.
    let strength = Strength::of(&secret.text);
    if strength.is_weak() && !ui.quiet {
        ui.warn(strength.sentence());
    } else {
        ui.note(strength.sentence());
    }
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

/// The variables that give a passphrase: no other program is to inherit them.
pub(crate) const VARIABLES: [&str; 4] =
    ["OCBAK_PASSPHRASE", "OCBAK_PASSPHRASE_COMMAND", "OCBAK_NEW_PASSPHRASE", "OCBAK_NEW_PASSPHRASE_COMMAND"];
const PROMPT: &str = "the prompt";
const WORDS: usize = 10;
/// Fewest characters of a new passphrase.
const LEAST: usize = 12;

#[cfg(test)]
mod tests {
    use super::{WORDS, generate};

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
