//! What one statement gives in three databases, and what that says.

use std::collections::BTreeMap;
use std::fmt;

/// All that a client is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Everything but rows, in its order.
    pub frame: Vec<Vec<u8>>,
    pub rows: Vec<Vec<u8>>,
    /// The SQLSTATE or number of an error.
    pub error: Option<String>,
}

/// What two outcomes say about the secrets in which their databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing: they are equal.
    Equal,
    /// Nothing: the same error.
    Error,
    /// Nothing: the proxy refused both.
    Refused,
    /// The order of rows, which an index or a hash table gave.
    Order,
    /// Whether there is an error, or which.
    ErrorBit,
    /// Two databases without a difference answered differently.
    Unstable,
    /// The server died of it, without and with a proxy.
    Crash,
    /// Data.
    Leak,
}

/// Compares what two databases that differ in secrets answered, and a third one that does not differ from the first.
pub fn classify(one: &Outcome, other: &Outcome, control: &Outcome, refusal: &str) -> Class {
    match (&one.error, &other.error) {
        _ if [one, other, control].into_iter().any(is_cut_short) => Class::Unstable,
        _ if !alike(one, control) => Class::Unstable,
        (Some(first), Some(second)) if first == second && first == refusal => Class::Refused,
        (Some(first), Some(second)) if first == second => Class::Error,
        (Some(_), _) | (_, Some(_)) => Class::ErrorBit,
        _ if one == other => Class::Equal,
        _ if alike(one, other) => Class::Order,
        _ => Class::Leak,
    }
}

/// Whether a statement took longer than the servers let it, which the machine's load decides on.
fn is_cut_short(outcome: &Outcome) -> bool {
    outcome.error.as_deref().is_some_and(|error| ["57014", "1969", "3024"].contains(&error))
}

/// Whether two outcomes differ in the order of rows at most.
fn alike(one: &Outcome, other: &Outcome) -> bool {
    one == other || (one.frame == other.frame && sorted(one) == sorted(other))
}

fn sorted(outcome: &Outcome) -> Vec<&[u8]> {
    let mut rows: Vec<&[u8]> = outcome.rows.iter().map(Vec::as_slice).collect();
    rows.sort_unstable();
    rows
}

/// Counts, as they are printed.
#[derive(Debug, Default)]
pub struct Tally {
    pub statements: usize,
    pub touching: usize,
    pub classes: BTreeMap<Class, usize>,
    /// Of the statements that were run on the servers themselves: how many, how many did not fail, and how many answers differed.
    pub direct: usize,
    pub valid: usize,
    pub telling: usize,
    /// Of the valid ones that hold nothing sensitive: how many, and how many came as the server gave them.
    pub harmless: usize,
    pub untouched: usize,
    /// Of the valid ones that hold something sensitive: how many, and how many ran.
    pub sensitive: usize,
    pub ran: usize,
}

impl Tally {
    pub fn add(&mut self, class: Class) {
        *self.classes.entry(class).or_default() += 1;
    }

    pub fn count(&self, class: Class) -> usize {
        self.classes.get(&class).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        writeln!(f, "{} statements, {} of them over tables with secrets", self.statements, self.touching)?;
        for (class, count) in &self.classes {
            writeln!(f, "  {class:?}: {count}")?;
        }
        let compared = self.count(Class::Equal) + self.count(Class::Order);
        writeln!(f, "  bound on the rate of leaks (95 %): {:.4} %", 300.0 / compared.max(1) as f64)?;
        writeln!(
            f,
            "  without the proxy: {} run, {} valid, {} of these answers ({:.1} %) tell secrets",
            self.direct,
            self.valid,
            self.telling,
            share(self.telling, self.valid)
        )?;
        writeln!(
            f,
            "  valid and harmless: {}, as the server gave them {:.2} %",
            self.harmless,
            share(self.untouched, self.harmless)
        )?;
        write!(f, "  valid and sensitive: {}, run {:.2} %", self.sensitive, share(self.ran, self.sensitive))
    }
}
