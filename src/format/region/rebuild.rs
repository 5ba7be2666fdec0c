//! The header region as it was written, where two copies leave no doubt of it (spec §18.6).

use sha2::{Digest as _, Sha256};

use super::{Copy, DIGESTS, MAC, MANIFEST, Members, PASSPHRASE, RECIPIENTS, Region, SlotKind, scan, strict};

/// Puts the region together from two copies.
///
/// One intact copy is enough, unless the other has a member that matches its own `header.sha256` and differs: two that
/// differ leave it open which is meant. Without an intact one every member must match the same `header.sha256`.
pub(super) fn rebuild(copies: &[(&Copy, &[u8]); 2]) -> Option<Vec<u8>> {
    let [(head, head_bytes), (tail, tail_bytes)] = copies;
    match (head.problem.is_none(), tail.problem.is_none()) {
        (true, true) => (head_bytes == tail_bytes).then(|| head_bytes.to_vec()),
        (true, false) => (!contradicts(tail, head)).then(|| head_bytes.to_vec()),
        (false, true) => (!contradicts(head, tail)).then(|| tail_bytes.to_vec()),
        (false, false) => from_members(&[&head.members, &tail.members]),
    }
}

/// Tells whether a damaged copy has a member that is as it was written and is not the intact copy's.
fn contradicts(damaged: &Copy, intact: &Copy) -> bool {
    let digests = damaged.members.iter().find(|(name, _)| *name == DIGESTS).map(|(_, content)| content);
    let lines = digests.map(|content| String::from_utf8_lossy(content)).unwrap_or_default();
    damaged.members.iter().any(|(name, content)| {
        let line = format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
        lines.contains(&line) && !intact.members.contains(&(*name, content.clone()))
    })
}

fn from_members(copies: &[&Members; 2]) -> Option<Vec<u8>> {
    let all = || copies.iter().flat_map(|members| members.iter());
    all().filter(|(name, _)| *name == DIGESTS).find_map(|(_, digests)| {
        let mut region = Region { manifest: Vec::new(), mac: Vec::new(), slots: Vec::new() };
        for line in std::str::from_utf8(digests).ok()?.lines() {
            let (digest, wanted) = line.split_once("  ")?;
            let matches = |content: &[u8]| hex::encode(Sha256::digest(content)) == digest;
            let (name, content) = all().find(|(name, content)| *name == wanted && matches(content))?;
            match *name {
                MANIFEST => region.manifest.clone_from(content),
                MAC => region.mac.clone_from(content),
                PASSPHRASE => region.slots.push((SlotKind::Passphrase, content.clone())),
                RECIPIENTS => region.slots.push((SlotKind::Recipients, content.clone())),
                _ => return None,
            }
        }
        let bytes = region.encode().ok()?;
        let same = scan(&bytes).iter().any(|(name, content)| *name == DIGESTS && content == digests);
        (same && strict(&bytes).is_ok()).then_some(bytes)
    })
}

#[cfg(test)]
mod tests {
    use crate::format::region::{Found, Region, SlotKind};

    fn region() -> Vec<u8> {
        Region {
            manifest: b"manifest".to_vec(),
            mac: b"mac".to_vec(),
            slots: vec![(SlotKind::Passphrase, vec![1; 300]), (SlotKind::Recipients, vec![2; 512])],
        }
        .encode()
        .unwrap()
    }

    #[test]
    fn one_intact_copy_is_the_region() {
        let good = region();
        let mut bad = good.clone();
        bad[700..4000].fill(0);
        for (head, tail) in [(&good, &good), (&good, &bad), (&bad, &good)] {
            assert_eq!(Found::merge(head, tail).region, Some(good.clone()));
        }
        assert_eq!(Found::merge(&bad, &bad).region, None);
    }

    #[test]
    fn a_damaged_copy_that_says_something_else_leaves_it_open() {
        let good = region();
        let mut changed = Region { manifest: b"manifest".to_vec(), mac: b"mac".to_vec(), slots: vec![] };
        changed.slots.push((SlotKind::Passphrase, vec![9; 300]));
        let mut changed = changed.encode().unwrap();
        *changed.last_mut().unwrap() = b'x';
        for (head, tail) in [(&good, &changed), (&changed, &good)] {
            assert_eq!(Found::merge(head, tail).region, None);
        }
    }

    #[test]
    fn members_of_two_damaged_copies_make_one_where_their_digests_hold() {
        let good = region();
        // Any two holes of 512 bytes at different members are healed; where both hit the same member, never wrongly.
        let mut healed = 0;
        for first in (0..5120).step_by(512) {
            for second in (0..5120).step_by(512) {
                let (mut head, mut tail) = (good.clone(), good.clone());
                head[first..first + 512].fill(0xaa);
                tail[second..second + 512].fill(0x55);
                if let Some(region) = Found::merge(&head, &tail).region {
                    assert!(region == good, "{first} and {second}");
                    healed += 1;
                }
            }
        }
        assert_eq!(healed, 100 - 5 * 4, "five members of two blocks before the text");
    }

    #[test]
    fn two_intact_copies_that_differ_are_not_decided() {
        let good = region();
        let mut changed = Region { manifest: b"manifest".to_vec(), mac: b"mac".to_vec(), slots: vec![] };
        changed.slots.push((SlotKind::Passphrase, vec![9; 300]));
        assert_eq!(Found::merge(&good, &changed.encode().unwrap()).region, None);
    }
}
