//! Requests of the proxy's own, to servers that its configuration names.

use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// An answer may be so long.
const ANSWER_MAX: usize = 1 << 20;
/// And take so long.
const TIME_MAX: Duration = Duration::from_secs(10);

type Connection = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

fn client() -> Result<&'static Connection, String> {
    static CLIENT: OnceLock<Option<Connection>> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .ok()?
            .https_or_http()
            .enable_http1()
            .build();
        Some(Client::builder(TokioExecutor::new()).build(https))
    });
    made.as_ref().ok_or_else(|| "this system has no certificates of authorities".to_owned())
}

async fn answer(request: Request<Full<Bytes>>) -> Result<Bytes, String> {
    let asked = async {
        let answer = client()?.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(format!("the server answers {status}")) }
    };
    tokio::time::timeout(TIME_MAX, asked)
        .await
        .unwrap_or_else(|_| Err("the server does not answer".to_owned()))
}

/// What is at an address.
///
/// # Errors
/// Why it cannot be had.
pub(crate) async fn get(url: &str) -> Result<Bytes, String> {
    let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
    answer(request).await
}

/// Sends something to an address.
///
/// # Errors
/// Why it cannot be sent.
pub(crate) async fn post(
    url: &str,
    kind: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> Result<Bytes, String> {
    let mut request = Request::post(url).header(header::CONTENT_TYPE, kind);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    answer(request.body(Full::from(body)).map_err(|error| error.to_string())?).await
}
