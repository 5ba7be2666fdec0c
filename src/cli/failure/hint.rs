//! The way out of a failure, in one line that names the exact option or command.

use std::io;
use std::path::Path;

use ocbak::{Error, ErrorKind, Lookalike, sanitize};

use super::{Failure, keys};
use crate::cli::unlock::MAX_WORK_FACTOR;

/// Finds the advice for a failure, where there is any.
pub(super) fn hint(failure: &Failure) -> Option<String> {
    let hint = match failure {
        Failure::Locating(error) if error.kind() == ErrorKind::NotFound => {
            "name the installation with `--state-dir DIR`, `--profile NAME` or `--home DIR`"
        }
        Failure::Locating(error) if error.kind() == ErrorKind::Invalid => {
            "1 to 64 letters, digits, `-` and `_`, beginning with a letter or a digit"
        }
        Failure::Targeting(error) if error.to_string().contains("name of a journal") => {
            "no backup holds such a file, unless it was made to deceive: ask where the archive comes from; \
             `--path GLOB` restores the rest of it"
        }
        Failure::Targeting(error) if error.kind() == ErrorKind::Invalid => {
            "a new or empty directory takes any archive: `--to DIR`"
        }
        Failure::Importing(error) => return import_hint(error),
        Failure::Library(error)
        | Failure::Locating(error)
        | Failure::Argument(error)
        | Failure::Targeting(error) => {
            return library_hint(error, None);
        }
        Failure::Output(source) | Failure::File { source, .. } => return system_hint(source),
        Failure::NobodyToAsk(_)
        | Failure::ProtectedKey { .. }
        | Failure::EmptyPassphrase { .. }
        | Failure::BadPassphrase { .. }
        | Failure::PassphraseCommand { .. }
        | Failure::UntypablePassphrase { .. }
        | Failure::ShortPassphrase { .. }
        | Failure::Mismatch => return keys::hint(failure).map(ToOwned::to_owned),
        Failure::NotConfirmed => "look at the plan with `--dry-run`, then give `--yes`",
        Failure::KeepsNothing => "give at least one `--keep` option a number above 0",
        Failure::Changed { .. } => "nothing more was removed; look at the directory, then run it again",
        Failure::ArchiveToTerminal => "redirect it (`> FILE`), or name a file with `--output FILE`",
        Failure::NoRoom { .. } => {
            "name another place with `--output`, or leave out what is large: `--dry-run` shows it; `--split` gives \
             no room"
        }
        Failure::ReadBack { .. } => {
            "it is removed; the drive, its cable or the memory of this machine fails: take another drive"
        }
        Failure::InsideSource { .. } => {
            "the next backup would hold this one; name another place with `--output`"
        }
        Failure::InUse { holders, .. } => {
            let pid = holders.iter().find_map(|holder| holder.pid);
            let pid = pid.map_or_else(|| "PID".to_owned(), |pid| pid.to_string());
            return Some(format!(
                "stop it first: `openclaw gateway stop` where a service runs it, else `kill {pid}` \
                 (SIGTERM), which takes a few seconds"
            ));
        }
        Failure::NothingInterrupted { .. } => {
            "name another installation with `--state-dir DIR`, `--profile NAME` or `--home DIR`, or restore \
             an archive: `ocbak restore FILE`"
        }
        Failure::HalfUndone { .. } => "`ocbak undo` goes on with that",
        Failure::NotUnpacked { .. } => "restore the archive again: `ocbak restore FILE`",
        Failure::NothingToUndo { .. } => {
            "a restore that replaced something leaves `NAME.before-restore-TIME` and a journal of the same \
             name; only who made it, root for instance, takes it back; where another installation is meant, name \
             it with `--state-dir DIR`, `--profile NAME` or `--home DIR`"
        }
        Failure::NoOpenClaw => "put it into PATH, or leave out `--run-doctor`",
        Failure::Config(unusable) => return Some(unusable.hint()),
        Failure::Unquotable { .. } => "take a path of UTF-8 without control characters",
        Failure::UnknownTopic { nearest: Some(nearest), .. } => {
            return Some(format!("`ocbak help {nearest}` may be meant"));
        }
        Failure::UnknownTopic { .. } => "`ocbak help` names the commands",
        Failure::NoDirectory { .. } => "create it first, or name another one",
        Failure::NoArchives { .. } => {
            "is the drive there? Only files named `*.ocbak` or `*.ocbak.001` are looked at, and no directories in it"
        }
        Failure::BadGlob(_) => {
            "`*` matches within a name, `**` any number of directories; put `\\` before a \
             character that shall mean itself"
        }
        Failure::NoMatch { file, .. } => {
            return Some(format!(
                "patterns match whole names such as `state/openclaw.json`; \
                 `ocbak list {}` shows them all",
                shown(file)
            ));
        }
        Failure::UnknownName { nearest: Some(nearest), .. } => {
            return Some(format!("did you mean `{nearest}`?"));
        }
        Failure::UnknownName { file, .. } => {
            return Some(format!("`ocbak list {}` shows all names", shown(file)));
        }
        Failure::NotAFile { .. } | Failure::OneFileOnly => "several go into a directory: `-C DIR`",
        Failure::Conflict { .. } | Failure::Declined => return None,
    };
    Some(hint.to_owned())
}

/// Advice for an error of the library about `file`.
fn library_hint(error: &Error, file: Option<&Path>) -> Option<String> {
    let named = file.map_or_else(|| "FILE".to_owned(), shown);
    if let Some(hint) = part_hint(error, file) {
        return Some(hint);
    }
    let hint = match error {
        Error::In { path, source } => return library_hint(source, Some(path)),
        Error::Io { action: "write the header region", .. } => {
            "the archive opens with the old passphrase or with the new one; change it again when the drive is well"
        }
        Error::Io { source, .. } => return system_hint(source),
        Error::NoKeyFits { .. } => keys::of_slots(error)?,
        Error::WrongPassphrase => "what is asked for is the passphrase of the key, not that of an archive",
        Error::NotAnArchive(lookalike) => match lookalike {
            Lookalike::Empty => "copying it may have failed; take another copy",
            Lookalike::OpenclawArk => "open it with that plugin; ocbak cannot read it",
            Lookalike::Gzip => "`ocbak import` turns a backup of `openclaw backup create` into an archive",
            Lookalike::Tar { .. } => "`tar -tf` shows what is in it",
            Lookalike::Age => "`age -d` opens it",
            Lookalike::Zstd => "`zstd -d` opens it",
            Lookalike::Headless => NOTHING_LEFT,
            _ => "archives of ocbak begin with the name `ocbak/manifest.toml`",
        },
        Error::UnsupportedVersion { .. } | Error::UnsupportedFeature { .. } => {
            return Some(format!(
                "a later ocbak reads it; `tar -xOf {named} ocbak/RECOVERY.txt` says how to open \
                 it without ocbak"
            ));
        }
        Error::MissingParts { .. } => {
            "all parts of an archive belong into one directory, under the names that they were made with"
        }
        Error::LimitExceeded { what, .. } if what.contains("number of parts") => {
            "larger parts are fewer: `--split SIZE`"
        }
        Error::Tampered { what } if what.starts_with("beyond repair") => {
            "nothing was changed; `ocbak restore --salvage` gets out what is whole"
        }
        Error::Malformed { what } if what.contains("slots are lost") => NOTHING_LEFT,
        Error::Malformed { what } | Error::Tampered { what } if is_beyond_salvage(what) => {
            return Some(format!(
                "`ocbak verify --quick {named}` says what is damaged; another copy of the archive \
                 may be whole"
            ));
        }
        Error::Malformed { .. } | Error::Truncated { .. } | Error::Tampered { .. } => {
            return Some(format!(
                "`ocbak verify --quick {named}` says what is damaged, and whether `ocbak repair` makes it whole; \
                 else `ocbak restore --salvage {named} --to DIR` gets out what is intact"
            ));
        }
        Error::LimitExceeded { what, found, .. } if what.contains("work factor") => {
            if *found > MAX_WORK_FACTOR.unsigned_abs() {
                return Some(
                    "no machine has the memory for that; try `--identity FILE`, or another copy".to_owned(),
                );
            }
            return Some(format!(
                "if you trust where the archive comes from, give `--max-work-factor {found}`; each \
                 step doubles time and memory"
            ));
        }
        Error::NotFound { what } if what.contains("nothing matches") => {
            "patterns match whole names such as `state/openclaw.json`; `ocbak list` shows them all"
        }
        Error::Invalid { what } if what.starts_with("journal `") || what.starts_with("neither `") => {
            "what a restore replaced lies in `NAME.before-restore-TIME`, or in `.NAME.ocbak-restore-…` where it \
             was interrupted: put it where it belongs, then remove the journal"
        }
        Error::Invalid { what } if what.contains("cannot be rewritten") => {
            "nothing was changed; `--no-remap` restores without rewriting paths"
        }
        Error::Invalid { what } if what.starts_with("without its passphrase") => {
            "only an archive with a recipients slot too can do without: `ocbak info` names its slots"
        }
        Error::Invalid { what } if what.contains("which alone can be replaced") => {
            "write the repaired archive to a new file with `--output NEW`"
        }
        Error::AlreadyExists { .. } => "ocbak never overwrites: name another place, or move this one away",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Advice for a backup that is to be imported.
fn import_hint(error: &Error) -> Option<String> {
    let hint = match error.kind() {
        ErrorKind::Malformed => {
            "`openclaw backup verify` and `gzip -t` say what they think of it; another copy of the backup may be whole"
        }
        ErrorKind::Invalid => {
            "it takes what `openclaw backup create` writes on Linux and macOS, a `.tar.gz` of schema version 1"
        }
        _ => return library_hint(error, None),
    };
    Some(hint.to_owned())
}

/// Advice for the name of a part of an archive, or of an archive that is in parts.
fn part_hint(error: &Error, file: Option<&Path>) -> Option<String> {
    let first = |whole: &str| Path::new(&format!("{whole}.001")).to_owned();
    match error {
        Error::Io { path: Some(path), source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let first = first(path.to_str()?);
            first
                .exists()
                .then(|| format!("this archive is in parts: name the first one, `{}`", shown(&first)))
        }
        Error::NotAnArchive(_) => {
            let (whole, number) = file?.to_str()?.rsplit_once('.')?;
            let counts = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
            (counts && number != "001").then(|| {
                format!(
                    "a part of an archive is nothing by itself: name the first one, `{}`",
                    shown(&first(whole))
                )
            })
        }
        _ => None,
    }
}

/// Whether damage is such that a salvage meets it too: of the header region, or of all there is.
fn is_beyond_salvage(what: &str) -> bool {
    ["header region", "manifest", "slot", "of the archive"].iter().any(|words| what.contains(words))
}

/// Nobody can open what no slot is left of.
const NOTHING_LEFT: &str = "another copy of the archive may be whole; nothing can be had of this one";

fn system_hint(source: &io::Error) -> Option<String> {
    let hint = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "there is no space left; free some, or name a place on another drive"
        }
        io::ErrorKind::Unsupported => {
            "the file system there has no such thing, links for instance; name a place on another drive"
        }
        io::ErrorKind::ReadOnlyFilesystem => "that drive is read-only; name a place on another one",
        io::ErrorKind::PermissionDenied => "run ocbak as the user to whom the file belongs",
        io::ErrorKind::FileTooLarge => {
            "the file system there cannot hold a file of this size; name a place on another drive"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Makes a name fit for a command line that is read off a terminal.
fn shown(path: &Path) -> String {
    let name = sanitize(path.as_os_str().as_encoded_bytes());
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if name.chars().all(plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::io;

    use ocbak::{Error, Lookalike};

    use super::{Failure, hint};

    fn of(error: Error) -> String {
        hint(&Failure::from(error.within("box.ocbak".as_ref()))).unwrap_or_default()
    }

    #[test]
    fn other_programs_files_name_their_program() {
        let of = |lookalike| of(Error::NotAnArchive(lookalike));
        assert!(of(Lookalike::OpenclawArk).contains("that plugin"));
        assert!(of(Lookalike::Gzip).contains("`ocbak import`"));
        assert!(of(Lookalike::Empty).contains("another copy"));
    }

    #[test]
    fn damage_and_later_versions_name_the_command_and_the_file() {
        let what = "x".to_owned();
        let payload = of(Error::Tampered { what });
        assert!(payload.contains("`ocbak verify --quick box.ocbak`"));
        assert!(payload.contains("`ocbak restore --salvage box.ocbak --to DIR`"));
        let what = "both copies of the header region are damaged".to_owned();
        let header = of(Error::Malformed { what });
        assert!(header.contains("another copy") && !header.contains("--salvage"));
        assert!(of(Error::UnsupportedVersion { found: 2 }).contains("tar -xOf box.ocbak"));
    }

    #[test]
    fn what_cannot_be_repaired_names_the_way_out() {
        let of = |what: &str| of(Error::Tampered { what: what.to_owned() });
        assert!(of("beyond repair: x").starts_with("nothing was changed"));
        let what = "is not one file, which alone can be replaced".to_owned();
        let hint = hint(&Failure::from(Error::Invalid { what }));
        assert!(hint.is_some_and(|hint| hint.contains("`--output NEW`")));
    }

    #[test]
    fn names_are_quoted_where_a_shell_would_cut_them() {
        let what = "x".to_owned();
        let error = Error::Tampered { what }.within("it's a box".as_ref());
        let hint = hint(&Failure::from(error)).unwrap();
        assert!(hint.contains(r"--quick 'it'\''s a box'`"), "{hint}");
    }

    #[test]
    fn a_limit_names_the_option_that_raises_it() {
        let hint = |found| {
            let what = "scrypt work factor".to_owned();
            of(Error::LimitExceeded { what, limit: 20, found })
        };
        assert!(hint(22).contains("`--max-work-factor 22`"));
        assert!(hint(30).contains("`--max-work-factor 30`"));
        assert!(hint(31).starts_with("no machine has the memory for that"), "the option takes no 31");
    }

    #[test]
    fn the_system_s_refusals_name_what_to_change() {
        let of = |kind: io::ErrorKind| of(Error::Io { action: "write", path: None, source: kind.into() });
        assert!(of(io::ErrorKind::StorageFull).contains("no space left"));
        assert!(of(io::ErrorKind::PermissionDenied).contains("as the user"));
        assert_eq!(of(io::ErrorKind::Other), "");
    }
}
