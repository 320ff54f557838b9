//! End to end: the real binary between real clients and a real PostgreSQL server.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/canary.rs"]
mod canary;
#[path = "support/proxy.rs"]
mod proxy;

#[path = "pg/harness.rs"]
mod harness;
#[path = "pg/raw.rs"]
mod raw;

#[path = "pg/attacks.rs"]
mod attacks;
#[path = "pg/clients.rs"]
mod clients;
#[path = "pg/copy.rs"]
mod copy;
#[path = "pg/crowd.rs"]
mod crowd;
#[path = "pg/definitions.rs"]
mod definitions;
#[path = "pg/faults.rs"]
mod faults;
#[path = "pg/gate.rs"]
mod gate;
#[path = "pg/login.rs"]
mod login;
#[path = "pg/masking.rs"]
mod masking;
#[path = "pg/policy.rs"]
mod policy;
#[path = "pg/pool.rs"]
mod pool;
#[path = "pg/protocol.rs"]
mod protocol;
#[path = "pg/questions.rs"]
mod questions;
#[path = "pg/statements.rs"]
mod statements;
#[path = "pg/translation.rs"]
mod translation;
#[path = "pg/unclassified.rs"]
mod unclassified;
