//! Fuzzes `ironveil_fuzz::mask`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::mask(bytes));
