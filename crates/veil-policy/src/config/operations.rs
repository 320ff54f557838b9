//! How the proxy is run: limits, timeouts, the listener for operators.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Login, Secret, Upstream};

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
    /// A key that may do everything.
    pub key: Option<Secret>,
    /// Where a key that may do everything is written at the first start, if nothing else lets anybody in.
    pub admin_key_file: Option<PathBuf>,
    /// Tokens that are believed.
    pub tokens: Tokens,
    /// Certificate chain and private key, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Metrics are shown to everybody who can reach the listener.
    pub public_metrics: bool,
}

/// Whose JSON web tokens are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those that this secret signs (HS256).
    pub secret: Option<Secret>,
    /// Those that these keys sign (RS256, ES256, EdDSA).
    pub keys: Option<KeySet>,
    /// Only those of this issuer.
    pub issuer: Option<String>,
    /// Only those for this audience.
    pub audience: Option<String>,
    /// The claim that names the role.
    pub role_claim: Option<String>,
}

/// Where a set of public keys (JWKS) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySet {
    /// In a file.
    File(PathBuf),
    /// At this address, which is asked again from time to time.
    Url(String),
}

/// Where it is written down who did what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The file, to which lines are added.
    pub file: PathBuf,
    /// A file that is as long is put aside.
    pub rotate_bytes: u64,
    /// A file that is as old is put aside.
    pub rotate_after: Option<Duration>,
    /// What was put aside is removed after this time.
    pub keep: Option<Duration>,
    /// What is put aside is compressed.
    pub compress: bool,
    /// What happens where events come faster than the disk takes them.
    pub when_full: WhenFull,
    /// Where events are sent besides (RFC 5424).
    pub syslog: Option<Syslog>,
}

/// What happens where events come faster than the disk takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Sessions wait.
    #[default]
    Block,
    /// Sessions that want to go on end, and new ones are refused.
    Refuse,
    /// Events are lost, and counted.
    Drop,
}

/// A receiver of syslog messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syslog {
    /// One datagram a message.
    Udp(String),
    /// Messages with their lengths.
    Tcp(String),
    /// A datagram socket of the system.
    Unix(PathBuf),
}

/// Where the rules, their history and the API's keys are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// The rules in the configuration's own file, the rest in a file of SQLite.
    File(Option<PathBuf>),
    /// All in a file of SQLite.
    Sqlite(PathBuf),
    /// All in a database that proxies share.
    Postgres(Box<Upstream>, Login),
}

impl Default for Store {
    fn default() -> Self {
        Self::File(None)
    }
}

/// Where traces, metrics and events are sent by OTLP.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// The collector, as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// By HTTP rather than gRPC.
    pub http: bool,
    /// Names and values that are sent along.
    pub headers: Vec<(String, Secret)>,
    /// A span for each statement.
    pub traces: bool,
    /// Of so many statements that no trace has been begun for, from 0 to 1.
    pub sample_ratio: f64,
    /// The metrics, as often as this.
    pub metrics: Option<Duration>,
    /// What the audit is told.
    pub logs: bool,
}

/// When a database is scanned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Scans {
    /// One follows another after so long.
    pub every: Duration,
    /// Sessions that read side by side.
    pub sessions: u32,
    /// How many times as long as it has worked on a table a session rests.
    pub rest: u32,
    /// What is less likely is left out.
    pub confidence_min: f64,
    /// Schemas that are scanned; all if there are none.
    pub schemas: Vec<String>,
}

impl Default for Scans {
    fn default() -> Self {
        Self { every: Duration::ZERO, sessions: 2, rest: 3, confidence_min: 0.7, schemas: Vec::new() }
    }
}
