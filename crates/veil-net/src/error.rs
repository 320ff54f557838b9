//! What can go wrong on the way to a session, by whose fault it is.

use std::io;

use thiserror::Error;
use veil_wire::Malformed;

use crate::scram::ScramError;

/// A failure before or at the edge of a session.
#[derive(Debug, Error)]
pub enum NetError {
    /// The peer broke the protocol.
    #[error("protocol violation: {0}")]
    Malformed(#[from] Malformed),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    /// The peer went away without a word.
    #[error("connection closed")]
    Closed,
    /// The upstream could not be reached.
    #[error("could not connect to {host}:{port}: {source}")]
    Unreachable {
        /// Host tried.
        host: String,
        /// Port tried.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The upstream was not reached so often that it is not tried now.
    #[error("{host}:{port} is not tried now, after it could not be reached ({last})")]
    CircuitOpen {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// What was wrong last.
        last: String,
    },
    /// The upstream has no TLS but has to.
    #[error("{host}:{port} does not speak TLS, which its sslmode demands")]
    NoTls {
        /// Host tried.
        host: String,
        /// Port tried.
        port: u16,
    },
    /// TLS could not be set up from the configuration.
    #[error("{path}: {what}")]
    TlsConfig {
        /// File at fault.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A SCRAM exchange failed.
    #[error(transparent)]
    Scram(#[from] ScramError),
    /// The upstream wants a way to sign in that the proxy does not have.
    #[error("the upstream asks for an authentication method that the proxy does not speak ({0})")]
    Method(&'static str),
    /// The upstream refused; its SQLSTATE.
    #[error("the upstream refused the login (SQLSTATE {0})")]
    Refused(String),
}
