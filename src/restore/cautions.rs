//! What a person should know before an installation is replaced: what the archive brings back, and
//! what it meets at its target.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::process::geteuid;

use crate::format::entry::{Entry, Role};
use crate::openclaw::{
    Environment, Installation, Installed, RATCHETS, SHARED_DATABASE, holds_configuration, host, last_used,
    schema_version,
};
use crate::path::{ArchivePath, sanitize};

use super::layout::{Contents, Layout};
use super::locate::{is_same_place, resolve, shown};

/// A restore to where OpenClaw will find it.
pub(super) struct Scene<'a> {
    pub(super) contents: &'a [Contents<'a>],
    pub(super) layout: &'a Layout,
    pub(super) home: &'a Path,
    pub(super) state_dir: &'a Path,
    /// When the archive was made, as its manifest has it.
    pub(super) created: &'a str,
}

impl Scene<'_> {
    /// Collects the cautions, a line each.
    pub(super) fn cautions(&self, environment: &Environment) -> Vec<String> {
        let mut cautions = Vec::new();
        // A part that holds neither configuration nor databases makes no installation.
        if self.brings(|entry| is_vital(entry, self.fact("config"))) {
            cautions.extend(self.remote());
            cautions.extend(self.older_program(environment));
            cautions.extend(self.newer_schema());
            cautions.extend(self.newer_state());
            cautions.extend(self.identity());
        }
        for ratchet in &RATCHETS {
            if self.brings(|entry| ratchet.holds(&entry.path)) {
                cautions.push(format!(
                    "the login of {} is that of the backup's day, and its keys change with every message: {}",
                    ratchet.channel, ratchet.remedy
                ));
            }
        }
        let state_dir = resolve(self.state_dir).unwrap_or_else(|_| self.state_dir.to_owned());
        cautions.extend(self.foreign(&state_dir));
        cautions.extend(self.shared_workspaces(&state_dir, environment));
        cautions
    }

    fn remote(&self) -> Option<String> {
        (self.fact("gateway_mode") == Some("remote")).then(|| {
            "the archive is of a client (`gateway.mode` is `remote`): sessions, memory and channel logins lie \
             on the machine of its gateway, and are not in it"
                .to_owned()
        })
    }

    fn older_program(&self, environment: &Environment) -> Option<String> {
        let installed = Installed::find(self.home, environment)?;
        let recorded = self.fact("openclaw_version");
        let is_older = recorded.and_then(|release| installed.compared_to(release)) == Some(Ordering::Less)
            || matches!((installed.state_schema, self.schema()), (Some(own), Some(needed)) if own < needed);
        is_older.then(|| {
            let recorded = recorded.map(|release| format!(", {}", sanitize(release.as_bytes())));
            format!(
                "the OpenClaw that is installed here, {}, is older than that of the archive{}: it cannot use \
                 what a newer one wrote; update it before it starts",
                sanitize(installed.version.as_bytes()),
                recorded.unwrap_or_default()
            )
        })
    }

    fn newer_schema(&self) -> Option<String> {
        let live = schema_version(&self.state_dir.join(SHARED_DATABASE))?;
        let saved = self.schema().filter(|saved| *saved < live)?;
        Some(format!(
            "the database there is of schema {live}, that in the archive of schema {saved}: a later OpenClaw \
             has migrated it since"
        ))
    }

    fn newer_state(&self) -> Option<String> {
        let used = Timestamp::try_from(last_used(self.state_dir)?).ok()?;
        let created: Timestamp = self.created.parse().ok()?;
        let later = used.as_second().checked_sub(created.as_second()).filter(|later| *later > 0)?;
        Some(format!(
            "what is there was last used {}, {} after this backup was made: what came since is not in it",
            used.strftime("%Y-%m-%d"),
            span(later)
        ))
    }

    fn identity(&self) -> Option<String> {
        let elsewhere = |name: &str, own: &Path| {
            let recorded = Path::new(self.fact(name)?);
            (!is_same_place(recorded, own)).then(|| format!("`{}`", shown(recorded)))
        };
        let machine = self.fact("host").filter(|recorded| *recorded != host());
        let machine = machine.map(|name| format!("another machine, `{}`", sanitize(name.as_bytes())));
        let origin = machine
            .or_else(|| Some(format!("another home, {}", elsewhere("home", self.home)?)))
            .or_else(|| Some(format!("another installation, {}", elsewhere("state_dir", self.state_dir)?)))?;
        Some(format!(
            "the archive holds the identity of {origin}: stop OpenClaw there before you start it here, and do \
             not run both, for they would share one device key, one token and the same chat accounts; to keep \
             both, log the channels in again and pair the devices again on one of them"
        ))
    }

    /// What is replaced outside the state directory may be part of another home's installation, or somebody else's.
    fn foreign(&self, state_dir: &Path) -> Vec<String> {
        let user = self.layout.owner.map_or_else(|| geteuid().as_raw(), |owner| owner.user);
        let mut cautions = Vec::new();
        let recorded = self.fact("home").map(|home| (home, self.home));
        let recorded = recorded.or_else(|| Some((self.fact("state_dir")?, self.state_dir)));
        let moves = recorded.is_some_and(|(old, new)| !is_same_place(Path::new(old), new));
        for root in self.layout.roots.iter().filter(|root| root.replaces) {
            let target = &root.target;
            let above = target.ancestors().skip(1).find(|above| holds_configuration(above));
            // Of a neighbour's workspace, `shared_workspaces` says more.
            let is_neighbour = root.root.components().next() == Some(Role::Workspace.as_str().as_bytes())
                && above.and_then(Path::parent) == Some(self.home);
            if let Some(other) = above.filter(|other| *other != state_dir && !is_neighbour) {
                cautions.push(format!(
                    "`{}` is part of the installation in `{}`, and is replaced as well",
                    shown(target),
                    shown(other)
                ));
            } else if moves && !is_neighbour && self.was_at(&root.root, target) {
                cautions.push(format!(
                    "`{0}` is where the archive has it from, although this is for another home, and is replaced; \
                     `--map {0}=ELSEWHERE` spares what is there",
                    shown(target)
                ));
            }
            let belongs = fs::symlink_metadata(target).ok().map(|facts| facts.uid());
            if let Some(other) = belongs.filter(|other| *other != user) {
                cautions.push(format!(
                    "`{}` belongs to user {other}, and is replaced by what will belong to user {user}",
                    shown(target)
                ));
            }
        }
        cautions
    }

    /// Another installation of the same home may work in a directory that is to be replaced.
    fn shared_workspaces(&self, state_dir: &Path, environment: &Environment) -> Vec<String> {
        let outside: Vec<&Path> = self
            .layout
            .roots
            .iter()
            .filter(|root| root.replaces && !root.target.starts_with(state_dir))
            .map(|root| &*root.target)
            .collect();
        if outside.is_empty() {
            return Vec::new();
        }
        let mut cautions = Vec::new();
        for other in Installation::neighbours(self.home, self.state_dir, environment) {
            for workspace in other.workspaces.iter().filter(|one| one.present && !one.agents.is_empty()) {
                let Ok(place) = resolve(&workspace.path) else { continue };
                if outside.iter().any(|target| place.starts_with(target) || target.starts_with(&place)) {
                    cautions.push(format!(
                        "`{}`, where agent `{}` of the installation in `{}` works, is replaced as well",
                        shown(&workspace.path),
                        sanitize(workspace.agents.join("`, `").as_bytes()),
                        shown(&other.state_dir)
                    ));
                }
            }
        }
        cautions
    }

    /// Whether a root goes to where it comes from.
    fn was_at(&self, name: &ArchivePath, target: &Path) -> bool {
        let mut roots = self.contents.iter().flat_map(|content| &content.source.roots);
        roots.any(|root| {
            root.path == *name && is_same_place(Path::new(OsStr::from_bytes(&root.source)), target)
        })
    }

    fn brings(&self, is_it: impl Fn(&Entry) -> bool) -> bool {
        self.contents
            .iter()
            .zip(&self.layout.picks)
            .any(|(content, picks)| picks.numbers().any(|number| is_it(&content.entries[number])))
    }

    fn fact(&self, name: &str) -> Option<&str> {
        self.contents.iter().find_map(|content| content.source.facts.get(name)).map(String::as_str)
    }

    fn schema(&self) -> Option<u32> {
        self.fact(&format!("schema.{}/{SHARED_DATABASE}", Role::State))?.parse().ok()
    }
}

/// Tells that an entry is a configuration or a database of OpenClaw.
fn is_vital(entry: &Entry, config: Option<&str>) -> bool {
    let is_of_state = entry.path.components().next() != Some(Role::Workspace.as_str().as_bytes());
    let name = entry.path.file_name();
    let config = config.and_then(|config| Path::new(config).file_name());
    is_of_state
        && (name.ends_with(b".sqlite") || config.is_some_and(|config| config.as_encoded_bytes() == name))
}

/// A length of time in words, its largest unit alone.
fn span(seconds: i64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "second"));
    let number = seconds / length;
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
