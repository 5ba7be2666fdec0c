//! The first reading: every name, and the manifest, which stands at the end.

use std::fs::File;

use crate::error::{Error, Result};
use crate::import::tape::{self, Kind, Record};
use crate::observer::Observer;

/// Returns the records by their numbers, and the manifest's text.
pub(super) fn read(file: &File, observer: &dyn Observer) -> Result<(Vec<Record>, Vec<u8>)> {
    let mut records = Vec::new();
    let mut manifest: Option<Vec<u8>> = None;
    let mut memory = 0;
    tape::play(file, observer, &mut |_, record, content| {
        let link = match &record.kind {
            Kind::Symlink(target) | Kind::Hardlink(target) => target.len(),
            Kind::File(_) | Kind::Directory => 0,
        };
        // Where links lead is looked up by their names, which takes them once more.
        memory += (1 + usize::from(link > 0)) * (EACH + record.name.len() + link);
        limit("memory for the names", memory as u64, NAMES)?;
        if let (Kind::File(size), true) = (&record.kind, is_manifest(&record.name)) {
            limit("size of `manifest.json`", *size, MANIFEST)?;
            let mut text = Vec::new();
            content.read_to_end(&mut text).map_err(|error| Error::stream("read the backup", error))?;
            if manifest.replace(text).is_some() {
                return Err(Error::malformed("tar: a second `manifest.json`"));
            }
        }
        records.push(record);
        Ok(())
    })?;
    let manifest = manifest.ok_or_else(|| {
        Error::invalid("no `manifest.json` in it, which backups of `openclaw backup create` end with")
    })?;
    Ok((records, manifest))
}

/// It lies directly in the directory that holds everything.
fn is_manifest(name: &[u8]) -> bool {
    let mut components = name.split(|&byte| byte == b'/');
    (components.next().is_some(), components.next(), components.next())
        == (true, Some(&b"manifest.json"[..]), None)
}

pub(super) fn limit(what: &str, found: u64, limit: u64) -> Result<()> {
    if found > limit {
        return Err(Error::LimitExceeded { what: what.to_owned(), limit, found });
    }
    Ok(())
}

/// What a name costs beside its bytes, here and where it is planned.
pub(super) const EACH: usize = 300;
/// Room for some three million names.
const NAMES: u64 = 1 << 30;
const MANIFEST: u64 = 16 << 20;
