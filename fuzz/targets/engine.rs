//! Fuzzes `ironveil_fuzz::engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::engine(bytes));
