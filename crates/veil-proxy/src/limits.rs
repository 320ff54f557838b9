//! How many sessions there may be, and how fast they may begin.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::problem::Problem;

/// What is allowed; 0 stands for any number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at one time.
    pub connections: u32,
    /// Sessions of one user.
    pub per_user: u32,
    /// Of all sessions, those that are kept for administrators.
    pub reserved: u32,
    /// The administrators.
    pub admins: Vec<String>,
    /// New sessions.
    pub rate: Rate,
    /// New sessions from one address.
    pub rate_per_address: Rate,
    /// How long a client waits for others to leave.
    pub queue_timeout: Duration,
}

/// So many a second, and so many at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// A second.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

/// Who wants to begin a session, and how many there may be where it goes.
#[derive(Clone, Copy)]
pub struct Applicant<'a> {
    /// Where it comes from.
    pub address: IpAddr,
    /// Who it is.
    pub user: &'a str,
    /// The database, as the configuration has it.
    pub database: &'a str,
    /// Sessions there; 0 for any number.
    pub database_max: u32,
}

/// Tokens that come back with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst.max(1).into(), at: now }
    }

    fn refill(&mut self, rate: Rate, now: Instant) {
        let come = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(rate.per_second);
        *self = Self { tokens: (self.tokens + come).min(rate.burst.max(1).into()), at: now };
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        self.refill(rate, now);
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

/// Addresses whose buckets are kept; full ones are forgotten then.
const ADDRESSES_MAX: usize = 10_000;
/// Clients that may wait.
const WAITING_MAX: usize = 1000;

/// Counts sessions.
#[derive(Default)]
pub struct Admission {
    state: Mutex<State>,
    left: Notify,
    /// Clients that were refused.
    pub refused: AtomicU64,
}

#[derive(Default)]
struct State {
    total: u32,
    by_user: HashMap<String, u32>,
    by_database: HashMap<String, u32>,
    waiting: usize,
    bucket: Option<Bucket>,
    by_address: HashMap<IpAddr, Bucket>,
}

/// A session that is counted, until it is dropped.
pub struct Permit {
    admission: Arc<Admission>,
    user: String,
    database: String,
}

const HINT: &str = "Connect again later, or raise \"limits\" in proxy.yaml.";

impl Admission {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a client in, perhaps after others have left.
    ///
    /// # Errors
    /// There are too many.
    pub async fn admit(self: &Arc<Self>, limits: &Limits, of: Applicant<'_>) -> Result<Permit, Problem> {
        let admitted = self.admit_in_time(limits, of).await;
        if admitted.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    async fn admit_in_time(self: &Arc<Self>, limits: &Limits, of: Applicant<'_>) -> Result<Permit, Problem> {
        self.state().pace(limits, of.address, Instant::now())?;
        let until = tokio::time::Instant::now() + limits.queue_timeout;
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            let full = {
                let mut state = self.state();
                match state.full(limits, of) {
                    None => {
                        state.count(of);
                        break;
                    }
                    Some(full) if state.waiting >= WAITING_MAX => return Err(full),
                    Some(full) => full,
                }
            };
            let _waiting = Waiting::new(self);
            if tokio::time::timeout_at(until, left).await.is_err() {
                return Err(full);
            }
        }
        Ok(Permit { admission: Arc::clone(self), user: of.user.to_owned(), database: of.database.to_owned() })
    }
}

/// A client that waits.
struct Waiting<'a>(&'a Admission);

impl<'a> Waiting<'a> {
    fn new(admission: &'a Admission) -> Self {
        admission.state().waiting += 1;
        Self(admission)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl Permit {
    /// The client wants to be another user.
    ///
    /// # Errors
    /// That one has too many sessions.
    pub(crate) fn becomes(&mut self, limits: &Limits, user: &str) -> Result<(), Problem> {
        if user == self.user {
            return Ok(());
        }
        let mut state = self.admission.state();
        let count = state.by_user.get(user).copied().unwrap_or(0);
        if limits.per_user > 0 && count >= limits.per_user {
            return Err(Problem::new("53300", "too many connections for this user", HINT));
        }
        less(&mut state.by_user, &self.user);
        *state.by_user.entry(user.to_owned()).or_default() += 1;
        user.clone_into(&mut self.user);
        Ok(())
    }
}

fn less(by: &mut HashMap<String, u32>, name: &str) {
    if let Some(count) = by.get_mut(name) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            by.remove(name);
        }
    }
}

impl State {
    fn pace(&mut self, limits: &Limits, address: IpAddr, now: Instant) -> Result<(), Problem> {
        // Who comes too fast takes nothing from the others.
        self.pace_address(limits.rate_per_address, address, now)?;
        let rate = limits.rate;
        if rate.per_second > 0 && !self.bucket.get_or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
        {
            return Err(Problem::new("53300", "too many new connections in this second", HINT));
        }
        Ok(())
    }

    fn pace_address(&mut self, rate: Rate, address: IpAddr, now: Instant) -> Result<(), Problem> {
        if rate.per_second == 0 {
            return Ok(());
        }
        // Whoever has an IPv6 network has all of its addresses.
        let address = match address {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, bucket| {
                bucket.refill(rate, now);
                bucket.tokens < rate.burst.max(1).into()
            });
        }
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.clear();
        }
        let bucket = self.by_address.entry(address).or_insert_with(|| Bucket::full(rate, now));
        if bucket.take(rate, now) {
            return Ok(());
        }
        Err(Problem::new("53300", "too many new connections from this address in this second", HINT))
    }

    /// Why there is no room; none if there is.
    fn full(&self, limits: &Limits, of: Applicant<'_>) -> Option<Problem> {
        let reserved = if limits.admins.iter().any(|admin| admin == of.user) { 0 } else { limits.reserved };
        let count = |by: &HashMap<String, u32>, name: &str| by.get(name).copied().unwrap_or(0);
        let over = |count: u32, max: u32| max > 0 && count >= max;
        let what = if limits.connections > 0 && self.total >= limits.connections.saturating_sub(reserved) {
            "sorry, too many clients already"
        } else if over(count(&self.by_database, of.database), of.database_max) {
            "too many connections for this database"
        } else if over(count(&self.by_user, of.user), limits.per_user) {
            "too many connections for this user"
        } else {
            return None;
        };
        Some(Problem::new("53300", what, HINT))
    }

    fn count(&mut self, of: Applicant<'_>) {
        self.total += 1;
        *self.by_user.entry(of.user.to_owned()).or_default() += 1;
        *self.by_database.entry(of.database.to_owned()).or_default() += 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.total = state.total.saturating_sub(1);
        less(&mut state.by_user, &self.user);
        less(&mut state.by_database, &self.database);
        drop(state);
        self.admission.left.notify_waiters();
    }
}
