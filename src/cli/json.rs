//! The shapes that the documents of `--json` share.
//!
//! A name that is UTF-8 stands as it is; any other stands in base64 under its own key.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use ocbak::{ArchivePath, Damage, Holder, Manifest, Noted, Restored, Root, Skipped};

use super::ui::Ui;

/// Adds a name of any bytes to an object.
pub(crate) fn put_name(object: &mut Map<String, Value>, key: &str, name: &[u8]) {
    match std::str::from_utf8(name) {
        Ok(text) => object.insert(key.to_owned(), text.into()),
        Err(_) => object.insert(format!("{key}_base64"), STANDARD.encode(name).into()),
    };
}

/// Adds the warnings so far, which every document ends with.
pub(crate) fn put_warnings(document: &mut Value, ui: &Ui) {
    document["warnings"] = ui.warnings().into();
}

pub(crate) fn path(path: &Path) -> Value {
    path.to_string_lossy().into()
}

pub(crate) fn manifest(manifest: &Manifest) -> Value {
    let payloads: Vec<Value> = manifest
        .payloads
        .iter()
        .map(|payload| {
            json!({
                "role": payload.role.as_str(),
                "length": payload.payload.length,
                "sha256": hex::encode(payload.payload.sha256),
                "index_length": payload.index.length,
                "index_sha256": hex::encode(payload.index.sha256),
            })
        })
        .collect();
    json!({
        "archive": hex::encode(manifest.archive),
        "series": manifest.series.map(hex::encode),
        "created": manifest.created,
        "writer": manifest.writer,
        "payloads": payloads,
    })
}

pub(crate) fn damage(damage: &[Damage]) -> Value {
    damage.iter().map(|one| one.what.as_str()).collect()
}

pub(crate) fn skipped(skipped: &Skipped) -> Value {
    about(&skipped.path, skipped.why.as_str(), &skipped.detail)
}

pub(crate) fn noted(noted: &Noted) -> Value {
    about(&noted.path, noted.why.as_str(), &noted.detail)
}

fn about(path: &ArchivePath, reason: &str, detail: &str) -> Value {
    let mut object = Map::new();
    put_name(&mut object, "path", path.as_bytes());
    object.insert("reason".to_owned(), reason.into());
    object.insert("detail".to_owned(), detail.into());
    object.into()
}

pub(crate) fn root(root: &Root) -> Value {
    let mut object = Map::new();
    put_name(&mut object, "path", root.path.as_bytes());
    put_name(&mut object, "source", &root.source);
    object.insert("agents".to_owned(), root.agents.clone().into());
    object.into()
}

pub(crate) fn holder(holder: &Holder) -> Value {
    json!({ "pid": holder.pid, "role": holder.role, "port": holder.port })
}

pub(crate) fn restored(restored: &Restored) -> Value {
    json!({
        "entries": restored.entries,
        "bytes": restored.bytes,
        "kept": restored.kept.iter().map(|kept| path(kept)).collect::<Vec<_>>(),
        "notes": restored.notes,
        "rewritten": super::adapt::rewritten(&restored.rewritten),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::put_name;

    #[test]
    fn names_of_any_bytes_survive() {
        let mut object = Map::new();
        put_name(&mut object, "path", "state/é".as_bytes());
        put_name(&mut object, "target", b"\xff");
        assert_eq!(Value::from(object), json!({ "path": "state/é", "target_base64": "/w==" }));
    }
}
