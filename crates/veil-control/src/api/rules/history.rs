//! The versions of the rules.

use axum::Json;
use axum::extract::{Extension, Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use veil_store::Version;
use veil_store::document::diff;

use super::super::Shared;
use super::super::audit::{LIMIT_MAX, limit};
use super::super::problem::{Answer, Body, Details, Expected, Params, Problem};
use super::{Changed, Tagged, change, expected, tagged};
use crate::auth::Caller;

/// A version of the rules, and what was another in it than in the one before.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entry {
    number: i64,
    /// Seconds since 1970.
    time: i64,
    author: String,
    comment: String,
    changes: Vec<Value>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    /// The newest first.
    versions: Vec<Entry>,
    /// If there are more: `before` of the next page.
    next: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those before this version: `next` of the page before.
    before: Option<i64>,
    /// So many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The versions of the rules, with what was changed, when, by whom and why.
#[utoipa::path(get, path = "/rules/history", tag = "rules", params(Wanted), responses(
    (status = 200, body = History),
))]
pub(crate) async fn list(
    State(api): State<Shared>,
    Params(Wanted { before, limit: wanted }): Params<Wanted>,
) -> Answer<Json<History>> {
    let limit = limit(wanted)?;
    // One more, to tell what the last has changed.
    let more = u32::try_from(limit.min(LIMIT_MAX) + 1).unwrap_or(u32::MAX);
    let found = api.apart(move |api| api.store.history(before, more)).await??;
    let none: &[Value] = &[];
    let entries = found.iter().enumerate().take(limit).map(|(at, version)| {
        let earlier = found.get(at + 1).map_or(none, |earlier| &earlier.rules);
        let Version { number, time, author, comment, rules } = version.clone();
        Entry { number, time, author, comment, changes: diff(earlier, &rules) }
    });
    let versions: Vec<Entry> = entries.collect();
    let next = if found.len() > limit { versions.last().map(|entry| entry.number) } else { None };
    Ok(Json(History { versions, next }))
}

/// A version of the rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct Whole {
    number: i64,
    /// Seconds since 1970.
    time: i64,
    author: String,
    comment: String,
    rules: Vec<Value>,
}

/// The rules of a version.
#[utoipa::path(get, path = "/rules/history/{number}", tag = "rules", params(("number" = i64, Path, description = "Of the version.")), responses(
    (status = 200, body = Whole),
    (status = 404, body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn one(State(api): State<Shared>, Path(number): Path<String>) -> Answer<Json<Whole>> {
    let number = number.parse().map_err(|_| Problem::bad("a version is a number"))?;
    let found = api.apart(move |api| api.store.version(number)).await??;
    let Version { number, time, author, comment, rules } =
        found.ok_or_else(|| Problem::not_found("there is no such version"))?;
    Ok(Json(Whole { number, time, author, comment, rules }))
}

/// A version whose rules are wanted back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {
    version: i64,
    /// Why, for the history.
    comment: Option<String>,
}

/// Goes back to the rules of a version, which become a new one.
#[utoipa::path(post, path = "/rules/rollback", tag = "rules", request_body = Back, params(
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is given up."),
), responses(
    (status = 200, body = Changed),
    (status = 404, body = Details, content_type = "application/problem+json"),
    (status = 422, description = "Its rules have faults now.", body = Details, content_type = "application/problem+json"),
))]
pub(crate) async fn rollback(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    wanted: Expected,
    Body(Back { version: number, comment }): Body<Back>,
) -> Answer<Tagged<Changed>> {
    let _one = api.changing.lock().await;
    let before = expected(&api, wanted.needed()?).await?;
    let found = api.apart(move |api| api.store.version(number)).await??;
    let found = found.ok_or_else(|| Problem::not_found("there is no such version"))?;
    let comment = comment.unwrap_or_else(|| format!("back to version {number}"));
    let (version, changes) = change(&api, &caller, &before, found.rules, Some(comment)).await?;
    Ok(tagged(version, Changed { version, changes }))
}
