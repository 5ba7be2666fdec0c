//! See `ocbak::promise::tar_entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ocbak::promise::tar_entry(bytes);
});
