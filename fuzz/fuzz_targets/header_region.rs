//! See `ocbak::promise::header_region`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ocbak::promise::header_region(bytes);
});
