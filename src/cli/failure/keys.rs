//! The way out of a failure about passphrases and keys.

use ocbak::Error;

use super::{Failure, Wanted};

/// Finds the advice for a failure that says what a passphrase is like, or that there is none.
pub(super) fn hint(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::NobodyToAsk(Wanted::Create) => {
            "give one with `--passphrase-file FILE`, `--passphrase-fd N`, `--passphrase-command COMMAND` or the variable \
             `OCBAK_PASSPHRASE`, or encrypt to a public key with `--recipient age1…`"
        }
        Failure::NobodyToAsk(Wanted::Open) => {
            "give one with `--passphrase-file FILE`, `--passphrase-fd N`, `--passphrase-command COMMAND` or the variable \
             `OCBAK_PASSPHRASE`, or a private key with `--identity FILE`"
        }
        Failure::NobodyToAsk(Wanted::New) => {
            "give the new one with `--new-passphrase-file FILE`, `--new-passphrase-fd N`, `--new-passphrase-command \
             COMMAND` or the variable \
             `OCBAK_NEW_PASSPHRASE`"
        }
        Failure::ProtectedKey { .. } => {
            "without a person, a key without a passphrase is needed: in a file that nobody else can read, or \
             through a pipe, with `--identity /dev/stdin`"
        }
        Failure::EmptyPassphrase { .. } => "a passphrase is the first line, without its newline",
        Failure::PassphraseCommand { .. } => {
            "it is to print the passphrase on standard output and to end with 0; what else it says stands above"
        }
        Failure::UntypablePassphrase { .. } => {
            "other programs could not open the archive: take one that can be typed"
        }
        Failure::ShortPassphrase { .. } => "an empty answer at the prompt makes a strong one of ten words",
        _ => return None,
    })
}

/// Names what else could open the archive.
pub(super) fn of_slots(error: &Error) -> Option<&'static str> {
    let Error::NoKeyFits { passphrase_slot, recipients_slot, passphrase_tried, identity_tried } = *error
    else {
        return None;
    };
    if recipients_slot && !identity_tried {
        Some(if passphrase_slot {
            "it also has a recipients slot; try `--identity FILE`"
        } else {
            "it has no passphrase slot; give the private key with `--identity FILE`"
        })
    } else if passphrase_slot && !passphrase_tried {
        Some(if recipients_slot {
            "it also has a passphrase slot; try it without `--identity`, or add \
             `--passphrase-file FILE`"
        } else {
            "it has no recipients slot; try it without `--identity`, or give \
             `--passphrase-file FILE`"
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use ocbak::Error;

    use super::of_slots;

    fn no_key(slots: (bool, bool), tried: (bool, bool)) -> &'static str {
        of_slots(&Error::NoKeyFits {
            passphrase_slot: slots.0,
            recipients_slot: slots.1,
            passphrase_tried: tried.0,
            identity_tried: tried.1,
        })
        .unwrap_or_default()
    }

    #[test]
    fn a_key_that_does_not_fit_names_the_other_slot() {
        assert_eq!(no_key((true, false), (true, false)), "");
        assert!(no_key((true, true), (true, false)).starts_with("it also has a recipients slot"));
        assert!(no_key((false, true), (true, false)).starts_with("it has no passphrase slot"));
        assert!(no_key((true, true), (false, true)).starts_with("it also has a passphrase slot"));
        assert!(no_key((true, false), (false, true)).starts_with("it has no recipients slot"));
        assert_eq!(no_key((true, true), (true, true)), "");
    }
}
