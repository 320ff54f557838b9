//! The policy of the moment, which may become another while sessions run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use veil_policy::Policy;

/// The policy of the moment.
pub struct Policies {
    now: RwLock<Current>,
    epoch: AtomicU64,
}

/// A policy, and how many there were before it.
#[derive(Clone)]
pub struct Current {
    /// The policy.
    pub policy: Arc<Policy>,
    /// How many there were before.
    pub epoch: u64,
}

impl Policies {
    /// Begins with a policy.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { now: RwLock::new(Current { policy: Arc::new(policy), epoch: 0 }), epoch: AtomicU64::new(0) }
    }

    /// The policy of now.
    #[must_use]
    pub fn current(&self) -> Current {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether another one has taken the place of that with this number.
    #[must_use]
    pub fn is_past(&self, epoch: u64) -> bool {
        self.epoch.load(Ordering::Acquire) != epoch
    }

    /// Puts a policy in the place of the one before.
    pub fn set(&self, policy: Arc<Policy>) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = now.epoch + 1;
        *now = Current { policy, epoch };
        self.epoch.store(epoch, Ordering::Release);
    }
}
