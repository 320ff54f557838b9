//! The HTTP API: whether the proxy lives, how it is, and to have it read its configuration again.
//!
//! Who has no key is told no more than whether the proxy serves. Without a key in the configuration the listener is on the machine itself, and requests
//! of web pages (which have an `Origin`) are refused.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use veil_model::Sensitive;
use veil_proxy::Proxy;
use veil_proxy::upstreams::{Circuit, Health};

/// What became of a configuration that was read again.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// What is wrong with it; nothing was changed then.
    pub faults: Vec<String>,
    /// Keys that have changed and hold from the next start only.
    pub restart: Vec<&'static str>,
}

/// What the API may have done.
pub trait Operations: Send + Sync + 'static {
    /// Reads the configuration again.
    fn reload(&self, by: &str) -> Reloaded;

    /// What whoever sees and does everything has to know; none if only this machine can ask.
    fn api_key(&self) -> Option<Sensitive<String>>;

    /// What became of it when that was done last.
    fn last_reload(&self) -> Option<Reloaded>;

    /// Whether the proxy is on its way out.
    fn stopping(&self) -> bool;
}

/// The API.
pub struct Api {
    /// The proxy.
    pub proxy: Arc<Proxy>,
    /// What may be done with it.
    pub operations: Arc<dyn Operations>,
    /// When it began.
    pub began: Instant,
}

impl Api {
    /// Answers requests, for as long as it runs.
    ///
    /// # Errors
    /// The listener is broken.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/health", get(health))
            .route("/config/reload", post(reload))
            .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such resource") })
            .with_state(Arc::new(self));
        let listener = Few { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
        axum::serve(listener, routes).await
    }

    /// Whether a request comes from somebody who may see and do everything.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(key) = self.operations.api_key() else {
            // A web page has an origin, or a name for this machine that is its own.
            let host = named("host").unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            return !headers.contains_key(header::ORIGIN) && HERE.contains(&host);
        };
        let bearer = named("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let given = bearer.or_else(|| named("x-api-key"));
        given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(key.expose().as_bytes())))
    }

    /// The servers, each once.
    fn upstreams(&self) -> Vec<Health> {
        let targets = self.proxy.targets();
        let mut found: Vec<Health> =
            targets.iter().filter_map(|(_, target)| self.proxy.upstreams.health(target)).collect();
        found.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        found.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
        found
    }

    /// `ok`, `degraded`, or why nobody is served.
    fn status(&self, upstreams: &[Health]) -> &'static str {
        let reached = upstreams.iter().filter(|health| health.reached != Some(false)).count();
        match reached {
            _ if self.operations.stopping() => "stopping",
            0 if !upstreams.is_empty() => "unavailable",
            all if all == upstreams.len() => "ok",
            _ => "degraded",
        }
    }
}

/// Names of this machine.
const HERE: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "::1"];

/// A problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

fn serves(status: &str) -> StatusCode {
    match status {
        "ok" | "degraded" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, String) {
    let status = api.status(&api.upstreams());
    (serves(status), format!("{status}\n"))
}

async fn health(State(api): State<Arc<Api>>, headers: HeaderMap) -> (StatusCode, axum::Json<Value>) {
    let upstreams = api.upstreams();
    let status = api.status(&upstreams);
    if !api.knows(&headers) {
        return (serves(status), axum::Json(json!({ "status": status })));
    }
    let one = |health: &Health| {
        let circuit = match health.circuit {
            Circuit::Closed => "closed",
            Circuit::Open => "open",
            Circuit::HalfOpen => "half-open",
        };
        json!({
            "host": health.host,
            "port": health.port,
            "reached": health.reached,
            "circuit": circuit,
            "latency_seconds": health.latency.as_secs_f64(),
            "last_error": health.last_error,
            "standby": health.standby,
        })
    };
    let reload = api.operations.last_reload();
    let counters = &api.proxy.counters;
    let body = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": api.began.elapsed().as_secs(),
        "sessions": api.proxy.sessions.count(),
        "sessions_refused": api.proxy.admission.refused.load(Ordering::Relaxed),
        "sessions_panicked": counters.panics.load(Ordering::Relaxed),
        "upstreams": upstreams.iter().map(one).collect::<Vec<_>>(),
        "config": reload.map(|reload| json!({ "faults": reload.faults, "restart_needed_for": reload.restart })),
    });
    (serves(status), axum::Json(body))
}

async fn reload(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    if !api.knows(&headers) {
        let mut refused =
            problem(StatusCode::UNAUTHORIZED, "this needs the API key: Authorization: Bearer KEY");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return refused;
    }
    let operations = Arc::clone(&api.operations);
    let Ok(reloaded) = tokio::task::spawn_blocking(move || operations.reload("api")).await else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "reading the configuration failed; see the log");
    };
    if reloaded.faults.is_empty() {
        return axum::Json(json!({ "restart_needed_for": reloaded.restart })).into_response();
    }
    problem(StatusCode::UNPROCESSABLE_ENTITY, &reloaded.faults.join("\n"))
}

/// Connections to the API at one time; others wait.
const CONNECTIONS_MAX: usize = 64;
/// Connections last so long at most.
const CONNECTION_MAX: Duration = Duration::from_secs(60);

/// A listener that takes so many connections.
struct Few {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

/// A connection with its place.
struct Placed {
    tcp: TcpStream,
    until: Pin<Box<tokio::time::Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl axum::serve::Listener for Few {
    type Io = Placed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Placed, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (tcp, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        let until = Box::pin(tokio::time::sleep(CONNECTION_MAX));
        (Placed { tcp, until, _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
