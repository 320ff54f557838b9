//! Sockets, TLS and signing in, for both sides of the proxy.
//!
//! Decision: SCRAM is a pure state machine (`scram`) with small async drivers around it (`login`), MySQL's logins are
//! pure arithmetic (`mysql::password`), and reading before TLS takes exactly the bytes of a packet, so that nothing
//! sent in clear can be taken for something sent inside TLS.

pub mod accept;
pub mod connect;
pub mod error;
pub mod link;
pub mod login;
pub mod mysql;
pub mod scram;
pub mod stream;
pub mod tls;
mod tune;

pub use error::NetError;
pub use link::Link;
pub use stream::Stream;
pub use tune::tune;
