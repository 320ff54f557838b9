//! Connections to PostgreSQL's servers.

pub(crate) mod courier;
pub(crate) mod params;
mod prepared;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;
use veil_net::connect::{Connected, Target};
use veil_net::scram::ClientSecret;
use veil_net::{Link, Stream, login};
use veil_wire::pg::frame::Header;
use veil_wire::pg::startup::{self, Version};
use veil_wire::pg::{command, limits, reply};

use super::Backend;
use crate::cancel::{Gate, Running};
use crate::problem::Problem;
use crate::proxy::Route;
use crate::upstreams::Upstreams;
use params::Params;
use prepared::Prepared;
pub(crate) use prepared::Texts;

/// A server has so long to make a connection as it was, or to say that it is there.
const CLEAN_MAX: Duration = Duration::from_secs(10);
/// And so long to let somebody in, besides reaching it.
const LOGIN_MAX: Duration = Duration::from_secs(30);

/// A connection to a server.
pub(crate) struct Server {
    /// The connection; `Stream::Closed` while a session has it.
    pub(crate) stream: Stream,
    /// `None` while a session has it.
    pub(crate) state: Option<Box<Held>>,
}

/// What is known of a connection to a server.
pub(crate) struct Held {
    /// What the server has reported of its parameters.
    pub(crate) reported: Arc<Params>,
    /// Other settings that have been made, with what made them.
    pub(crate) applied: Arc<Vec<(String, Box<str>)>>,
    /// Statements that it has prepared.
    pub(crate) prepared: Prepared,
    /// The statement that has no name there.
    pub(crate) unnamed: Option<u64>,
    /// A transaction is open.
    pub(crate) in_transaction: bool,
    /// Nobody has changed any of its settings.
    pub(crate) clean: bool,
    pub(crate) gate: Arc<Gate>,
}

/// How connections are made for a user.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) route: Arc<Route>,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) secret: ClientSecret,
}

impl Maker {
    async fn open(&self) -> Result<Server, Problem> {
        let parameters = [("user", self.user.as_str()), ("database", self.database.as_str())];
        let mut first = Vec::new();
        startup::write_session(&mut first, Version::V3_0, parameters.into_iter());
        let mut wrong = None;
        for _ in 0..self.route.hosts.all.len() {
            let open = |target: Arc<Target>| {
                let first = first.as_slice();
                async move { target.open(first).await }
            };
            let (target, Connected { stream, end_point }) =
                self.upstreams.reach(&self.route.hosts, open).await?;
            let mut link = Link::new(stream);
            login::sign_in(&mut link, &self.user, &self.secret, end_point.as_deref()).await?;
            let (server, standby) = self.await_ready(link, &target).await?;
            if standby.is_some_and(|standby| Upstreams::is_wrong(self.route.hosts.want, standby)) {
                let what = format!(
                    "{}:{} has not the role that target_session_attrs wants",
                    target.host, target.port
                );
                wrong = Some(Problem::new("08004", what, "Connect again; another host is tried then."));
                continue;
            }
            return Ok(server);
        }
        Err(wrong.unwrap_or_else(|| Problem::new("08006", "the database has no host", "")))
    }

    async fn await_ready(
        &self,
        mut link: Link,
        target: &Arc<Target>,
    ) -> Result<(Server, Option<bool>), Problem> {
        let (mut reported, mut running, mut standby) = (Params::default(), None, None);
        loop {
            let message = link.read(limits::REPLY_MAX).await?;
            match message.tag {
                b'S' => {
                    let (name, value) = reply::decode_parameter(&message.body)?;
                    if name == b"in_hot_standby" {
                        standby = Some(value == b"on");
                        self.upstreams.note_standby(target, value == b"on");
                    }
                    reported.set(name, value);
                }
                b'K' => {
                    let (process, key) = reply::decode_key(&message.body)?;
                    running = Some(Running { target: Arc::clone(target), process, key: key.to_vec() });
                }
                b'E' => {
                    let fields = reply::decode_error(&message.body)?;
                    let code = String::from_utf8_lossy(fields.field(b'C').unwrap_or_default()).into_owned();
                    let what = format!("the database does not let the pool in: SQLSTATE {code}");
                    return Err(Problem::new("08004", what, "The database's log says why."));
                }
                b'N' | b'v' => {}
                b'Z' => break,
                _ => return Err(Problem::protocol("unexpected message during login")),
            }
        }
        let (stream, unread) = link.into_parts();
        let running = running.filter(|_| unread.is_empty());
        let running =
            running.ok_or_else(|| Problem::protocol("the server gives no key by which to cancel"))?;
        let state = Held {
            reported: Arc::new(reported),
            applied: Arc::default(),
            prepared: Prepared::default(),
            unnamed: None,
            in_transaction: false,
            clean: true,
            gate: Arc::new(Gate::new(running)),
        };
        Ok((Server { stream, state: Some(Box::new(state)) }, standby))
    }
}

impl Server {
    /// Has the server do something, and hears what it says of it, up to its last word. `None` if there is anything that should not be.
    async fn ask(self, what: &[u8], tag: Option<&[u8]>) -> Option<Self> {
        let Self { stream, state } = self;
        let mut state = state?;
        let mut link = Link::new(stream);
        link.write(what).await.ok()?;
        let mut done = tag.is_none();
        loop {
            let message = link.read(limits::REPLY_MAX).await.ok()?;
            match message.tag {
                b'S' => {
                    let (name, value) = reply::decode_parameter(&message.body).ok()?;
                    Arc::make_mut(&mut state.reported).set(name, value);
                }
                b'N' => {}
                b'C' => done |= tag.is_some_and(|tag| message.body.strip_suffix(&[0]) == Some(tag)),
                b'Z' if done && message.body == *b"I" => break,
                _ => return None,
            }
        }
        let (stream, unread) = link.into_parts();
        state.in_transaction = false;
        unread.is_empty().then_some(Self { stream, state: Some(state) })
    }
}

impl Backend for Maker {
    type Conn = Server;

    async fn connect(&self) -> Result<Server, Problem> {
        let limit = self.route.hosts.patience() + LOGIN_MAX;
        let late = || Err(Problem::new("08006", "the database has not let the pool in in time", ""));
        timeout(limit, Box::pin(self.open())).await.unwrap_or_else(|_| late())
    }

    async fn clean(&self, mut server: Server) -> Option<Server> {
        let cleaned = async {
            let state = server.state.as_ref()?;
            while state.gate.is_asked() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let mut out = Vec::new();
            if state.in_transaction {
                command::write_query(&mut out, b"ROLLBACK");
                server = server.ask(&out, Some(b"ROLLBACK")).await?;
                out.clear();
            }
            command::write_query(&mut out, b"DISCARD ALL");
            server = server.ask(&out, Some(b"DISCARD ALL")).await?;
            let state = server.state.as_mut()?;
            state.applied = Arc::default();
            state.prepared = Prepared::default();
            (state.unnamed, state.clean) = (None, true);
            Some(server)
        };
        timeout(CLEAN_MAX, cleaned).await.ok().flatten()
    }

    async fn check(&self, server: Server) -> Option<Server> {
        let mut out = Vec::new();
        command::write_sync(&mut out);
        timeout(CLEAN_MAX, server.ask(&out, None)).await.ok().flatten()
    }

    fn is_usable(server: &mut Server) -> bool {
        let mut space = [0; 512];
        let mut buffer = ReadBuf::new(&mut space);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            buffer.clear();
            match Pin::new(&mut server.stream).poll_read(&mut cx, &mut buffer) {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return false,
            }
            // Settings may have been changed for all; anything else is a surprise.
            let mut rest = buffer.filled();
            while !rest.is_empty() {
                let Ok(Some(header)) = Header::decode(rest) else { return false };
                let (Some((message, behind)), b'S') = (rest.split_at_checked(header.total()), header.tag)
                else {
                    return false;
                };
                let body = message.get(veil_wire::pg::frame::HEADER..).unwrap_or_default();
                let Ok((name, value)) = reply::decode_parameter(body) else { return false };
                let Some(state) = &mut server.state else { return false };
                Arc::make_mut(&mut state.reported).set(name, value);
                rest = behind;
            }
        }
    }
}
