//! What is MySQL's and MariaDB's own on the way to a session.

pub mod accept;
pub mod connect;
pub mod link;
pub mod password;

pub use link::Link;
