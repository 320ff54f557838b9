//! From an accepted connection to a PostgreSQL session that can be relayed.

mod give_up;
mod pass_through;
mod pooled;
mod query;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, info, warn};
use veil_net::accept::{self, Opened};
use veil_net::connect::{Connected, Encryption, Target};
use veil_net::scram::{ClientSecret, Verifier};
use veil_net::{Link, NetError, Stream, login};
use veil_policy::rule::Scope;
use veil_policy::who::Principal;
use veil_wire::pg::auth::Request;
use veil_wire::pg::startup::{self, Version};
use veil_wire::pg::{frame, limits, reply};

use super::{Failure, is_loopback, signed_in};
use crate::cancel::{self, Gate, Registered, Running, Serving};
use crate::catalogs::View;
use crate::engine::Engine;
use crate::engine::pg::{self, Guarded, Watcher};
use crate::limits::{Applicant, Permit};
use crate::problem::Problem;
use crate::proxy::{Account, Moment, Protocol, Proxy, Route};
use crate::relay::{self, End, Pooled, Relay, Side};
use crate::sessions::{Cancel, GivingUp, Guest, Seated};
use crate::standing::Standing;
use crate::upstreams::Upstreams;
pub(crate) use give_up::give_up;
use give_up::{cancel, give_up_by};

/// Bytes of a name that a server tells apart.
const NAME_MAX: usize = 63;

/// A session that is signed in.
pub(crate) struct Session {
    relay: Relay,
    /// Withdraws the cancel key when the session ends.
    _cancel: Option<Registered>,
    _seated: Seated,
    _permit: Permit,
}

impl Session {
    pub(crate) async fn run(mut self) -> End {
        self.relay.run().await
    }
}

/// Does all that comes before a session. `None` if there will be none; the client has been told why.
pub(crate) async fn open(proxy: &Arc<Proxy>, tcp: TcpStream, peer: SocketAddr) -> Option<Session> {
    let moment = &proxy.moment();
    let settings = &moment.settings;
    let Ok(opened) = timeout(settings.login_timeout, accept::open(tcp, settings.tls.as_ref())).await else {
        debug!(%peer, "the client says nothing");
        return None;
    };
    let (mut stream, version, parameters) = match opened {
        Ok(Opened::Session { stream, version, parameters }) => (stream, version, parameters),
        Ok(Opened::Cancel { process, key }) => {
            cancel(proxy, process, &key).await;
            return None;
        }
        Ok(Opened::Nothing) => return None,
        Err(error) => {
            info!(%peer, %error, "connection refused");
            return None;
        }
    };
    let denied = |user: Option<&str>, code: Option<&'static str>| {
        proxy.denied(Protocol::Pg, peer.ip(), user, code);
    };
    let refused = |user: Option<&str>, problem: &Problem| {
        info!(%peer, code = problem.code, "login refused");
        denied(user, Some(problem.code));
    };
    let named = parameters.iter().rfind(|(name, _)| name == "user").map(|(_, user)| user.clone());
    let asked = match Asked::new(moment, &stream, version, parameters, peer) {
        Ok(asked) => asked,
        Err(problem) => {
            refused(named.as_deref(), &problem);
            relay::reject(&mut stream, &problem.fatal()).await;
            return None;
        }
    };
    let permit = match proxy.admission.admit(&moment.settings.limits, asked.applicant()).await {
        Ok(permit) => permit,
        Err(problem) => {
            refused(Some(&asked.user), &problem);
            relay::reject(&mut stream, &problem.fatal()).await;
            return None;
        }
    };
    let mut client = Link::new(stream);
    let limit = settings.login_timeout + asked.route.hosts.patience();
    let late = || Problem::new("08006", "signing in has taken too long", "login_timeout says how long.");
    let signed_in = timeout(limit, sign_in(proxy, moment, &mut client, &asked)).await;
    match signed_in.unwrap_or_else(|_| Err(late().into())) {
        Ok(ready) => {
            let tls = client.is_tls();
            info!(%peer, user = asked.user, database = asked.database, tls, scope = ?asked.scope, "session opened");
            proxy.opened(asked.guest(), asked.scope);
            let (stream, unread) = client.into_parts();
            Some(ready.into_session(proxy, moment, &asked, Side::new(stream, unread), permit))
        }
        Err(Failure::Told) => {
            denied(Some(&asked.user), None);
            None
        }
        Err(Failure::Problem(problem) | Failure::WrongRole(problem)) => {
            info!(%peer, user = asked.user, code = problem.code, reason = problem.message, "login failed");
            denied(Some(&asked.user), Some(problem.code));
            relay::reject(&mut client.into_parts().0, &problem.fatal()).await;
            None
        }
    }
}

/// What a client asks for, checked.
struct Asked<'a> {
    route: &'a Arc<Route>,
    peer: SocketAddr,
    tls: bool,
    version: Version,
    /// Options of the protocol that the proxy does not know.
    unknown: Vec<String>,
    user: String,
    principal: Principal,
    database: String,
    /// For the server: all but user and database.
    parameters: Vec<(String, String)>,
    scope: Scope,
    replicates: bool,
}

impl<'a> Asked<'a> {
    fn guest(&self) -> Guest {
        let (user, database) = (self.user.clone(), self.database.clone());
        Guest { protocol: Protocol::Pg, address: self.peer.ip(), user, database, tls: self.tls }
    }

    fn new(
        moment: &'a Moment,
        stream: &Stream,
        version: Version,
        parameters: Vec<(String, String)>,
        peer: SocketAddr,
    ) -> Result<Self, Problem> {
        let Moment { settings, policy, .. } = moment;
        if settings.tls.as_ref().is_some_and(|tls| !tls.optional) && !stream.is_tls() {
            return Err(Problem::new(
                "28000",
                "this proxy takes connections with TLS only",
                "Set sslmode=require.",
            ));
        }
        let value = |name: &str| parameters.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.clone());
        let Some(user) = value("user").filter(|user| !user.is_empty()) else {
            return Err(Problem::new("28000", "no PostgreSQL user name specified in startup packet", ""));
        };
        let database = value("database").filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone());
        // The server would cut them, and rules would be for other names than the server's.
        if user.len().max(database.len()) > NAME_MAX {
            return Err(Problem::new(
                "42622",
                format!("names longer than {NAME_MAX} bytes are not served"),
                "",
            ));
        }
        let route = settings.route(&database)?;
        let application = value("application_name").unwrap_or_default();
        let account = settings.accounts.get(&user).and_then(|account| account.upstream.as_ref());
        let upstream = account.map_or_else(|| user.clone(), |(name, _)| name.clone());
        let (address, certificate) = (Some(peer.ip()), stream.certificate_names());
        let principal = Principal { user: user.clone(), address, application, upstream, certificate };
        let scope = policy.scope(route.database.as_ref().unwrap_or(&database), &principal);
        let replication = value("replication").is_some_and(|value| !is_false(&value));
        let observes = policy.observes();
        let replicates = replication;
        let scope = if replication && observes { Scope::Unprotected } else { scope };
        if replication && scope != Scope::Exempt && policy.masks_anything() && !observes {
            return Err(Problem::new(
                "0A000",
                "IronVeil refused: replication sends rows that are not masked",
                "Exempt the user by a rule with \"unmask: true\", or connect to the database itself.",
            ));
        }
        let known = |name: &str| !matches!(name, "user" | "database") && !name.starts_with("_pq_.");
        let (parameters, unknown): (Vec<_>, Vec<_>) = parameters
            .into_iter()
            .filter(|(name, _)| !matches!(name.as_str(), "user" | "database"))
            .partition(|(name, _)| known(name));
        let unknown = unknown.into_iter().map(|(name, _)| name).collect();
        let tls = stream.is_tls();
        Ok(Self {
            route,
            peer,
            tls,
            version,
            unknown,
            user,
            principal,
            database,
            parameters,
            scope,
            replicates,
        })
    }

    fn applicant(&self) -> Applicant<'_> {
        let (user, database) = (self.user.as_str(), self.route.name.as_str());
        Applicant { address: self.peer.ip(), user, database, database_max: self.route.connections }
    }

    /// The version that both sides will speak.
    fn spoken(&self) -> Version {
        if self.version.minor >= Version::V3_2.minor { Version::V3_2 } else { Version::V3_0 }
    }

    /// The database by its name on the server: a client may call it what it likes.
    fn server_database(&self) -> &str {
        self.route.database.as_ref().unwrap_or(&self.database)
    }

    async fn connect(&self, proxy: &Proxy, user: &str) -> Result<Reached, NetError> {
        let fixed = [("user", user), ("database", self.server_database())];
        let rest = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut out = Vec::new();
        startup::write_session(&mut out, self.spoken(), fixed.into_iter().chain(rest));
        let first = out.as_slice();
        let open = |target: Arc<Target>| async move { target.open(first).await };
        let (target, Connected { stream, end_point }) =
            proxy.upstreams.reach(&self.route.hosts, open).await?;
        if matches!(target.encryption, Encryption::Prefer(_)) && !stream.is_tls() {
            let sessions = proxy.count_prefer_in_clear();
            warn!(
                host = target.host,
                sessions, "sslmode=prefer: the upstream has no TLS, it is spoken to in clear"
            );
        }
        Ok(Reached { link: Link::new(stream), end_point, target })
    }
}

/// An upstream that has been asked for a session.
struct Reached {
    link: Link,
    end_point: Option<Vec<u8>>,
    target: Arc<Target>,
}

/// A boolean setting that says no, as PostgreSQL reads it.
fn is_false(value: &str) -> bool {
    ["false", "off", "no", "0", "f", "n", "fa", "fal", "fals", "of"]
        .iter()
        .any(|no| value.eq_ignore_ascii_case(no))
}

async fn sign_in(
    proxy: &Proxy,
    moment: &Moment,
    client: &mut Link,
    asked: &Asked<'_>,
) -> Result<Ready, Failure> {
    let newer = asked.version.minor > Version::V3_2.minor || asked.version.minor == 1;
    if newer || !asked.unknown.is_empty() {
        let unknown: Vec<&str> = asked.unknown.iter().map(String::as_str).collect();
        let mut out = Vec::new();
        startup::write_negotiate(&mut out, asked.spoken(), &unknown);
        client.write(&out).await?;
    }
    let upstream = match account(proxy, moment, asked).await? {
        Some(account) => {
            let end_point = moment.settings.tls.as_ref().and_then(|tls| tls.end_point.as_deref());
            let secret = login::authenticate(client, account.verifier.clone(), end_point).await?;
            let (user, secret) =
                account.upstream.as_ref().map_or((&asked.user, &secret), |(user, s)| (user, s));
            if let Some(begun) = pooled::shares(asked) {
                return pooled::begin(proxy, client, asked, (user, secret), &begun).await;
            }
            let mut upstream = connect_as(proxy, asked, user, secret).await?;
            let mut out = Vec::new();
            Request::Ok.write(&mut out);
            client.write(&out).await?;
            // Hosts are tried until one has the role.
            for _ in 1..asked.route.hosts.all.len() {
                match await_ready(proxy, client, upstream, asked).await {
                    Err(Failure::WrongRole(_)) => upstream = connect_as(proxy, asked, user, secret).await?,
                    other => return other,
                }
            }
            upstream
        }
        None => {
            let mut upstream = asked.connect(proxy, &asked.user).await?;
            let private = upstream.link.is_tls() || is_loopback(&upstream.target.host);
            pass_through::run(client, &mut upstream.link, asked.peer, private).await?;
            upstream
        }
    };
    await_ready(proxy, client, upstream, asked).await
}

async fn connect_as(
    proxy: &Proxy,
    asked: &Asked<'_>,
    user: &str,
    secret: &ClientSecret,
) -> Result<Reached, NetError> {
    let mut upstream = asked.connect(proxy, user).await?;
    login::sign_in(&mut upstream.link, user, secret, upstream.end_point.as_deref()).await?;
    Ok(upstream)
}

/// The account by which the proxy signs the client in itself; `None` if the upstream does it.
async fn account<'a>(
    proxy: &Proxy,
    moment: &'a Moment,
    asked: &Asked<'_>,
) -> Result<Option<std::borrow::Cow<'a, Account>>, Failure> {
    use std::borrow::Cow;
    if let Some(account) = moment.settings.accounts.get(&asked.user) {
        return Ok(Some(Cow::Borrowed(account)));
    }
    let Some(auth_query) = &asked.route.auth_query else { return Ok(None) };
    let verifier =
        query::verifier(proxy, asked.route, asked.server_database(), auth_query, &asked.user).await?;
    let verifier = verifier.unwrap_or_else(|| Verifier::mock(&asked.user, &proxy.mock_secret));
    Ok(Some(Cow::Owned(Account { verifier, upstream: None })))
}

/// An upstream that waits for statements.
struct Ready {
    server: Server,
    engine: Engine,
    cancel: Option<Registered>,
    /// What serves it; `None` if that cannot be asked to give up anything.
    serving: Option<Serving>,
}

/// Its server.
enum Server {
    /// Is its own.
    Own(Link),
    /// Is one of a pool.
    Pooled(Box<Pooled>, Side),
}

impl Ready {
    fn into_session(
        self,
        proxy: &Arc<Proxy>,
        moment: &Moment,
        asked: &Asked<'_>,
        client: Side,
        permit: Permit,
    ) -> Session {
        let (place, principal) =
            ((asked.route.name.as_str(), Some(asked.server_database())), asked.principal.clone());
        let standing = Standing::new(proxy, moment, Protocol::Pg, place, principal, asked.scope)
            .replicating(asked.replicates);
        let giving_up = self.serving.map(|serving| -> Cancel {
            Box::new(move |giving_up: GivingUp| {
                let asking = cancel::ask(&serving);
                tokio::spawn(async move {
                    if let Some(asking) = asking {
                        give_up_by(&asking).await;
                    }
                    drop(giving_up);
                });
            })
        });
        let seated = proxy.sessions.seat(&proxy.events, asked.guest(), asked.route.timeouts, giving_up);
        let seat = Arc::clone(&seated.seat);
        let relay = match self.server {
            Server::Own(link) => {
                let (stream, unread) = link.into_parts();
                Relay::new(client, Side::new(stream, unread), self.engine, standing, seat)
            }
            Server::Pooled(pooled, side) => {
                Relay::new(client, side, self.engine, standing, seat).pooled(pooled)
            }
        };
        Session { relay, _cancel: self.cancel, _seated: seated, _permit: permit }
    }
}

/// Relays what the server says after authentication, up to its first ReadyForQuery.
async fn await_ready(
    proxy: &Proxy,
    client: &mut Link,
    Reached { link: mut upstream, target, .. }: Reached,
    asked: &Asked<'_>,
) -> Result<Ready, Failure> {
    let mut settings: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let (mut cancel, mut known) = (None, None);
    let mut out = Vec::new();
    loop {
        let message = upstream.read(limits::REPLY_MAX).await?;
        match message.tag {
            b'S' => {
                let (name, value) = reply::decode_parameter(&message.body)?;
                if name == b"in_hot_standby" {
                    let standby = value == b"on";
                    proxy.upstreams.note_standby(&target, standby);
                    if Upstreams::is_wrong(asked.route.hosts.want, standby) {
                        let what = format!(
                            "{}:{} has not the role that target_session_attrs wants",
                            target.host, target.port
                        );
                        let hint = "Connect again; another host is tried then.";
                        return Err(Failure::WrongRole(Problem::new("08004", what, hint)));
                    }
                }
                settings.push((name.to_vec(), value.to_vec()));
            }
            b'K' => {
                let (process, key) = reply::decode_key(&message.body)?;
                let running = Running { target: Arc::clone(&target), process, key: key.to_vec() };
                let serving: Serving = Arc::new(Mutex::new(Some(Arc::new(Gate::new(running)))));
                known = Some(Arc::clone(&serving));
                cancel = proxy.cancels.register(asked.spoken(), serving);
                if let Some(registered) = &cancel {
                    reply::write_key(&mut out, registered.process, &registered.key);
                }
                continue;
            }
            b'v' => continue,
            b'N' | b'E' | b'Z' => {}
            _ => return Err(Problem::protocol("unexpected message during login").into()),
        }
        let engine =
            if message.tag == b'Z' { Some(engine(proxy, asked, (&target, false), &settings)?) } else { None };
        frame::write(&mut out, message.tag, |out| out.extend(&message.body));
        if message.tag == b'E' {
            client.write(&out).await?;
            return Err(Failure::Told);
        }
        if let Some(engine) = engine {
            client.write(&out).await?;
            return Ok(Ready { server: Server::Own(upstream), engine, cancel, serving: known });
        }
    }
}

fn engine(
    proxy: &Proxy,
    asked: &Asked<'_>,
    (target, pooled): (&Target, bool),
    settings: &[(Vec<u8>, Vec<u8>)],
) -> Result<Engine, Problem> {
    let slot = proxy.slots.of(target, asked.server_database());
    Ok(Engine::Pg(match asked.scope {
        Scope::Unprotected | Scope::Exempt => pg::Engine::Watched(Box::new(Watcher::new(slot))),
        Scope::Guarded => {
            let settings = settings.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            let budget = proxy.budgets.of(asked.server_database(), &asked.user);
            let view = View::new(slot, Arc::clone(&proxy.policies), signed_in(asked.principal.clone()));
            let judge = pg::Judge::new(Arc::clone(&proxy.analyser), view, budget).wandering(pooled);
            let guarded = Guarded::new(judge, settings)?;
            pg::Engine::Guarded(Box::new(guarded))
        }
    }))
}
