//! What it costs to answer questions about masked columns.
//!
//! Decision: what is asked of masked columns by constants costs, and what would compare them with rows of other tables, which
//! may hold any number of guesses, is refused. A question that has been paid for may be asked again.

use veil_sql::question::{Asks, Given};

use crate::judge::{Refusal, refuse};

/// Tenths of a question.
pub const TENTHS: u32 = 10;

/// The cost of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The same for the same question.
    pub key: u64,
    /// In tenths of a question.
    pub tenths: u32,
    /// It depends on parameters.
    pub parameters: bool,
    /// It is another question each time.
    pub moment: bool,
}

/// A question compares masked columns with others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed;

/// The cost of what is asked of so many columns that are labelled, or may be; `None` if it tells nothing.
pub(crate) fn charge(asks: Asks, given: Given, mixed: bool, columns: u32) -> Result<Option<Charge>, Mixed> {
    let unit = match asks {
        Asks::Alike | Asks::Total => return Ok(None),
        Asks::Beside if given.constants == 0 => return Ok(None),
        Asks::Beside => 1,
        Asks::Equality | Asks::Other if mixed => return Err(Mixed),
        // It confirms a guess, no more.
        Asks::Equality => 1,
        Asks::Other | Asks::Computed => TENTHS,
    };
    Ok(Some(Charge {
        key: given.key,
        tenths: given.constants.max(1).saturating_mul(unit),
        parameters: given.parameters,
        // Rows may have become others, those of the client's own too.
        moment: given.moment || (columns > 1 && asks == Asks::Other) || (mixed && asks == Asks::Computed),
    }))
}

/// Where masked columns are compared with others.
pub(crate) fn refuse_mixed<T>() -> Result<T, Refusal> {
    refuse(
        "a masked column is compared with columns that are not masked, which would answer many questions at once".to_owned(),
        "Compare it with literals and parameters; protection.predicates says which questions are answered.",
    )
}
