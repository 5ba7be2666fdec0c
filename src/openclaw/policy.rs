//! What of an installation is not worth keeping, and why.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use globset::{Candidate, Glob, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::format::entry::Role;
use crate::path::ArchivePath;
use crate::pattern::glob;

/// Decides by name what stays out of an archive.
#[derive(Debug)]
pub(crate) struct Policy {
    state: GlobSet,
    workspace: GlobSet,
    patterns: Vec<Glob>,
    exclude: GlobSet,
    /// What is kept whatever the table says.
    include: GlobSet,
    /// The same as they were written.
    including: Vec<String>,
    /// Which of `patterns` left something out.
    used: RefCell<Vec<bool>>,
    all: bool,
}

impl Policy {
    /// A policy with the patterns of the user; `all` keeps what could be made again.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a pattern that does not parse.
    pub(crate) fn new(exclude: &[String], include: &[String], all: bool) -> Result<Self> {
        let included = include.iter().map(|text| glob(text)).collect::<Result<Vec<_>>>()?;
        let patterns = exclude.iter().map(|text| glob(text)).collect::<Result<Vec<_>>>()?;
        let state = STATE.iter().map(|rule| glob(rule.pattern));
        let workspace = WORKSPACE.iter().map(|rule| glob(rule.pattern));
        Ok(Self {
            state: set(&state.collect::<Result<Vec<_>>>()?)?,
            workspace: set(&workspace.collect::<Result<Vec<_>>>()?)?,
            exclude: set(&patterns)?,
            include: set(&included)?,
            including: include.to_vec(),
            used: RefCell::new(vec![false; patterns.len()]),
            patterns,
            all,
        })
    }

    /// The reason to leave something out, by the table and what the user keeps of it.
    pub(crate) fn leaves_out(&self, role: Role, path: &ArchivePath) -> Option<String> {
        if self.including.is_empty() {
            return self.rule(role, path).map(ToString::to_string);
        }
        // A directory may have been entered only for what the user keeps of it.
        let above: Vec<ArchivePath> =
            std::iter::successors(Some(path.clone()), ArchivePath::parent).collect();
        let mut rules: Vec<_> = above.iter().filter_map(|path| self.rule(role, path)).collect();
        // The sort is stable: what can never be kept comes last, else what is nearest to the root.
        rules.sort_by_key(|rule| rule.class.always_left_out());
        let found = rules.last()?;
        let kept = above.iter().any(|path| self.include.is_match_candidate(&candidate(path)));
        // Locks and what names running processes would do harm.
        (found.class.always_left_out() || !kept).then(|| found.to_string())
    }

    /// Whether something that the user keeps may lie in a directory that is left out.
    pub(crate) fn keeps_of(&self, directory: &ArchivePath) -> bool {
        let name = directory.as_bytes();
        let below = |one: &[u8], other: &[u8]| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        self.including.iter().any(|pattern| {
            let fixed = fixed_part(pattern);
            // Further directories may stand between that and what the pattern ends with.
            let deep = pattern[fixed.len()..].trim_matches('/').contains('/');
            below(fixed.as_bytes(), name) || (deep && (fixed.is_empty() || below(name, fixed.as_bytes())))
        })
    }

    /// Whether a symbolic link that leads out of what is stored may be one to what is missed: not where
    /// OpenClaw or a package manager makes it again, and not where it leads to programs of the system.
    pub(crate) fn misses(&self, link: &ArchivePath, place: &Path) -> bool {
        // Whether it stands in what the user keeps although it can be made again.
        let mut above = std::iter::successors(Some(link.clone()), ArchivePath::parent);
        !above.any(|path| self.listed(Role::State, &path).is_some())
            && !PROGRAMS.iter().any(|programs| place.starts_with(programs))
    }

    fn rule(&self, role: Role, path: &ArchivePath) -> Option<&'static Rule> {
        self.listed(role, path).filter(|rule| !self.all || rule.class.always_left_out())
    }

    /// The first rule of the table that names something, whatever the user keeps.
    fn listed(&self, role: Role, path: &ArchivePath) -> Option<&'static Rule> {
        let name = candidate(path);
        Some(match role {
            Role::State => &STATE[*self.state.matches_candidate(&name).first()?],
            Role::Workspace => &WORKSPACE[*self.workspace.matches_candidate(&name).first()?],
        })
    }

    /// The user's pattern that leaves something out.
    pub(crate) fn excluded(&self, path: &ArchivePath) -> Option<String> {
        let matches = self.exclude.matches_candidate(&Candidate::from_bytes(path.as_bytes()));
        for &position in &matches {
            self.used.borrow_mut()[position] = true;
        }
        let pattern = &self.patterns[*matches.first()?];
        Some(format!("excluded by `{}`", pattern.glob()))
    }

    /// The user's patterns that left out nothing so far.
    pub(crate) fn idle(&self) -> Vec<&str> {
        let used = self.used.borrow();
        let all = self.patterns.iter().zip(&*used);
        all.filter(|(_, used)| !**used).map(|(pattern, _)| pattern.glob()).collect()
    }

    /// Whether directories that carry a cache tag stay out.
    pub(crate) fn honours_cache_tags(&self) -> bool {
        !self.all
    }
}

/// Name of the file that marks a directory as a cache (<https://bford.info/cachedir/>).
pub(crate) const CACHE_TAG: &[u8] = b"CACHEDIR.TAG";
/// What that file begins with; a file that only has the name marks nothing.
pub(crate) const CACHE_TAG_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
/// The reason given for a marked directory.
pub(crate) const CACHE_TAG_REASON: &str = "regenerable: marked as a cache by CACHEDIR.TAG";

/// Why something is not worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// OpenClaw or a package manager makes it again.
    Regenerable,
    /// Left over from work in progress.
    Temporary,
    /// Means something to a running process only, and misleads the next one.
    Volatile,
    /// OpenClaw: reading a lock database takes part in the locking.
    Lock,
}

impl Class {
    fn always_left_out(self) -> bool {
        matches!(self, Self::Volatile | Self::Lock)
    }
}

#[derive(Debug)]
struct Rule {
    pattern: &'static str,
    class: Class,
    reason: &'static str,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Regenerable => "regenerable",
            Class::Temporary => "temporary",
            Class::Volatile => "volatile",
            Class::Lock => "lock",
        };
        write!(f, "{class}: {}", self.reason)
    }
}

const fn rule(pattern: &'static str, class: Class, reason: &'static str) -> Rule {
    Rule { pattern, class, reason }
}

// What is not named here is kept: transcripts (`*.jsonl`) and logs as history, `models.json` since old
// releases keep keys in it, backups and migration runs as before-images.
#[rustfmt::skip]
const STATE: &[Rule] = &[
    // The strictest first: the first match gives the reason.
    rule("{state,agent,credentials}/**/*.{generation-lock,generation-writer,reindex-lock}.sqlite{,-wal,-shm,-journal}", Class::Lock, "a lock of OpenClaw, without content"),
    rule("{state,agent,credentials}/**/*.lock.sqlite{,-wal,-shm,-journal}", Class::Lock, "a lock of OpenClaw, without content"),
    rule("state/tmp/openclaw-*/*.lock",                       Class::Volatile, "names a running process"),
    rule("{state,agent,credentials}/**/*.pid",                            Class::Volatile, "names a running process"),
    rule("{state,agent,credentials}/**/*.sock",                           Class::Volatile, "belongs to a running process"),
    rule("state/browser/*/user-data/Singleton{Lock,Cookie,Socket}", Class::Volatile, "names a running browser"),
    rule("state/cache",                                       Class::Regenerable, "cache, rebuilt by the gateway"),
    rule("state/plugin-skills",                               Class::Regenerable, "links into OpenClaw's own installation, made at its start"),
    rule("state/media/{playback-transcode,remote-cache}",     Class::Regenerable, "cache of media that are kept elsewhere"),
    rule("{state,agent,credentials}/**/node_modules",                     Class::Regenerable, "installed again by `openclaw plugins update`"),
    rule("state/{npm,npm-runtime,tools}",                     Class::Regenerable, "programs that OpenClaw downloads"),
    rule("state/models",                                      Class::Regenerable, "models that OpenClaw downloads"),
    rule("state/{dev,git}",                                   Class::Regenerable, "checkouts that OpenClaw makes from their origin"),
    rule("state/worktrees",                                   Class::Regenerable, "checkouts that OpenClaw makes from their repository"),
    rule("state/{sandbox,sandboxes}",                         Class::Regenerable, "copies that OpenClaw makes for sandboxes"),
    rule("{state,agent,credentials}/**/{,*}.before-restore-????????T??????Z*", Class::Temporary, "an old tree that a restore kept"),
    rule("{state,agent,credentials}/**/{,*}.before-restore-*.journal*",    Class::Temporary, "the journal of a restore"),
    rule("{state,agent,credentials}/**/{,*}.before-undo-????????T??????Z*",    Class::Temporary, "a restored tree that was undone"),
    rule("{state,agent,credentials}/**/{,.*}.ocbak-restore-*",            Class::Temporary, "left over from a restore"),
    rule("{state,agent,credentials}/**/ocbak-scratch-*",                  Class::Temporary, "copies that a backup works on"),
    rule("state/tmp",                                         Class::Temporary, "OpenClaw's temporary files"),
    rule("{state,agent,credentials}/**/*.tmp",                            Class::Temporary, "left over from writing another file"),
    rule("{state,agent,credentials}/**/*.sqlite.{backup,memory-reindex,tmp}-????????-????-????-????-????????????*", Class::Temporary, "left over from work on a database"),
];

#[rustfmt::skip]
const WORKSPACE: &[Rule] = &[
    rule("workspace/*/**/node_modules",                       Class::Regenerable, "installed again by a package manager"),
    rule("workspace/*/**/{,*}.before-restore-????????T??????Z*", Class::Temporary, "an old tree that a restore kept"),
    rule("workspace/*/**/{,*}.before-restore-*.journal*",    Class::Temporary, "the journal of a restore"),
    rule("workspace/*/**/{,*}.before-undo-????????T??????Z*",    Class::Temporary, "a restored tree that was undone"),
    rule("workspace/*/**/ocbak-scratch-*",                    Class::Temporary, "copies that a backup works on"),
    rule("workspace/*/**/{,.*}.ocbak-restore-*",              Class::Temporary, "left over from a restore"),
];

/// Where package managers of the system put programs and what belongs to them.
const PROGRAMS: [&str; 8] =
    ["/bin", "/lib", "/nix/store", "/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib", "/usr/share"];

fn candidate(path: &ArchivePath) -> Candidate<'_> {
    Candidate::from_bytes(path.as_bytes())
}

/// The whole components that a pattern begins with and that mean themselves.
fn fixed_part(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{', '\\']) {
        Some(at) => pattern[..at].rsplit_once('/').map_or("", |(fixed, _)| fixed),
        None => pattern.trim_end_matches('/'),
    }
}

fn set(globs: &[Glob]) -> Result<GlobSet> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob.clone());
    }
    builder.build().map_err(|error| Error::invalid(format!("patterns: {error}")))
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::ErrorKind;
    use crate::format::entry::Role;
    use crate::path::ArchivePath;

    fn class(policy: &Policy, role: Role, path: &str) -> Option<String> {
        let path = ArchivePath::parse(path.as_bytes()).unwrap();
        let reason = policy.leaves_out(role, &path)?;
        Some(reason.split(':').next().unwrap().to_owned())
    }

    const LEFT_OUT: [(&str, &str); 23] = [
        ("state/workspace.before-restore-20261122T054858Z", "temporary"),
        ("state/.before-restore-20261122T054858Z", "temporary"),
        ("state/.before-restore-20261122T054858Z.journal", "temporary"),
        ("state/workspace.before-undo-20261122T054858Z", "temporary"),
        ("state/.workspace.ocbak-restore-0123456789abcdef", "temporary"),
        ("state/.ocbak-restore-0123456789abcdef", "temporary"),
        ("state/cache", "regenerable"),
        ("state/plugin-skills", "regenerable"),
        ("state/media/remote-cache", "regenerable"),
        ("state/extensions/demo/node_modules", "regenerable"),
        ("state/sandboxes", "regenerable"),
        ("state/worktrees", "regenerable"),
        ("state/tmp", "temporary"),
        ("state/devices/paired.json.tmp", "temporary"),
        ("state/state/openclaw.sqlite.backup-01234567-89ab-cdef-0123-456789abcdef", "temporary"),
        ("state/gateway.pid", "volatile"),
        ("state/tmp/openclaw-0/gateway.state.lock", "volatile"),
        ("state/browser/p/user-data/SingletonLock", "volatile"),
        ("state/exec-approvals.sock", "volatile"),
        ("state/tmp/openclaw-0/gateway.state.lock.sqlite", "lock"),
        ("state/agents/a/agent/openclaw-agent.sqlite.reindex-lock.sqlite", "lock"),
        ("agent/a/openclaw-agent.sqlite.generation-lock.sqlite-journal", "lock"),
        ("agent/a/node_modules", "regenerable"),
    ];

    #[test]
    fn what_is_not_worth_keeping_is_left_out() {
        let policy = Policy::new(&[], &[], false).unwrap();
        for (path, expected) in LEFT_OUT {
            let found = class(&policy, Role::State, path);
            assert_eq!(found.as_deref(), Some(expected), "{path}");
        }
        let nested = class(&policy, Role::Workspace, "workspace/a/x/node_modules");
        assert_eq!(nested.as_deref(), Some("regenerable"));
        let top = class(&policy, Role::Workspace, "workspace/a/node_modules");
        assert_eq!(top.as_deref(), Some("regenerable"));
    }

    #[test]
    fn all_keeps_everything_but_what_misleads() {
        let policy = Policy::new(&[], &[], true).unwrap();
        for (path, class_of) in LEFT_OUT {
            let expected = matches!(class_of, "volatile" | "lock").then_some(class_of);
            let found = class(&policy, Role::State, path);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        assert_eq!(class(&policy, Role::Workspace, "workspace/a/node_modules"), None);
    }

    #[test]
    fn what_is_precious_is_kept() {
        let policy = Policy::new(&[], &[], false).unwrap();
        for path in [
            "state",
            "state/openclaw.json",
            "state/openclaw.json.bak.1",
            "state/state/openclaw.sqlite",
            "state/state/openclaw.sqlite-wal",
            "state/agents/main/agent/openclaw-agent.sqlite",
            "state/agents/main/agent/models.json",
            "state/agents/main/agent/codex-home/auth.json",
            "state/agents/main/sessions/0.jsonl",
            "state/agents/main/sessions/cache/0.jsonl",
            "state/agents/main/sessions/cold/00.jsonl.zst",
            "state/cron/runs/0.jsonl",
            "state/logs/gateway.log",
            "state/media/inbound/a.jpg",
            "state/migration",
            "state/backups",
            "state/session-sqlite-migration-runs",
            "state/skills/cache",
            "state/skills/x/models",
            "state/memory/main.sqlite",
            "state/openclaw.sqlite.backup-of-mine",
            "config/openclaw.json",
            "env/gateway.env",
            "state/browser/p/user-data/Default",
        ] {
            assert_eq!(class(&policy, Role::State, path), None, "{path}");
        }
        for path in ["workspace/a/.git", "workspace/a/tmp", "workspace/a/x.pid"] {
            assert_eq!(class(&policy, Role::Workspace, path), None, "{path}");
        }
    }

    #[test]
    fn patterns_of_the_user_match_whole_names() {
        let patterns = ["workspace/*/*.iso".to_owned(), "state/logs".to_owned()];
        let policy = Policy::new(&patterns, &[], true).unwrap();
        let excluded = |path: &[u8]| policy.excluded(&ArchivePath::parse(path).unwrap());
        assert_eq!(excluded(b"workspace/a/\xff.iso").as_deref(), Some("excluded by `workspace/*/*.iso`"));
        assert!(excluded(b"state/logs").is_some());
        assert!(excluded(b"workspace/a/b/x.iso").is_none());
        assert!(excluded(b"state/x/state/logs").is_none());
        assert_eq!(policy.idle(), [""; 0]);
        let idle = Policy::new(&patterns, &[], true).unwrap();
        assert!(idle.excluded(&ArchivePath::parse(b"state/x").unwrap()).is_none());
        assert_eq!(idle.idle(), ["workspace/*/*.iso", "state/logs"]);
        let bad = Policy::new(&["a[".to_owned()], &[], false).unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn what_the_user_keeps_wins_over_the_table_but_for_locks() {
        let keep = ["state/cache/a/*.js".to_owned(), "state/tmp".to_owned()];
        let policy = Policy::new(&[], &keep, false).unwrap();
        let directory = |path: &str| policy.keeps_of(&ArchivePath::parse(path.as_bytes()).unwrap());
        assert!(directory("state/cache") && directory("state/cache/a") && directory("state"));
        let deep = Policy::new(&[], &["state/cache/*/b/x".to_owned()], false).unwrap();
        assert!(deep.keeps_of(&ArchivePath::parse(b"state/cache/a/b").unwrap()));
        assert!(!directory("state/cache/b") && !directory("state/plugin-skills") && !directory("state/cach"));
        let left_out = |path: &str| class(&policy, Role::State, path);
        assert_eq!(left_out("state/cache/a/x.js"), None);
        assert_eq!(left_out("state/cache/a/x.css").as_deref(), Some("regenerable"));
        assert_eq!(left_out("state/cache/x.js").as_deref(), Some("regenerable"));
        assert_eq!(left_out("state/tmp/captures/x"), None);
        assert_eq!(left_out("state/tmp/openclaw-0/gateway.0.lock").as_deref(), Some("volatile"));
        assert_eq!(left_out("state/tmp/openclaw-0/gateway.state.lock.sqlite").as_deref(), Some("lock"));
        assert_eq!(left_out("state/openclaw.json"), None);
    }
}
