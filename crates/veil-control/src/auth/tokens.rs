//! JSON web tokens: those that a shared secret signs (HS256), and those that the keys of a set sign (RS256, ES256, EdDSA).
//!
//! What signs decides how it is verified, never the token: a public key is no secret for HS256, and a token that nothing signs is none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use veil_model::Sensitive;

use super::{Caller, Role};
use crate::http;

/// Whose tokens are believed.
#[derive(Clone, Default)]
pub struct TokenSettings {
    /// Those that this secret signs.
    pub secret: Option<Sensitive<String>>,
    /// Those that these keys sign.
    pub keys: Option<KeySource>,
    /// Only those of this issuer.
    pub issuer: Option<String>,
    /// Only those for this audience.
    pub audience: Option<String>,
    /// The claim that names the role.
    pub role_claim: Option<String>,
}

/// Where public keys are.
#[derive(Clone)]
pub enum KeySource {
    /// This is the set (JWKS).
    Text(String),
    /// It is at this address.
    Url(String),
}

const ROLE_CLAIM: &str = "role";
/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 30;
/// A set is asked for again after so long,
const KEYS_MAX: Duration = Duration::from_secs(300);
/// or after so long if a token names a key that is not in it.
const KEYS_MIN: Duration = Duration::from_secs(10);

/// While it cannot be had, what is known of it holds for so long.
const KEYS_LAST: Duration = Duration::from_secs(3600);

/// A set that was read.
#[derive(Clone)]
struct Known {
    set: Arc<JwkSet>,
    /// When it was asked for last.
    asked: Instant,
    /// When it was read last.
    read: Instant,
}

#[derive(Default)]
pub(super) struct Tokens {
    keys: Mutex<Option<Known>>,
    /// One asks at a time.
    asking: tokio::sync::Mutex<()>,
}

impl Tokens {
    pub(super) fn forget(&self) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whose token this is.
    pub(super) async fn check(&self, token: &str, settings: &TokenSettings) -> Option<Caller> {
        let header = decode_header(token).ok()?;
        let key = match header.alg {
            Algorithm::HS256 => DecodingKey::from_secret(settings.secret.as_ref()?.expose().as_bytes()),
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                self.key(header.alg, header.kid.as_deref(), settings.keys.as_ref()?).await?
            }
            _ => return None,
        };
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // Those that are for somebody are not for us, unless the configuration says so.
        validation.validate_aud = true;
        let mut needed = vec!["exp"];
        if let Some(audience) = &settings.audience {
            validation.set_audience(&[audience]);
            needed.push("aud");
        }
        if let Some(issuer) = &settings.issuer {
            validation.set_issuer(&[issuer]);
            needed.push("iss");
        }
        validation.set_required_spec_claims(&needed);
        let claims = decode::<Value>(token, &key, &validation).ok()?.claims;
        let claim = claims.get(settings.role_claim.as_deref().unwrap_or(ROLE_CLAIM))?;
        let role = match claim {
            Value::String(name) => Role::of(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).filter_map(Role::of).max(),
            _ => None,
        };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("?");
        Some(Caller { name: format!("token:{subject}"), role: role? })
    }

    /// The key of a set that has this name and signs so.
    async fn key(&self, algorithm: Algorithm, name: Option<&str>, source: &KeySource) -> Option<DecodingKey> {
        let set = match source {
            KeySource::Text(text) => Arc::new(serde_json::from_str(text).ok()?),
            KeySource::Url(url) => self.set(url, |set| find(set, algorithm, name).is_some()).await?,
        };
        find(&set, algorithm, name)
    }

    async fn set(&self, url: &str, has_it: impl Fn(&JwkSet) -> bool) -> Option<Arc<JwkSet>> {
        let fits = |known: &Option<Known>| {
            let known = known.as_ref()?;
            let age = known.asked.elapsed();
            (age < KEYS_MIN || age < KEYS_MAX && has_it(&known.set)).then(|| Arc::clone(&known.set))
        };
        let known = || self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(set) = fits(&known()) {
            return Some(set);
        }
        let _one = self.asking.lock().await;
        if let Some(set) = fits(&known()) {
            return Some(set);
        }
        let read = http::get(url).await.and_then(|body| {
            serde_json::from_slice::<JwkSet>(&body).map_err(|error| format!("it is no set of keys: {error}"))
        });
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(set) => {
                let now = Instant::now();
                *keys = Some(Known { set: Arc::new(set), asked: now, read: now });
            }
            Err(why) => {
                tracing::warn!(why, "the keys of api.jwks_url cannot be had");
                // Those that are known hold on for a while.
                keys.take_if(|known| known.read.elapsed() > KEYS_LAST);
                if let Some(known) = keys.as_mut() {
                    known.asked = Instant::now();
                }
            }
        }
        keys.as_ref().map(|known| Arc::clone(&known.set))
    }
}

fn find(set: &JwkSet, algorithm: Algorithm, name: Option<&str>) -> Option<DecodingKey> {
    let fits = |key: &&jsonwebtoken::jwk::Jwk| {
        let kind = matches!(
            (algorithm, &key.algorithm),
            (Algorithm::RS256, AlgorithmParameters::RSA(_))
                | (Algorithm::ES256, AlgorithmParameters::EllipticCurve(_))
                | (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(_))
        );
        let own = match key.common.key_algorithm {
            None => true,
            Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
            Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
            Some(KeyAlgorithm::EdDSA) => algorithm == Algorithm::EdDSA,
            Some(_) => false,
        };
        let signs = key
            .common
            .public_key_use
            .as_ref()
            .is_none_or(|used| *used == jsonwebtoken::jwk::PublicKeyUse::Signature);
        kind && own && signs && name.is_none_or(|name| key.common.key_id.as_deref() == Some(name))
    };
    let mut fitting = set.keys.iter().filter(fits);
    let key = fitting.next()?;
    // Without a name there has to be no choice.
    if name.is_none() && fitting.next().is_some() {
        return None;
    }
    DecodingKey::from_jwk(key).ok()
}
