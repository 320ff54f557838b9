//! Fuzzes `ironveil_fuzz::analyse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::analyse(bytes));
