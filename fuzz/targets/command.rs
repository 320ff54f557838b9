//! Fuzzes `ironveil_fuzz::command`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::command(bytes));
