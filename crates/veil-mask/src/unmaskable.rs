//! Values that a rule's function could not mask: they are NULL, and counted for the thread, as rows are masked without a pause.

use std::cell::Cell;

thread_local! {
    static MET: Cell<usize> = const { Cell::new(0) };
}

/// How many this thread has met since it was asked last.
#[must_use]
pub fn unmaskable_met() -> usize {
    MET.take()
}

pub(crate) fn note() {
    MET.set(MET.get() + 1);
}
