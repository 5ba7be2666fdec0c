//! The parity member (spec §18).

use super::{Suite, at_content, sound};
use crate::forge::payload::Payload;
use crate::forge::tar::Entry;
use crate::forge::{Forge, Parity, REGION, no_change};

pub fn add(suite: &mut Suite) {
    suite.add("parity", "§18", "Parity of four shards for a small archive.", sound(), |forge| {
        forge.parity = Some(Parity::Of(4, no_change));
    });
    suite.add(
        "parity-of-two-payloads",
        "§18",
        "Parity of eleven shards for two payloads.",
        sound(),
        |forge| {
            forge.workspace = Some(Payload::workspace());
            forge.state.entries = some_shards();
            forge.parity = Some(Parity::Of(11, no_change));
        },
    );
    suite.add(
        "parity-unknown-check-block",
        "§18.3",
        "The check blocks are of another version: nothing can be repaired, and everything read.",
        sound(),
        |forge| {
            forge.parity = Some(Parity::Of(4, |content| {
                for at in 0..content.len() - 64 {
                    if content[at..].starts_with(b"ocbakpar") {
                        content[at + 56] = 2;
                    }
                }
            }));
        },
    );
    suite.add(
        "parity-payload-rotten",
        "§18.6",
        "A payload is damaged where parity can rebuild it; whoever only reads stops there.",
        at_content("tampered", 0).with("digests", "damage"),
        |forge| {
            forge.state.entries = some_shards();
            forge.parity = Some(Parity::Of(4, no_change));
            // Behind the header of age.
            forge.between = |between| between[512 + 4096] ^= 1;
        },
    );
    suite.add(
        "parity-rotten",
        "§18.6",
        "A recovery shard is damaged: `ocbak/parity` does not match its digest, and everything else is whole.",
        sound().with("digests", "damage").with("all", "damage"),
        |forge| {
            forge.parity = Some(Parity::Of(4, no_change));
            forge.between = |between| {
                let end = between.len();
                between[end - 2 * 4096] ^= 1;
            };
        },
    );
}

/// Archives that parity is to make whole again, each with the sound one.
pub fn repairable() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut forge = Forge::new();
    forge.workspace = Some(Payload::workspace());
    forge.state.entries = some_shards();
    forge.parity = Some(Parity::Of(11, no_change));
    let sound = forge.build();
    let damaged = |at: usize| {
        let mut bytes = sound.clone();
        let end = bytes.len().min(at + 4096);
        bytes[at..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        (bytes, sound.clone())
    };
    (0..sound.len())
        .step_by(4096)
        .map(damaged)
        .chain([{
            // All of one file of the payload, and more.
            let mut bytes = sound.clone();
            bytes[REGION + 5000..REGION + 45_000].fill(0);
            (bytes, sound.clone())
        }])
        .collect()
}

/// Files that take a dozen shards.
fn some_shards() -> Vec<Entry> {
    let byte = |at: u32| (at.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0];
    let noise: Vec<u8> = (0..).map(byte).take(50_000).collect();
    vec![Entry::directory("state"), Entry::file("state/a", noise)]
}
