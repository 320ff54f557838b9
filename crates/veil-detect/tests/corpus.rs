//! The labelled corpus of `bench/detect`, made anew: columns and values have to be told as well as `make bench-detect` asks for.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "../benches/corpus.rs"]
#[allow(dead_code, reason = "a program of its own")]
mod corpus;

use std::process::Command;

#[test]
fn columns_and_values_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let generator = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/detect/generate.py");
    let made = Command::new("python3").args([generator, path]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut told = Vec::new();
    let fits = corpus::measure(path, false, &mut told);
    let told = String::from_utf8(told).unwrap();
    eprintln!("{told}");
    assert!(fits, "{told}");
}
