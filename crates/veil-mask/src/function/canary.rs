//! `canary`: another function's masks, of a column in which values are planted that nobody has a reason to read. Who reads one is told of.
//!
//! The mask does not differ from others'. What was met is counted for the thread: rows are masked without a pause, and whoever masked them asks behind them.

use std::cell::Cell;
use std::collections::HashSet;

use super::{At, Mask, Stands, lower};
use crate::kind::Kind;
use crate::strategy::Strategy;

thread_local! {
    static MET: Cell<usize> = const { Cell::new(0) };
}

/// How many canaries this thread has masked since it was asked last.
#[must_use]
pub fn canaries_met() -> usize {
    MET.take()
}

#[derive(Debug)]
pub(crate) struct Canary {
    /// In small letters without blanks around them.
    planted: HashSet<String>,
    like: [Strategy; 1],
}

impl Canary {
    pub(crate) fn new(planted: &[String], like: Strategy) -> Self {
        Self { planted: planted.iter().map(|text| folded(text)).collect(), like: [like] }
    }
}

fn folded(text: &str) -> String {
    lower(text.trim()).collect()
}

impl Mask for Canary {
    fn fits(&self, kind: Kind) -> bool {
        let [like] = &self.like;
        let takes = like.function().takes.contains(&kind.takes());
        !matches!(like.mask().stands(kind, takes), Stands::Unsupported)
    }

    fn inner(&self) -> &[Strategy] {
        &self.like
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        at.masks()?;
        if self.planted.contains(&folded(text)) {
            MET.set(MET.get() + 1);
        }
        at.inner.first()?.value(at.kind, text, out)
    }
}
