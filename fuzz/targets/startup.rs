//! Fuzzes `ironveil_fuzz::startup`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::startup(bytes));
