//! The exit codes and what each of them means.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Done, but something should have been in or needs a look.
    Attention = 3,
    Damaged = 4,
    NoKey = 5,
    Interrupted = 130,
}

/// What each exit code means.
pub(crate) const MEANINGS: [(Exit, &str); 7] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed"),
    (Exit::Usage, "wrong usage"),
    (
        Exit::Attention,
        "done, but something that should be in the archive was left out or needs attention, or `diff` found differences",
    ),
    (Exit::Damaged, "the archive is damaged or forged"),
    (Exit::NoKey, "no key fits"),
    (Exit::Interrupted, "interrupted"),
];

/// The same in a sentence.
pub(crate) fn meanings() -> String {
    let each = MEANINGS.map(|(exit, meaning)| format!("{} {meaning}", exit as u8));
    format!("Exit codes: {}.", each.join("; "))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
