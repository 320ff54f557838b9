//! Verdicts that were given, for as long as the labels stand.

use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;

use crate::judge::{Refusal, Run};

/// Statements whose verdicts are remembered.
const VERDICTS_MAX: usize = 4096;

/// How a statement runs, and what its questions cost.
pub type Verdict = Result<(Run, u32), Refusal>;

/// Verdicts by the address of a statement, and by what else they depend on. The weak reference keeps the address taken,
/// but not what the statement holds.
pub(crate) struct Verdicts<S, K>(Cache<(usize, K), (Weak<S>, Verdict)>);

impl<S, K: Hash + Eq> Default for Verdicts<S, K> {
    fn default() -> Self {
        Self(Cache::new(VERDICTS_MAX))
    }
}

impl<S, K> fmt::Debug for Verdicts<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdicts").finish_non_exhaustive()
    }
}

impl<S, K: Hash + Eq> Verdicts<S, K> {
    /// The verdict on a statement; `judge` gives one that is not known.
    pub(crate) fn of(&self, statement: &Arc<S>, key: K, judge: impl FnOnce() -> Verdict) -> Verdict {
        let key = (Arc::as_ptr(statement).addr(), key);
        if let Some((_, known)) = self.0.get(&key) {
            return known;
        }
        let verdict = judge();
        self.0.insert(key, (Arc::downgrade(statement), verdict.clone()));
        verdict
    }
}
