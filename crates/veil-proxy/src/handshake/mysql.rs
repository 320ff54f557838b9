//! From an accepted connection to a MySQL session that can be relayed, and from one user to another inside it.

mod account;
mod bridge;
pub(crate) mod greeting;
mod kill;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};
use veil_net::connect::{Encryption, Target};
use veil_net::mysql::password::Nonce;
use veil_net::mysql::{Link, accept, connect};
use veil_net::{NetError, Stream};
use veil_policy::rule::Scope;
use veil_policy::who::Principal;
use veil_wire::mysql::auth::plugin;
use veil_wire::mysql::capability as cap;
use veil_wire::mysql::startup::{self, ChangeUser, Response};

use self::kill::Killer;
use super::{Failure, signed_in};
use crate::catalogs::View;
use crate::connections::{OfServer, Registered};
use crate::engine::Engine;
use crate::engine::mysql::{self, Guarded, Watcher};
use crate::limits::{Applicant, Permit};
use crate::problem::Problem;
use crate::proxy::{Moment, MySqlAccount, MySqlRoute, Protocol, Proxy, Settings};
use crate::relay::{self, End as SessionEnd, Relay, Side};
use crate::sessions::{Guest, Seated};
use crate::standing::Standing;

/// A plugin that no server has: naming it makes a server say which one it wants.
const NO_PLUGIN: &[u8] = b"ironveil_asks";

/// Capabilities that decide how packets are laid out, so that both sides have to agree on them.
const LAYOUT: u64 = cap::DEPRECATE_EOF
    | cap::SESSION_TRACK
    | cap::QUERY_ATTRIBUTES
    | cap::MULTI_STATEMENTS
    | cap::MULTI_RESULTS
    | cap::PS_MULTI_RESULTS
    | cap::MARIADB_BULK
    | cap::MARIADB_EXTENDED_METADATA;

/// Characters of a user's name that every server keeps.
const USER_CHARS_MAX: usize = 32;

/// A session that is signed in.
pub(crate) struct Session {
    proxy: Arc<Proxy>,
    relay: Relay,
    facts: Facts,
    _seated: Seated,
    permit: Permit,
}

/// What stays the same while users change.
struct Facts {
    route: Arc<MySqlRoute>,
    /// The server.
    target: Arc<Target>,
    /// As the client named it.
    database: String,
    peer: SocketAddr,
    /// What both sides have agreed on.
    capabilities: u64,
    /// Withdraws the connection's number when the session ends.
    _registered: Registered,
}

impl Session {
    /// Relays to the end, through every change of user.
    pub(crate) async fn run(self) -> SessionEnd {
        let Self { proxy, mut relay, facts, _seated: seated, mut permit } = self;
        loop {
            let change = match relay.run().await {
                SessionEnd::Change(change) => change,
                end => return end,
            };
            let Ok([client, upstream]) = relay.into_parts().await else { return SessionEnd::Client };
            let (mut client, mut upstream) =
                (Link::new(client.0, client.1), Link::new(upstream.0, upstream.1));
            // The command was packet 0.
            client.set_sequence(1);
            let moment = proxy.moment();
            let changing =
                change_user(&proxy, &moment, &mut client, &mut upstream, (&facts, &mut permit), *change);
            let (engine, standing) = match timeout(patience(&moment.settings), changing).await {
                Ok(Ok(changed)) => changed,
                Ok(Err(failure)) => {
                    tell(&proxy, client, failure, facts.peer).await;
                    return SessionEnd::Server;
                }
                Err(_) => return SessionEnd::Client,
            };
            let seat = Arc::clone(&seated.seat);
            relay = Relay::new(side(client), side(upstream), engine, standing, seat);
        }
    }
}

fn side(link: Link) -> Side {
    let (stream, unread) = link.into_parts();
    Side::new(stream, unread)
}

/// Does all that comes before a session. `None` if there will be none; the client has been told why.
pub(crate) async fn open(proxy: &Arc<Proxy>, tcp: TcpStream, peer: SocketAddr) -> Option<Session> {
    let moment = proxy.moment();
    let mut link = Link::new(Stream::Plain(tcp), Vec::new());
    match timeout(patience(&moment.settings), sign_in(proxy, &moment, &mut link, peer)).await {
        Err(_) => {
            let hint = "login_timeout says how long.";
            tell(proxy, link, Problem::new("08006", "signing in has taken too long", hint).into(), peer)
                .await;
            None
        }
        Ok(Ok(SignedIn { upstream, engine, standing, facts, user, permit, killer })) => {
            let guest = Guest {
                protocol: Protocol::MySql,
                address: peer.ip(),
                user,
                database: facts.database.clone(),
                tls: link.is_tls(),
            };
            let cancel = killer.map(Killer::into_cancel);
            let seated = proxy.sessions.seat(&proxy.events, guest, facts.route.timeouts, cancel);
            let seat = Arc::clone(&seated.seat);
            let relay = Relay::new(side(link), side(upstream), engine, standing, seat);
            Some(Session { proxy: Arc::clone(proxy), relay, facts, _seated: seated, permit })
        }
        Ok(Err(failure)) => {
            tell(proxy, link, failure, peer).await;
            None
        }
    }
}

/// How long signing in may take: the client's part twice, and the servers'.
fn patience(settings: &Settings) -> Duration {
    let hosts = settings.mysql_routes.iter().map(|route| route.hosts.patience());
    2 * settings.login_timeout + settings.limits.queue_timeout + hosts.sum::<Duration>()
}

async fn tell(proxy: &Proxy, link: Link, failure: Failure, peer: SocketAddr) {
    let denied = |code| {
        proxy.denied(Protocol::MySql, peer.ip(), None, code);
    };
    let (Failure::Problem(problem) | Failure::WrongRole(problem)) = failure else { return denied(None) };
    info!(%peer, code = problem.code, reason = problem.message, "login failed");
    denied(Some(problem.code));
    let packet = match link.sequence() {
        0 => problem.mysql_greeting(),
        sequence => problem.mysql(sequence),
    };
    relay::reject(&mut link.into_parts().0, &packet).await;
}

/// Who asks for a session, and as what.
struct Asked<'a> {
    user: String,
    response: &'a Response,
    scope: Scope,
}

/// A session that can begin.
struct SignedIn {
    upstream: Link,
    engine: Engine,
    standing: Standing,
    facts: Facts,
    user: String,
    permit: Permit,
    /// Ends its statements.
    killer: Option<Killer>,
}

async fn sign_in(
    proxy: &Arc<Proxy>,
    moment: &Moment,
    client: &mut Link,
    peer: SocketAddr,
) -> Result<SignedIn, Failure> {
    let Moment { settings, policy, .. } = moment;
    let mut nonce = [0; Nonce::LENGTH];
    rand::fill(&mut nonce).map_err(|_| Problem::new("58000", "the system gives no randomness", ""))?;
    let nonce = Nonce::from_random(nonce);
    let registered = proxy.connections.register();
    let greeting = greeting::of_proxy(proxy, settings, *nonce.as_bytes(), registered.number()).await?;
    let greeted = timeout(settings.login_timeout, accept::greet(client, &greeting, settings.tls.as_ref()));
    let mut response = match greeted.await.unwrap_or(Err(NetError::Closed)) {
        Ok(response) => response,
        Err(NetError::Closed) => return Err(Failure::Told),
        Err(error) => return Err(error.into()),
    };
    if settings.tls.as_ref().is_some_and(|tls| !tls.optional) && !client.is_tls() {
        let message = "connections without TLS are refused";
        return Err(Problem::new("28000", message, "Connect with TLS (--ssl-mode=REQUIRED).").into());
    }
    if response.capabilities & cap::DEMANDED != cap::DEMANDED {
        return Err(Problem::protocol("the client is too old: it knows no authentication plugins").into());
    }
    if response.capabilities & (cap::COMPRESS | cap::ZSTD) != 0 {
        let hint = "Switch compression off in the client.";
        return Err(Problem::new("0A000", "the client compresses although that was not offered", hint).into());
    }
    let offered = greeting.capabilities | cap::MYSQL;
    response.capabilities &= offered & !cap::SSL;
    let user = user_name(&response.user)?;
    let database = text(&response.database)?;
    let route = settings.mysql_route(&database)?;
    let applicant = Applicant {
        address: peer.ip(),
        user: &user,
        database: route.name.as_str(),
        database_max: route.connections,
    };
    let permit = proxy.admission.admit(&settings.limits, applicant).await?;
    if let Some(own) = &route.database {
        response.database = own.clone().into_bytes();
    }
    if !response.database.is_empty() {
        response.capabilities |= cap::CONNECT_WITH_DB;
    }
    let principal = principal(settings, &user, (peer, client.certificate_names()), &response.attributes);
    let asked = Asked { scope: policy.scope_mysql(&principal), user, response: &response };

    let (target, upstream, number) = authenticate(proxy, moment, client, route, &asked, nonce).await?;
    info!(%peer, user = asked.user, database, tls = client.is_tls(), scope = ?asked.scope, "session opened");
    let guest = Guest {
        protocol: Protocol::MySql,
        address: peer.ip(),
        user: asked.user.clone(),
        database: database.clone(),
        tls: client.is_tls(),
    };
    proxy.opened(guest, asked.scope);
    registered.stands_for(Arc::clone(&target), number);
    let capabilities = response.capabilities;
    let facts =
        Facts { route: Arc::clone(route), target, database, peer, capabilities, _registered: registered };
    let (engine, standing) = engine(proxy, moment, &facts, principal, asked.scope);
    let account = settings.mysql_accounts.get(&asked.user);
    let killer = account.and_then(account::known_password).map(|password| Killer {
        proxy: Arc::clone(proxy),
        target: Arc::clone(&facts.target),
        user: upstream_name(account, &asked.user).to_owned(),
        password: password.clone(),
        number,
    });
    Ok(SignedIn { upstream, engine, standing, facts, user: asked.user, permit, killer })
}

fn text(bytes: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::protocol("a name that is not UTF-8"))?;
    Ok(text.to_owned())
}

/// Signs the client in at its upstream. Returns the upstream's link and the connection's number there.
async fn authenticate(
    proxy: &Proxy,
    moment: &Moment,
    client: &mut Link,
    route: &MySqlRoute,
    asked: &Asked<'_>,
    nonce: Nonce,
) -> Result<(Arc<Target>, Link, u32), Failure> {
    let account = moment.settings.mysql_accounts.get(&asked.user);
    let proven = match account {
        Some(account) => {
            let proof = account::Proof { plugin: &asked.response.plugin, nonce, data: &asked.response.proof };
            Some(account::prove((proxy, moment.epoch), client, account, &asked.user, Some(proof)).await?)
        }
        None => None,
    };
    let (target, mut upstream, number) = reach(proxy, route, asked, account).await?;
    let last = match proven {
        Some(proven) => {
            account::sign_in(proxy, Some(&mut *client), &mut upstream, &asked.user, proven, &target).await?
        }
        None => bridge::run(proxy, client, &mut upstream, &target).await?,
    };
    client.write(|out| out.extend(&last)).await?;
    Ok((target, upstream, number))
}

/// Whom a user is upstream.
fn upstream_name<'a>(account: Option<&'a MySqlAccount>, user: &'a str) -> &'a str {
    account.and_then(|account| account.upstream.as_ref()).map_or(user, |(name, _)| name)
}

/// Connects to the upstream and sends the response that has it ask for its own plugin.
async fn reach(
    proxy: &Proxy,
    route: &MySqlRoute,
    asked: &Asked<'_>,
    account: Option<&MySqlAccount>,
) -> Result<(Arc<Target>, Link, u32), Failure> {
    let reached =
        proxy.upstreams.reach(&route.hosts, |target| async move { connect::connect(&target).await });
    let (target, (mut upstream, greeting)) = reached.await?;
    greeting::remember(proxy, &target, &greeting);
    let missing = asked.response.capabilities & LAYOUT & !greeting.capabilities;
    if missing != 0 {
        return Err(Problem::new(
            "08004",
            "the upstream cannot do what the client was told it can",
            "Connect again.",
        )
        .into());
    }
    let user = upstream_name(account, &asked.user);
    let mut response = Response {
        user: user.as_bytes().to_vec(),
        proof: Vec::new(),
        plugin: NO_PLUGIN.to_vec(),
        ..asked.response.clone()
    };
    if connect::secure(&mut upstream, &target, &greeting, &response).await? {
        response.capabilities |= cap::SSL;
    } else if matches!(target.encryption, Encryption::Prefer(_)) {
        let sessions = proxy.count_prefer_in_clear();
        warn!(
            host = target.host,
            sessions, "sslmode=prefer: the upstream has no TLS, it is spoken to in clear"
        );
    }
    upstream.write(|out| response.put(out)).await?;
    Ok((target, upstream, greeting.connection))
}

/// A user's name. The servers cut what is too long and take quotes around a name away, so such a name may be another's.
fn user_name(bytes: &[u8]) -> Result<String, Failure> {
    let name = text(bytes)?;
    if name.starts_with('\'') || name.ends_with('\'') || name.chars().count() > USER_CHARS_MAX {
        let message = "a user name that is quoted or too long is refused";
        return Err(Problem::new("28000", message, "Write it without quotes.").into());
    }
    Ok(name)
}

async fn change_user(
    proxy: &Arc<Proxy>,
    moment: &Moment,
    client: &mut Link,
    upstream: &mut Link,
    (facts, permit): (&Facts, &mut Permit),
    change: ChangeUser,
) -> Result<(Engine, Standing), Failure> {
    let settings = &moment.settings;
    let user = user_name(&change.user)?;
    permit.becomes(&settings.limits, &user)?;
    let account = settings.mysql_accounts.get(&user);
    let proven = match account {
        Some(account) => Some(account::prove((proxy, moment.epoch), client, account, &user, None).await?),
        None => None,
    };
    let name = upstream_name(account, &user);
    let mut asking = ChangeUser {
        user: name.as_bytes().to_vec(),
        proof: Vec::new(),
        plugin: NO_PLUGIN.to_vec(),
        ..change
    };
    if let Some(own) = &facts.route.database {
        asking.database = own.clone().into_bytes();
    }
    upstream.set_sequence(0);
    upstream.write(|out| asking.put(facts.capabilities, out)).await?;
    let last = match proven {
        Some(proven) => {
            account::sign_in(proxy, Some(&mut *client), upstream, &user, proven, &facts.target).await?
        }
        None => bridge::run(proxy, client, upstream, &facts.target).await?,
    };
    client.write(|out| out.extend(&last)).await?;
    let from = (facts.peer, client.certificate_names());
    let principal = principal(settings, &user, from, &asking.attributes);
    let scope = moment.policy.scope_mysql(&principal);
    info!(peer = %facts.peer, user = principal.user, ?scope, "session changed its user");
    Ok(engine(proxy, moment, facts, principal, scope))
}

/// Who signs in, as far as rules ask.
fn principal(
    settings: &Settings,
    user: &str,
    (peer, certificate): (SocketAddr, Vec<String>),
    attributes: &[u8],
) -> Principal {
    let account = settings.mysql_accounts.get(user);
    let upstream = upstream_name(account, user);
    Principal {
        user: user.to_owned(),
        address: Some(peer.ip()),
        application: startup::attribute(attributes, b"program_name").unwrap_or_default().to_owned(),
        upstream: upstream.to_owned(),
        certificate,
    }
}

fn engine(
    proxy: &Arc<Proxy>,
    moment: &Moment,
    facts: &Facts,
    principal: Principal,
    scope: Scope,
) -> (Engine, Standing) {
    let place = (facts.route.name.as_str(), facts.route.database.as_deref());
    let standing = Standing::new(proxy, moment, Protocol::MySql, place, principal.clone(), scope);
    let connections =
        OfServer { connections: Arc::clone(&proxy.connections), target: Arc::clone(&facts.target) };
    let engine = Engine::MySql(match scope {
        Scope::Guarded => {
            let slot = proxy.mysql_slots.of(&facts.target, &principal.user);
            let budget = proxy.budgets.of("", &principal.user);
            let view = View::new(slot, Arc::clone(&proxy.policies), signed_in(principal));
            let judge = mysql::Judge::new(Arc::clone(&proxy.mysql_analyser), view, budget);
            mysql::Engine::Guarded(Box::new(Guarded::new(judge, connections, facts.capabilities)))
        }
        Scope::Unprotected | Scope::Exempt => {
            let slots = Arc::clone(&proxy.mysql_slots);
            mysql::Engine::Watched(Box::new(Watcher::new(slots, connections, facts.capabilities)))
        }
    });
    (engine, standing)
}

/// Whether the proxy relays a plugin's messages without understanding them.
fn is_relayed(name: &[u8]) -> bool {
    matches!(name, plugin::NATIVE | plugin::ED25519 | plugin::PARSEC)
}
