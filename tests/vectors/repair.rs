//! Repairs of the forge's archives: what its parity, made by plain arithmetic, is good for, and that no vector makes a
//! repair do harm.

use std::io::Cursor;
use std::sync::Arc;

use ocbak::{ErrorKind, Result, Sealed, Silent};

use crate::of_all;
use crate::suite::parity::repairable;

#[test]
fn archives_of_the_forge_are_made_whole_to_the_byte() {
    let all = repairable();
    assert!(all.len() > 30);
    for (number, (damaged, sound)) in all.into_iter().enumerate() {
        let repaired = repaired(&damaged).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert!(repaired == sound, "{number}");
    }
}

/// The proof at the end holds whatever the archive is.
#[test]
fn a_repair_gives_what_matches_the_manifest_or_an_error() {
    let wrong = of_all(|vector, archive| {
        let name = vector.name;
        match repaired(archive) {
            Ok(bytes) => {
                let sealed = Sealed::from_source(Arc::new(bytes)).unwrap();
                let found = sealed.verify_digests(&Silent).unwrap();
                (found != sealed.left()).then(|| format!("{name}: {found:?}"))
            }
            Err(error) if error.kind() == ErrorKind::Io => Some(format!("{name}: {error}")),
            Err(_) => None,
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn repaired(bytes: &[u8]) -> Result<Vec<u8>> {
    let sealed = Sealed::from_source(Arc::new(bytes.to_vec()))?;
    sealed.prospect(&Silent)?;
    let mut sink = Cursor::new(Vec::new());
    sealed.repair(&mut sink, &Silent)?;
    Ok(sink.into_inner())
}
