//! Sessions of browsers: a cookie that scripts cannot read, and a token that a page has to show when it changes something.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use sha2::{Digest, Sha256};
use veil_model::Sensitive;

use super::keys::same;
use crate::hex;

/// Without a request, a session ends after so long.
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// And anyway after so long.
const AGE_MAX: Duration = Duration::from_secs(12 * 3600);
const SESSIONS_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Clone)]
pub(super) struct Session {
    /// The key or token that it was begun with.
    pub(super) credential: Sensitive<String>,
    pub(super) csrf: String,
    began: Instant,
    used: Instant,
}

impl Session {
    pub(super) fn is_csrf(&self, given: &str) -> bool {
        same(given, &self.csrf)
    }

    fn holds(&self) -> bool {
        self.began.elapsed() < AGE_MAX && self.used.elapsed() < IDLE_MAX
    }
}

fn random() -> String {
    let mut bytes = [0; 32];
    // Without randomness there are no sessions: nobody can guess the other half.
    match rand::fill(&mut bytes) {
        Ok(()) => hex(&bytes),
        Err(_) => String::new(),
    }
}

impl Sessions {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, credential: &str) -> (String, String) {
        let (cookie, csrf, now) = (random(), random(), Instant::now());
        let session = Session {
            credential: Sensitive::new(credential.to_owned()),
            csrf: csrf.clone(),
            began: now,
            used: now,
        };
        let mut all = self.all();
        all.retain(|_, session| session.holds());
        if all.len() >= SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, session)| session.used).map(|(digest, _)| *digest);
            oldest.into_iter().for_each(|digest| drop(all.remove(&digest)));
        }
        if !cookie.is_empty() {
            all.insert(Sha256::digest(&cookie).into(), session);
        }
        (cookie, csrf)
    }

    pub(super) fn find(&self, cookie: &str) -> Option<Session> {
        let digest: [u8; 32] = Sha256::digest(cookie).into();
        let mut all = self.all();
        let session = all.get_mut(&digest)?;
        if !session.holds() {
            all.remove(&digest);
            return None;
        }
        session.used = Instant::now();
        Some(session.clone())
    }

    pub(super) fn end(&self, cookie: &str) {
        let digest: [u8; 32] = Sha256::digest(cookie).into();
        self.all().remove(&digest);
    }

    /// Those that have ended are forgotten.
    pub(super) fn recheck(&self) {
        self.all().retain(|_, session| session.holds());
    }
}
