//! What a look over an installation finds: one finding for each cause.

use std::path::{Path, PathBuf};

use crate::path::sanitize;

/// Something that is not as it should be, or that is good to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is behind it, with the facts that putting it right needs.
    pub cause: Cause,
    /// What is wrong, in one line.
    pub text: String,
    /// Single cases of it, where there are several; not always all.
    pub examples: Vec<String>,
    /// The files and directories that it is about.
    pub paths: Vec<PathBuf>,
}

/// What is behind a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Parts of an installation are not there.
    Incomplete,
    /// The configuration does not hold.
    Configuration,
    /// The login of a configured channel is not there.
    Login {
        /// Name of the channel.
        channel: &'static str,
    },
    /// It was copied or moved, and its paths were not rewritten.
    AnotherHome {
        /// Old directories and what they are here.
        moves: Vec<(PathBuf, PathBuf)>,
    },
    /// Cron jobs are kept where OpenClaw does not look.
    Cron,
    /// A workspace is not there.
    Workspace,
    /// A workspace's key in the shared database is not that of its path.
    WorkspaceKey,
    /// A worktree of git and its repository do not find each other.
    Worktree,
    /// A symbolic link leads nowhere.
    Link,
    /// Something belongs to another user.
    Owner {
        /// Number of the user that it should belong to.
        user: u32,
        /// Number of the group.
        group: u32,
    },
    /// Others than the owner have rights, or the owner lacks some.
    Mode {
        /// What the mode should be.
        mode: u32,
    },
    /// A database is damaged.
    Database,
    /// A side file stands beside a database that it does not belong to, or beside none.
    SideFile,
    /// The OpenClaw that is installed is older than the data.
    OlderRelease,
    /// A variable of this process leads OpenClaw elsewhere.
    Environment {
        /// Its name.
        variable: &'static str,
    },
    /// A service of the user starts OpenClaw elsewhere, or not at all.
    Service,
    /// A restore was interrupted, and can be finished or taken back.
    Interrupted,
    /// Something is left over from a restore of which no more is known.
    Stage,
    /// A lock names a process that is gone.
    StaleLock,
    /// A restore kept what it replaced.
    Kept,
    /// The OpenClaw that is installed is not known.
    NoRelease,
}

impl Cause {
    /// The word for it in documents.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Configuration => "configuration",
            Self::Login { .. } => "login",
            Self::AnotherHome { .. } => "another-home",
            Self::Cron => "cron",
            Self::Workspace => "workspace",
            Self::WorkspaceKey => "workspace-key",
            Self::Worktree => "worktree",
            Self::Link => "link",
            Self::Owner { .. } => "owner",
            Self::Mode { .. } => "mode",
            Self::Database => "database",
            Self::SideFile => "side-file",
            Self::OlderRelease => "older-release",
            Self::Environment { .. } => "environment",
            Self::Service => "service",
            Self::Interrupted => "interrupted",
            Self::Stage => "stage",
            Self::StaleLock => "stale-lock",
            Self::Kept => "kept",
            Self::NoRelease => "no-release",
        }
    }

    /// Whether something should be done about it; all else is good to know.
    #[must_use]
    pub fn matters(&self) -> bool {
        !matches!(self, Self::StaleLock | Self::Kept | Self::NoRelease)
    }
}

/// Single cases of one cause, of which the first few are named.
#[derive(Debug, Default)]
pub(super) struct Cases {
    pub(super) count: usize,
    pub(super) lines: Vec<String>,
    pub(super) paths: Vec<PathBuf>,
}

impl Cases {
    pub(super) fn add(&mut self, line: String, path: &Path) {
        self.count += 1;
        if self.lines.len() < MOST {
            self.lines.push(line);
        }
        if self.paths.len() < MOST && self.paths.iter().all(|known| known != path) {
            self.paths.push(path.to_owned());
        }
    }

    /// The finding, where there are cases; a single one stands in the text itself.
    pub(super) fn finding(self, cause: Cause, summary: impl FnOnce(usize) -> String) -> Option<Finding> {
        match &self.lines[..] {
            [only] if self.count == 1 => {
                Some(Finding { cause, text: only.clone(), examples: Vec::new(), paths: self.paths })
            }
            _ => self.listed(cause, summary),
        }
    }

    /// The same, and a single case stands below the text too.
    pub(super) fn listed(mut self, cause: Cause, summary: impl FnOnce(usize) -> String) -> Option<Finding> {
        if self.count > MOST {
            self.lines.push(format!("and {} more", self.count - MOST));
        }
        let text = summary(self.count);
        (self.count > 0).then_some(Finding { cause, text, examples: self.lines, paths: self.paths })
    }
}

/// A path as it stands in a text.
pub(super) fn shown(path: &Path) -> String {
    quoted(path.as_os_str().as_encoded_bytes())
}

/// A name as it stands in a text.
pub(super) fn quoted(name: impl AsRef<[u8]>) -> String {
    format!("`{}`", sanitize(name.as_ref()))
}

pub(super) fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// More cases than anybody reads.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Cases, Cause};

    #[test]
    fn one_case_is_the_text_and_many_are_counted() {
        let finding = |count: usize| {
            let mut cases = Cases::default();
            for number in 0..count {
                cases.add(format!("case {number}"), Path::new("/x"));
            }
            cases.finding(Cause::Cron, |count| format!("{count} cases"))
        };
        assert_eq!(finding(0), None);
        let one = finding(1).unwrap();
        assert_eq!((one.text.as_str(), one.examples.len(), one.paths.len()), ("case 0", 0, 1));
        let many = finding(14).unwrap();
        assert_eq!(many.text, "14 cases");
        assert_eq!(many.examples.len(), 13);
        assert_eq!(many.examples[12], "and 2 more");
    }
}
