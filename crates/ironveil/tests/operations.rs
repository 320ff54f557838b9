//! End to end: how the proxy is run, between real clients and real servers of both protocols.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "operations/harness.rs"]
mod harness;

#[path = "operations/api.rs"]
mod api;
#[path = "operations/audit.rs"]
mod audit;
#[path = "operations/limits.rs"]
mod limits;
#[path = "operations/many.rs"]
mod many;
#[path = "operations/reload.rs"]
mod reload;
#[path = "operations/rules.rs"]
mod rules;
#[path = "operations/scans.rs"]
mod scans;
#[path = "operations/shutdown.rs"]
mod shutdown;
#[path = "operations/stores.rs"]
mod stores;
#[path = "operations/telemetry.rs"]
mod telemetry;
#[path = "operations/timeouts.rs"]
mod timeouts;
#[path = "operations/upstreams.rs"]
mod upstreams;
