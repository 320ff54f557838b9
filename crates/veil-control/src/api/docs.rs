//! The document that describes the API, and pages to read it by, which load nothing from elsewhere.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// The document, in JSON.
#[derive(Clone)]
pub(super) struct Document(pub(super) Arc<str>);

const PAGE: &str = include_str!("docs.html");
const SIGN_IN: &str = include_str!("sign_in.html");
/// The pages' own script and style are in them.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The OpenAPI document of this API.
#[utoipa::path(get, path = "/openapi.json", tag = "docs", responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(super) async fn openapi(Extension(Document(text)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

/// The same for people.
#[utoipa::path(get, path = "/docs", tag = "docs", responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(super) async fn docs() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

/// In place of a refusal: where a browser signs in to read the pages.
pub(super) fn sign_in_page(path: &str, headers: &HeaderMap) -> Option<Response> {
    let accepts = headers.get(header::ACCEPT)?.to_str().ok()?;
    let wanted = path == "/docs" && accepts.contains("text/html");
    wanted.then(|| {
        (StatusCode::UNAUTHORIZED, [(header::CONTENT_SECURITY_POLICY, POLICY)], Html(SIGN_IN)).into_response()
    })
}
