//! A repair of anything that has a manifest: an error, or an archive that matches it.
#![no_main]

use std::io::Cursor;
use std::sync::Arc;

use ocbak::{ErrorKind, Sealed, Silent};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(sealed) = Sealed::from_source(Arc::new(bytes.to_vec())) else {
        return;
    };
    sealed.prospect(&Silent).unwrap();
    let mut sink = Cursor::new(Vec::new());
    match sealed.repair(&mut sink, &Silent) {
        Ok(repaired) => {
            let again = Sealed::from_source(Arc::new(sink.into_inner())).unwrap();
            // What is left is told as it was before: a region that was cut off is there now, and damaged.
            assert_eq!(again.verify_digests(&Silent).unwrap().is_empty(), repaired.left.is_empty());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Tampered),
    }
});
