//! What stands around a query.

use super::scope::Scope;
use super::{Output, perhaps_same};

/// What names mean around a query, from the inside out.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'a, 's> {
    pub(super) scope: Option<&'s Scope<'a, 's>>,
    pub(super) expressions: Option<&'s Expressions<'a, 's>>,
    pub(super) depth: usize,
    /// How many of the queries around have common table expressions.
    pub(super) level: usize,
}

impl Around<'_, '_> {
    /// Whether a common table expression around goes by a name.
    pub(super) fn hides(&self, name: &str) -> bool {
        let around = std::iter::successors(self.expressions, |expressions| expressions.around);
        around.into_iter().any(|known| perhaps_same(known.name, name))
    }
}

/// A common table expression, and those around it.
pub(super) struct Expressions<'a, 's> {
    pub(super) name: &'s str,
    /// `None` if they are not known.
    pub(super) columns: Option<Vec<Output<'a>>>,
    pub(super) around: Option<&'s Self>,
    pub(super) level: usize,
}
