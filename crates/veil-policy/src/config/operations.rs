//! How the proxy is run: limits, timeouts, the listener for operators.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Secret;

/// How many sessions there may be, and how fast they may begin; 0 stands for any number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at one time.
    pub max_connections: u32,
    /// Sessions of one user.
    pub max_connections_per_user: u32,
    /// Of all sessions, those that are kept for `admins`.
    pub reserved_connections: u32,
    /// Who may use what is kept.
    pub admins: Vec<String>,
    /// New sessions in a second.
    pub connections_per_second: u32,
    /// New sessions at once; as many as in a second if it is 0.
    pub burst: u32,
    /// New sessions from one address in a second.
    pub connections_per_second_per_address: u32,
    /// New sessions from one address at once.
    pub burst_per_address: u32,
    /// How long a client waits for others to leave.
    pub queue_timeout: Duration,
}

/// How long things may take; where there is none, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To reach a server.
    pub connect: Duration,
    /// With one statement.
    pub query: Option<Duration>,
    /// Without a statement or a transaction.
    pub idle: Option<Duration>,
    /// Without a statement in a transaction.
    pub idle_in_transaction: Option<Duration>,
    /// A session.
    pub max_lifetime: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        let connect = Duration::from_secs(10);
        Self { connect, query: None, idle: None, idle_in_transaction: None, max_lifetime: None }
    }
}

/// How long a client may take to sign in unless the file says otherwise.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The listener for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Its address.
    pub listen: SocketAddr,
    /// What whoever changes something has to know.
    pub key: Option<Secret>,
}

/// Where it is written down who did what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The file, to which lines are added.
    pub file: PathBuf,
}
