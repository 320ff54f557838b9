//! What happens, as it happens (server-sent events).

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::{Value, json};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};

use super::Shared;
use super::traffic::log;

/// Events of the audit, `statement` for each statement that ends, and `missed` where they come faster than they are read.
#[utoipa::path(get, path = "/events", tag = "events", responses(
    (status = 200, description = "Events without an end; who asks begins again after ten minutes.", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(State(api): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let statements = BroadcastStream::new(api.proxy.telemetry.live.subscribe());
    let statements = statements.map(|ended| match ended {
        Ok(ended) => named("statement", &json!(log(&ended))),
        Err(lagged) => missed(&lagged),
    });
    let audit = BroadcastStream::new(api.audit.live.subscribe()).map(|event| match event {
        Ok(event) => told(&event),
        Err(lagged) => missed(&lagged),
    });
    let begun = tokio_stream::once(Event::default().event("begin").data("{}"));
    Sse::new(begun.chain(statements.merge(audit)).map(Ok)).keep_alive(KeepAlive::default())
}

fn told(event: &Arc<Value>) -> Event {
    named(event.get("event").and_then(Value::as_str).unwrap_or("event"), event)
}

fn named(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

fn missed(lagged: &BroadcastStreamRecvError) -> Event {
    let BroadcastStreamRecvError::Lagged(count) = lagged;
    named("missed", &json!({ "count": count }))
}
