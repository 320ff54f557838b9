//! Finding events in the audit.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::problem::{Answer, Params, Problem};
use crate::audit::{Filter, time};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of this kind, as `masked`.
    event: Option<String>,
    /// By this user or operator.
    user: Option<String>,
    /// In this database.
    database: Option<String>,
    /// Not earlier than this, as 2026-12-31 or 2026-12-31T23:59:59Z.
    from: Option<String>,
    /// Earlier than this.
    to: Option<String>,
    /// With smaller numbers than this: `next` of the page before.
    #[param(minimum = 0)]
    before: Option<u64>,
    /// So many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Events, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<Value>,
    /// If there may be more: `before` of the next page.
    next: Option<u64>,
}

const LIMIT: usize = 100;
pub(super) const LIMIT_MAX: usize = 1000;

/// Who did what.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Wanted), responses(
    (status = 200, body = Events),
))]
pub(super) async fn find(State(api): State<Shared>, Params(wanted): Params<Wanted>) -> Answer<Json<Events>> {
    let moment = |text: Option<String>, name: &str| match text {
        None => Ok(None),
        Some(text) => time::read(&text).map(Some).ok_or_else(|| {
            Problem::bad(format!("\"{name}\" is a time, as 2026-12-31 or 2026-12-31T23:59:59Z"))
        }),
    };
    let filter = Filter {
        event: wanted.event,
        user: wanted.user,
        database: wanted.database,
        from: moment(wanted.from, "from")?,
        to: moment(wanted.to, "to")?,
        before: wanted.before,
        limit: limit(wanted.limit)?,
    };
    let page = api.apart(move |api| api.audit.find(&filter)).await?;
    let page = page.map_err(|error| {
        tracing::error!(%error, "the audit cannot be read");
        Problem::failed("the audit cannot be read; the log says more")
    })?;
    Ok(Json(Events { events: page.events, next: page.next }))
}

/// How many are wanted.
pub(super) fn limit(given: Option<usize>) -> Answer<usize> {
    match given.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::bad(format!("\"limit\" is a number from 1 to {LIMIT_MAX}"))),
    }
}
