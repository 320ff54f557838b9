//! End to end: the real binary between real clients and a real MariaDB or MySQL server.

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

#[path = "mysql/harness.rs"]
mod harness;
#[path = "mysql/raw.rs"]
mod raw;

#[path = "mysql/attacks.rs"]
mod attacks;
#[path = "mysql/clients.rs"]
mod clients;
#[path = "mysql/definitions.rs"]
mod definitions;
#[path = "mysql/fake.rs"]
mod fake;
#[path = "mysql/faults.rs"]
mod faults;
#[path = "mysql/login.rs"]
mod login;
#[path = "mysql/masking.rs"]
mod masking;
#[path = "mysql/policy.rs"]
mod policy;
#[path = "mysql/protocol.rs"]
mod protocol;
#[path = "mysql/questions.rs"]
mod questions;
#[path = "mysql/statements.rs"]
mod statements;
#[path = "mysql/translation.rs"]
mod translation;
#[path = "mysql/unclassified.rs"]
mod unclassified;
