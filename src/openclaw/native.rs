//! What `openclaw backup create` writes about a backup.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::openclaw::profile;
use crate::path::ArchivePath;

/// The `manifest.json` of a backup.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeManifest {
    pub(crate) created_at: String,
    /// First component of all names.
    pub(crate) archive_root: String,
    #[serde(default)]
    runtime_version: Option<String>,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    options: Options,
    pub(crate) paths: NativePaths,
    /// What was backed up, each with all below it; their paths are free of links.
    pub(crate) assets: Vec<NativeAsset>,
    #[serde(default)]
    pub(crate) skipped: Vec<NativeSkipped>,
    /// The places of the assets that lie in no other, ascending.
    #[serde(skip)]
    outermost: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    include_workspace: bool,
    only_config: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { include_workspace: true, only_config: false }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativePaths {
    /// Free of links, unlike the three that follow.
    pub(crate) state_dir: PathBuf,
    #[serde(default)]
    pub(crate) config_path: Option<PathBuf>,
    #[serde(default)]
    pub(crate) oauth_dir: Option<PathBuf>,
    /// In the order of the agents, each once.
    #[serde(default)]
    pub(crate) workspace_dirs: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) agent_roots: Vec<NativeAgent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeAgent {
    pub(crate) agent_id: String,
    pub(crate) source_path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeAsset {
    pub(crate) kind: String,
    pub(crate) source_path: PathBuf,
    archive_path: String,
}

/// Something that a backup says it has not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NativeSkipped {
    pub(crate) kind: String,
    pub(crate) source_path: PathBuf,
    pub(crate) reason: String,
    covered_by: Option<String>,
}

impl NativeSkipped {
    /// It is in the backup all the same, within something else.
    pub(crate) fn is_covered(&self) -> bool {
        self.reason == "covered"
    }
}

impl NativeManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// `Invalid` for another version of it, a backup of Windows, or what is no such manifest.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        let invalid =
            |error| Error::invalid(format!("`manifest.json` is none of `openclaw backup`: {error}"));
        let value: Value = serde_json::from_slice(json).map_err(invalid)?;
        match &value["schemaVersion"] {
            version if *version == 1 => {}
            Value::Null => return Err(Error::invalid("`manifest.json` names no version of its schema")),
            other => {
                let version = other.to_string().escape_debug().to_string();
                return Err(Error::invalid(format!(
                    "a backup of schema version {version}; this program reads version 1"
                )));
            }
        }
        let mut manifest: Self = serde_json::from_value(value).map_err(invalid)?;
        let paths = &manifest.paths;
        let sources = manifest.assets.iter().map(|asset| &asset.source_path);
        for path in sources.chain([&paths.state_dir]).chain(&paths.workspace_dirs) {
            if !is_plain(path) {
                let path = path.display().to_string();
                return Err(Error::invalid(format!("`{}` is no absolute path of Unix", path.escape_debug())));
            }
        }
        let wrong = |asset: &&NativeAsset| {
            let (prefix, place) = (manifest.prefix(), asset.source_path.display());
            asset.archive_path.trim_end_matches('/') != format!("{prefix}{place}").trim_end_matches('/')
        };
        if let Some(asset) = manifest.assets.iter().find(wrong) {
            let path = asset.archive_path.escape_debug();
            return Err(Error::malformed(format!(
                "`{path}` in `manifest.json` does not fit where it comes from"
            )));
        }
        manifest.outermost = manifest.assets.iter().map(|asset| asset.source_path.clone()).collect();
        manifest.outermost.sort();
        // What lies in another follows it.
        manifest.outermost.dedup_by(|later, earlier| later.starts_with(earlier));
        Ok(manifest)
    }

    /// What stands before the absolute path in the names of all that is backed up.
    pub(crate) fn prefix(&self) -> String {
        format!("{}/payload/posix", self.archive_root)
    }

    /// Tells whether a path was to be backed up, or leads to one that was.
    pub(crate) fn covers(&self, path: &Path) -> Covered {
        let next = self.outermost.partition_point(|source| source.as_path() <= path);
        let before = next.checked_sub(1).map(|at| &self.outermost[at]);
        if before.is_some_and(|source| path.starts_with(source)) {
            Covered::Yes
        } else if self.outermost.get(next).is_some_and(|source| source.starts_with(path)) {
            Covered::Above
        } else {
            Covered::No
        }
    }

    /// The files of the configuration, as far as they are named.
    pub(crate) fn configuration(&self) -> impl Iterator<Item = &Path> {
        let within =
            self.skipped.iter().filter(|left| left.kind == "config").map(|left| left.source_path.as_path());
        within.chain(self.paths.config_path.as_deref())
    }

    /// What OpenClaw was told that the state directory is, where that is a link or lies behind one.
    ///
    /// OpenClaw follows links before it names the state directory, and does not where it names what lies in it by default:
    /// the credentials, else the configuration.
    pub(crate) fn told_state_dir(&self) -> Option<&Path> {
        let place = &self.paths.state_dir;
        let elsewhere = |kind: &str| {
            self.assets.iter().any(|asset| asset.kind == kind)
                || self.skipped.iter().any(|left| left.kind == kind)
        };
        let by_default = [
            (&self.paths.oauth_dir, "credentials", "credentials"),
            (&self.paths.config_path, "openclaw.json", "config"),
        ];
        let known = |path: &Path| is_plain(path) && !path.starts_with(place);
        by_default
            .into_iter()
            .map_while(|(path, name, kind)| {
                // What lies in it by its own name tells that there is no other.
                let path = path.as_deref().filter(|path| known(path))?;
                Some(
                    path.parent().filter(|parent| {
                        path.ends_with(name) && !elsewhere(kind) && *parent != Path::new("/")
                    }),
                )
            })
            .flatten()
            .next()
    }

    /// The home directory: OpenClaw shortens paths in it to `~`, and has the default state directories there.
    fn home(&self, state_dir: &Path, known_as: &dyn Fn(&Path) -> PathBuf) -> Option<PathBuf> {
        let shortened = self.skipped.iter().find_map(|left| {
            let short = Path::new(left.covered_by.as_deref()?).strip_prefix("~").ok()?;
            let mut above = left.source_path.ancestors().filter(|above| above.ends_with(short));
            let source = above
                .find(|above| self.outermost.binary_search_by(|one| one.as_path().cmp(above)).is_ok())?;
            source.ancestors().nth(short.components().count())
        });
        let name = state_dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let in_home =
            [".openclaw", ".clawdbot"].contains(&name) || profile::of_state_dir(state_dir).is_some();
        let above = || state_dir.parent().filter(|_| in_home).map(ToOwned::to_owned);
        shortened.map(known_as).or_else(above)
    }

    /// What is known of the machine that it comes from; `known_as` tells how OpenClaw was told of a place.
    pub(crate) fn facts(&self, known_as: &dyn Fn(&Path) -> PathBuf) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_str().map(ToOwned::to_owned);
        let state_dir = known_as(&self.paths.state_dir);
        [
            ("home", self.home(&state_dir, known_as).as_deref().and_then(text)),
            ("state_dir", text(&state_dir)),
            ("config", self.paths.config_path.as_deref().and_then(text)),
            ("profile", profile::of_state_dir(&state_dir)),
            ("openclaw_version", self.runtime_version.clone()),
            ("platform", self.platform.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    /// It has every workspace that there was.
    pub(crate) fn looked_for_workspaces(&self) -> bool {
        self.options.include_workspace && !self.options.only_config
    }

    /// It was asked to leave out the workspaces, which hold more than the configuration.
    pub(crate) fn left_out_workspaces(&self) -> bool {
        !self.options.include_workspace && !self.options.only_config
    }
}

/// Absolute, without `.` and `..`.
pub(crate) fn is_plain(path: &Path) -> bool {
    let normal = |component| matches!(component, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(normal)
}

/// Whether a path was to be backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covered {
    Yes,
    /// Only something below it.
    Above,
    No,
}

/// Tells whether a file is the list of the sessions of an old release, whose transcripts lie beside it.
///
/// OpenClaw's backup leaves these transcripts out.
pub(crate) fn lists_sessions(path: &ArchivePath) -> bool {
    path.as_bytes().ends_with(b"/sessions/sessions.json")
}

/// Tells whether a file can be such a transcript.
pub(crate) fn is_transcript(path: &ArchivePath) -> bool {
    path.as_bytes().ends_with(b".jsonl")
}
