//! Every vector: its name, the rule that it breaks or stretches, what a reader does with it, and how it is made.

mod container;
mod frames;
mod index;
mod manifest;
mod members;
mod names;
pub mod parity;
mod region;
mod slots;
mod tar;

use std::io::Write;

use sha2::{Digest, Sha256};

use crate::forge::{Forge, Key};

/// One vector.
pub struct Vector {
    pub name: &'static str,
    rule: &'static str,
    comment: &'static str,
    pub outcome: Outcome,
    pub forge: Forge,
}

/// What each step of reading comes to: `ok`, `damage` where it is done with a report, or the kind of the error.
/// Steps after an error are not reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of [`STEPS`].
    pub steps: Vec<&'static str>,
    /// How many files are whole before the first error.
    pub files: usize,
}

/// The steps of reading, as the header of a vector names them.
pub const STEPS: [&str; 6] = ["info", "digests", "unlock", "list", "one", "all"];

/// Everything is as it should be.
pub fn sound() -> Outcome {
    Outcome { steps: vec!["ok"; 6], files: usize::MAX }
}

/// Fails without a key.
pub fn at_info(kind: &'static str) -> Outcome {
    Outcome { steps: vec![kind], files: 0 }
}

/// Fails when a slot is opened or the manifest proven.
pub fn at_unlock(kind: &'static str) -> Outcome {
    Outcome { steps: vec!["ok", "ok", kind], files: 0 }
}

/// Fails when the index is read.
pub fn at_list(kind: &'static str) -> Outcome {
    Outcome { steps: vec!["ok", "ok", "ok", kind], files: 0 }
}

/// Fails when the payload is read, however it is read, after so many whole files.
pub fn at_content(kind: &'static str, files: usize) -> Outcome {
    Outcome { steps: vec!["ok", "ok", "ok", "ok", kind, kind], files }
}

/// Everything comes out, with a report of damage.
pub fn damaged() -> Outcome {
    sound().with("info", "damage").with("digests", "damage").with("unlock", "damage").with("all", "damage")
}

impl Outcome {
    /// The same with another result of one step.
    pub fn with(mut self, step: &str, result: &'static str) -> Self {
        self.steps[STEPS.iter().position(|known| *known == step).unwrap()] = result;
        self
    }

    /// The same, but the index cannot be read.
    pub fn list_fails(mut self, kind: &'static str) -> Self {
        self.steps.truncate(3);
        self.steps.push(kind);
        self.files(0)
    }

    /// The same after so many whole files.
    pub fn files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }
}

impl Vector {
    /// Makes all vectors.
    pub fn all() -> Vec<Self> {
        let mut suite = Suite(Vec::new());
        container::add(&mut suite);
        region::add(&mut suite);
        manifest::add(&mut suite);
        slots::add(&mut suite);
        members::add(&mut suite);
        frames::add(&mut suite);
        tar::add(&mut suite);
        names::add(&mut suite);
        index::add(&mut suite);
        parity::add(&mut suite);
        suite.0
    }

    /// `valid` or `invalid`.
    pub fn directory(&self) -> &'static str {
        if self.outcome == sound() { "valid" } else { "invalid" }
    }

    /// The text before the archive, up to and with the empty line.
    pub fn header(&self) -> String {
        let mut text = format!("comment: {}\nrule: {}\n", self.comment, self.rule);
        text += &match self.forge.key {
            Key::Identity(identity) => format!("identity: {identity}\n"),
            // On one line, without the lines around it.
            Key::Ssh(file) => {
                let body: String = file.lines().filter(|line| !line.starts_with('-')).collect();
                format!("ssh-identity: {body}\n")
            }
            Key::Passphrase(passphrase) => format!("passphrase: {passphrase}\n"),
        };
        for (step, result) in STEPS.iter().zip(&self.outcome.steps) {
            text += &format!("{step}: {result}\n");
        }
        text + &format!("released: {:x}\ncompressed: zstd\n\n", Sha256::digest(self.released()))
    }

    /// The whole file, as it is committed.
    pub fn file(&self, archive: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(self.header().into_bytes(), 19).unwrap();
        encoder.write_all(archive).unwrap();
        encoder.finish().unwrap()
    }

    /// The contents of the files that come out, one after another.
    pub fn released(&self) -> Vec<u8> {
        let Forge { state, workspace, .. } = &self.forge;
        let entries = state.entries.iter().chain(workspace.iter().flat_map(|payload| &payload.entries));
        let files = entries.filter(|entry| entry.kind == b'0');
        files.take(self.outcome.files).flat_map(|file| file.content.clone()).collect()
    }
}

/// The vectors, being collected.
pub struct Suite(Vec<Vector>);

impl Suite {
    /// Adds one: the sound archive of the forge with a change.
    pub fn add(
        &mut self,
        name: &'static str,
        rule: &'static str,
        comment: &'static str,
        outcome: Outcome,
        change: impl FnOnce(&mut Forge),
    ) {
        let mut forge = Forge::new();
        change(&mut forge);
        self.0.push(Vector { name, rule, comment, outcome, forge });
    }
}
