//! Everything that sessions share, and the loop that accepts them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};
use veil_model::Sensitive;
use veil_net::connect::Target;
use veil_net::mysql::password::rsa::ServerKey;
use veil_net::mysql::password::sha2::Quick;
use veil_net::mysql::password::{native, sha2};
use veil_net::scram::{ClientSecret, Verifier};
use veil_net::tls::ServerTls;
use veil_policy::glob::Glob;
use veil_policy::{Labels, Policy, mysql};
use veil_sql::Analyser;
use veil_wire::mysql::startup::Greeting;

use crate::budget::Budgets;
use crate::cancel::Registry;
use crate::catalogs::Slots;
use crate::connections::Connections;
use crate::handshake;
use crate::problem::Problem;

/// A database that clients may ask for.
pub struct Route {
    /// The name asked for.
    pub name: Glob,
    /// Its server.
    pub target: Arc<Target>,
    /// Its name there, if it is another.
    pub database: Option<String>,
    /// How verifiers of users who are not listed are found.
    pub auth_query: Option<AuthQuery>,
}

/// A query that answers a user's verifier.
pub struct AuthQuery {
    /// SQL with the user's name as `$1`; the second column of the first row is the verifier.
    pub query: String,
    /// Who asks.
    pub user: String,
    /// Its password.
    pub secret: ClientSecret,
}

/// A user that the proxy signs in itself.
#[derive(Clone)]
pub struct Account {
    /// What the user has to prove.
    pub verifier: Verifier,
    /// Whom the user is upstream; itself, by its own key, if there is none.
    pub upstream: Option<(String, ClientSecret)>,
}

/// What happened so far.
#[derive(Default)]
pub struct Counters {
    /// Sessions whose upstream was spoken to in clear because `sslmode=prefer` allowed it.
    pub prefer_in_clear: AtomicU64,
}

/// A MySQL or MariaDB server that clients may ask for.
pub struct MySqlRoute {
    /// The database asked for; `*` also stands for none.
    pub name: Glob,
    /// Its server.
    pub target: Arc<Target>,
    /// The database to begin in, whatever was asked for.
    pub database: Option<String>,
}

/// What a user of MySQL's protocol has to prove.
#[derive(Clone)]
pub enum MySqlProof {
    /// To know this password.
    Password(Sensitive<Vec<u8>>),
    /// By mysql_native_password.
    Native(native::Verifier),
    /// By caching_sha2_password.
    Sha2(sha2::Verifier),
}

/// A user of MySQL's protocol that the proxy signs in itself.
#[derive(Clone)]
pub struct MySqlAccount {
    /// What the user has to prove.
    pub proof: MySqlProof,
    /// Whom the user is upstream, with the password; itself, by what it has proven, if there is none.
    pub upstream: Option<(String, Sensitive<Vec<u8>>)>,
}

/// What a proxy is made of.
pub struct Parts {
    /// TLS towards clients, if there is a certificate.
    pub tls: Option<ServerTls>,
    /// PostgreSQL databases.
    pub routes: Vec<Route>,
    /// Users of PostgreSQL's protocol.
    pub accounts: HashMap<String, Account>,
    /// MySQL servers.
    pub mysql_routes: Vec<MySqlRoute>,
    /// Users of MySQL's protocol.
    pub mysql_accounts: HashMap<String, MySqlAccount>,
    /// What is masked.
    pub policy: Policy,
    /// MySQL servers may ask clients for files.
    pub local_files: bool,
    /// Random.
    pub mock_secret: [u8; 32],
}

/// A wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's.
    Pg,
    /// MySQL's and MariaDB's.
    MySql,
}

/// The proxy.
pub struct Proxy {
    pub(crate) tls: Option<ServerTls>,
    pub(crate) routes: Vec<Route>,
    pub(crate) accounts: HashMap<String, Account>,
    pub(crate) mysql_routes: Vec<MySqlRoute>,
    pub(crate) mysql_accounts: HashMap<String, MySqlAccount>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) budgets: Budgets,
    pub(crate) local_files: bool,
    pub(crate) analyser: Arc<Analyser>,
    pub(crate) mysql_analyser: Arc<veil_sql::mysql::analyse::Analyser>,
    pub(crate) slots: Slots<Labels>,
    pub(crate) mysql_slots: Arc<Slots<mysql::Labels>>,
    pub(crate) cancels: Arc<Registry>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) counters: Counters,
    /// For users who do not exist.
    pub(crate) mock_secret: [u8; 32],
    /// What MySQL servers have said of themselves.
    greetings: Mutex<HashMap<(String, u16), Greeting>>,
    /// What has been learnt of passwords from full exchanges.
    quick: Mutex<HashMap<String, Quick>>,
    rsa_key: OnceCell<Option<Arc<ServerKey>>>,
}

impl Proxy {
    /// A proxy of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { tls, routes, accounts, mysql_routes, mysql_accounts, policy, local_files, mock_secret } =
            parts;
        let policy = Arc::new(policy);
        Self {
            tls,
            routes,
            accounts,
            mysql_routes,
            mysql_accounts,
            local_files,
            budgets: Budgets::new(policy.budget()),
            analyser: Arc::default(),
            mysql_analyser: Arc::default(),
            slots: Slots::new(Arc::clone(&policy)),
            mysql_slots: Arc::new(Slots::new(Arc::clone(&policy))),
            policy,
            cancels: Arc::default(),
            connections: Arc::default(),
            counters: Counters::default(),
            mock_secret,
            greetings: Mutex::default(),
            quick: Mutex::default(),
            rsa_key: OnceCell::new(),
        }
    }

    /// Accepts clients until `stop` is done, then ends their sessions.
    pub async fn serve(
        self: Arc<Self>,
        protocol: Protocol,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) {
        let mut sessions = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = sessions.join_next() => report_panic(ended),
                accepted = listener.accept() => match accepted {
                    Ok((tcp, peer)) => {
                        let proxy = Arc::clone(&self);
                        sessions.spawn(async move { proxy.session(protocol, tcp, peer).await });
                    }
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                },
            }
        }
        sessions.shutdown().await;
    }

    async fn session(&self, protocol: Protocol, tcp: TcpStream, peer: SocketAddr) {
        if let Err(error) = tcp.set_nodelay(true) {
            debug!(%error, "the client left at once");
            return;
        }
        // Boxed futures: what a handshake holds is not kept by every idle session.
        let end = match protocol {
            Protocol::Pg => match Box::pin(handshake::pg::open(self, tcp, peer)).await {
                Some(session) => session.run().await,
                None => return,
            },
            Protocol::MySql => match Box::pin(handshake::mysql::open(self, tcp, peer)).await {
                Some(session) => Box::pin(session.run()).await,
                None => return,
            },
        };
        info!(%peer, ?end, "session ended");
    }

    /// The MySQL server that a client's request means.
    pub(crate) fn mysql_route(&self, database: &str) -> Result<&MySqlRoute, Problem> {
        let found = match self.mysql_routes.as_slice() {
            [only] if database.is_empty() => Some(only),
            routes => routes.iter().find(|route| match database {
                "" => route.name.is_any(),
                name => route.name.matches(name),
            }),
        };
        found.ok_or_else(|| {
            let message = match database {
                "" => "no database named".to_owned(),
                name => format!("unknown database '{name}'"),
            };
            Problem::new("3D000", message, "Name a database that the proxy's configuration has.")
        })
    }

    pub(crate) fn greeting(&self, target: &Target) -> Option<Greeting> {
        let known = self.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(target.host.clone(), target.port)).cloned()
    }

    pub(crate) fn set_greeting(&self, target: &Target, greeting: Greeting) {
        let mut known = self.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((target.host.clone(), target.port), greeting);
    }

    pub(crate) fn quick(&self, user: &str) -> Option<Quick> {
        self.quick.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    pub(crate) fn learn_quick(&self, user: &str, quick: Quick) {
        self.quick.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), quick);
    }

    /// The key by which clients without TLS send passwords, made when the first one asks for it.
    pub(crate) async fn rsa_key(&self) -> Option<Arc<ServerKey>> {
        let make = || async {
            let made = tokio::task::spawn_blocking(ServerKey::generate).await;
            made.ok().and_then(Result::ok).map(Arc::new)
        };
        self.rsa_key.get_or_init(make).await.clone()
    }

    pub(crate) fn count_prefer_in_clear(&self) -> u64 {
        self.counters.prefer_in_clear.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        warn!("a session ended by a panic; this is a bug of IronVeil");
    }
}
