//! Channels whose logins change with every message, so that an older copy may no longer work.

use crate::path::ArchivePath;

/// A channel with such a login.
#[derive(Debug)]
pub(crate) struct Ratchet {
    /// Where it is kept: in the state directory, or under a root of this name.
    place: &'static str,
    /// The channel's own name.
    pub(crate) channel: &'static str,
    /// What happens where the copy is too old, and the commands that help.
    pub(crate) remedy: &'static str,
}

impl Ratchet {
    /// Tells whether an entry belongs to the login.
    pub(crate) fn holds(&self, name: &ArchivePath) -> bool {
        let name = name.as_bytes();
        let rest = name.strip_prefix(b"state/").unwrap_or(name).strip_prefix(self.place.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    }
}

/// OpenClaw: WhatsApp's keys lie in `credentials`, Matrix's encrypted store in its own directory.
pub(crate) const RATCHETS: [Ratchet; 2] = [
    Ratchet {
        place: "credentials/whatsapp",
        channel: "WhatsApp",
        remedy: "if it does not connect, link it anew with `openclaw channels logout --channel whatsapp` and \
                 `openclaw channels login --channel whatsapp`",
    },
    Ratchet {
        place: "matrix",
        channel: "Matrix",
        remedy: "if encrypted messages cannot be read, run `openclaw matrix verify backup restore \
                 --recovery-key-stdin` and then `openclaw matrix verify device --recovery-key-stdin`",
    },
];

#[cfg(test)]
mod tests {
    use super::RATCHETS;
    use crate::path::ArchivePath;

    #[test]
    fn logins_are_told_by_their_places() {
        let of = |name: &str| {
            let name = ArchivePath::parse(name.as_bytes()).unwrap();
            let found = RATCHETS.iter().find(|ratchet| ratchet.holds(&name));
            found.map(|ratchet| ratchet.channel)
        };
        assert_eq!(of("state/credentials/whatsapp/default/creds.json"), Some("WhatsApp"));
        assert_eq!(of("credentials/whatsapp/default/creds.json"), Some("WhatsApp"));
        assert_eq!(of("state/matrix/accounts/a/crypto-idb-snapshot.json"), Some("Matrix"));
        for other in ["state/credentials/whatsapp", "state/credentials/whatsapp-x/y", "state/matrix.json"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
