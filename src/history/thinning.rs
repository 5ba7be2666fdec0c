//! Which archives of a group go, under rules that no policy overrides.
//!
//! The newest sound archive of a group always stays; one that is damaged, or says that it was made in the future, counts
//! for nothing and is never removed; archives of one time, which are copies of each other or the same content under other
//! keys, count once and share their fate.

use std::path::PathBuf;

use super::retention::{Kept, Retention, Zone};
use super::shelf::{Group, Shelved};

/// What becomes of an archive.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The archive.
    pub archive: &'a Shelved,
    /// The verdict.
    pub verdict: Verdict,
}

/// What becomes of an archive, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The policy keeps it.
    Keep(Vec<Kept>),
    /// The policy does not keep it, but it is the newest.
    Newest,
    /// It is damaged: a person decides.
    Damaged,
    /// It says that it was made more than an hour after this moment: a clock was wrong, or somebody wants the others to go.
    Future,
    /// It goes.
    Remove,
}

impl<'a> Group<'a> {
    /// Judges the archives, newest first; `now` is in seconds since 1970, and `damaged` are those of which more is known to
    /// be damaged than they say.
    #[must_use]
    pub fn thin(&self, policy: &Retention, zone: Zone, now: i64, damaged: &[PathBuf]) -> Vec<Judged<'a>> {
        let is_future = |archive: &Shelved| archive.created > now.saturating_add(TOLERANCE);
        let is_damaged = |archive: &Shelved| !archive.damage.is_empty() || damaged.contains(&archive.path);
        let mut sound: Vec<&Shelved> = Vec::new();
        for archive in self.archives.iter().filter(|one| !is_damaged(one) && !is_future(one)) {
            if sound.iter().all(|known| known.created != archive.created) {
                sound.push(archive);
            }
        }
        let times: Vec<i64> = sound.iter().map(|archive| archive.created).collect();
        let reasons = policy.keep(&times, zone);
        let verdict = |archive: &Shelved| {
            if is_damaged(archive) {
                return Verdict::Damaged;
            }
            if is_future(archive) {
                return Verdict::Future;
            }
            let number = sound.iter().position(|known| known.created == archive.created);
            match number.map(|number| (number, &reasons[number])) {
                Some((_, reasons)) if !reasons.is_empty() => Verdict::Keep(reasons.clone()),
                Some((0, _)) => Verdict::Newest,
                _ => Verdict::Remove,
            }
        };
        self.archives.iter().map(|archive| Judged { archive, verdict: verdict(archive) }).collect()
    }
}

/// Clocks of two machines differ by minutes: an hour, in seconds.
const TOLERANCE: i64 = 3600;
