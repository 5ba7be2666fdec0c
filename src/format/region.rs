//! The header region: its bytes, and what can be had of two copies of it (spec §4).

mod rebuild;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::format::block::{self, BLOCK, padding};
use crate::format::layout::member_header;
use crate::format::limits::LIMITS;

/// The kind of a key slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// Opens with a passphrase.
    Passphrase,
    /// Opens with the key of a recipient.
    Recipients,
}

/// What a writer puts into a header region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Content of the manifest member.
    pub(crate) manifest: Vec<u8>,
    /// Content of the MAC member.
    pub(crate) mac: Vec<u8>,
    /// Content of the slot members, the passphrase's first.
    pub(crate) slots: Vec<(SlotKind, Vec<u8>)>,
}

impl Region {
    /// Encodes the region.
    ///
    /// # Errors
    ///
    /// `LimitExceeded` when the slots leave no room.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(LIMITS.region);
        let mut digests = String::new();
        let slots = self.slots.iter().map(|(kind, slot)| (slot_name(*kind), slot));
        let members = [(MANIFEST, &self.manifest), (MAC, &self.mac)];
        for (name, content) in members.into_iter().chain(slots) {
            append(&mut bytes, name, content);
            digests += &format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
        }
        append(&mut bytes, DIGESTS, digests.as_bytes());
        let room = LIMITS.region.saturating_sub(bytes.len()).saturating_sub(BLOCK);
        if room < LIMITS.recovery_text {
            let needed = bytes.len().saturating_add(BLOCK).saturating_add(LIMITS.recovery_text);
            return Err(Error::LimitExceeded {
                what: "length of the header region".to_owned(),
                limit: LIMITS.region as u64,
                found: needed as u64,
            });
        }
        append(&mut bytes, RECOVERY, &recovery(room));
        Ok(bytes)
    }

    /// Reads a copy that is intact; `None` for any other.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut members = strict(bytes).ok()?.into_iter();
        let ((MANIFEST, manifest), (MAC, mac)) = (members.next()?, members.next()?) else {
            return None;
        };
        let slots = members.filter_map(|(name, content)| Some((slot_kind(name)?, content))).collect();
        Some(Self { manifest, mac, slots })
    }
}

/// What was found in one or two copies of a header region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Distinct manifests, best first.
    pub(crate) manifests: Vec<Vec<u8>>,
    /// Distinct contents of the MAC member.
    pub(crate) macs: Vec<Vec<u8>>,
    /// Distinct slots.
    pub(crate) slots: Vec<(SlotKind, Vec<u8>)>,
    /// How many of the slots, from the first on, stand in an intact copy.
    pub(crate) intact_slots: usize,
    /// The region as it was written, where there is no doubt of it.
    pub(crate) region: Option<Vec<u8>>,
    /// What is wrong with the copies, a line each.
    pub(crate) problems: Vec<String>,
    /// Whether some copy is intact, and so a key that does not fit is a wrong key.
    pub(crate) some_intact: bool,
}

impl Found {
    /// Takes every member from either copy (§4.3); a copy that is not there is empty.
    pub(crate) fn merge(head: &[u8], tail: &[u8]) -> Self {
        let mut copies = [Copy::parse("head", head), Copy::parse("tail", tail)];
        let mut found = Self::default();
        for copy in &copies {
            found.problems.extend(copy.problem.clone());
            found.some_intact |= copy.problem.is_none();
        }
        if found.problems.is_empty() && head != tail {
            let manifest = |copy: &Copy| copy.members.first().cloned();
            let cause = if manifest(&copies[0]) == manifest(&copies[1]) {
                "differ: a change of passphrase was interrupted"
            } else {
                "are of different archives"
            };
            found.problems.push(format!("the two copies of the header region {cause}"));
        }
        found.region = rebuild::rebuild(&[(&copies[0], head), (&copies[1], tail)]);
        // §4.3: intact copies first, head before tail; the sort is stable.
        copies.sort_by_key(|copy| copy.problem.is_some());
        for copy in copies {
            found.take(copy.members);
            if copy.problem.is_none() {
                found.intact_slots = found.slots.len();
            }
        }
        found
    }

    fn take(&mut self, members: Members) {
        for (name, content) in members {
            match name {
                MANIFEST => insert(&mut self.manifests, content),
                MAC => insert(&mut self.macs, content),
                _ => {
                    if let Some(kind) = slot_kind(name) {
                        insert(&mut self.slots, (kind, content));
                    }
                }
            }
        }
    }
}

/// One copy of the region.
struct Copy {
    members: Vec<(&'static str, Vec<u8>)>,
    problem: Option<String>,
}

impl Copy {
    fn parse(which: &str, bytes: &[u8]) -> Self {
        match strict(bytes) {
            Ok(members) => Self { members, problem: None },
            Err(what) => Self {
                members: scan(bytes),
                problem: Some(format!("the {which} copy of the header region {what}")),
            },
        }
    }
}

type Members = Vec<(&'static str, Vec<u8>)>;

/// Reads a region that is exactly as a writer writes it.
fn strict(bytes: &[u8]) -> Result<Members, String> {
    if bytes.len() != LIMITS.region {
        return Err("is not there".to_owned());
    }
    let mut members = Members::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some((name, content)) = member_at(bytes, at) else {
            return Err(format!("is damaged at byte {at}"));
        };
        let end = at.saturating_add(BLOCK).saturating_add(content.len());
        let padded = end.saturating_add(padding(content.len() as u64));
        if bytes.get(end..padded).is_none_or(|zeros| zeros.iter().any(|&byte| byte != 0)) {
            return Err(format!("is damaged after `{name}`"));
        }
        at = padded;
        members.push((name, content.to_vec()));
    }
    let (Some((RECOVERY, text)), Some((DIGESTS, digests))) = (members.pop(), members.pop()) else {
        return Err("does not end with its digests and recovery text".to_owned());
    };
    // §4.1: it ends the region, without padding.
    let ends = padding(text.len() as u64) == 0;
    if text != recovery(text.len()) || text.len() < LIMITS.recovery_text || !ends {
        return Err("has another recovery text than this format".to_owned());
    }
    let mut expected = String::new();
    for (name, content) in &members {
        expected += &format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
    }
    if digests != expected.as_bytes() {
        let rotten = members.iter().find(|(name, content)| {
            let line = format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
            !String::from_utf8_lossy(&digests).contains(&line)
        });
        return Err(match rotten {
            Some((name, _)) => format!("has a damaged `{name}`"),
            None => format!("has a damaged `{DIGESTS}`"),
        });
    }
    let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    match names[..] {
        [MANIFEST, MAC, PASSPHRASE | RECIPIENTS] | [MANIFEST, MAC, PASSPHRASE, RECIPIENTS] => Ok(members),
        _ => Err("has other members than this format".to_owned()),
    }
}

/// Looks at every block for a member, in a copy that does not parse (§4.3).
fn scan(bytes: &[u8]) -> Members {
    let mut members = Members::new();
    for (name, content) in (0..bytes.len()).step_by(BLOCK).filter_map(|at| member_at(bytes, at)) {
        // The first of each name: a forged copy shall not make readers try a slot for every block.
        if members.iter().all(|(known, _)| *known != name) {
            members.push((name, content.to_vec()));
        }
    }
    members
}

/// The member whose header block stands at `at`.
fn member_at(bytes: &[u8], at: usize) -> Option<(&'static str, &[u8])> {
    let block: &[u8; BLOCK] = bytes.get(at..)?.first_chunk()?;
    let name = NAMES.into_iter().find(|name| name.as_bytes() == block::name(block))?;
    let size = block::size(block)?;
    // §3.2: the block is fully determined by name and length.
    if member_header(name, size) != *block {
        return None;
    }
    let start = at.checked_add(BLOCK)?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let limit = match name {
        MANIFEST => LIMITS.manifest,
        PASSPHRASE => LIMITS.passphrase_slot,
        RECIPIENTS => LIMITS.recipients_slot,
        _ => LIMITS.region,
    };
    let content = bytes.get(start..end)?;
    (content.len() <= limit).then_some((name, content))
}

fn append(bytes: &mut Vec<u8>, name: &str, content: &[u8]) {
    bytes.extend_from_slice(&member_header(name, content.len() as u64));
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().saturating_add(padding(content.len() as u64)), 0);
}

/// The recovery text, padded to `length` with line feeds (§13.1).
fn recovery(length: usize) -> Vec<u8> {
    let mut text = RECOVERY_TEXT.as_bytes().to_vec();
    text.resize(length.max(text.len()), b'\n');
    text
}

fn insert<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

fn slot_name(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => PASSPHRASE,
        SlotKind::Recipients => RECIPIENTS,
    }
}

fn slot_kind(name: &str) -> Option<SlotKind> {
    match name {
        PASSPHRASE => Some(SlotKind::Passphrase),
        RECIPIENTS => Some(SlotKind::Recipients),
        _ => None,
    }
}

const RECOVERY_TEXT: &str = include_str!("RECOVERY.txt");
const MANIFEST: &str = "ocbak/manifest.toml";
const MAC: &str = "ocbak/manifest.mac";
const PASSPHRASE: &str = "ocbak/passphrase.key.age";
const RECIPIENTS: &str = "ocbak/recipients.key.age";
const DIGESTS: &str = "ocbak/header.sha256";
const RECOVERY: &str = "ocbak/RECOVERY.txt";
const NAMES: [&str; 6] = [MANIFEST, MAC, PASSPHRASE, RECIPIENTS, DIGESTS, RECOVERY];

#[cfg(test)]
mod tests {
    use super::{Found, RECOVERY_TEXT, Region, SlotKind};
    use crate::error::ErrorKind;
    use crate::format::limits::LIMITS;

    fn sample() -> Region {
        Region {
            manifest: b"manifest".to_vec(),
            mac: b"mac".to_vec(),
            slots: vec![(SlotKind::Passphrase, vec![1; 300]), (SlotKind::Recipients, vec![2; 512])],
        }
    }

    fn good() -> Found {
        let bytes = sample().encode().unwrap();
        Found::merge(&bytes, &bytes)
    }

    #[test]
    fn the_recovery_text_keeps_its_limit() {
        assert!(RECOVERY_TEXT.len() <= LIMITS.recovery_text);
        assert!(RECOVERY_TEXT.is_ascii());
    }

    #[test]
    fn a_region_comes_back() {
        let region = sample();
        let bytes = region.encode().unwrap();
        assert_eq!(bytes.len(), LIMITS.region);
        let found = good();
        assert_eq!(found.problems, [""; 0]);
        assert_eq!(found.manifests, [region.manifest]);
        assert_eq!(found.macs, [region.mac]);
        assert_eq!(found.slots, region.slots);
        assert_eq!(Region::decode(&bytes), Some(sample()));
        assert_eq!(Region::decode(&bytes[1..]), None);
    }

    #[test]
    fn every_flip_in_one_copy_is_noticed_and_loses_nothing() {
        let bytes = sample().encode().unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            for (head, tail) in [(&bad, &bytes), (&bytes, &bad)] {
                let found = Found::merge(head, tail);
                assert_eq!(found.problems.len(), 1, "byte {at}");
                let good = good();
                assert_eq!(found.manifests[0], good.manifests[0], "byte {at}");
                assert_eq!(found.macs[0], good.macs[0], "byte {at}");
                assert!(good.slots.iter().all(|slot| found.slots.contains(slot)), "byte {at}");
                assert!(found.some_intact);
            }
        }
    }

    #[test]
    fn either_copy_alone_serves() {
        let bytes = sample().encode().unwrap();
        for (head, tail) in [(&bytes[..], &[][..]), (&[][..], &bytes[..])] {
            let found = Found::merge(head, tail);
            assert_eq!(found.slots, sample().slots);
            assert_eq!(found.problems.len(), 1);
        }
    }

    #[test]
    fn members_are_merged_from_two_damaged_copies() {
        let bytes = sample().encode().unwrap();
        let (mut head, mut tail) = (bytes.clone(), bytes);
        head[..600].fill(0);
        tail[1024..].fill(0xff);
        let found = Found::merge(&head, &tail);
        assert_eq!(found.problems.len(), 2);
        assert!(!found.some_intact);
        assert_eq!(found.manifests, [b"manifest"]);
        assert_eq!(found.slots, sample().slots);
    }

    #[test]
    fn copies_that_are_intact_and_differ_are_an_interrupted_change() {
        let mut region = sample();
        let head = region.encode().unwrap();
        region.slots[0].1 = vec![3; 300];
        let found = Found::merge(&head, &region.encode().unwrap());
        assert_eq!(found.slots.len(), 3);
        assert!(found.problems[0].contains("interrupted"));
    }

    #[test]
    fn slots_that_do_not_fit_are_named() {
        let mut region = sample();
        region.slots[1].1 = vec![0; 32 * 1024];
        assert_eq!(region.encode().unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
