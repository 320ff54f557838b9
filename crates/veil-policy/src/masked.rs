//! Which columns of a result are not shown, for those who are told of it.

use std::sync::Arc;

use crate::labels::Label;

/// A column of a result that is not shown as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedColumn {
    /// Its name in the result.
    pub name: Box<str>,
    /// The rule, if it is masked by one.
    pub rule: Option<Arc<str>>,
    /// What is done: a masking function, or `closed` where it is NULL because of what it is made from.
    pub strategy: &'static str,
}

/// Why a column is masked.
#[derive(Clone)]
pub(crate) struct Why {
    rule: Option<Arc<str>>,
    strategy: &'static str,
}

impl Why {
    /// It is NULL, or part of it is left out.
    pub(crate) const CLOSED: Self = Self { rule: None, strategy: "closed" };

    pub(crate) fn of(label: &Label) -> Self {
        Self { rule: Some(Arc::clone(&label.rule)), strategy: label.masker.strategy().name() }
    }

    pub(crate) fn of_column(self, name: &str) -> MaskedColumn {
        MaskedColumn { name: name.into(), rule: self.rule, strategy: self.strategy }
    }
}
