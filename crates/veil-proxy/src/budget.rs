//! How many questions about masked columns each user has asked in the hour that began with the first of them.
//!
//! A question that has been paid for is free until the hour ends. What is kept of it is a hash.

use std::collections::HashSet;
use std::collections::hash_map::{HashMap, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::info;
use veil_policy::question::TENTHS;
use veil_policy::{Charge, Refusal};

const HOUR: Duration = Duration::from_secs(3600);

/// Users who are remembered; those whose hour has ended are forgotten then.
const USERS_MAX: usize = 10_000;

/// The budgets of all users.
#[derive(Debug)]
pub struct Budgets {
    limit: u32,
    of: Mutex<HashMap<(String, String), Arc<Budget>>>,
    hasher: RandomState,
}

impl Budgets {
    /// So many questions for each.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit: limit.saturating_mul(TENTHS), of: Mutex::default(), hasher: RandomState::new() }
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
                limit: self.limit,
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
    /// In tenths of a question.
    limit: u32,
    hasher: RandomState,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    since: Option<Instant>,
    tenths: u32,
    paid: HashSet<u64>,
    /// Questions that are asked for the first time whenever they are asked.
    unique: u64,
}

/// What stands in the place of parameters.
#[derive(Clone, Copy)]
pub(crate) enum Parameters<'a> {
    /// They are in these bytes, and perhaps there are none.
    Bytes(&'a [u8]),
    /// They are not known.
    Unknown,
}

impl Budget {
    /// Pays for questions.
    ///
    /// # Errors
    /// The budget is used up: nothing has been paid.
    pub(crate) fn charge(
        &self,
        charges: &[Charge],
        given: Parameters<'_>,
        now: Instant,
    ) -> Result<(), Refusal> {
        if charges.is_empty() {
            return Ok(());
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match spent.since {
            Some(since) if now.saturating_duration_since(since) < HOUR => since,
            _ => {
                *spent = Spent { since: Some(now), unique: spent.unique, ..Spent::default() };
                now
            }
        };
        let (mut cost, mut new) = (0_u32, Vec::new());
        for charge in charges {
            let key = match (charge.moment, charge.parameters, given) {
                (false, false, _) => self.hasher.hash_one(charge.key),
                (false, true, Parameters::Bytes(bytes)) => self.hasher.hash_one((charge.key, bytes)),
                _ => {
                    spent.unique += 1;
                    self.hasher.hash_one((charge.key, "unique", spent.unique))
                }
            };
            if !spent.paid.contains(&key) && !new.contains(&key) {
                cost = cost.saturating_add(charge.tenths);
                new.push(key);
            }
        }
        let tenths = spent.tenths.saturating_add(cost);
        if cost > 0 && tenths > self.limit {
            info!(user = self.user, "questions about masked columns: the budget of the hour is used up");
            let left = HOUR.saturating_sub(now.saturating_duration_since(since)).as_secs().div_ceil(60);
            return Err(Refusal {
                code: "42501",
                message: format!(
                    "IronVeil refused: the questions about masked columns that this user may ask in an hour are used up; {left} minutes are left"
                ),
                hint: "Ask by columns that are not masked; protection.predicate_budget says how many questions there are.",
            });
        }
        if cost > 0 {
            info!(
                user = self.user,
                tenths = cost,
                left = self.limit - tenths,
                "questions about masked columns"
            );
            spent.tenths = tenths;
            spent.paid.extend(new);
        }
        Ok(())
    }

    fn is_running(&self) -> bool {
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.since.is_some_and(|since| since.elapsed() < HOUR)
    }
}

#[cfg(test)]
mod tests;
