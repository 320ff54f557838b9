//! The data plane: accepts clients, finds their upstream, signs them in, and relays with masks.
//!
//! Decision: one task owns both sockets of a session. What is done with the bytes is decided by a pure
//! `engine`, which is given bytes and the time and returns bytes; `relay` moves them.

pub mod budget;
pub mod cancel;
pub mod catalogs;
pub mod connections;
pub mod engine;
pub mod events;
mod handshake;
pub mod limits;
pub mod metrics;
pub mod out;
pub mod policies;
pub mod pool;
mod problem;
pub mod proxy;
mod relay;
pub mod sessions;
mod standing;
pub mod statements;
pub mod upstreams;

pub use problem::Problem;
pub use proxy::{Account, AuthQuery, MySqlAccount, MySqlProof, MySqlRoute, Protocol, Proxy, Route, Settings};
