//! Whether the proxy lives, serves, and how it is.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use veil_proxy::upstreams::{Circuit, Health};

use super::serve::Peer;
use super::{Api, Shared};

/// How the proxy is.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    /// `ok`, `degraded` (some servers are not reached), `unavailable` (none is), `stopping`.
    status: &'static str,
    /// More, for those who show a key.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<More>,
}

#[derive(Serialize, ToSchema)]
struct More {
    version: &'static str,
    uptime_seconds: u64,
    sessions: usize,
    sessions_refused: u64,
    sessions_panicked: u64,
    upstreams: Vec<Upstream>,
    store: Store,
    /// What became of the last reload, if there was one.
    config: Option<LastReload>,
}

#[derive(Serialize, ToSchema)]
struct Upstream {
    host: String,
    port: u16,
    /// Whether it was reached when it was tried last.
    reached: Option<bool>,
    /// `closed`, `open` or `half-open`.
    circuit: &'static str,
    latency_seconds: f64,
    last_error: Option<String>,
    standby: Option<bool>,
}

#[derive(Serialize, ToSchema)]
struct Store {
    /// `file`, `sqlite` or `postgres`.
    kind: &'static str,
    /// Why it cannot be used, if it cannot: the rules that are known hold.
    lost: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LastReload {
    /// What was wrong; nothing has changed then.
    faults: Vec<String>,
    /// Keys that have changed and hold from the next start only.
    restart_needed_for: Vec<&'static str>,
}

impl Api {
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

pub(super) const fn circuit(health: &Health) -> &'static str {
    match health.circuit {
        Circuit::Closed => "closed",
        Circuit::Open => "open",
        Circuit::HalfOpen => "half-open",
    }
}

fn serves(status: &str) -> StatusCode {
    match status {
        "ok" | "degraded" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It lives.", body = String, content_type = "text/plain")))]
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Whether it serves clients.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It does.", body = String, content_type = "text/plain"),
    (status = 503, description = "It does not: no server is reached, or it stops.", body = String, content_type = "text/plain"),
))]
pub(super) async fn ready(State(api): State<Shared>) -> (StatusCode, String) {
    let status = api.status(&api.observed.upstreams());
    (serves(status), format!("{status}\n"))
}

/// How it is. Who shows no key is told the status only.
#[utoipa::path(get, path = "/health", tag = "health", responses(
    (status = 200, description = "It serves.", body = Status),
    (status = 503, description = "It does not.", body = Status),
))]
pub(super) async fn health(
    State(api): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    let upstreams = api.observed.upstreams();
    let status = api.status(&upstreams);
    let shown = headers.contains_key(header::AUTHORIZATION)
        || headers.contains_key("x-api-key")
        || headers.contains_key(header::COOKIE);
    let known = match api.auth.caller(peer.ip(), &Method::GET, &headers).await {
        _ if !shown => false,
        Ok(_) => true,
        Err(denied) => {
            api.note_denied(peer.ip(), "/health", &denied).await;
            false
        }
    };
    let more = known.then(|| {
        let one = |health: &Health| Upstream {
            host: health.host.clone(),
            port: health.port,
            reached: health.reached,
            circuit: circuit(health),
            latency_seconds: health.latency.as_secs_f64(),
            last_error: health.last_error.clone(),
            standby: health.standby,
        };
        let reload = api.operations.last_reload();
        More {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: api.began.elapsed().as_secs(),
            sessions: api.proxy.sessions.count(),
            sessions_refused: api.proxy.admission.refused.load(Ordering::Relaxed),
            sessions_panicked: api.proxy.counters.panics.load(Ordering::Relaxed),
            upstreams: upstreams.iter().map(one).collect(),
            store: Store { kind: api.store.kind(), lost: api.store.watch().borrow().lost.clone() },
            config: reload
                .map(|reload| LastReload { faults: reload.faults, restart_needed_for: reload.restart }),
        }
    });
    (serves(status), Json(Status { status, more })).into_response()
}

/// What runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    name: &'static str,
    version: &'static str,
}

/// Which version of the proxy this is.
#[utoipa::path(get, path = "/version", tag = "health", responses((status = 200, body = Version)))]
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: "ironveil", version: env!("CARGO_PKG_VERSION") })
}
