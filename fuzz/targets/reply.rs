//! Fuzzes `ironveil_fuzz::reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ironveil_fuzz::reply(bytes));
