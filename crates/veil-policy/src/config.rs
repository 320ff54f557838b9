//! `proxy.yaml`: the file as checked, typed values. Reading it finds every fault at once.

mod decode;
pub mod operations;
pub mod pool;
mod upstream;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use decode::{default_listen, default_listen_mysql, rule_from_argument};
use operations::{Api, Audit, Limits, Otlp, Store, Timeouts};
pub use upstream::{Protocol, Role, SslMode, Upstream};

use crate::expect::Test;
use crate::glob::Glob;
use crate::protection::ProtectionMode;
use crate::rule::Rule;

/// Something wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; 0 where there is none.
    pub line: usize,
    /// Path of the key, as `rules[2].strategy`.
    pub path: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.path.as_str()) {
            (0, "") => write!(f, "{}", self.what),
            (0, path) => write!(f, "{path}: {}", self.what),
            (line, "") => write!(f, "line {line}: {}", self.what),
            (line, path) => write!(f, "line {line}: {path}: {}", self.what),
        }
    }
}

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// Where the root key is; without one the proxy does not start.
    pub root_key: Option<Secret>,
    /// Where those are that were used before, the last first: they only reveal.
    pub previous_keys: Vec<Secret>,
    /// What clients may ask for; the first that matches decides.
    pub databases: Vec<Database>,
    /// Users that the proxy signs in itself.
    pub users: Vec<User>,
    /// What is masked.
    pub rules: Vec<Rule>,
    /// What holds for all rules.
    pub protection: Protection,
    /// What is expected of the rules.
    pub tests: Vec<Test>,
    /// How many sessions there may be.
    pub limits: Limits,
    /// How long a client may take to sign in.
    pub login_timeout: Duration,
    /// The listener for operators.
    pub api: Option<Api>,
    /// Where it is written down who did what.
    pub audit: Option<Audit>,
    /// Where the rules, their history and the API's keys are kept.
    pub store: Store,
    /// Where traces, metrics and events are sent.
    pub otlp: Option<Otlp>,
}

/// What holds for all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Functions that users vouch for.
    pub trusted_functions: Vec<String>,
    /// Columns on which there is no rule are looked into.
    pub scan: bool,
    /// MySQL servers may ask clients for files.
    pub local_infile: bool,
    /// What clients may do with masked columns besides to look at them.
    pub mode: ProtectionMode,
}

/// Listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// For PostgreSQL clients; not used without such databases.
    pub postgres: SocketAddr,
    /// For MySQL clients; not used without such databases.
    pub mysql: SocketAddr,
    /// TLS towards clients.
    pub tls: Option<ListenTls>,
    /// Another process may listen at the same addresses, to take over.
    pub reuse_port: bool,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// Clients may go without.
    pub optional: bool,
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Clients need a certificate from this authority.
    pub client_ca: Option<PathBuf>,
}

/// Where a secret is; the file never holds one in clear, except verifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file; surrounding white space is not part of it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
    /// What this program prints, with these arguments; surrounding white space is not part of it.
    Command(Vec<String>),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
        }
    }
}

/// A database that clients may ask for.
#[derive(Clone, Debug)]
pub struct Database {
    /// The name asked for; `*` stands for any.
    pub name: Glob,
    /// Where it is.
    pub upstream: Upstream,
    /// How the verifiers of users who are not listed are found.
    pub auth_query: Option<AuthQuery>,
    /// Who signs in at the start, to see whether that works.
    pub check: Option<Login>,
    /// When it is scanned for personal data, by whoever checks it.
    pub scans: Option<operations::Scans>,
    /// How long its sessions may be what they are.
    pub timeouts: Timeouts,
    /// Sessions there may be; 0 for any number.
    pub max_connections: u32,
    /// How its connections are shared.
    pub pool: pool::Pool,
}

/// A query that answers a user's verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthQuery {
    /// SQL with the user's name as `$1`; the first row's second column is the verifier.
    pub query: String,
    /// Who asks.
    pub login: Login,
}

/// A user name and password for an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Name.
    pub user: String,
    /// Password.
    pub password: Secret,
}

/// How a user proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A verifier as the server stores it.
    Verifier(String),
    /// A verifier, elsewhere.
    VerifierAt(Secret),
    /// A password.
    Password(Secret),
}

/// A user that the proxy signs in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name that clients give.
    pub name: String,
    /// What they have to prove.
    pub proof: Proof,
    /// Whom they are upstream; the client's own key serves if there is none.
    pub upstream: Option<Login>,
}

impl Config {
    /// Whether a database speaks this protocol.
    #[must_use]
    pub fn has(&self, protocol: Protocol) -> bool {
        self.databases.iter().any(|database| database.upstream.protocol == protocol)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Every fault, in order of lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        decode::decode(text)
    }

    /// The database entry that a client's request means.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name.matches(name))
    }
}
