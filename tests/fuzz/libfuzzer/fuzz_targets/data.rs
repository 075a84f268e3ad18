//! What libFuzzer runs; `tests/fuzz/src/lib.rs` says what it does.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tinsmith_fuzz::one(data));
