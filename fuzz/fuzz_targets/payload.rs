//! See `agree`: an archive that the bytes tell of, rightly sealed, so that the fuzzer is behind the manifest's code.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/support/age_keys.rs"]
pub mod age_keys;
#[path = "../../tests/vectors/agreement.rs"]
mod agreement;
#[path = "../../tests/vectors/forge/mod.rs"]
mod forge;
#[path = "../../tests/vectors/script.rs"]
mod script;

mod support {
    pub use crate::age_keys;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    agreement::agree(bytes);
});
