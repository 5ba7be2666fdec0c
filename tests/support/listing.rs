//! What `ocbak list --json` and `ocbak list --skipped --json` say, as a test reads it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The payloads of an archive.
#[derive(Debug)]
pub struct Listing(pub Vec<Payload>);

/// One payload.
#[derive(Debug)]
pub struct Payload {
    /// `state` or `workspace`.
    pub role: String,
    /// Name in the archive and place on the source machine.
    pub roots: Vec<(PathBuf, PathBuf)>,
    /// Facts about the source.
    pub facts: Value,
    /// Everything that is stored.
    pub entries: Vec<Listed>,
    /// What was left out: name and reason.
    pub skipped: Vec<(PathBuf, String)>,
    /// What needs a remark: name and reason.
    pub noted: Vec<(PathBuf, String)>,
}

/// One entry.
#[derive(Debug)]
pub struct Listed {
    /// Name in the archive.
    pub path: PathBuf,
    /// `file`, `directory`, `symlink` or `hardlink`.
    pub kind: String,
}

impl Listing {
    /// Reads the documents about what is stored and about what was left out.
    #[track_caller]
    pub fn parse(stored: &Value, left_out: &Value) -> Self {
        let (stored, left_out) = (array(stored, "payloads"), array(left_out, "payloads"));
        assert_eq!(stored.len(), left_out.len());
        let payloads = stored.iter().zip(left_out);
        Self(payloads.map(|(one, other)| Payload::parse(one, other)).collect())
    }

    /// Returns the payload of a role.
    #[track_caller]
    pub fn payload(&self, role: &str) -> &Payload {
        self.0.iter().find(|payload| payload.role == role).unwrap_or_else(|| panic!("no payload `{role}`"))
    }

    /// Tells whether any payload has this entry.
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|payload| payload.has(path))
    }

    /// Iterates over everything left out.
    pub fn skipped(&self) -> impl Iterator<Item = &(PathBuf, String)> {
        self.0.iter().flat_map(|payload| &payload.skipped)
    }
}

impl Payload {
    fn parse(value: &Value, left_out: &Value) -> Self {
        assert_eq!(value["role"], left_out["role"]);
        let remarks = |value, key| {
            array(value, key).iter().map(|remark| (name(remark, "path"), text(remark, "reason"))).collect()
        };
        let entries = array(value, "entries")
            .iter()
            .map(|entry| Listed { path: name(entry, "path"), kind: text(entry, "type") });
        let roots = array(value, "roots").iter().map(|root| (name(root, "path"), name(root, "source")));
        Self {
            role: text(value, "role"),
            roots: roots.collect(),
            facts: value["facts"].clone(),
            entries: entries.collect(),
            skipped: remarks(left_out, "skipped"),
            noted: remarks(value, "notes"),
        }
    }

    /// Tells whether this payload has an entry of that name.
    pub fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| entry.path == Path::new(path))
    }

    /// Tells whether something was left out under that name.
    pub fn leaves_out(&self, path: &str) -> bool {
        self.skipped.iter().any(|(name, _)| name == Path::new(path))
    }
}

/// A name, which stands under `<key>_base64` where it is not UTF-8.
fn name(value: &Value, key: &str) -> PathBuf {
    let bytes = match value[key].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(text(value, &format!("{key}_base64"))).unwrap(),
    };
    PathBuf::from(OsString::from_vec(bytes))
}

#[track_caller]
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}")).to_owned()
}

#[track_caller]
fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no array `{key}` in {value}"))
}
