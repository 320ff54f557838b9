//! What goes wrong, as problem documents (RFC 9457); and requests' bodies and parameters, where what is wrong with them is one.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::ToSchema;
use veil_store::StoreError;
use veil_store::document::diff;

use crate::auth::Denied;

/// A problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details {
    /// What kind of problem it is: `about:blank`, where the status says it all.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The status in words.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is wrong, and what would be right.
    pub(crate) detail: String,
    /// Each of several faults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    /// Of a conflict: the newest version of the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<i64>,
    /// Of a conflict: what is another in the newest version than in the one that was to be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<Vec<Value>>,
}

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct Problem {
    details: Box<Details>,
    retry_after: Option<u64>,
}

pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        let details = Details {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            version: None,
            diff: None,
        };
        Self { details: Box::new(details), retry_after: None }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// What was sent can be read and not be done.
    pub(crate) fn faults(detail: &str, errors: Vec<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        problem.details.errors = errors;
        problem
    }

    /// The rules have become others than those that were to be changed.
    pub(crate) fn conflict(newest: &veil_store::Version, known: Option<&[Value]>) -> Self {
        let detail = format!("the rules have become others: their version is {}", newest.number);
        let mut problem = Self::new(StatusCode::CONFLICT, detail);
        problem.details.version = Some(newest.number);
        problem.details.diff = known.map(|known| diff(known, &newest.rules));
        problem
    }

    /// Something failed that has to be looked at.
    pub(crate) fn failed(what: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(newest) => Self::conflict(&newest, None),
            StoreError::Document(what) => Self::faults("the rules cannot be written to the file", vec![what]),
            StoreError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let unauthorized = |detail: &str| Self::new(StatusCode::UNAUTHORIZED, detail);
        match denied {
            Denied::Nobody => unauthorized("this needs a key or token: Authorization: Bearer KEY"),
            Denied::Unknown => unauthorized("this key or token is not known here, or does not hold any more"),
            Denied::Ended(why) => unauthorized(why),
            Denied::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "whether this key holds cannot be found out: the store cannot be used",
            ),
            Denied::Forged => Self::new(
                StatusCode::FORBIDDEN,
                "a browser's session changes things only with the header X-CSRF-Token, which the sign-in has answered",
            ),
            Denied::TooOften(seconds) => {
                let mut problem =
                    Self::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong keys from this address");
                problem.retry_after = Some(seconds);
                problem
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!(self.details).to_string();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A body in JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = kind.is_none_or(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind == "application/json" || kind.ends_with("+json")
        });
        if !is_json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body has to be application/json",
            ));
        }
        let bytes = whole(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Problem::bad(format!("the body: {error}")))
    }
}

/// A body in whatever form.
pub(crate) struct Raw(pub(crate) Option<String>, pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        Ok(Self(kind, whole(request, state).await?))
    }
}

async fn whole<S: Send + Sync>(request: Request, state: &S) -> Answer<Bytes> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejected| Problem::new(rejected.status(), rejected.body_text()))
}

/// Parameters behind the question mark.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|rejected| Problem::bad(rejected.body_text()))
    }
}

/// Which version of the rules a request is about (`If-Match`).
pub(crate) struct Expected(pub(crate) Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let Some(given) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let number = given.to_str().ok().and_then(|text| text.trim().trim_matches('"').parse().ok());
        match number {
            Some(number) => Ok(Self(Some(number))),
            None => Err(Problem::bad("If-Match is a version of the rules, as \"3\"")),
        }
    }
}

impl Expected {
    /// The version, without which the request could take back what somebody else has changed.
    pub(crate) fn needed(&self) -> Answer<i64> {
        let detail =
            "this needs If-Match with the version of the rules that it changes, as GET /rules says it";
        self.0.ok_or_else(|| Problem::new(StatusCode::PRECONDITION_REQUIRED, detail))
    }
}
