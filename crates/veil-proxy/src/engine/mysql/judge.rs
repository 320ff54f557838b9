//! Statements with their verdicts.

use std::sync::Arc;

use veil_policy::mysql::{Labels, judge};
use veil_policy::{Refusal, Run};
use veil_sql::mysql::analyse::{Analyser, Analysis};
use veil_sql::mysql::{Function, Kind, Mode, Statement, functions};

use super::Slot;
use crate::catalogs::View;

/// Judges statements by the labels of the moment.
pub struct Judge {
    analyser: Arc<Analyser>,
    view: View<Labels>,
}

/// A statement as it runs.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) statement: Arc<Statement>,
    pub(super) run: Run,
    /// The session's database, by which names in it are read.
    pub(super) database: Option<Arc<str>>,
}

impl Judged {
    /// Triggers and functions that are not known may set variables of the session, which the text does not show.
    pub(super) fn may_set_variables(&self) -> bool {
        let facts = &self.statement.facts;
        let reads = matches!(self.statement.kind, Kind::Data | Kind::Explain);
        // Over labelled tables, functions that are not known are refused.
        let unknown = !self.run.clean && facts.functions.iter().any(|function| !is_pure(function));
        !facts.writes.is_empty() || (reads && unknown)
    }
}

fn is_pure(function: &Function) -> bool {
    function.database.is_none() && functions::effect(&function.name) == functions::Effect::Pure
}

impl Judge {
    /// For sessions of `user` on the server of `slot`.
    #[must_use]
    pub fn new(analyser: Arc<Analyser>, slot: Arc<Slot>, user: String) -> Self {
        Self { analyser, view: View::new(slot, user) }
    }

    pub(super) const fn slot(&self) -> &Arc<Slot> {
        self.view.slot()
    }

    pub(super) fn labels(&self) -> &Labels {
        self.view.labels()
    }

    /// What is known of the catalog is not relied on until it has been read again.
    pub(super) fn distrust(&mut self) {
        self.view.distrust();
    }

    /// Takes the newest labels.
    pub(super) fn refresh(&mut self) {
        self.view.refresh();
    }

    pub(super) fn analyse(&self, text: &str, mode: Mode) -> Result<Arc<Analysis>, Refusal> {
        self.analyser.analyse(text, mode).map_err(|what| Refusal {
            code: "42601",
            message: format!("IronVeil refused: the text holds {what}"),
            hint: "",
        })
    }

    pub(super) fn names_missing(&self, statement: &Statement, database: Option<&str>) -> bool {
        judge::names_missing(statement, self.view.labels(), database)
    }

    /// How a statement runs.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn judge(
        &self,
        statement: &Arc<Statement>,
        database: Option<Arc<str>>,
    ) -> Result<Judged, Refusal> {
        let run = judge(statement, self.view.labels(), database.as_deref())?;
        Ok(Judged { statement: Arc::clone(statement), run, database })
    }
}
