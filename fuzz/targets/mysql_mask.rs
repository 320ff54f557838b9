//! Fuzzes `ironveil_fuzz::mysql::mask`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::mysql::mask(bytes));
