//! What is told of statements.

use std::sync::Arc;
use std::time::Instant;

use veil_mask::{canaries_met, unclassified_met, unmaskable_met};
use veil_wire::pg::session::{Expected, Name};

use super::{CopyOut, Guarded, Prepared};
use crate::statements::Outcome;

impl Guarded {
    /// The statement of a portal that was executed, and how its rows were written, if there had been any.
    pub(super) fn executed(&mut self, name: &Name) -> Option<Arc<Prepared>> {
        let portal = self.session.portal(name)?;
        let (statement, plan) = (portal.statement.clone(), portal.plan.clone());
        if self.rows.is_none() {
            self.rows = plan;
        }
        statement
    }

    /// Tells of a statement that has ended, whether or not it has failed: what it was shown by is over.
    pub(super) fn tell(
        &mut self,
        prepared: Option<&Prepared>,
        began: Instant,
        rows: u64,
        failed: Option<(String, bool)>,
    ) {
        let columns = match (self.rows.take(), self.copying_out.take()) {
            (Some(plan), _) => Arc::clone(plan.masked()),
            (None, Some(CopyOut::Masked(plan))) => Arc::clone(plan.masked()),
            (None, _) => Arc::default(),
        };
        let sent = std::mem::take(&mut self.sent);
        let (code, refused) = failed.map_or((None, false), |(code, refused)| (Some(code), refused));
        let statement = prepared.and_then(|prepared| prepared.statement.as_ref().zip(prepared.shown()));
        let unmasked = statement.map(|(statement, text)| self.labels().unmasked(statement, &text.text));
        self.teller.ended(Outcome {
            unmasked: unmasked.unwrap_or_default(),
            began,
            text: prepared.and_then(Prepared::shown),
            columns: &columns,
            rows: if sent > 0 { sent } else { rows },
            refused,
            code,
        });
    }

    /// The statement that an error is of, and when it came.
    pub(super) fn head_told(&self) -> Option<(Arc<Prepared>, Instant)> {
        let entry = self.session.head().filter(|entry| !entry.hidden)?;
        let statement = match &entry.expected {
            Expected::Parse { statement, .. } => Some(Arc::clone(statement)),
            _ => self.head_statement(),
        };
        Some((statement?, entry.at))
    }

    /// Tells of values that were planted, of those that could not be masked, and of those that no rule is on.
    pub(super) fn tell_of_values(&mut self) {
        let canaries = canaries_met();
        self.judge.tell_of_canaries(canaries);
        self.teller.met(canaries, unmaskable_met(), unclassified_met());
    }
}
