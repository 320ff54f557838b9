//! `composite`: masks the fields of a composite type, each by a function of its own; others are NULL.

use super::{Mask, Stands};
use crate::kind::Kind;
use crate::strategy::Strategy;

#[derive(Debug)]
pub(crate) struct Composite {
    pub(crate) names: Vec<String>,
    pub(crate) functions: Vec<Strategy>,
}

impl Mask for Composite {
    /// No type of one value has fields.
    fn stands(&self, _kind: Kind, _takes: bool) -> Stands {
        Stands::Unsupported
    }

    fn fields(&self) -> &[String] {
        &self.names
    }

    fn inner(&self) -> &[Strategy] {
        &self.functions
    }
}
