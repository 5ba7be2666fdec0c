//! Patterns over names in an archive: `*` stays within a component, `**` does not.

use std::cell::Cell;

use globset::{Candidate, Glob, GlobBuilder, GlobMatcher};

use crate::error::{Error, Result};
use crate::path::ArchivePath;

/// Patterns of which any selects a name; a pattern that matches a directory selects what is
/// below it. No pattern at all selects everything.
#[derive(Debug)]
pub struct Patterns(Vec<(GlobMatcher, Cell<bool>)>);

impl Patterns {
    /// Parses patterns.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for the first that is none.
    pub fn parse(globs: &[String]) -> Result<Self> {
        let parse = |text: &String| Ok((glob(text)?.compile_matcher(), Cell::new(false)));
        globs.iter().map(parse).collect::<Result<_>>().map(Self)
    }

    /// Tells whether a name is selected, and remembers by which patterns.
    #[must_use]
    pub fn select(&self, path: &ArchivePath) -> bool {
        let mut selected = self.0.is_empty();
        for (matcher, used) in &self.0 {
            if matches(matcher, path) {
                used.set(true);
                selected = true;
            }
        }
        selected
    }

    /// The first pattern that selected nothing so far.
    #[must_use]
    pub fn unused(&self) -> Option<&str> {
        self.0.iter().find(|(_, used)| !used.get()).map(|(matcher, _)| matcher.glob().glob())
    }
}

/// Parses one pattern against whole names.
pub(crate) fn glob(text: &str) -> Result<Glob> {
    GlobBuilder::new(text.trim_end_matches('/'))
        .literal_separator(true)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|error| Error::invalid(format!("pattern `{text}`: {}", error.kind())))
}

fn matches(matcher: &GlobMatcher, path: &ArchivePath) -> bool {
    let name = path.as_bytes();
    let ends = (0..name.len()).filter(|&at| name[at] == b'/').chain([name.len()]);
    // The whole name first: it matches far more often than a directory above it.
    let mut ends: Vec<usize> = ends.collect();
    ends.reverse();
    ends.into_iter().any(|end| matcher.is_match_candidate(&Candidate::from_bytes(&name[..end])))
}

#[cfg(test)]
mod tests {
    use super::Patterns;
    use crate::path::ArchivePath;

    fn selects(glob: &str, name: &str) -> bool {
        let path = ArchivePath::parse(name.as_bytes()).unwrap();
        Patterns::parse(&[glob.to_owned()]).unwrap().select(&path)
    }

    #[test]
    fn a_star_stays_within_a_name_and_two_do_not() {
        assert!(selects("state/*.json", "state/openclaw.json"));
        assert!(!selects("*.json", "state/openclaw.json"));
        assert!(selects("**/*.json", "state/a/b.json"));
        assert!(selects("state/a\\*", "state/a*"));
        assert!(!selects("state/a\\*", "state/ab"));
    }

    #[test]
    fn a_directory_selects_what_is_below_it() {
        assert!(selects("state/agents", "state/agents/main/x"));
        assert!(selects("state/agents/", "state/agents/main/x"));
        assert!(selects("state/*", "state/agents/main/x"));
        assert!(!selects("state/agents", "state/agents2"));
    }

    #[test]
    fn no_pattern_selects_everything_and_unused_ones_are_named() {
        let path = ArchivePath::parse(b"state/\xff").unwrap();
        let all = Patterns::parse(&[]).unwrap();
        assert!(all.select(&path) && all.unused().is_none());
        let two = Patterns::parse(&["state/*".to_owned(), "x".to_owned()]).unwrap();
        assert!(two.select(&path));
        assert_eq!(two.unused(), Some("x"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let error = Patterns::parse(&["state/[".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("pattern `state/[`: "), "{error}");
    }
}
