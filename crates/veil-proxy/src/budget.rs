//! How many questions about masked columns each user has asked in the hour that began with the first of them.
//!
//! Decision: a statement that is asked again in the same words costs a tenth. It may be another question all the same, by
//! settings or rows that have changed; so it is never free. What is kept of it is a hash.

use std::collections::HashSet;
use std::collections::hash_map::{HashMap, RandomState};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use veil_policy::Refusal;
use veil_policy::question::QUESTION;

const HOUR: Duration = Duration::from_secs(3600);

/// Users who are remembered; those whose hour has ended are forgotten then.
const USERS_MAX: usize = 10_000;

/// The budgets of all users.
#[derive(Debug)]
pub struct Budgets {
    limit: Arc<AtomicU32>,
    of: Mutex<HashMap<(String, String), Arc<Budget>>>,
    hasher: RandomState,
}

impl Budgets {
    /// So many questions for each.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let hasher = RandomState::new();
        let budgets = Self { limit: Arc::default(), of: Mutex::default(), hasher };
        budgets.set_limit(limit);
        budgets
    }

    /// So many from now on, with those that were asked.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit.saturating_mul(QUESTION), Ordering::Relaxed);
    }

    /// That of a user of a database; of a server where `database` is empty.
    pub fn of(&self, database: &str, user: &str) -> Arc<Budget> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= USERS_MAX {
            of.retain(|_, budget| Arc::strong_count(budget) > 1 || budget.is_running());
        }
        let key = (database.to_owned(), user.to_owned());
        let budget = of.entry(key).or_insert_with(|| {
            Arc::new(Budget {
                user: user.to_owned(),
                limit: Arc::clone(&self.limit),
                hasher: self.hasher.clone(),
                spent: Mutex::default(),
            })
        });
        Arc::clone(budget)
    }
}

/// What one user has asked.
#[derive(Debug)]
pub struct Budget {
    user: String,
    /// In hundredths of a question.
    limit: Arc<AtomicU32>,
    hasher: RandomState,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    since: Option<Instant>,
    hundredths: u32,
    paid: HashSet<u64>,
}

/// Parameters longer than this are another question each time.
pub(crate) const GIVEN_MAX: usize = 16 << 10;

/// What is asked again costs so much less.
const AGAIN: u32 = 10;

impl Budget {
    /// The words of a statement, or these and what stands in the place of its parameters.
    pub(crate) fn words(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// Tells of planted values that the user has read.
    pub fn tell(&self, canaries: usize) {
        if canaries > 0 {
            warn!(user = self.user, canaries, "planted values were read");
        }
    }

    /// Pays for questions, so many hundredths; `words` are `None` if they are not known.
    ///
    /// # Errors
    /// The budget is used up: nothing has been paid.
    pub(crate) fn pay(&self, cost: u32, words: Option<u64>, now: Instant) -> Result<(), Refusal> {
        if cost == 0 {
            return Ok(());
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match spent.since {
            Some(since) if now.saturating_duration_since(since) < HOUR => since,
            _ => {
                *spent = Spent { since: Some(now), ..Spent::default() };
                now
            }
        };
        let again = words.is_some_and(|words| spent.paid.contains(&words));
        let price = if again { cost.div_ceil(AGAIN) } else { cost };
        let total = spent.hundredths.saturating_add(price);
        let limit = self.limit.load(Ordering::Relaxed);
        let fits = total <= limit;
        if fits {
            spent.hundredths = total;
            spent.paid.extend(words);
        }
        drop(spent);
        if fits {
            info!(
                user = self.user,
                hundredths = price,
                left = limit - total,
                "questions about masked columns"
            );
            return Ok(());
        }
        info!(user = self.user, "questions about masked columns: the budget of the hour is used up");
        let left = HOUR.saturating_sub(now.saturating_duration_since(since)).as_secs().div_ceil(60);
        Err(Refusal {
            code: "42501",
            message: format!(
                "IronVeil refused: the questions about masked columns that this user may ask in an hour are used up; {left} minutes are left"
            ),
            hint: "Ask by columns that are not masked; protection.predicate_budget says how many questions there are.",
        })
    }

    fn is_running(&self) -> bool {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.since.is_some_and(|since| since.elapsed() < HOUR)
    }
}

#[cfg(test)]
mod tests;
