//! What it costs to answer questions about masked columns.
//!
//! Decision: what is asked of masked columns by constants costs, and what would compare them with rows of other tables, or
//! with any number of values that a query makes up, is refused.

use veil_sql::question::{Asks, Given};

use crate::judge::{Refusal, refuse};

/// The cost of one question.
pub const QUESTION: u32 = 100;

/// That of a question which confirms a guess, no more.
const GUESS: u32 = 10;

/// So many questions may be answered by rows that are compared with others before one fails.
const SEVERAL: u32 = 10;

/// A question compares masked columns with others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed;

/// The cost of what is asked of labelled columns; they are compared with other columns, or not.
pub(crate) fn cost(asks: Asks, given: Given, mixed: bool) -> Result<u32, Mixed> {
    let unit = match asks {
        Asks::Alike | Asks::Total => return Ok(0),
        Asks::Beside => return Ok(given.constants.saturating_mul(GUESS)),
        Asks::Equality | Asks::Other if mixed || given.many => return Err(Mixed),
        Asks::Equality => GUESS,
        // Rows come until one fails.
        Asks::Computed if mixed || given.many => QUESTION.saturating_mul(SEVERAL),
        Asks::Other | Asks::Computed => QUESTION,
    };
    Ok(given.constants.max(1).saturating_mul(unit))
}

/// Where masked columns are compared with others.
pub(crate) fn refuse_mixed<T>() -> Result<T, Refusal> {
    refuse(
        "a masked column is compared with columns that are not masked, or with values that the query makes up, which would answer many questions at once".to_owned(),
        "Compare it with literals and parameters; protection.predicates says which questions are answered.",
    )
}
