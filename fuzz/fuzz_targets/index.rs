//! See `ocbak::promise::index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ocbak::promise::index(bytes);
});
