//! How connections to a database are shared.

use std::time::Duration;

/// How long a client keeps a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// Each client has one of its own.
    Off,
    /// As long as it is there.
    Session,
    /// For a transaction.
    Transaction,
    /// For a statement.
    Statement,
}

/// How connections of each user to a database are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How long a client keeps one.
    pub mode: PoolMode,
    /// Most connections of a user.
    pub size: u32,
    /// So many are kept ready.
    pub min_idle: u32,
    /// More, for those who have waited for five seconds.
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
    pub max_prepared_statements: u32,
    /// Sizes for users on the server.
    pub users: Vec<(String, u32)>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            mode: PoolMode::Off,
            size: 20,
            min_idle: 0,
            reserve: 0,
            max_lifetime: Duration::from_secs(3600),
            idle_timeout: Some(Duration::from_secs(600)),
            queue_timeout: Duration::from_secs(30),
            server_check: Some(Duration::from_secs(30)),
            max_prepared_statements: 200,
            users: Vec::new(),
        }
    }
}
