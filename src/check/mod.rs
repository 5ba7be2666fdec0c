//! Looks over an installation as it stands: a doctor for what was restored or copied.
//!
//! Nothing is changed, and databases are looked at in copies.

mod databases;
mod elsewhere;
mod files;
mod finding;
mod git;
mod homes;
mod layout;
mod leftovers;
mod shared;
mod surroundings;

use std::path::Path;

use crate::capture::Scratch;
use crate::error::Result;
use crate::observer::Observer;
use crate::openclaw::{Environment, Installation};

pub use finding::{Cause, Finding};

use finding::{Cases, number, quoted, shown};

/// Looks over an installation; `scratch` is where copies of databases go, as in a capture.
///
/// `environment` is that of the user who runs OpenClaw: where it leads, and which OpenClaw its `PATH` has.
///
/// # Errors
///
/// [`Interrupted`](crate::ErrorKind::Interrupted); [`Io`](crate::ErrorKind::Io) when there is no place for
/// copies of databases.
pub fn check(
    installation: &Installation,
    environment: &Environment,
    scratch: Option<&Path>,
    observer: &dyn Observer,
) -> Result<Vec<Finding>> {
    let mut report = Report { findings: Vec::new(), observer };
    let scratch = Scratch::new(scratch)?;
    let databases = databases::check(installation, &scratch, &mut report)?;
    layout::check(installation, &databases, &mut report)?;
    elsewhere::check(installation, &databases, &mut report)?;
    databases::releases(installation, &databases, environment, &mut report);
    surroundings::check(installation, environment, &mut report);
    files::check(installation, &mut report)?;
    leftovers::check(installation, environment, &mut report)?;
    // What should be done comes before what is good to know.
    report.findings.sort_by_key(|finding| !finding.cause.matters());
    Ok(report.findings)
}

/// What was found so far.
struct Report<'a> {
    findings: Vec<Finding>,
    observer: &'a dyn Observer,
}

impl Report<'_> {
    /// Adds a finding about one thing.
    fn add(&mut self, cause: Cause, text: String, path: &Path) {
        self.findings.push(Finding { cause, text, examples: Vec::new(), paths: vec![path.to_owned()] });
    }

    /// Adds a finding where there are cases of it.
    fn add_all(&mut self, cause: Cause, cases: Cases, summary: impl FnOnce(usize) -> String) {
        self.findings.extend(cases.finding(cause, summary));
    }
}
