//! `/metrics`, as Prometheus reads it.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus::{Encoder, TextEncoder};

use super::Shared;
use super::problem::{Answer, Problem};

/// All counters, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses((status = 200, description = "Metrics.", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(api): State<Shared>) -> Answer<Response> {
    let families = api.apart(|api| api.observed.families()).await?;
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    encoder.encode(&families, &mut text).map_err(|_| Problem::failed("the metrics cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, encoder.format_type())], text).into_response())
}
