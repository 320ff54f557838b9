//! Who asks: browsers' sessions, and the API's keys.

use axum::Json;
use axum::extract::{ConnectInfo, Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use veil_store::Key;

use super::problem::{Answer, Body, Details, Problem};
use super::serve::Peer;
use super::{Shared, to_its_end};
use crate::auth::{self, COOKIE, Caller, Role};

/// What a browser signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// A key of the API.
    api_key: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(super) struct Who {
    /// As the audit says it.
    name: String,
    role: Role,
    /// Of a browser's session: what X-CSRF-Token has to say when something is changed.
    csrf_token: Option<String>,
}

/// Begins a session of a browser, whose cookie is in the answer.
#[utoipa::path(post, path = "/session", tag = "session", request_body = SignIn, responses(
    (status = 200, description = "Signed in.", body = Who),
    (status = 400, body = Details, content_type = "application/problem+json"),
    (status = 401, description = "The key is not known.", body = Details, content_type = "application/problem+json"),
    (status = 415, body = Details, content_type = "application/problem+json"),
    (status = 429, description = "Too many wrong keys from this address.", body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn sign_in(
    State(api): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Body(SignIn { api_key }): Body<SignIn>,
) -> Answer<Response> {
    let address = || vec![("address", peer.ip().to_string().into())];
    match api.auth.sign_in(peer.ip(), &api_key).await {
        Ok((caller, cookie, csrf)) => {
            api.note("api_sign_in", &caller, address()).await?;
            let secure = if api.secure { "; Secure" } else { "" };
            let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}");
            let who = Who { name: caller.name, role: caller.role, csrf_token: Some(csrf) };
            let mut answer = Json(who).into_response();
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                answer.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            Ok(answer)
        }
        Err(denied) => {
            api.note_denied(peer.ip(), "/session", &denied).await;
            Err(denied.into())
        }
    }
}

/// Who asks, and what they may have done.
#[utoipa::path(get, path = "/session", tag = "session", responses((status = 200, body = Who)))]
pub(super) async fn who(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Json<Who> {
    let csrf_token = api.auth.csrf(&headers);
    Json(Who { name: caller.name, role: caller.role, csrf_token })
}

/// Ends a browser's session.
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 204, description = "Signed out.")))]
pub(super) async fn sign_out(State(api): State<Shared>, headers: HeaderMap) -> Response {
    api.auth.sign_out(&headers);
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let gone = HeaderValue::from_static("ironveil_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    answer.headers_mut().insert(header::SET_COOKIE, gone);
    answer
}

/// A key, without what only its holder knows.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyView {
    id: String,
    name: String,
    role: String,
    /// Seconds since 1970.
    created: i64,
    created_by: String,
    /// Until when it holds, in seconds since 1970.
    expires: Option<i64>,
    /// When it was taken back, in seconds since 1970.
    revoked: Option<i64>,
}

impl From<Key> for KeyView {
    fn from(key: Key) -> Self {
        let Key { id, name, role, created, created_by, expires, revoked, .. } = key;
        Self { id, name, role, created, created_by, expires, revoked }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<KeyView>,
}

/// The API's keys.
#[utoipa::path(get, path = "/keys", tag = "keys", responses(
    (status = 200, body = Keys),
))]
pub(super) async fn list(State(api): State<Shared>) -> Answer<Json<Keys>> {
    let keys = api.apart(|api| api.store.keys()).await??;
    Ok(Json(Keys { keys: keys.into_iter().map(Into::into).collect() }))
}

/// A key that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What the audit calls its holder.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: Role,
    /// Seconds from now for which it holds; for ever without.
    #[schema(minimum = 1, maximum = 315_360_000)]
    expires_in: Option<i64>,
}

/// A key, with what only its holder knows.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeKey {
    #[serde(flatten)]
    key: KeyView,
    /// The key itself, which is shown this once.
    api_key: String,
}

/// The longest time for which a key may hold: ten years.
const EXPIRES_MAX: i64 = 315_360_000;
const NAME_MAX: usize = 100;

/// Makes a key. It is shown in the answer and never again.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = NewKey, responses(
    (status = 201, description = "Made.", body = MadeKey),
    (status = 422, body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(wanted): Body<NewKey>,
) -> Answer<(StatusCode, Json<MadeKey>)> {
    let NewKey { name, role, expires_in } = wanted;
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Problem::faults("\"name\" has 1 to 100 characters", Vec::new()));
    }
    if expires_in.is_some_and(|seconds| !(1..=EXPIRES_MAX).contains(&seconds)) {
        return Err(Problem::faults("\"expires_in\" is a number of seconds, up to ten years", Vec::new()));
    }
    let made = api.apart(|_| auth::generate()).await?;
    let (id, api_key, hash) = made.ok_or_else(|| Problem::failed("the system gives no randomness"))?;
    let created = auth::now();
    let key = Key {
        id,
        name,
        role: role.name().to_owned(),
        hash,
        created,
        created_by: caller.name.clone(),
        expires: expires_in.map(|seconds| created + seconds),
        revoked: None,
    };
    to_its_end(async move {
        let stored = key.clone();
        api.apart(move |api| api.store.add_key(&stored)).await??;
        let facts = vec![("key", json!(key.id)), ("name", json!(key.name)), ("key_role", json!(key.role))];
        api.note("key_created", &caller, facts).await?;
        Ok((StatusCode::CREATED, Json(MadeKey { key: key.into(), api_key })))
    })
    .await
}

/// Takes a key back: it holds no more.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", params(("id" = String, Path, description = "What the key is found by.")), responses(
    (status = 204, description = "Taken back."),
    (status = 404, body = Details, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(
    State(api): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    to_its_end(async move { take_back(&api, &caller, id).await }).await
}

async fn take_back(api: &Shared, caller: &Caller, id: String) -> Answer<StatusCode> {
    let wanted = id.clone();
    if !api.apart(move |api| api.store.revoke_key(&wanted, auth::now())).await?? {
        return Err(Problem::not_found("there is no such key"));
    }
    api.auth.forget_keys();
    api.note("key_revoked", caller, vec![("key", json!(id))]).await?;
    Ok(StatusCode::NO_CONTENT)
}
