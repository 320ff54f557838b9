//! What is told of statements.

use std::sync::Arc;

use veil_mask::{canaries_met, unclassified_met, unmaskable_met};

use super::{Guarded, Reply};
use crate::statements::Outcome;

impl Guarded {
    /// The statement that is looked at does not run.
    pub(super) fn tell_of_refusal(&mut self, code: &str) {
        let (began, shown) = (self.now, self.shown.take());
        let (text, code) = (shown.as_ref(), Some(code.to_owned()));
        let unmasked = Vec::new();
        self.teller.ended(Outcome {
            began,
            text,
            columns: &Arc::default(),
            unmasked,
            rows: 0,
            refused: true,
            code,
        });
    }

    /// Tells of a statement that has ended, perhaps by an error.
    pub(super) fn tell(&mut self, reply: &Reply, changed: u64, code: Option<String>) {
        let sent = std::mem::take(&mut self.sent);
        let columns = reply.plan.as_ref().map(|plan| Arc::clone(plan.masked())).unwrap_or_default();
        let judged = reply.judged();
        let text = reply.shown.as_ref().map_or("", |shown| shown.text.as_str());
        let unmasked = self.judge.labels().unmasked(&judged.statement, text);
        self.teller.ended(Outcome {
            unmasked,
            began: reply.began,
            text: reply.shown.as_ref(),
            columns: &columns,
            rows: sent.max(changed),
            refused: false,
            code,
        });
    }

    /// Tells of values that were planted, of those that could not be masked, and of those that no rule is on.
    pub(super) fn tell_of_values(&mut self) {
        let canaries = canaries_met();
        self.judge.tell_of_canaries(canaries);
        self.teller.met(canaries, unmaskable_met(), unclassified_met());
    }
}
