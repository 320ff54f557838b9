//! How connections are shared.

use std::time::Duration;

/// How long a client keeps a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Each client has one of its own, which ends with it.
    #[default]
    Off,
    /// As long as it is there.
    Session,
    /// For a transaction.
    Transaction,
    /// For a statement; transactions of several are not let in.
    Statement,
}

/// How connections of a user to a database are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How long a client keeps one.
    pub mode: Mode,
    /// Most connections.
    pub size: u32,
    /// So many are kept ready.
    pub min_idle: u32,
    /// More, for those who have waited for long.
    pub reserve: u32,
    /// A connection is not used for longer.
    pub max_lifetime: Duration,
    /// One that nobody needs is closed then.
    pub idle_timeout: Option<Duration>,
    /// A client waits for so long.
    pub queue_timeout: Duration,
    /// The server is asked whether it is there, on connections that have been idle for so long.
    pub server_check: Option<Duration>,
    /// Statements that a connection keeps prepared.
    pub prepared: usize,
}

impl Mode {
    /// As it is configured and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        }
    }
}
