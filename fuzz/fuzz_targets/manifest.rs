//! See `ocbak::promise::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ocbak::promise::manifest(bytes);
});
