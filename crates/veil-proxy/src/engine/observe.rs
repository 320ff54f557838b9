//! Where nothing is changed (`protection.mode: observe`), the log says what would be.

use tracing::info;
use veil_policy::{Refusal, Would};

/// A statement that would be refused.
pub(super) fn refused(refusal: &Refusal) {
    info!(why = refusal.message, "observe: a statement would be refused");
}

/// What would become of a statement.
pub(super) fn judged(would: &Would) {
    would.refusal.iter().for_each(refused);
    if would.cost > 0 || would.masks {
        info!(
            hundredths = would.cost,
            masks = would.masks,
            "observe: a statement asks or writes by masked columns"
        );
    }
}

/// How many columns of a result would be masked or closed.
pub(super) fn masked(columns: usize) {
    if columns > 0 {
        info!(columns, "observe: columns of a result would be masked");
    }
}

/// How rows are written that would have been by this plan.
pub(super) fn plan(plan: veil_policy::mysql::Plan) -> veil_policy::mysql::Plan {
    masked(plan.masked().len());
    plan.shown()
}
