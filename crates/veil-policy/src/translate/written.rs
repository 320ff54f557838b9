//! What stands in the columns that a statement writes to.

use veil_sql::lineage::Stored;
use veil_sql::{QualifiedName, RelationKind};

use crate::judge::{Refusal, named, refuse};
use crate::labels::{Fate, Label, Labels};
use crate::protection::{Predicates, Writes};

/// What stands in a column that is written to.
#[derive(Clone)]
pub(crate) enum Written {
    /// Values as they are.
    Plain,
    /// Values that are shown as masks, which are not to be written over them.
    Shown(Label),
    /// Masks stand for them.
    Masks(Label),
    /// Perhaps masks stand for them.
    Unsure,
}

impl Written {
    pub(crate) const fn takes_anything(&self) -> bool {
        matches!(self, Self::Plain | Self::Shown(_))
    }

    /// One of two tables' columns.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Masks(a), Self::Masks(b)) if a.rule == b.rule && a.kind == b.kind => Self::Masks(a),
            (Self::Masks(_) | Self::Unsure, _) | (_, Self::Masks(_) | Self::Unsure) => Self::Unsure,
            (Self::Shown(label), _) | (_, Self::Shown(label)) => Self::Shown(label),
            (Self::Plain, Self::Plain) => Self::Plain,
        }
    }
}

/// What stands in a column of a table, or in any of its columns.
pub(super) fn written(target: &QualifiedName, stored: Option<&Stored>, labels: &Labels) -> Written {
    let place = stored.and_then(|stored| stored.place.as_ref());
    let fates = named(target, labels).flat_map(|oid| labels.fates(oid, place));
    let denies = labels.policy().predicates() == Predicates::Deny;
    let columns = fates.map(|fate| match fate {
        // The mask of a value of the client's own would tell how those of its subject are made.
        (Fate::Mask(label), _) if denies && label.masker.subject().is_some() => Written::Unsure,
        (Fate::Mask(label), _) if label.writes == Writes::Plain => Written::Plain,
        (Fate::Mask(label), _) if label.translates().is_some() => Written::Masks(label),
        (Fate::Mask(label), _) => Written::Shown(label),
        (Fate::Close, RelationKind::View) => Written::Unsure,
        (Fate::Pass | Fate::Close, _) => Written::Plain,
    });
    columns.reduce(Written::or).unwrap_or(Written::Plain)
}

/// Of a column that a rule looks at.
pub(crate) fn refuse_deciding<T>() -> Result<T, Refusal> {
    refuse(
        "a write to a column that decides how others of its row are masked".to_owned(),
        "Write it as a user whom no rule concerns.",
    )
}

pub(crate) fn refuse_computed<T>() -> Result<T, Refusal> {
    refuse(
        "what is not a literal or parameter is written to a column whose masks stand for its values"
            .to_owned(),
        super::HINT_MASK,
    )
}
