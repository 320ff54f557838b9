//! What masks a column, and why.

use std::sync::Arc;

use veil_mask::{ColumnMask, Masker};
use veil_model::PgType;
use veil_sql::catalog::Column;

use crate::beside::Cases;
use crate::labels::UNCLASSIFIED;
use crate::protection::Writes;
use crate::rule::Masking;

/// Why and how a column is masked.
#[derive(Clone)]
pub struct Label {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Its function.
    pub masker: Arc<Masker>,
    /// The column's type in PostgreSQL, whose COPY does not say it.
    pub kind: Option<PgType>,
    /// Sums and means over groups of at least so many rows are shown.
    pub min_group: Option<u64>,
    /// How values are taken that clients write.
    pub writes: Writes,
    /// Rules that are for some rows only.
    pub cases: Option<Arc<Cases>>,
}

impl Label {
    pub(crate) fn new(masking: Masking, kind: Option<PgType>) -> Self {
        let Masking { rule, masker, min_group, writes, cases } = masking;
        Self { rule, masker, kind, min_group, writes, cases }
    }

    /// The same for a column whose values are `words`, if it is such a column.
    pub(crate) fn among(self, words: Option<&Arc<[String]>>) -> Self {
        match words {
            Some(words) => self.with(|masker| masker.among(words)),
            None => self,
        }
    }

    /// The same for a column of such a type.
    pub(crate) fn of(self, column: &Column) -> Self {
        match &column.fields {
            Some(fields) => self.with(|masker| masker.of_fields(fields)),
            None => self.among(column.words.as_ref()),
        }
    }

    fn with(mut self, other: impl Fn(&Masker) -> Masker) -> Self {
        self.cases = self.cases.map(|cases| Arc::new(cases.map(|masker| Arc::new(other(masker)))));
        self.masker = Arc::new(other(&self.masker));
        self
    }

    /// Whether it is that of columns on which there is no rule (`unclassified`): what they refer to says more of them.
    pub(crate) fn is_of_the_rest(&self) -> bool {
        &*self.rule == UNCLASSIFIED
    }

    /// The columns of the same row by which a cell is masked.
    pub(crate) fn looks_at(&self) -> impl Iterator<Item = &str> {
        let cases = self.cases.iter().flat_map(|cases| &cases.each);
        let done = cases.clone().map(|(_, done)| done);
        let done = done.chain(self.cases.iter().map(|cases| &cases.otherwise));
        let subjects = done.filter_map(|done| done.as_deref()?.subject());
        cases.map(|(when, _)| when.column.as_str()).chain(subjects).chain(self.masker.subject())
    }

    /// What finds values from the masks that clients give, if anything does.
    pub(crate) fn translates(&self) -> Option<(PgType, ColumnMask)> {
        // The masks of some rows are others.
        let kind = self.kind.filter(|_| self.cases.is_none())?;
        Some((kind, self.masker.column(kind))).filter(|(_, mask)| mask.translates())
    }
}
