//! See `survive`: a whole archive, opened with the key of the vectors and read in every way.
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
    agreement::survive(bytes);
});
