//! The API's keys: `iv_` with what a key is found by and what only its holder knows. The store has a hash of the whole.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use veil_store::{Key, SharedStore, StoreError};

use super::{Caller, Role, now};
use crate::hex;

const PREFIX: &str = "iv_";
/// Bytes by which a key is found, and bytes that only its holder knows.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
/// A key that was found to hold is not looked up again for so long: it may have been taken back by another proxy.
const KNOWN_MAX: Duration = Duration::from_secs(5);
/// Keys that are known for that time.
const KNOWN_KEYS: usize = 1000;

/// Whether two secrets are the same, in a time that does not say where they differ.
pub(super) fn same(given: &str, secret: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text);
    bool::from(digest(given).ct_eq(&digest(secret)))
}

/// A new key: what it is found by, the key itself, and its hash; `None` if the system gives no randomness.
pub(crate) fn generate() -> Option<(String, String, String)> {
    let mut bytes = [0; ID_BYTES + SECRET_BYTES];
    rand::fill(&mut bytes).ok()?;
    let (id, secret) = bytes.split_at(ID_BYTES);
    let id = hex(id);
    let key = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = Argon2::default().hash_password(key.as_bytes()).ok()?.to_string();
    Some((id, key, hash))
}

pub(super) struct Keys {
    store: SharedStore,
    /// Keys that were found to hold, by their digests.
    known: Mutex<HashMap<[u8; 32], (Key, Instant)>>,
}

impl Keys {
    pub(super) fn new(store: SharedStore) -> Self {
        Self { store, known: Mutex::default() }
    }

    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whose key this is. While the store is lost, keys that are known hold.
    ///
    /// # Errors
    /// The store cannot be used.
    pub(super) async fn check(&self, given: &str) -> Result<Option<Caller>, StoreError> {
        let Some((id, _)) = given.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')) else {
            return Ok(None);
        };
        let digest: [u8; 32] = Sha256::digest(given).into();
        if let Some(key) = self.known(&digest, KNOWN_MAX) {
            return Ok(caller(&key));
        }
        let (store, id, given) = (SharedStore::clone(&self.store), id.to_owned(), given.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let holds = |key: &Key| {
                let hash = PasswordHash::new(&key.hash).ok()?;
                Argon2::default().verify_password(given.as_bytes(), &hash).ok()
            };
            let key = store.keys()?.into_iter().find(|key| key.id == id);
            Ok(key.filter(|key| holds(key).is_some()))
        });
        let failed = |_| Err(StoreError::Unavailable("a key could not be looked at".to_owned()));
        let key = match found.await.unwrap_or_else(failed) {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(None),
            Err(error) => {
                let known = self.known(&digest, Duration::MAX);
                return known.map(|key| caller(&key)).ok_or(error);
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_KEYS {
            known.clear();
        }
        known.insert(digest, (key.clone(), Instant::now()));
        drop(known);
        Ok(caller(&key))
    }

    fn known(&self, digest: &[u8; 32], age: Duration) -> Option<Key> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).filter(|(_, since)| since.elapsed() < age).map(|(key, _)| key.clone())
    }
}

/// Who holds a key, while it holds.
fn caller(key: &Key) -> Option<Caller> {
    let holds = key.revoked.is_none() && key.expires.is_none_or(|until| now() < until);
    let role = Role::of(&key.role).filter(|_| holds)?;
    Some(Caller { name: format!("key:{}", key.name), role })
}
