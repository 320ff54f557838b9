//! Everything that sessions share, and the loop that accepts them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};
use veil_net::connect::Target;
use veil_net::scram::{ClientSecret, Verifier};
use veil_net::tls::ServerTls;
use veil_policy::Policy;
use veil_policy::glob::Glob;
use veil_sql::Analyser;

use crate::cancel::Registry;
use crate::catalogs::Slot;
use crate::handshake;

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

/// The proxy.
pub struct Proxy {
    pub(crate) tls: Option<ServerTls>,
    pub(crate) routes: Vec<Route>,
    pub(crate) accounts: HashMap<String, Account>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) analyser: Arc<Analyser>,
    pub(crate) cancels: Arc<Registry>,
    pub(crate) counters: Counters,
    /// For users who do not exist.
    pub(crate) mock_secret: [u8; 32],
    slots: Mutex<HashMap<(String, u16, String), Arc<Slot>>>,
}

/// Databases whose catalogs are kept.
const SLOTS_MAX: usize = 4096;

impl Proxy {
    /// A proxy for `routes`, with TLS towards clients if there is a certificate.
    #[must_use]
    pub fn new(
        tls: Option<ServerTls>,
        routes: Vec<Route>,
        accounts: HashMap<String, Account>,
        policy: Policy,
        mock_secret: [u8; 32],
    ) -> Self {
        Self {
            tls,
            routes,
            accounts,
            policy: Arc::new(policy),
            analyser: Arc::default(),
            cancels: Arc::default(),
            counters: Counters::default(),
            mock_secret,
            slots: Mutex::default(),
        }
    }

    /// Accepts clients until `stop` is done, then ends their sessions.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) {
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
                        sessions.spawn(async move { proxy.session(tcp, peer).await });
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

    async fn session(&self, tcp: TcpStream, peer: SocketAddr) {
        if let Err(error) = tcp.set_nodelay(true) {
            debug!(%error, "the client left at once");
            return;
        }
        // A boxed future: what a handshake holds is not kept by every idle session.
        if let Some(session) = Box::pin(handshake::open(self, tcp, peer)).await {
            let end = session.run().await;
            info!(%peer, ?end, "session ended");
        }
    }

    /// The catalog of a database of a server.
    pub(crate) fn slot(&self, target: &Target, database: &str) -> Arc<Slot> {
        let key = (target.host.clone(), target.port, database.to_owned());
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SLOTS_MAX && !slots.contains_key(&key) {
            slots.clear();
        }
        let make = || Arc::new(Slot::new(database.to_owned(), Arc::clone(&self.policy)));
        Arc::clone(slots.entry(key).or_insert_with(make))
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
