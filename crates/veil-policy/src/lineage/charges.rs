//! What it costs to answer a statement's questions.

use std::collections::HashSet;

use veil_sql::lineage::Expr;
use veil_sql::question::{Asks, Question};

use super::{Columns, Flow, perhaps_same};
use crate::question::{self, Charge, Mixed};

impl Columns<'_> {
    /// What it costs to answer what the statement asks about what is labelled.
    ///
    /// # Errors
    /// Something is asked that would tell too much at once.
    pub(crate) fn charges(&self) -> Result<Vec<Charge>, Mixed> {
        let asked = self.lineage.asked.iter().chain(&self.lineage.computed);
        asked.filter_map(|question| self.charge(question).transpose()).collect()
    }

    fn charge(&self, question: &Question<Vec<Expr>>) -> Result<Option<Charge>, Mixed> {
        let flows = question.about.iter().map(|value| self.tracer.expr(value));
        // The value of a column as it is: computing it asks nothing.
        let harmless = |flow: Flow| match flow {
            Flow::Clean => true,
            Flow::Verbatim(_) => matches!(question.asks, Asks::Computed | Asks::Total),
            Flow::Closed => false,
        };
        if flows.into_iter().all(harmless) {
            return Ok(None);
        }
        let mut named = Named { seen: HashSet::new(), columns: 0, doubtful: false };
        question.about.iter().for_each(|value| self.name(value, &mut named));
        // In one table, rows are compared with themselves.
        let facts = self.tracer.facts;
        let mixed = named.columns > 1 && named.doubtful && (facts.aliases.len() > 1 || facts.unnamed);
        question::charge(question.asks, question.given, mixed, named.columns)
    }

    /// Counts the columns that a value depends on.
    fn name<'v>(&'v self, value: &'v Expr, named: &mut Named<'v>) {
        match value {
            Expr::Unknown => named.add(true),
            Expr::Whole(_) => {
                named.add(true);
                named.add(true);
            }
            Expr::Windows if named.seen.insert("") => {
                self.lineage.windows.iter().for_each(|value| self.name(value, named));
            }
            Expr::Nullness(inner) => {
                if let Flow::Closed = self.tracer.expr(inner) {
                    self.name(inner, named);
                }
            }
            Expr::Aggregate(inner) => self.name(inner, named),
            Expr::Column { of, name } => {
                let given = self.tracer.given(of.as_deref(), name);
                let values = self.lineage.named.iter().filter(|(known, _)| match known {
                    Some(known) => perhaps_same(known, name),
                    None => true,
                });
                if given && named.seen.insert(name) {
                    for (_, value) in values {
                        self.name(value, named);
                        // What is made of nothing may be any number of guesses.
                        if value.is_constant() {
                            named.add(true);
                        }
                    }
                }
                if !given || self.tracer.in_relations(self.tracer.facts.relations.iter(), name).is_some() {
                    named.add(!self.tracer.is_labelled(of.as_deref(), name));
                }
            }
            Expr::Chosen { among, by } => among.iter().chain(by).for_each(|value| self.name(value, named)),
            Expr::From(parts) => parts.iter().for_each(|value| self.name(value, named)),
            Expr::Windows => {}
        }
    }
}

/// The columns that something depends on.
struct Named<'a> {
    /// Names of the statement's own that have been followed.
    seen: HashSet<&'a str>,
    columns: u32,
    /// Some column may be one that is not labelled.
    doubtful: bool,
}

impl Named<'_> {
    fn add(&mut self, doubtful: bool) {
        self.columns += 1;
        self.doubtful |= doubtful;
    }
}
