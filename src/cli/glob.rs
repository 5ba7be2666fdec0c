//! Patterns over names in an archive.

use std::path::Path;

use globset::{Candidate, GlobBuilder, GlobMatcher};

use ocbak::ArchivePath;

use super::failure::Failure;

/// Patterns of which any selects a name; a pattern that matches a directory selects what is
/// below it. No pattern at all selects everything.
pub(crate) struct Patterns {
    patterns: Vec<(GlobMatcher, bool)>,
}

impl Patterns {
    pub(crate) fn parse(globs: &[String]) -> Result<Self, Failure> {
        let parse = |glob: &String| {
            GlobBuilder::new(glob.trim_end_matches('/'))
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map(|parsed| (parsed.compile_matcher(), false))
                .map_err(|error| Failure::BadGlob { glob: glob.clone(), what: error.kind().to_string() })
        };
        Ok(Self { patterns: globs.iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// Tells whether a name is selected, and remembers by which patterns.
    pub(crate) fn select(&mut self, path: &ArchivePath) -> bool {
        let mut selected = self.patterns.is_empty();
        for (matcher, used) in &mut self.patterns {
            if matches(matcher, path) {
                *used = true;
                selected = true;
            }
        }
        selected
    }

    /// Fails where a pattern selected nothing in `file`.
    pub(crate) fn finish(&self, file: &Path) -> Result<(), Failure> {
        match self.patterns.iter().find(|(_, used)| !used) {
            Some((matcher, _)) => {
                Err(Failure::NoMatch { glob: matcher.glob().glob().to_owned(), file: file.to_owned() })
            }
            None => Ok(()),
        }
    }
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
    use std::path::Path;

    use ocbak::ArchivePath;

    use super::Patterns;

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
        let mut all = Patterns::parse(&[]).unwrap();
        assert!(all.select(&path) && all.finish(Path::new("f")).is_ok());
        let mut two = Patterns::parse(&["state/*".to_owned(), "x".to_owned()]).unwrap();
        assert!(two.select(&path));
        assert!(two.finish(Path::new("f")).unwrap_err().to_string().ends_with("matches `x`"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Patterns::parse(&["state/[".to_owned()]).is_err());
    }
}
