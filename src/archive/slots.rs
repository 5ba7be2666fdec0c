//! The key slots of a new archive, made while its payloads are written (spec §5): a passphrase takes most of a second.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::crypto::identity::ArchiveIdentity;
use crate::crypto::{Passphrase, Recipient, slot};
use crate::error::{Error, Result};
use crate::format::limits::LIMITS;
use crate::format::region::{Region, SlotKind};
use crate::payload::{join, spawn};

/// Slots, of which one may still be in the making.
pub(super) struct Slots {
    passphrase: Option<JoinHandle<Result<Vec<u8>>>>,
    recipients: Option<Vec<u8>>,
}

impl Slots {
    /// Begins to make the slots.
    ///
    /// # Errors
    ///
    /// `Invalid` without any key or with an empty passphrase; `LimitExceeded` when the recipients do not fit the header; `Io`
    /// when no thread can be started.
    pub(super) fn begin(
        identity: &Arc<ArchiveIdentity>,
        passphrase: Option<Passphrase>,
        work_factor: u8,
        recipients: &[Recipient],
    ) -> Result<Self> {
        if passphrase.as_ref().is_some_and(|passphrase| passphrase.expose().is_empty()) {
            return Err(Error::invalid("the passphrase is empty"));
        }
        let sealed =
            (!recipients.is_empty()).then(|| slot::seal_recipients(identity, recipients)).transpose()?;
        // §11: recipients that do not fit are an error before any work.
        let most = passphrase.is_some().then(|| vec![0; LIMITS.passphrase_slot]);
        let slots = listed(most, sealed.clone());
        if slots.is_empty() {
            return Err(Error::invalid("an archive needs a passphrase or a recipient"));
        }
        Region { manifest: vec![0; LIMITS.manifest], mac: vec![0; 65], slots }.encode()?;
        let identity = identity.clone();
        let make = |passphrase: Passphrase| {
            spawn("slot", move || slot::seal_passphrase(&identity, &passphrase, work_factor))
        };
        Ok(Self { passphrase: passphrase.map(make).transpose()?, recipients: sealed })
    }

    /// Waits for them.
    ///
    /// # Errors
    ///
    /// `Invalid` when age refuses.
    pub(super) fn finish(mut self) -> Result<Vec<(SlotKind, Vec<u8>)>> {
        let passphrase = self.passphrase.is_some().then(|| join(&mut self.passphrase)).transpose()?;
        Ok(listed(passphrase, self.recipients))
    }
}

/// In the order of the header region.
fn listed(passphrase: Option<Vec<u8>>, recipients: Option<Vec<u8>>) -> Vec<(SlotKind, Vec<u8>)> {
    let passphrase = passphrase.map(|slot| (SlotKind::Passphrase, slot));
    let recipients = recipients.map(|slot| (SlotKind::Recipients, slot));
    passphrase.into_iter().chain(recipients).collect()
}
