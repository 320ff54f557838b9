//! Which columns of a result are not shown, for those who are told of it.

use std::collections::HashMap;
use std::sync::Arc;

use veil_sql::normal::is_name;

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

/// Columns that a rule shows to somebody for whom others would mask them.
#[derive(Default)]
pub(crate) struct Unmasked(HashMap<String, Vec<(String, Arc<str>)>>);

impl Unmasked {
    pub(crate) fn add(&mut self, table: &str, column: &str, rule: Arc<str>) {
        self.0.entry(table.to_lowercase()).or_default().push((column.to_lowercase(), rule));
    }

    /// Those that a text names, or may show by a star, of these tables.
    pub(crate) fn named<'a>(&self, tables: impl Iterator<Item = &'a str>, text: &str) -> Vec<MaskedColumn> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let text = text.to_lowercase();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let names = |column: &str| {
            text.contains('*')
                || text.ends_with("...")
                || text.split(|c| !is_word(c)).any(|word| word == column)
        };
        let columns = tables.filter_map(|table| self.0.get(&table.to_lowercase())).flatten();
        let named = columns.filter(|(column, _)| names(column) || !column.chars().all(is_word));
        let told = named.map(|(name, rule)| MaskedColumn {
            name: name.as_str().into(),
            rule: Some(Arc::clone(rule)),
            strategy: "unmask",
        });
        told.collect()
    }
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

    /// What is no name may be made of literals, and is not told.
    pub(crate) fn of_column(self, name: &str) -> MaskedColumn {
        let name = if is_name(name) { name } else { "?" };
        MaskedColumn { name: name.into(), rule: self.rule, strategy: self.strategy }
    }
}
