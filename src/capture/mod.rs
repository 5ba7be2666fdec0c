//! Brings an installation from the disk into an archive.
//!
//! Nothing on the disk is changed, no link is followed, and what cannot be read is listed instead of
//! ending the backup.

mod ahead;
mod contents;
mod estimate;
mod facts;
mod fingerprint;
mod listing;
mod meta;
mod missed;
mod readahead;
mod record;
mod roots;
mod scratch;
mod sqlite;
mod stable;
mod survey;
mod tally;
mod visitor;
mod walk;
mod xattr;

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::archive::ArchiveWriter;
use crate::capture::ahead::Ahead;
use crate::capture::estimate::Sampler;
use crate::capture::readahead::{Pace, ReadAhead};
use crate::capture::record::{Recorder, Sink};
use crate::capture::roots::Scope;
use crate::capture::survey::Survey;
use crate::capture::tally::Tally;
use crate::capture::walk::{Links, walk};
use crate::error::Result;
use crate::format::entry::Role;
use crate::observer::Observer;
use crate::openclaw::Installation;

pub use contents::{Contents, contents};
pub use estimate::Estimate;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use scratch::{Copy, Scratch};
pub(crate) use sqlite::copy_database;
pub use survey::Preview;

/// What to capture.
#[derive(Clone, Debug)]
pub struct CaptureOptions {
    /// Roles; their order does not matter.
    pub roles: Vec<Role>,
    /// Patterns against whole names in the archive; what matches is left out with all below it.
    pub exclude: Vec<String>,
    /// Patterns as in `exclude`; what matches is kept with all below it, although it can be made again.
    pub include: Vec<String>,
    /// Also store what can be made again.
    pub all: bool,
    /// Store the files of the configuration and nothing else: the configuration file, those that it
    /// includes, and those that its `${NAME}` may come from.
    pub only_config: bool,
    /// Where the copies of databases go; `TMPDIR` or `/var/tmp` where it is not said.
    pub scratch: Option<PathBuf>,
    /// Large databases known beforehand, in the order of the archive: their copies are made while what lies before
    /// them is stored.
    pub databases: Vec<PathBuf>,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            roles: Role::ALL.to_vec(),
            exclude: Vec::new(),
            include: Vec::new(),
            all: false,
            only_config: false,
            scratch: None,
            databases: Vec::new(),
        }
    }
}

/// Writes an installation into an archive, the state first; `writer` is to be finished by the caller.
///
/// Nothing in the installation is changed. What cannot be read is listed in the archive instead of ending
/// the work; [`SkipReason::needs_attention`](crate::SkipReason::needs_attention) and
/// [`NoteReason::needs_attention`](crate::NoteReason::needs_attention) tell what a person should look at.
///
/// No database of the installation may be open in this process: closing a file drops all locks that the
/// process has on it.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid) for a pattern that does not parse;
/// [`NotFound`](crate::ErrorKind::NotFound) for a missing configuration that alone is wanted;
/// [`Interrupted`](crate::ErrorKind::Interrupted); [`Io`](crate::ErrorKind::Io) when there is no place for
/// copies of databases; and those of the writer.
pub fn capture<W: Write + Seek + Send + 'static>(
    installation: &Installation,
    options: &CaptureOptions,
    writer: &mut ArchiveWriter<W>,
    observer: &dyn Observer,
) -> Result<()> {
    record(installation, options, writer, observer, Pace::default())
}

/// Tells what a capture would store, and how large it would be in an archive of a level of compression.
///
/// Reads a sample of the content, for less than a second.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid) for a pattern that does not parse;
/// [`NotFound`](crate::ErrorKind::NotFound) for a missing configuration that alone is wanted;
/// [`Interrupted`](crate::ErrorKind::Interrupted).
pub fn preview(
    installation: &Installation,
    options: &CaptureOptions,
    level: i32,
    observer: &dyn Observer,
) -> Result<(Vec<Preview>, Estimate)> {
    let scope = Scope::new(installation, options, observer)?;
    let mut links = Links::default();
    let mut previews = Vec::new();
    let mut sampler = Sampler::default();
    for role in roles(options) {
        let mut survey = Survey::new(role, facts::source(installation, &scope, role), &mut sampler);
        walk(&scope, role, &mut links, &mut survey, None, observer)?;
        previews.push(survey.finish());
    }
    warn_of_idle_patterns(&scope, observer);
    Ok((previews, sampler.estimate(level, 0, SAMPLING)))
}

/// What is known of a capture before it begins.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Bytes of all files.
    pub content: u64,
    /// For [`CaptureOptions::databases`].
    pub databases: Vec<PathBuf>,
    /// How large an archive it makes.
    pub estimate: Estimate,
}

/// Tells how much a capture would store, and how large it would be in an archive of a level of compression.
///
/// Only looks at names, and reads a sample where `enough` bytes do not hold everything however it compresses.
///
/// # Errors
///
/// As [`preview`].
pub fn estimate(
    installation: &Installation,
    options: &CaptureOptions,
    level: i32,
    enough: u64,
    observer: &dyn Observer,
) -> Result<Forecast> {
    let scope = Scope::new(installation, options, observer)?;
    let (mut links, mut tally) = (Links::default(), Tally::default());
    for role in roles(options) {
        walk(&scope, role, &mut links, &mut tally, None, observer)?;
    }
    let Tally { sampler, bytes, databases } = tally;
    Ok(Forecast { content: bytes, databases, estimate: sampler.estimate(level, enough, SAMPLING) })
}

const SAMPLING: Duration = Duration::from_millis(500);

/// Sends everything into a sink.
fn record(
    installation: &Installation,
    options: &CaptureOptions,
    sink: &mut dyn Sink,
    observer: &dyn Observer,
    pace: Pace,
) -> Result<()> {
    let scope = Scope::new(installation, options, observer)?;
    let scratch = Scratch::new(options.scratch.as_deref())?;
    let mut links = Links::default();
    thread::scope(|threads| {
        let ahead = Ahead::start(threads, &options.databases, &scratch);
        let reading = ReadAhead::start(threads, pace);
        let pace = reading.pace();
        let mut recorder = Recorder { sink, scratch: &scratch, observer, ahead, pace, buffer: Vec::new() };
        roles(options).try_for_each(|role| {
            recorder.sink.begin(facts::source(installation, &scope, role), role)?;
            walk(&scope, role, &mut links, &mut recorder, Some(&reading), observer)
        })
    })?;
    warn_of_idle_patterns(&scope, observer);
    Ok(())
}

/// A pattern that left nothing out is probably a mistake.
fn warn_of_idle_patterns(scope: &Scope, observer: &dyn Observer) {
    for pattern in scope.policy.idle() {
        observer.warn(&format!("nothing to leave out matches `{pattern}`"));
    }
}

/// The roles asked for, in the archive's order.
fn roles(options: &CaptureOptions) -> impl Iterator<Item = Role> {
    let wanted = |role: &Role| options.roles.contains(role) && !(options.only_config && *role != Role::State);
    Role::ALL.into_iter().filter(wanted)
}

#[cfg(test)]
mod tests;
