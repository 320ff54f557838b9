//! What is shown for values is not written over them.

use std::sync::Arc;

use veil_mask::{ColumnMask, Given};
use veil_model::{Format, PgType};

use crate::judge::{Refusal, refuse};

/// A column whose masks are not to be written over its values.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) rule: Arc<str>,
    pub(super) mask: ColumnMask,
    pub(super) given: Given,
    /// There may be a value.
    pub(super) replaces: bool,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Guard {
    pub(super) fn check(
        &self,
        declared: Option<PgType>,
        format: Format,
        value: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let given = Given { kind: declared.or(self.given.kind), ..self.given };
        if (value.is_none() && !self.replaces) || !self.mask.was_shown(given, format, value) {
            return Ok(());
        }
        refuse(
            format!(
                "a value is written to a column that {} masks, which shows that for what is there",
                self.rule
            ),
            "Leave the column out of the statement; \"writes: plain\" in the rule takes values as they are.",
        )
    }
}
