//! What the manifests of unusual homes are made of, in the shape that OpenClaw 2026.9.6 gives them.

use serde_json::{Value, json};
use tar::EntryType;

use super::{Native, ROOT, STATE};
use crate::archive::Archive;
use crate::format::entry::Role;

impl Native {
    /// A backup whose manifest has these paths, and agents `main`, `research` and `ops`.
    pub(super) fn of(paths: Value, assets: &[(&str, &str)]) -> Self {
        let mut native = Self::new();
        native.manifest["paths"] = paths;
        native.manifest["paths"]["agentRoots"] = ["main", "research", "ops"]
            .map(|id| json!({ "agentId": id, "sourcePath": format!("{STATE}/agents/{id}/agent") }))
            .into();
        native.manifest["assets"] = json!([]);
        native.manifest["skipped"] = json!([]);
        assets.iter().fold(native, |native, (kind, path)| native.asset(kind, path))
    }

    pub(super) fn covered(mut self, kind: &str, path: &str) -> Self {
        let left =
            json!({ "kind": kind, "sourcePath": path, "reason": "covered", "coveredBy": "~/.openclaw" });
        self.manifest["skipped"].as_array_mut().unwrap().push(left);
        self
    }

    pub(super) fn link(self, path: &str, target: &str) -> Self {
        self.raw(EntryType::Symlink, &format!("{ROOT}/payload/posix{path}"), target, b"")
    }
}

/// Names of roots with the directories that they were, and their agents.
pub(super) fn roots(archive: &Archive, role: Role) -> Vec<(String, String, String)> {
    let roots = archive.index(role).unwrap().source.roots;
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    roots.iter().map(|root| (root.path.to_string(), text(&root.source), root.agents.join(" "))).collect()
}

pub(super) fn triples(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

/// The paths of a manifest that are by default, with these workspaces.
pub(super) fn told(workspaces: &Value) -> Value {
    json!({
        "stateDir": STATE,
        "configPath": format!("{STATE}/openclaw.json"),
        "oauthDir": format!("{STATE}/credentials"),
        "workspaceDirs": workspaces,
    })
}
