//! A whole archive, opened with the key of the vectors and read in every way.
#![no_main]

use std::io::{copy, sink};
use std::sync::{Arc, LazyLock};

use ocbak::{Identity, Keys, Sealed, Silent};

/// FAKE: the key of the tests.
const IDENTITY: &str = "AGE-SECRET-KEY-1NSZEJFWTQM8AYA2GDSSEWN7TD2CD36FCGAQPE4LCVH6SZ835E78SG3XCAV";

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::new().identities(Identity::parse_file(IDENTITY).unwrap()));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(sealed) = Sealed::from_source(Arc::new(bytes.to_vec())) else {
        return;
    };
    sealed.verify_digests(&Silent).unwrap();
    let Ok(archive) = sealed.unlock(&KEYS) else {
        return;
    };
    for role in archive.roles() {
        let Ok(index) = archive.index(role) else {
            continue;
        };
        for entry in &index.entries {
            if let Ok(mut content) = archive.read(&index, entry) {
                let _ = copy(&mut content, &mut sink());
            }
        }
    }
    archive.verify(1, &Silent).unwrap();
});
