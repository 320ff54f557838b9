//! What a value may hold.

use crate::labels::Label;

/// What a value may hold.
#[derive(Clone)]
pub(in crate::mysql) enum Flow {
    /// Nothing of what is labelled.
    Clean,
    /// The value of a column with this label as it is, or nothing of what is labelled.
    Verbatim {
        /// The label.
        label: Label,
        /// Type of the column, as it was declared.
        declared: String,
    },
    /// It may be made from what is labelled, or cannot be told.
    Closed,
}

impl Flow {
    /// One of two values.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Clean, other) | (other, Self::Clean) => other,
            (Self::Verbatim { label, declared }, Self::Verbatim { label: second, declared: as_well })
                if label.rule == second.rule && declared == as_well =>
            {
                Self::Verbatim { label, declared }
            }
            _ => Self::Closed,
        }
    }

    /// Whether, of a column and what is written to it, nothing labelled comes where it is not masked alike, or into another
    /// table than its own.
    pub(in crate::mysql) fn may_be_assigned(pair: &[Self], alone: bool) -> bool {
        match pair {
            [_, Self::Clean] => true,
            [Self::Verbatim { label, .. }, Self::Verbatim { label: written, .. }] => {
                alone && label.rule == written.rule
            }
            _ => false,
        }
    }

    /// What is computed from it.
    pub(super) fn computed(self) -> Self {
        if self.is_clean() { Self::Clean } else { Self::Closed }
    }

    /// Whether nothing of what is labelled is in it.
    pub(in crate::mysql) const fn is_clean(&self) -> bool {
        matches!(self, Self::Clean)
    }
}
