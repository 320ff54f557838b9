//! Sessions and statements.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use veil_proxy::pool::Keeps;
use veil_proxy::sessions::{Activity, Ask};
use veil_proxy::statements::Ended;

use super::Shared;
use super::audit::limit;
use super::problem::{Answer, Details, Params, Problem};
use crate::audit::time;
use crate::auth::Caller;

/// A session of a client.
#[derive(Serialize, ToSchema)]
pub(super) struct Connection {
    /// What it is ended by.
    id: u64,
    /// `postgresql` or `mysql`.
    protocol: &'static str,
    user: String,
    database: String,
    address: String,
    /// The client speaks to the proxy by TLS.
    tls: bool,
    /// `running`, `idle` or `in_transaction`.
    state: &'static str,
    /// How long it has been so.
    state_seconds: f64,
    age_seconds: f64,
    /// Statements that have ended.
    statements: u64,
    /// From the client.
    received_bytes: u64,
    /// From the server.
    answered_bytes: u64,
    /// Where connections to the server are shared: why this session keeps one (`listen`, `temporary`, `advisory_lock` and others), if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Connections {
    connections: Vec<Connection>,
}

/// The sessions that run.
#[utoipa::path(get, path = "/connections", tag = "traffic", responses((status = 200, body = Connections)))]
pub(super) async fn connections(State(api): State<Shared>) -> Json<Connections> {
    let mut seats = api.proxy.sessions.list();
    seats.sort_by_key(|seat| seat.number);
    let connections = seats.iter().map(|seat| {
        let (activity, since) = seat.activity();
        Connection {
            id: seat.number,
            protocol: seat.protocol.name(),
            user: seat.user.clone(),
            database: seat.database.clone(),
            address: seat.address.to_string(),
            tls: seat.tls,
            state: match activity {
                Activity::Running => "running",
                Activity::Idle => "idle",
                Activity::InTransaction => "in_transaction",
            },
            state_seconds: since.elapsed().as_secs_f64(),
            age_seconds: seat.began.elapsed().as_secs_f64(),
            statements: seat.traffic.statements.load(Ordering::Relaxed),
            received_bytes: seat.traffic.received.load(Ordering::Relaxed),
            answered_bytes: seat.traffic.answered.load(Ordering::Relaxed),
            kept: seat.kept().map(Keeps::name),
        }
    });
    Json(Connections { connections: connections.collect() })
}

/// Ends a session.
#[utoipa::path(delete, path = "/connections/{id}", tag = "traffic", params(("id" = u64, Path, description = "Of the session.")), responses(
    (status = 202, description = "It is told to end."),
    (status = 404, body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn kill(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let id: u64 = id.parse().map_err(|_| Problem::bad("the id of a session is a number"))?;
    let seats = api.proxy.sessions.list();
    let seat = seats.iter().find(|seat| seat.number == id);
    let seat = seat.ok_or_else(|| Problem::not_found("there is no such session"))?;
    let facts = vec![("session", json!(id)), ("user", json!(seat.user)), ("database", json!(seat.database))];
    api.note("session_killed", &caller, facts).await?;
    seat.ask(Ask::Kill);
    Ok(StatusCode::ACCEPTED)
}

/// Sums since the proxy began.
#[derive(Serialize, ToSchema)]
pub(super) struct Stats {
    uptime_seconds: u64,
    /// Sessions that run.
    sessions: usize,
    sessions_total: u64,
    sessions_rejected: u64,
    /// Statements that have ended, by what became of them.
    statements: BTreeMap<String, u64>,
    statement_errors: u64,
    rows: u64,
    /// By strategy.
    fields_masked: BTreeMap<String, u64>,
    mask_failures: u64,
    canaries_read: u64,
    received_bytes: u64,
    /// Below these times so many of a hundred statements took.
    statement_seconds: Times,
    /// The same of the proxy's own part.
    proxy_seconds: Times,
}

#[derive(Serialize, ToSchema)]
struct Times {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

/// What the proxy has done so far.
#[utoipa::path(get, path = "/stats", tag = "traffic", responses((status = 200, body = Stats)))]
pub(super) async fn stats(State(api): State<Shared>) -> Json<Stats> {
    let metrics = &api.proxy.telemetry.metrics;
    let families = metrics.registry.gather();
    let family = |name: &str| families.iter().find(|family| family.name() == name);
    let sums = |name: &str, label: &str| {
        let mut sums = BTreeMap::new();
        for metric in family(name).iter().flat_map(|family| family.get_metric()) {
            let value = metric.get_label().iter().find(|pair| pair.name() == label);
            let value = value.map(|pair| pair.value().to_owned()).unwrap_or_default();
            *sums.entry(value).or_insert(0) += whole(metric.get_counter().get_value());
        }
        sums
    };
    let sum = |name: &str| sums(name, "").values().sum();
    let times = |name: &str| {
        let at = |share: f64| family(name).and_then(|family| quantile(family, share));
        Times { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
    };
    Json(Stats {
        uptime_seconds: api.began.elapsed().as_secs(),
        sessions: api.proxy.sessions.count(),
        sessions_total: sum("ironveil_sessions_total"),
        sessions_rejected: sum("ironveil_sessions_rejected_total"),
        statements: sums("ironveil_statements_total", "verdict"),
        statement_errors: sum("ironveil_statement_errors_total"),
        rows: sum("ironveil_rows_total"),
        fields_masked: sums("ironveil_fields_masked_total", "strategy"),
        mask_failures: sum("ironveil_mask_failures_total"),
        canaries_read: sum("ironveil_canaries_read_total"),
        received_bytes: sum("ironveil_received_bytes_total"),
        statement_seconds: times("ironveil_statement_duration_seconds"),
        proxy_seconds: times("ironveil_proxy_duration_seconds"),
    })
}

/// A counter's value, which is a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole and not negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// The bound of the bucket below which such a share lies.
fn quantile(family: &prometheus::proto::MetricFamily, share: f64) -> Option<f64> {
    let mut buckets: BTreeMap<u64, (f64, u64)> = BTreeMap::new();
    let mut count = 0;
    for metric in family.get_metric() {
        let histogram = metric.get_histogram();
        count += histogram.get_sample_count();
        for bucket in histogram.get_bucket() {
            let entry = buckets.entry(bucket.upper_bound().to_bits()).or_insert((bucket.upper_bound(), 0));
            entry.1 += bucket.cumulative_count();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
    let wanted = share * count as f64;
    #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
    let found = buckets.values().find(|(_, below)| count > 0 && *below as f64 >= wanted);
    found.map(|(bound, _)| *bound).filter(|bound| bound.is_finite())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of this user.
    user: Option<String>,
    /// In this database.
    database: Option<String>,
    /// `passed`, `masked`, `refused` or `unmasked`.
    verdict: Option<String>,
    /// So many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A statement that has ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Log {
    number: u64,
    /// When it ended (RFC 3339).
    time: String,
    session: u64,
    protocol: &'static str,
    user: String,
    database: String,
    address: String,
    /// Its text without literals and comments.
    statement: String,
    operation: &'static str,
    /// `passed`, `masked`, `refused` or `unmasked`.
    verdict: &'static str,
    /// Columns of its result that were masked: name, rule and strategy.
    columns: Value,
    /// Columns that it may have shown because a rule shows them to its user only.
    unmasked: Value,
    rows: u64,
    duration_seconds: f64,
    /// The proxy's part of that.
    proxy_seconds: f64,
    /// SQLSTATE, or the number of MySQL's error.
    code: Option<String>,
}

pub(super) fn log(ended: &Ended) -> Log {
    Log {
        number: ended.number,
        time: time::write(ended.at),
        session: ended.who.session,
        protocol: ended.who.protocol.name(),
        user: ended.who.user.clone(),
        database: ended.who.database.clone(),
        address: ended.who.address.to_string(),
        statement: ended.text.text.clone(),
        operation: ended.text.operation,
        verdict: ended.verdict.name(),
        columns: crate::audit::columns(&ended.columns),
        unmasked: crate::audit::columns(&ended.unmasked),
        rows: ended.rows,
        duration_seconds: ended.took.as_secs_f64(),
        proxy_seconds: ended.worked.as_secs_f64(),
        code: ended.code.clone(),
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Logs {
    /// The last first.
    statements: Vec<Log>,
}

/// Statements that ended last, without their values.
#[utoipa::path(get, path = "/logs", tag = "traffic", params(Wanted), responses(
    (status = 200, body = Logs),
))]
pub(super) async fn logs(State(api): State<Shared>, Params(wanted): Params<Wanted>) -> Answer<Json<Logs>> {
    let limit = limit(wanted.limit)?;
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let recent = api.proxy.telemetry.recent();
    let fitting = recent.iter().filter(|ended| {
        is(&wanted.user, &ended.who.user)
            && is(&wanted.database, &ended.who.database)
            && is(&wanted.verdict, ended.verdict.name())
    });
    Ok(Json(Logs { statements: fitting.take(limit).map(|ended| log(ended)).collect() }))
}
