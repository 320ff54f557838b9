//! One catalog for each database, shared by its sessions, and the labels laid over it for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use veil_policy::{Labels, Policy};
use veil_sql::Catalog;

/// A catalog older than this is read again.
const AGE_MAX: Duration = Duration::from_secs(30);
/// A name that is not known has the catalog read again at most this often.
const MISSING_INTERVAL: Duration = Duration::from_secs(1);
/// How long a session that reads the catalog is waited for.
const RETRY: Duration = Duration::from_secs(1);
/// Users whose labels are kept.
const USERS_MAX: usize = 1024;

/// The catalog of one database.
pub struct Slot {
    database: String,
    policy: Arc<Policy>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    catalog: Option<Arc<Catalog>>,
    /// Grows with every change.
    generation: u64,
    read_at: Option<Instant>,
    /// Something that defines objects has run since.
    stale: bool,
    /// Somebody reads it; nobody else begins before.
    not_before: Option<Instant>,
    labels: HashMap<String, Arc<Labels>>,
}

impl State {
    fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        let Some(read_at) = self.read_at else { return true };
        if self.not_before.is_some_and(|moment| now < moment) {
            return false;
        }
        let age = now.saturating_duration_since(read_at);
        self.stale || age > AGE_MAX || (names_missing && age > MISSING_INTERVAL)
    }
}

/// Whether a catalog has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is young enough.
    No,
    /// It has to be read now.
    Yes,
}

impl Slot {
    /// For the database that its server calls `database`.
    #[must_use]
    pub fn new(database: String, policy: Arc<Policy>) -> Self {
        Self { database, policy, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Labels for `user`, and the generation they belong to, unless that is `known` already.
    #[must_use]
    pub fn labels(&self, user: &str, known: u64) -> Option<(u64, Arc<Labels>)> {
        let changed = self.state().generation != known;
        changed.then(|| self.labels_now(user))
    }

    /// Labels for `user`, and the generation they belong to. Without a catalog nothing is known, and everything
    /// is closed.
    #[must_use]
    pub fn labels_now(&self, user: &str) -> (u64, Arc<Labels>) {
        let mut state = self.state();
        let generation = state.generation;
        if let Some(labels) = state.labels.get(user) {
            return (generation, Arc::clone(labels));
        }
        let catalog = state.catalog.clone().unwrap_or_default();
        let labels = Arc::new(Labels::new(Arc::clone(&self.policy), catalog, &self.database, user));
        if state.labels.len() >= USERS_MAX {
            state.labels.clear();
        }
        state.labels.insert(user.to_owned(), Arc::clone(&labels));
        (generation, labels)
    }

    /// Whether the catalog is to be read before a statement. A session that is told so has to do it: an old
    /// catalog is reported once in every interval.
    #[must_use]
    pub fn due(&self, now: Instant, names_missing: bool) -> Due {
        let mut state = self.state();
        let due = state.is_due(now, names_missing);
        if due && state.catalog.is_some() {
            // If the one who reads goes away, another does it soon.
            state.not_before = Some(now + RETRY);
        }
        if due { Due::Yes } else { Due::No }
    }

    /// Whether `due` would say so.
    #[must_use]
    pub fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        self.state().is_due(now, names_missing)
    }

    /// Takes a catalog that was read.
    pub fn install(&self, catalog: Catalog, now: Instant) {
        let mut state = self.state();
        state.read_at = Some(now);
        state.stale = false;
        state.not_before = None;
        if state.catalog.as_deref() != Some(&catalog) {
            state.catalog = Some(Arc::new(catalog));
            state.generation += 1;
            state.labels.clear();
        }
    }

    /// Labels of an empty catalog: nothing is known, and everything is closed.
    #[must_use]
    pub fn labels_of_nothing(&self, user: &str) -> Arc<Labels> {
        Arc::new(Labels::new(Arc::clone(&self.policy), Arc::default(), &self.database, user))
    }

    /// Whether the catalog has to be read before the next statement.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state().stale
    }

    /// Objects were defined or changed: the catalog is read before the next statement.
    pub fn invalidate(&self) {
        self.state().stale = true;
    }
}
