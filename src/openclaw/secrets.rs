//! Which files of an installation hold secrets.

use globset::{Candidate, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::format::entry::{Entry, Node};
use crate::pattern::glob;

/// Tells by its name whether an entry holds secrets: tokens, passwords, private keys, channel logins.
///
/// It knows where OpenClaw keeps them; what else a user has written down somewhere it does not.
#[derive(Debug)]
pub struct Secrets(GlobSet);

impl Secrets {
    /// Prepares what is known.
    ///
    /// # Errors
    ///
    /// None but a want of memory.
    pub fn known() -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for pattern in PATTERNS {
            set.add(glob(pattern)?);
        }
        set.build().map(Self).map_err(|error| Error::invalid(error.to_string()))
    }

    /// Tells whether an entry holds secrets. Directories never do: what is in them does.
    #[must_use]
    pub fn hold(&self, entry: &Entry) -> bool {
        entry.node != Node::Directory
            && self.0.is_match_candidate(&Candidate::from_bytes(entry.path.as_bytes()))
    }
}

/// OpenClaw: its layout, and that of releases up to 2026.7.1.
const PATTERNS: [&str; 30] = [
    "{agent/*,state/agents/*/agent}/openclaw-agent.sqlite*",
    "{agent/*,state/agents/*/agent}/auth*.json*",
    "{agent/*,state/agents/*/agent}/codex-home/**",
    "config/**",
    "credentials/**",
    "env/**",
    "include/**",
    "state/.env",
    "state/config-journal-fingerprint.key",
    "state/credentials/**",
    "state/devices/**",
    "state/gateway.password",
    "state/gateway.token",
    "state/gateway/tls/**",
    "state/googlechat-service-account.json",
    "state/identity/**",
    "state/keys.json",
    "state/matrix/**",
    "state/mcp-oauth/**",
    "state/node-host/**",
    "state/{clawdbot,openclaw}.json*",
    "state/push/vapid-keys.json",
    "state/secrets.json",
    "state/secrets/**",
    "state/service-env/**",
    "state/state/openclaw.sqlite*",
    "state/{migration,backups,session-sqlite-migration-runs}/**",
    "state/*.migrated*",
    "state/agents/*/agent/*.key",
    "workspace/*/.env",
];

#[cfg(test)]
mod tests {
    use super::Secrets;
    use crate::format::entry::{Entry, Mtime, Node};
    use crate::path::ArchivePath;

    #[test]
    fn secrets_are_told_by_their_places() {
        let secrets = Secrets::known().unwrap();
        let hold = |name: &str, node| {
            let path = ArchivePath::parse(name.as_bytes()).unwrap();
            secrets.hold(&Entry { path, mode: 0o600, mtime: Mtime::default(), offset: 0, node })
        };
        let file = Node::File { size: 1, sha256: [0; 32] };
        for name in [
            "state/openclaw.json",
            "state/openclaw.json.bak.1",
            "state/credentials/whatsapp/default/creds.json",
            "state/state/openclaw.sqlite",
            "state/agents/main/agent/openclaw-agent.sqlite",
            "agent/ops/auth-profiles.json",
            "env/gateway.env",
            "config/openclaw.json",
            "include/0/keys.json",
            "state/identity/device.json",
        ] {
            assert!(hold(name, file.clone()), "{name}");
        }
        for name in
            ["state/media/inbound/a.jpg", "workspace/main/MEMORY.md", "state/agents/main/sessions/a.jsonl"]
        {
            assert!(!hold(name, file.clone()), "{name}");
        }
        assert!(!hold("state/credentials/whatsapp", Node::Directory));
    }
}
