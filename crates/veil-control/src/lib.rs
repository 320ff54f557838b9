//! What operators have: the HTTP API, and the audit.

pub mod api;
pub mod audit;

pub use api::{Api, Operations, Reloaded};
pub use audit::Audit;
