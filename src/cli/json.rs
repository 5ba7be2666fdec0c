//! The shapes that the documents of `--json` share.
//!
//! A name that is UTF-8 stands as it is; any other stands in base64 under its own key.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use ocbak::{ArchivePath, Damage, Holder, Manifest, Noted, Restored, Root, Skipped, is_hazard};

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

/// A path that the caller knows, of which other bytes than UTF-8 become U+FFFD.
pub(crate) fn path(path: &Path) -> Value {
    path.to_string_lossy().into()
}

/// Adds a path that the caller may not know.
pub(crate) fn put_path(object: &mut Value, key: &str, path: &Path) {
    if let Value::Object(object) = object {
        put_name(object, key, path.as_os_str().as_bytes());
    }
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

/// Writes JSON with the characters that a terminal obeys as `\u` escapes; outside of strings there are none.
pub(crate) struct Escaped<W>(pub(crate) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // serde_json writes no part of a character.
        for chunk in bytes.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some((at, hazard)) = rest.char_indices().find(|&(_, character)| escapes(character)) {
                let (before, after) = rest.split_at(at);
                self.0.write_all(before.as_bytes())?;
                for unit in hazard.encode_utf16(&mut [0; 2]) {
                    write!(self.0, "\\u{unit:04x}")?;
                }
                rest = &after[hazard.len_utf8()..];
            }
            self.0.write_all(rest.as_bytes())?;
            self.0.write_all(chunk.invalid())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line ends between members are no part of a string.
fn escapes(character: char) -> bool {
    is_hazard(character) && character != '\n'
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Escaped, put_name};

    #[test]
    fn names_of_any_bytes_survive() {
        let mut object = Map::new();
        put_name(&mut object, "path", "state/é".as_bytes());
        put_name(&mut object, "target", b"\xff");
        assert_eq!(Value::from(object), json!({ "path": "state/é", "target_base64": "/w==" }));
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_read_as_it_was() {
        let text = "a\u{7f}\u{9b}2J\u{202e}\u{200b}\u{feff}\u{e0041}\n\u{1b}é😀";
        let mut bytes = Vec::new();
        serde_json::to_writer_pretty(Escaped(&mut bytes), &json!({ text: [text] })).unwrap();
        let written = String::from_utf8(bytes).unwrap();
        let escaped = r"a\u007f\u009b2J\u202e\u200b\ufeff\udb40\udc41\n\u001bé😀";
        assert_eq!(written, format!("{{\n  \"{escaped}\": [\n    \"{escaped}\"\n  ]\n}}"));
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), json!({ text: [text] }));
    }
}
