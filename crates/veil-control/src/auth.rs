//! Who asks the API, and what they may have done.
//!
//! Keys are in the store, hashed; tokens are signed by whom the configuration names; browsers sign in with a key and get a cookie. Whoever fails too often waits.

mod keys;
mod sessions;
mod throttle;
mod tokens;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use veil_model::Sensitive;
use veil_store::SharedStore;

pub(crate) use keys::generate;
pub use tokens::{KeySource, TokenSettings};

use keys::Keys;
use sessions::Sessions;
use throttle::Throttle;
use tokens::Tokens;

/// What somebody may have done; each may what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See.
    Viewer,
    /// Run: reload, end sessions, test.
    Operator,
    /// Decide: rules, keys.
    Admin,
}

impl Role {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What the audit calls them.
    pub name: String,
    /// What they may have done.
    pub role: Role,
}

/// What the configuration says of who is let in.
#[derive(Clone, Default)]
pub struct Access {
    /// Keys that may do everything, with what the audit calls them.
    pub keys: Vec<(&'static str, Sensitive<String>)>,
    /// Tokens that are believed.
    pub tokens: TokenSettings,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nothing was shown that says who it is.
    Nobody,
    /// The key or token that was shown is not believed.
    Unknown,
    /// A browser's session is none any more, for this reason.
    Ended(&'static str),
    /// Whether a key holds cannot be found out.
    Unavailable,
    /// Too often; so many seconds are to be waited.
    TooOften(u64),
    /// A browser's request does not say that a page of this API made it.
    Forged,
}

/// The name of the cookie of browsers.
pub(crate) const COOKIE: &str = "ironveil_session";
/// The header by which pages show that they are the API's.
pub(crate) const CSRF: &str = "x-csrf-token";

/// Who is let in.
pub struct Auth {
    access: RwLock<Arc<Access>>,
    keys: Keys,
    tokens: Tokens,
    sessions: Sessions,
    throttle: Mutex<Throttle>,
}

impl Auth {
    /// By the keys of a store and what the configuration says.
    #[must_use]
    pub fn new(store: SharedStore, access: Access) -> Self {
        Self {
            access: RwLock::new(Arc::new(access)),
            keys: Keys::new(store),
            tokens: Tokens::default(),
            sessions: Sessions::default(),
            throttle: Mutex::default(),
        }
    }

    /// Goes on by another configuration.
    pub fn set(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        self.tokens.forget();
        self.sessions.recheck();
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who makes a request.
    pub(crate) async fn caller(
        &self,
        address: IpAddr,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Caller, Denied> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| {
            let (scheme, given) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
        });
        if let Some(given) = bearer.or_else(|| text("x-api-key")) {
            return self.know(address, given).await;
        }
        let Some(cookie) = cookie(headers) else { return Err(Denied::Nobody) };
        let session = self.sessions.find(cookie).ok_or(Denied::Ended("the session has ended"))?;
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !safe && !text(CSRF).is_some_and(|given| session.is_csrf(given)) {
            return Err(Denied::Forged);
        }
        // The key may have been taken back.
        let ended = Denied::Ended("the key of this session does not hold any more");
        self.check(session.credential.expose()).await?.ok_or(ended)
    }

    /// Who shows this key or token. It counts as a wrong one until it has been found to be none, so that many at once are no more than one after another.
    async fn know(&self, address: IpAddr, given: &str) -> Result<Caller, Denied> {
        self.throttle().begin(address).map_err(Denied::TooOften)?;
        let known = self.check(given).await;
        if !matches!(known, Ok(None)) {
            self.throttle().was_none(address);
        }
        known?.ok_or(Denied::Unknown)
    }

    async fn check(&self, given: &str) -> Result<Option<Caller>, Denied> {
        let access = self.access();
        for (name, key) in &access.keys {
            if keys::same(given, key.expose()) {
                return Ok(Some(Caller { name: (*name).to_owned(), role: Role::Admin }));
            }
        }
        match given.split('.').count() {
            3 => Ok(self.tokens.check(given, &access.tokens).await),
            _ => self.keys.check(given).await.map_err(|_| Denied::Unavailable),
        }
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a browser's session: its cookie, and the token that its pages show.
    pub(crate) async fn sign_in(
        &self,
        address: IpAddr,
        given: &str,
    ) -> Result<(Caller, String, String), Denied> {
        let caller = self.know(address, given).await?;
        let (cookie, csrf) = self.sessions.begin(given);
        Ok((caller, cookie, csrf))
    }

    /// Ends a browser's session.
    pub(crate) fn sign_out(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            self.sessions.end(cookie);
        }
    }

    /// The token that the pages of a browser's session show, if it is one.
    pub(crate) fn csrf(&self, headers: &HeaderMap) -> Option<String> {
        self.sessions.find(cookie(headers)?).map(|session| session.csrf)
    }

    /// Keys have become others.
    pub(crate) fn forget_keys(&self) {
        self.keys.forget();
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
