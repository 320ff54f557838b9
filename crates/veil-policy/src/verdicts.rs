//! Verdicts that were given, for as long as the labels stand.

use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;

use crate::judge::{Refusal, Run};
use crate::translate::Translation;

/// Statements whose verdicts are remembered.
const VERDICTS_MAX: usize = 4096;

/// What is known of a statement that may run.
#[derive(Clone)]
pub struct Judged {
    /// How it runs.
    pub run: Run,
    /// What its questions cost.
    pub cost: u32,
    /// What masks in it stand for, if there are any.
    pub masks: Option<Arc<Translation>>,
    /// What would become of it, where nothing is changed.
    pub would: Option<Would>,
}

/// What would become of a statement.
#[derive(Clone, Debug)]
pub struct Would {
    /// How it would run.
    pub run: Run,
    /// What its questions would cost.
    pub cost: u32,
    /// Whether it has masks, or would have its writes looked at.
    pub masks: bool,
    /// Why it would not run.
    pub refusal: Option<Refusal>,
}

impl Judged {
    /// One that asks nothing.
    #[must_use]
    pub const fn run(run: Run) -> Self {
        Self { run, cost: 0, masks: None, would: None }
    }

    /// One that runs as it is, whatever the verdict would be.
    pub(crate) fn observed(verdict: Verdict) -> Self {
        let would = match verdict {
            Ok(Self { run, cost, masks, .. }) => Would { run, cost, masks: masks.is_some(), refusal: None },
            Err(refusal) => Would { run: Run::CLOSED, cost: 0, masks: false, refusal: Some(refusal) },
        };
        Self { would: Some(would), ..Self::run(Run::SHOWN) }
    }
}

/// Whether a statement may run.
pub type Verdict = Result<Judged, Refusal>;

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
