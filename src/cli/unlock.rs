//! What opens an archive, and what a new one is encrypted to.
//!
//! No secret is ever an argument's value, since every process of the machine sees those.

use std::io::{self, Read};
use std::mem;
use std::path::{Path, PathBuf};

use clap::Args as Group;
use zeroize::Zeroizing;

use ocbak::{
    Archive, ArchiveBuilder, Error, IdentityFile, Keys, ProtectedIdentities, Recipient, Sealed, SlotKind,
};

use super::failure::{Exit, Failure, Wanted};
use super::passphrase::{
    NewPassphraseArgs, PassphraseArgs, Secret, ask, ask_new, ask_of_key, open, warn_if_shared,
};
use super::plugins;
use super::ui::Ui;

/// What opens an archive.
#[derive(Debug, Group)]
#[command(
    next_help_heading = "Keys (by default a passphrase, asked for on the terminal; or `OCBAK_PASSPHRASE`)"
)]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Try the private keys in this file: of age (`AGE-SECRET-KEY-1…`, one a line), or one of SSH. Where
    /// a passphrase protects it, that is asked for on the terminal. May be repeated.
    #[arg(short, long = "identity", value_name = "FILE")]
    identities: Vec<PathBuf>,
    /// Accept passphrase slots of a scrypt work factor up to 2^N; each step doubles time and
    /// memory, and 20 takes 1 GiB.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=MAX_WORK_FACTOR))]
    max_work_factor: u8,
}

/// Takes 1 TiB of memory.
pub(crate) const MAX_WORK_FACTOR: i64 = 30;

/// What an archive is encrypted to.
#[derive(Debug, Group)]
#[command(
    next_help_heading = "Keys (by default a passphrase, asked for on the terminal; or `OCBAK_PASSPHRASE`)"
)]
pub(crate) struct SealArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Ask for a passphrase on the terminal also where recipients are given: the archive then opens
    /// with either.
    #[arg(short = 'p', long = "passphrase", conflicts_with = "PassphraseArgs")]
    ask: bool,
    #[command(flatten)]
    recipients: RecipientArgs,
}

impl SealArgs {
    /// Fails where the public keys are none.
    pub(crate) fn look_over(&self, ui: &Ui) -> Result<(), Failure> {
        self.recipients.read(ui).map(drop)
    }

    /// Fails where the passphrase cannot be had, or is none.
    pub(crate) fn try_passphrase(&self, ui: &Ui) -> Result<(), Failure> {
        self.passphrase.read(ui)?.map(Secret::long_enough).transpose().map(drop)
    }
}

/// What an archive is encrypted to that is made of another one.
#[derive(Debug, Group)]
#[command(
    next_help_heading = "Keys of the new archive (by default a passphrase, asked for on the terminal; or \
                         `OCBAK_NEW_PASSPHRASE`)"
)]
pub(crate) struct NewSealArgs {
    #[command(flatten)]
    passphrase: NewPassphraseArgs,
    /// Ask for a new passphrase on the terminal also where recipients are given: the archive then
    /// opens with either.
    #[arg(short = 'p', long = "passphrase", conflicts_with = "NewPassphraseArgs")]
    ask: bool,
    #[command(flatten)]
    recipients: RecipientArgs,
}

impl NewSealArgs {
    /// Tells whether standard input gives the passphrase.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.passphrase.takes_stdin()
    }
}

/// The public keys that an archive is encrypted to.
#[derive(Debug, Group)]
pub(crate) struct RecipientArgs {
    /// Encrypt to this public key, of age (`age1…`) or of SSH (`'ssh-ed25519 …'`, `'ssh-rsa …'`); may
    /// be repeated. Without any passphrase given, only the private keys that belong to these open
    /// the archive.
    #[arg(short, long = "recipient", value_name = "KEY")]
    recipients: Vec<String>,
    /// Encrypt to the public keys in this file, one a line; may be repeated.
    #[arg(short = 'R', long = "recipients-file", value_name = "FILE")]
    recipients_files: Vec<PathBuf>,
}

impl RecipientArgs {
    fn read(&self, ui: &Ui) -> Result<Vec<Recipient>, Failure> {
        let mut recipients = Vec::new();
        for text in &self.recipients {
            recipients.push(plugins::recipient(text, ui).map_err(Failure::Argument)?);
        }
        for path in &self.recipients_files {
            let text = read_small(path, None)?;
            let found = plugins::recipients(&String::from_utf8_lossy(&text), ui);
            recipients.extend(found.map_err(|error| Failure::Argument(error.within(path)))?);
        }
        Ok(recipients)
    }
}

/// Opens an archive with the keys that the user gives.
pub(crate) fn unlock(args: &UnlockArgs, file: &Path, ui: &Ui) -> Result<Archive, Failure> {
    unseal(Sealed::open(file)?, args, file, ui)
}

/// Opens an archive that was found already.
pub(crate) fn unseal(sealed: Sealed, args: &UnlockArgs, file: &Path, ui: &Ui) -> Result<Archive, Failure> {
    let mut keyring = Keyring::new(args, file, ui)?;
    keyring.complete(&sealed, ui)?;
    keyring.open(sealed, file, ui)
}

/// The keys that the user gives; each is asked for once, however many archives they are to open.
pub(crate) struct Keyring<'a> {
    args: &'a UnlockArgs,
    /// What the user named: an archive, or a directory of them.
    about: &'a Path,
    keys: Keys,
    /// The config file names identities. Unlike those of the command line they do not say that no passphrase is meant.
    configured: bool,
    /// No passphrase was given or typed so far.
    wants_passphrase: bool,
    /// The passphrase was typed: another one can be.
    typed: bool,
    /// Private keys whose passphrases were not asked for so far.
    protected: Vec<(&'a Path, ProtectedIdentities)>,
}

impl<'a> Keyring<'a> {
    /// Reads what is given; nobody is asked so far.
    pub(crate) fn new(args: &'a UnlockArgs, about: &'a Path, ui: &'a Ui) -> Result<Self, Failure> {
        let mut keys = Keys::new().max_work_factor(args.max_work_factor);
        let mut protected = Vec::new();
        for path in args.identities.iter().chain(&ui.identities) {
            let file = plugins::identities(&read_small(path, Some(ui))?, ui);
            match file.map_err(|error| Failure::Argument(error.within(path)))? {
                IdentityFile::Plain(identities) => keys = keys.identities(identities),
                IdentityFile::Protected(file) => protected.push((path.as_path(), file)),
            }
        }
        let given = args.passphrase.read(ui)?;
        let wants_passphrase = given.is_none() && args.identities.is_empty();
        if let Some(secret) = given {
            keys = keys.passphrase(secret.passphrase());
        }
        let configured = !ui.identities.is_empty();
        Ok(Self { args, about, keys, configured, wants_passphrase, typed: false, protected })
    }

    /// Asks for what may open an archive and is not there: one without the slot for it fails with what it needs,
    /// before anybody types.
    pub(crate) fn complete(&mut self, sealed: &Sealed, ui: &Ui) -> Result<(), Failure> {
        let by_identity = self.configured && sealed.has_slot(SlotKind::Recipients);
        if self.wants_passphrase && sealed.has_slot(SlotKind::Passphrase) && !by_identity {
            match ask(self.about, ui) {
                // What a configured key does not open is told of that archive, in its turn.
                Err(Failure::NobodyToAsk(_)) if self.configured => {}
                asked => {
                    self.keys = mem::take(&mut self.keys).passphrase(asked?);
                    self.typed = true;
                }
            }
            self.wants_passphrase = false;
        }
        if sealed.has_slot(SlotKind::Recipients) {
            for (path, file) in self.protected.drain(..) {
                let passphrase = ask_of_key(path, ui)?;
                let identities = file.open(&passphrase, self.args.max_work_factor);
                let identities = identities.map_err(|error| error.within(path))?;
                self.keys = mem::take(&mut self.keys).identities(identities);
            }
        }
        Ok(())
    }

    /// Opens an archive with what is there; where a passphrase was typed that is not its, asks for its own.
    pub(crate) fn open_or_ask(&mut self, sealed: Sealed, file: &Path, ui: &Ui) -> Result<Archive, Failure> {
        let has_other = self.typed && sealed.has_slot(SlotKind::Passphrase);
        match self.open(sealed, file, ui) {
            Err(failure) if has_other && failure.exit() == Exit::NoKey => {
                self.keys = mem::take(&mut self.keys).passphrase(ask(file, ui)?);
                self.open(Sealed::open(file)?, file, ui)
            }
            outcome => outcome,
        }
    }

    /// Opens an archive with what is there.
    pub(crate) fn open(&self, sealed: Sealed, file: &Path, ui: &Ui) -> Result<Archive, Failure> {
        let archive = sealed.unlock(&self.keys).map_err(|error| match error {
            // A key that is protected counts although nobody was asked for its passphrase.
            Error::NoKeyFits { passphrase_slot, recipients_slot, passphrase_tried, .. } => {
                let identity_tried = !self.args.identities.is_empty() || self.configured;
                Error::NoKeyFits { passphrase_slot, recipients_slot, passphrase_tried, identity_tried }
            }
            other => other,
        });
        let archive = archive.map_err(|error| error.within(file))?;
        for damage in archive.damage() {
            ui.warn(format_args!("`{}`: {}", file.display(), damage.what));
        }
        ui.detail(format_args!("opened by {}", slot(archive.opened_by())));
        Ok(archive)
    }
}

impl UnlockArgs {
    /// Tells whether standard input gives the passphrase.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.passphrase.takes_stdin()
    }
}

/// A kind of slot as a word of `--json`.
pub(crate) fn slot_word(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => "passphrase",
        SlotKind::Recipients => "recipients",
    }
}

/// Names a kind of slot.
pub(crate) fn slot(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => "its passphrase slot",
        SlotKind::Recipients => "its recipients slot",
    }
}

/// Tells the builder what the archive is encrypted to, by what the user gives.
pub(crate) fn seal(args: &SealArgs, builder: ArchiveBuilder, ui: &Ui) -> Result<ArchiveBuilder, Failure> {
    let wish = SealWish {
        given: args.passphrase.read(ui)?.map(Secret::long_enough).transpose()?,
        ask: args.ask,
        recipients: args.recipients.read(ui)?,
    };
    wish.seal(builder, Failure::NobodyToAsk(Wanted::Create), ui)
}

/// What a user wants an archive to be encrypted to, as far as that is known before anybody types.
pub(crate) struct SealWish {
    given: Option<Secret>,
    ask: bool,
    recipients: Vec<Recipient>,
}

impl SealWish {
    /// Takes what the user gives for an archive that is made of another one.
    pub(crate) fn read(args: &NewSealArgs, ui: &Ui) -> Result<Self, Failure> {
        let given = args.passphrase.read(ui)?.map(Secret::long_enough).transpose()?;
        Ok(Self { given, ask: args.ask, recipients: args.recipients.read(ui)? })
    }

    /// Asks for the passphrase that is missing, and tells the builder.
    pub(crate) fn seal(
        self,
        builder: ArchiveBuilder,
        nobody: Failure,
        ui: &Ui,
    ) -> Result<ArchiveBuilder, Failure> {
        let passphrase = match self.given {
            Some(secret) => Some(secret.passphrase()),
            None if self.ask || self.recipients.is_empty() => {
                Some(ask_new("Passphrase for the new archive", nobody, ui)?)
            }
            None => None,
        };
        let builder = builder.recipients(self.recipients);
        Ok(match passphrase {
            Some(passphrase) => builder.passphrase(passphrase),
            None => builder,
        })
    }
}

/// Reads a whole small file; `secret` says to whom a warning goes where others may read it.
fn read_small(path: &Path, secret: Option<&Ui>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |source| Failure::File { action: "read", path: path.to_owned(), source };
    let file = open(path)?;
    if let Some(ui) = secret {
        warn_if_shared(&file, path, ui);
    }
    // Of the full size from the start: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_FILE));
    file.take(LARGEST_FILE as u64).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() == LARGEST_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Files of keys are small.
const LARGEST_FILE: usize = 1 << 20;
