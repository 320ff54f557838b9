//! What happens, as it happens (server-sent events).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method};
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::Shared;
use super::serve::Peer;
use super::traffic::log;

/// Events of the audit, `statement` for each statement that ends, and `missed` where they come faster than they are read.
#[utoipa::path(get, path = "/events", tag = "events", responses(
    (status = 200, description = "Events without an end; who asks begins again after ten minutes.", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(
    State(api): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let (mut statements, mut audit) = (api.proxy.telemetry.live.subscribe(), api.audit.live.subscribe());
    tokio::spawn(async move {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        let mut next = Event::default().event("begin").data("{}");
        while sender.send(Ok(next)).await.is_ok() {
            next = loop {
                tokio::select! {
                    ended = statements.recv() => match ended {
                        Ok(ended) => break named("statement", &json!(log(&ended))),
                        Err(RecvError::Lagged(count)) => break missed(count),
                        Err(RecvError::Closed) => return,
                    },
                    event = audit.recv() => match event {
                        Ok(event) => break told(&event),
                        Err(RecvError::Lagged(count)) => break missed(count),
                        Err(RecvError::Closed) => return,
                    },
                    // The key may have been taken back.
                    _ = look.tick() => if api.auth.caller(peer.ip(), &Method::GET, &headers).await.is_err() {
                        return;
                    },
                    () = sender.closed() => return,
                }
            };
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default())
}

/// Events that wait for whoever reads them.
const WAITING_MAX: usize = 16;
/// Whether a key still holds is looked at so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

fn told(event: &Arc<Value>) -> Event {
    named(event.get("event").and_then(Value::as_str).unwrap_or("event"), event)
}

fn named(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

fn missed(count: u64) -> Event {
    named("missed", &json!({ "count": count }))
}
