//! Everything that sessions share, and the loop that accepts them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};
use veil_model::Sensitive;
use veil_net::NetError;
use veil_net::connect::Target;
use veil_net::mysql::connect;
use veil_net::mysql::password::rsa::ServerKey;
use veil_net::mysql::password::sha2::Quick;
use veil_net::mysql::password::{native, sha2};
use veil_net::scram::{ClientSecret, Verifier};
use veil_net::tls::ServerTls;
use veil_policy::glob::Glob;
use veil_policy::rule::Scope;
use veil_policy::{Labels, Policy, mysql};
use veil_sql::Analyser;
use veil_wire::mysql::startup::Greeting;

use crate::budget::Budgets;
use crate::cancel::Registry;
use crate::catalogs::Slots;
use crate::connections::Connections;
use crate::events::{Event, Events};
use crate::handshake;
use crate::limits::{Admission, Limits};
use crate::policies::{Current, Policies};
use crate::pool::pg::{Maker, Texts};
use crate::pool::{PoolSettings, Pools};
use crate::problem::Problem;
use crate::sessions::{Guest, Sessions, Timeouts};
use crate::statements::Telemetry;
use crate::upstreams::{Hosts, Upstreams};

/// A database that clients may ask for.
pub struct Route {
    /// The name asked for.
    pub name: Glob,
    /// Its servers.
    pub hosts: Hosts,
    /// Its name there, if it is another.
    pub database: Option<String>,
    /// How verifiers of users who are not listed are found.
    pub auth_query: Option<AuthQuery>,
    /// How long its sessions may be what they are.
    pub timeouts: Timeouts,
    /// Sessions there may be; 0 for any number.
    pub connections: u32,
    /// How its connections are shared.
    pub pool: PoolSettings,
    /// The same for users on the server.
    pub pool_sizes: HashMap<String, u32>,
}

impl Route {
    /// How a user's connections are shared.
    pub(crate) fn pool_of(&self, user: &str) -> PoolSettings {
        let size = self.pool_sizes.get(user).copied().unwrap_or(self.pool.size);
        PoolSettings { size, ..self.pool }
    }
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
    /// Sessions that ended by a panic.
    pub panics: AtomicU64,
}

/// A MySQL or MariaDB server that clients may ask for.
pub struct MySqlRoute {
    /// The database asked for; `*` also stands for none.
    pub name: Glob,
    /// Its servers.
    pub hosts: Hosts,
    /// The database to begin in, whatever was asked for.
    pub database: Option<String>,
    /// How long its sessions may be what they are.
    pub timeouts: Timeouts,
    /// Sessions there may be; 0 for any number.
    pub connections: u32,
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

/// What may become other while the proxy runs.
pub struct Settings {
    /// TLS towards clients, if there is a certificate.
    pub tls: Option<ServerTls>,
    /// PostgreSQL databases.
    pub routes: Vec<Arc<Route>>,
    /// Users of PostgreSQL's protocol.
    pub accounts: HashMap<String, Account>,
    /// MySQL servers.
    pub mysql_routes: Vec<Arc<MySqlRoute>>,
    /// Users of MySQL's protocol.
    pub mysql_accounts: HashMap<String, MySqlAccount>,
    /// MySQL servers may ask clients for files.
    pub local_files: bool,
    /// How many sessions there may be.
    pub limits: Limits,
    /// How long a client may take to sign in.
    pub login_timeout: Duration,
}

/// What a session begins with.
pub(crate) struct Moment {
    pub(crate) settings: Arc<Settings>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) epoch: u64,
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
    settings: RwLock<Arc<Settings>>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) budgets: Budgets,
    /// What happens.
    pub events: Arc<Events>,
    /// What is told of statements.
    pub telemetry: Arc<Telemetry>,
    pub(crate) analyser: Arc<Analyser>,
    pub(crate) mysql_analyser: Arc<veil_sql::mysql::analyse::Analyser>,
    /// The catalogs of PostgreSQL's databases.
    pub slots: Slots<Labels>,
    /// What accounts see of MySQL's servers.
    pub mysql_slots: Arc<Slots<mysql::Labels>>,
    pub(crate) cancels: Arc<Registry>,
    pub(crate) pools: Pools<Maker>,
    /// Statements that clients of pools have prepared.
    pub(crate) texts: Arc<Texts>,
    pub(crate) connections: Arc<Connections>,
    /// The sessions that run.
    pub sessions: Arc<Sessions>,
    /// The servers.
    pub upstreams: Arc<Upstreams>,
    /// Who may begin one.
    pub admission: Arc<Admission>,
    /// What happened so far.
    pub counters: Counters,
    /// For users who do not exist.
    pub(crate) mock_secret: [u8; 32],
    /// What MySQL servers have said of themselves.
    greetings: Mutex<HashMap<(String, u16), Greeting>>,
    /// What has been learnt of passwords from full exchanges.
    quick: Mutex<HashMap<String, Quick>>,
    rsa_key: OnceCell<Option<Arc<ServerKey>>>,
}

impl Protocol {
    /// As metrics and logs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pg => "postgresql",
            Self::MySql => "mysql",
        }
    }
}

impl Proxy {
    /// A proxy that masks by a policy; `mock_secret` is random.
    #[must_use]
    pub fn new(settings: Settings, policy: Policy, mock_secret: [u8; 32]) -> Self {
        let events = Arc::<Events>::default();
        Self {
            settings: RwLock::new(Arc::new(settings)),
            budgets: Budgets::new(policy.budget()),
            telemetry: Arc::new(Telemetry::new(Arc::clone(&events))),
            events,
            policies: Arc::new(Policies::new(policy)),
            analyser: Arc::default(),
            mysql_analyser: Arc::default(),
            slots: Slots::default(),
            mysql_slots: Arc::default(),
            cancels: Arc::default(),
            pools: Pools::default(),
            texts: Arc::default(),
            connections: Arc::default(),
            sessions: Arc::default(),
            upstreams: Arc::default(),
            admission: Arc::default(),
            counters: Counters::default(),
            mock_secret,
            greetings: Mutex::default(),
            quick: Mutex::default(),
            rsa_key: OnceCell::new(),
        }
    }

    /// Goes on with other settings and another policy: new sessions by both, sessions that run by the policy from their next statement on.
    pub fn reload(&self, settings: Settings, policy: Arc<Policy>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.budgets.set_limit(policy.budget());
        self.policies.set(policy);
        // What was learnt of a password may be that of another now.
        self.quick.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.configure_pools();
        // Who only listens looks up as well.
        self.sessions.wake();
    }

    /// How many texts were found among those that have been analysed, and how many were not.
    #[must_use]
    pub fn analysed(&self) -> [(Protocol, (u64, u64)); 2] {
        [(Protocol::Pg, self.analyser.met()), (Protocol::MySql, self.mysql_analyser.met())]
    }

    /// The policy of now.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policies.current().policy
    }

    /// The servers that the settings of now name.
    #[must_use]
    pub fn targets(&self) -> Vec<(Protocol, Arc<Target>)> {
        let settings = self.moment().settings;
        let pg =
            settings.routes.iter().flat_map(|route| &route.hosts.all).map(|target| (Protocol::Pg, target));
        let of_mysql = settings.mysql_routes.iter().flat_map(|route| &route.hosts.all);
        pg.chain(of_mysql.map(|target| (Protocol::MySql, target)))
            .map(|(protocol, target)| (protocol, Arc::clone(target)))
            .collect()
    }

    /// Asks a server whether it is there.
    ///
    /// # Errors
    /// It is not.
    pub async fn check(&self, protocol: Protocol, target: &Arc<Target>) -> Result<(), NetError> {
        match protocol {
            Protocol::Pg => {
                self.upstreams.try_one(target, |target| async move { target.check().await }).await
            }
            Protocol::MySql => {
                let check = |target: Arc<Target>| async move { connect::check(&target).await };
                let greeting = self.upstreams.try_one(target, check).await?;
                self.set_greeting(target, greeting);
                Ok(())
            }
        }
    }

    /// Asks servers that nobody has tried for a while, for as long as it runs.
    pub async fn watch_upstreams(self: Arc<Self>) {
        loop {
            let mut checks = JoinSet::new();
            for (protocol, target) in self.targets() {
                if self.upstreams.is_due(&target) {
                    let proxy = Arc::clone(&self);
                    checks.spawn(async move { drop(proxy.check(protocol, &target).await) });
                }
            }
            while checks.join_next().await.is_some() {}
            Upstreams::rest().await;
        }
    }

    /// The settings and the policy of now. Whoever keeps them has to look whether the policy is past.
    pub(crate) fn moment(&self) -> Moment {
        // The number first: what changes in between is noticed then.
        let Current { policy, epoch } = self.policies.current();
        let settings = Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        Moment { settings, policy, epoch }
    }

    /// Accepts clients until `stop` is done; their sessions run on until they have ended, or are aborted when this is dropped.
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
                Some(ended) = sessions.join_next() => self.report_panic(ended),
                accepted = listener.accept() => match accepted {
                    Ok((tcp, peer)) => self.begin(protocol, (tcp, peer), &mut sessions),
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                },
            }
        }
        // Who has been let in by the system is served.
        let waiting = || std::future::poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
        while let Poll::Ready(Ok(accepted)) = tokio::task::unconstrained(waiting()).await {
            self.begin(protocol, accepted, &mut sessions);
        }
        drop(listener);
        while let Some(ended) = sessions.join_next().await {
            self.report_panic(ended);
        }
    }

    fn begin(
        self: &Arc<Self>,
        protocol: Protocol,
        (tcp, peer): (TcpStream, SocketAddr),
        sessions: &mut JoinSet<()>,
    ) {
        let proxy = Arc::clone(self);
        sessions.spawn(async move { proxy.session(protocol, tcp, peer).await });
    }

    async fn session(self: &Arc<Self>, protocol: Protocol, tcp: TcpStream, peer: SocketAddr) {
        if let Err(error) = veil_net::tune(&tcp) {
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

    /// A client has been let in, with this scope.
    pub(crate) fn opened(&self, guest: Guest, scope: Scope) {
        let Guest { protocol, address, user, database, .. } = guest;
        let scope = format!("{scope:?}").to_lowercase();
        self.telemetry.metrics.sessions.with_label_values(&[protocol.name(), &scope]).inc();
        self.events.tell(|| Event::Opened { protocol, address, user, database, scope });
    }

    /// A client has not been let in; without a code it was the server that denied it.
    pub(crate) fn denied(
        &self,
        protocol: Protocol,
        address: IpAddr,
        user: Option<&str>,
        code: Option<&'static str>,
    ) {
        self.telemetry.metrics.reject(protocol, code);
        self.events.tell(|| Event::Denied { protocol, address, user: user.map(str::to_owned), code });
    }

    fn report_panic(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            self.counters.panics.fetch_add(1, Ordering::Relaxed);
            warn!("a session ended by a panic; this is a bug of IronVeil");
        }
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

    /// Keeps what was learnt of a password, unless the users may have become others since `epoch`.
    pub(crate) fn learn_quick(&self, user: &str, quick: Quick, epoch: u64) {
        let mut known = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.policies.is_past(epoch) {
            known.insert(user.to_owned(), quick);
        }
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

impl Settings {
    /// The PostgreSQL database that a client's request means.
    pub(crate) fn route(&self, database: &str) -> Result<&Arc<Route>, Problem> {
        self.routes.iter().find(|route| route.name.matches(database)).ok_or_else(|| {
            let message = format!("database \"{database}\" is not served by this proxy");
            Problem::new("3D000", message, "Add it under \"databases\" in proxy.yaml.")
        })
    }

    /// The MySQL server that a client's request means.
    pub(crate) fn mysql_route(&self, database: &str) -> Result<&Arc<MySqlRoute>, Problem> {
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
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use veil_mask::RootKey;

    use super::*;
    use crate::limits::Applicant;

    /// A session that ends by a panic gives its place back, and is counted.
    #[tokio::test]
    async fn a_panic_ends_one_session_only() {
        let settings = Settings {
            tls: None,
            routes: Vec::new(),
            accounts: HashMap::new(),
            mysql_routes: Vec::new(),
            mysql_accounts: HashMap::new(),
            local_files: false,
            limits: Limits { connections: 1, ..Limits::default() },
            login_timeout: Duration::from_secs(1),
        };
        let policy = Policy::new(Vec::new(), Vec::new(), &RootKey::from_bytes([7; 32]));
        let proxy = Arc::new(Proxy::new(settings, policy, [0; 32]));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let limits = &proxy.moment().settings.limits;
        let applicant = Applicant { address, user: "app", database: "shop", database_max: 0 };
        let permit = proxy.admission.admit(limits, applicant).await.unwrap();
        let (user, database) = ("app".to_owned(), "shop".to_owned());
        let guest = Guest { protocol: Protocol::Pg, address, user, database, tls: false };
        let seated = proxy.sessions.seat(&proxy.events, guest, Timeouts::default(), None);
        assert!(proxy.admission.admit(limits, applicant).await.is_err());
        let mut sessions = JoinSet::new();
        sessions.spawn(async move {
            let _held = (permit, seated);
            panic!("a bug");
        });
        proxy.report_panic(sessions.join_next().await.unwrap());
        assert_eq!(proxy.counters.panics.load(Ordering::Relaxed), 1);
        assert_eq!(proxy.sessions.count(), 0);
        assert!(proxy.admission.admit(limits, applicant).await.is_ok());
    }
}
