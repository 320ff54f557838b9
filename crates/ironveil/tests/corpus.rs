//! The SQL that the servers themselves are tested with: how much of it is understood, and whether the servers agree.

#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "corpus/mysql.rs"]
mod mysql;
#[path = "mysql/raw.rs"]
mod mysql_raw;
#[path = "corpus/pg.rs"]
mod pg;
#[path = "pg/raw.rs"]
mod pg_raw;

use std::path::{Path, PathBuf};

/// The folder of a corpus; `None`, and a line that says so, if it is not there.
fn corpus(name: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/corpus");
    let folder = std::env::var_os("IRONVEIL_CORPUS").map_or(default, PathBuf::from).join(name);
    if folder.exists() {
        return folder.canonicalize().ok();
    }
    eprintln!(
        "not tested: {} is not there; crates/veil-testkit/install-corpus.sh fetches it",
        folder.display()
    );
    None
}

/// A share in percent.
fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
