//! `boolean`: randomised response. Of so many subjects in a hundred a keyed coin answers, of the others the value.
//!
//! The coin is the subject's in one column, so that asking again tells nothing more; shares of many rows can be estimated, as the coin's share is known.

use super::{At, Mask};
use crate::number::Number;

#[derive(Debug)]
pub(crate) struct Boolean {
    /// Answers that the coin gives, in a hundred.
    pub(crate) percent: u64,
}

impl Mask for Boolean {
    /// Where elements with one coin differ, it has not answered.
    fn takes_arrays(&self) -> bool {
        false
    }

    fn truth(&self, at: &At<'_>, truth: bool) -> Option<bool> {
        let mut draws = at.key.prf().bytes(b"of|").bytes(at.subject?.as_bytes()).draws();
        let (drawn, coin) = (draws.below(100), draws.below(2) == 1);
        Some(if drawn < self.percent { coin } else { truth })
    }

    /// 0 and 1, as `tinyint(1)` holds them.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let truth = number.whole().filter(|&number| number < 2)? == 1;
        Number::of(at.kind, self.truth(at, truth)?.into())
    }
}
