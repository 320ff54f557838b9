//! Scans for personal data: begun, followed, and made into rules.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};
use veil_model::{ColumnName, Sensitive};
use veil_store::Scan;

use super::Shared;
use super::audit::limit;
use super::problem::{Answer, Body, Details, Expected, Params, Problem};
use super::rules::{Changed, Tagged, change, meant, tagged};
use super::serve::Peer;
use crate::auth::Caller;
use crate::scans::{ScanControl, ScanRefusal, ScanRequest};

/// A scan that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// As clients name it.
    database: String,
    /// `postgresql` or `mysql`, where both have such a database.
    protocol: Option<String>,
    /// Who reads; without, whoever `databases.check` names.
    user: Option<String>,
    /// Kept nowhere.
    password: Option<String>,
    /// Only these schemas.
    #[serde(default)]
    schemas: Vec<String>,
    /// What is less likely is left out; 0.7 without.
    #[schema(minimum = 0.5, maximum = 1)]
    min_confidence: Option<f64>,
    /// Sessions that read side by side; 2 without.
    #[schema(minimum = 1, maximum = 16)]
    sessions: Option<u32>,
    /// How many times as long as it has worked on a table a session rests; 3 without.
    #[schema(maximum = 100)]
    rest: Option<u32>,
}

/// A scan that has begun.
#[derive(Serialize, ToSchema)]
pub(super) struct Begun {
    /// What it is found by.
    id: String,
}

/// Schemas that may be named.
const SCHEMAS_MAX: usize = 1000;

/// Begins to scan a database for personal data.
#[utoipa::path(post, path = "/scan", tag = "scan", request_body = Wanted, responses(
    (status = 202, description = "It runs; `Location` says where to look.", body = Begun),
    (status = 409, description = "Too many run, or one of this database.", body = Details, content_type = "application/problem+json"),
    (status = 422, description = "It cannot be done.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn begin(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<Wanted>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<Begun>)> {
    let within = |name: &str, fits: bool, what: &str| match fits {
        true => Ok(()),
        false => Err(Problem::bad(format!("\"{name}\" is {what}"))),
    };
    let confidence = wanted.min_confidence.is_none_or(|number| (0.5..=1.0).contains(&number));
    within("min_confidence", confidence, "a number from 0.5 to 1")?;
    let sessions = wanted.sessions.is_none_or(|number| (1..=16).contains(&number));
    within("sessions", sessions, "a whole number from 1 to 16")?;
    within("rest", wanted.rest.is_none_or(|rest| rest <= 100), "a whole number from 0 to 100")?;
    within("schemas", wanted.schemas.len() <= SCHEMAS_MAX, "a list of 1000 schemas at most")?;
    let (database, reader) = (wanted.database.clone(), wanted.user.clone());
    let request = ScanRequest {
        database: wanted.database,
        protocol: wanted.protocol,
        user: wanted.user,
        password: wanted.password.map(Sensitive::new),
        schemas: wanted.schemas,
        min_confidence: wanted.min_confidence,
        sessions: wanted.sessions,
        rest: wanted.rest,
    };
    let by = caller.name.clone();
    let begun = api.apart(move |api| api.operations.start_scan(request, &by)).await?;
    let id = begun.map_err(|refusal| match refusal {
        ScanRefusal::Faults(faults) => Problem::faults(&faults.join("; "), faults),
        ScanRefusal::Busy(why) => Problem::new(StatusCode::CONFLICT, why),
    })?;
    let facts = vec![("database", json!(database)), ("scan", json!(id)), ("reader", json!(reader))];
    api.note("scan_begun", &caller, facts).await?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/scan/{id}"))], Json(Begun { id })))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this database only.
    database: Option<String>,
    /// Before this one: `next` of the page before.
    before: Option<String>,
    /// So many at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Scans, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Scans {
    /// Those that run.
    running: Vec<Value>,
    /// Those that have ended.
    scans: Vec<Value>,
    /// If there may be more: `before` of the next page.
    next: Option<String>,
}

/// Scans that run, and those that have ended: a hundred are kept of each database.
#[utoipa::path(get, path = "/scan", tag = "scan", params(Which), responses((status = 200, body = Scans)))]
pub(super) async fn list(
    State(api): State<Shared>,
    Params(Which { database, before, limit: wanted }): Params<Which>,
) -> Answer<Json<Scans>> {
    let limit = limit(wanted)?;
    let count = u32::try_from(limit).unwrap_or(u32::MAX);
    let (running, scans) = api
        .apart(move |api| {
            let scans = api.store.scans(database.as_deref(), before.as_deref(), count)?;
            let mut running = api.operations.running_scans();
            running.retain(|scan| database.is_none() || scan.get("database") == Some(&json!(database)));
            Ok::<_, veil_store::StoreError>((running, scans))
        })
        .await??;
    let next = if scans.len() == limit { scans.last().map(|scan| scan.id.clone()) } else { None };
    Ok(Json(Scans { running, scans: scans.iter().map(summary).collect(), next }))
}

fn summary(scan: &Scan) -> Value {
    json!({
        "id": scan.id, "database": scan.database, "by": scan.author, "began": scan.began, "ended": scan.ended, "state": scan.outcome,
        "summary": scan.summary,
    })
}

/// A scan that runs, with how far it is, or one that has ended, with all that it has found and whether a rule protects it now.
#[utoipa::path(get, path = "/scan/{id}", tag = "scan", params(("id" = String, Path, description = "Of the scan.")), responses(
    (status = 200, body = Value),
    (status = 404, body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn one(State(api): State<Shared>, Path(id): Path<String>) -> Answer<Json<Value>> {
    if let Some(running) = running(&api, &id).await? {
        return Ok(Json(running));
    }
    let mut scan = ended(&api, id).await?;
    let (scan, open) = api
        .apart(move |api| {
            let open = api.operations.protect_scan(&mut scan);
            (scan, open)
        })
        .await?;
    let mut all = summary(&scan);
    if let (Some(all), Value::Object(mut report)) = (all.as_object_mut(), scan.report) {
        all.append(&mut report);
        all.insert("unprotected".to_owned(), open.ok().map(|open| open.len()).into());
    }
    Ok(Json(all))
}

async fn running(api: &Shared, id: &str) -> Answer<Option<Value>> {
    let all = api.apart(|api| api.operations.running_scans()).await?;
    Ok(all.into_iter().find(|scan| scan.get("id").and_then(Value::as_str) == Some(id)))
}

async fn ended(api: &Shared, id: String) -> Answer<Scan> {
    let found = api.apart(move |api| api.store.scan(&id)).await??;
    found.ok_or_else(|| Problem::not_found("there is no such scan"))
}

/// How far a scan is, as it goes on: `progress` twice a second, and `end` with what it comes to.
#[utoipa::path(get, path = "/scan/{id}/events", tag = "scan", params(("id" = String, Path, description = "Of the scan.")), responses(
    (status = 200, description = "Events until the scan has ended; who asks begins again after ten minutes.", body = String, content_type = "text/event-stream"),
    (status = 404, body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn follow(
    State(api): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    if running(&api, &id).await?.is_none() {
        ended(&api, id.clone()).await?;
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for look in 0_u32.. {
            // The key may have been taken back.
            let known = !look.is_multiple_of(LOOKS)
                || api.auth.caller(peer.ip(), &Method::GET, &headers).await.is_ok();
            let Some(now) = running(&api, &id).await.ok().filter(|_| known) else { return };
            let event = match &now {
                Some(now) => Event::default().event("progress").data(now.to_string()),
                None => {
                    let Ok(scan) = ended(&api, id).await else { return };
                    let event = Event::default().event("end").data(summary(&scan).to_string());
                    drop(sender.send(Ok(event)).await);
                    return;
                }
            };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()))
}

/// How far a scan is is looked at so often,
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// and whether a key still holds at so many looks.
const LOOKS: u32 = 20;

/// Ends a scan; the tables that are being read are the last. What it has found so far is kept.
#[utoipa::path(delete, path = "/scan/{id}", tag = "scan", params(("id" = String, Path, description = "Of the scan.")), responses(
    (status = 202, description = "It ends."),
    (status = 404, description = "It does not run.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    control(&api, &caller, id, ScanControl::Cancel, "scan_cancelled").await
}

/// Has a scan wait before the next tables.
#[utoipa::path(post, path = "/scan/{id}/pause", tag = "scan", params(("id" = String, Path, description = "Of the scan.")), responses(
    (status = 202, description = "It waits."),
    (status = 404, description = "It does not run.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn pause(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    control(&api, &caller, id, ScanControl::Pause, "scan_paused").await
}

/// Has a scan that waits go on.
#[utoipa::path(post, path = "/scan/{id}/resume", tag = "scan", params(("id" = String, Path, description = "Of the scan.")), responses(
    (status = 202, description = "It goes on."),
    (status = 404, description = "It does not run.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn resume(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    control(&api, &caller, id, ScanControl::Resume, "scan_resumed").await
}

async fn control(
    api: &Shared,
    caller: &Caller,
    id: String,
    control: ScanControl,
    event: &'static str,
) -> Answer<StatusCode> {
    let scan = id.clone();
    if !api.apart(move |api| api.operations.control_scan(&id, control)).await? {
        return Err(Problem::not_found("there is no such scan that runs"));
    }
    api.note(event, caller, vec![("scan", json!(scan))]).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A column that was found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    schema: String,
    table: String,
    column: String,
}

/// Columns that rules are wanted for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    /// All that no rule protects without.
    columns: Option<Vec<Chosen>>,
    /// Why, for the history.
    comment: Option<String>,
}

/// Adds rules for what a scan has found: behind those that are there, but before one that masks a part of a document only.
#[utoipa::path(post, path = "/scan/{id}/apply", tag = "scan", request_body = Choice, params(
    ("id" = String, Path, description = "Of the scan."),
    ("If-Match" = Option<String>, Header, description = "The version of the rules that is meant; the newest without."),
), responses(
    (status = 200, body = Changed),
    (status = 404, body = Details, content_type = "application/problem+json"),
    (status = 422, description = "None of these columns was found, or all are protected.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn apply(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    wanted: Expected,
    Body(Choice { columns, comment }): Body<Choice>,
) -> Answer<Tagged<Changed>> {
    let scan = ended(&api, id).await?;
    let _one = api.changing.lock().await;
    let before = meant(&api, &wanted).await?;
    let chosen = columns.map(|columns| {
        let name = |Chosen { schema, table, column }| ColumnName { schema, table, column };
        columns.into_iter().map(name).collect::<Vec<_>>()
    });
    let (comment, mut rules) = (comment.or(Some(format!("scan {}", scan.id))), before.rules.clone());
    let added = api
        .apart(move |api| {
            let added = api.operations.rules_of_scan(&scan, chosen.as_deref(), &mut rules)?;
            Ok::<_, String>((added, rules))
        })
        .await?;
    let (added, rules) = added.map_err(|what| Problem::faults(&what, Vec::new()))?;
    if added == 0 {
        return Err(Problem::faults(
            "there is nothing among these columns that is not protected",
            Vec::new(),
        ));
    }
    let (version, changes) = change(&api, &caller, &before, rules, comment).await?;
    Ok(tagged(version, Changed { version, changes }))
}
