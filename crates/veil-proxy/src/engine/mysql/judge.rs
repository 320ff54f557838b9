//! Statements with their verdicts.

use std::sync::Arc;

use veil_policy::mysql::{Labels, judge};
use veil_policy::{Refusal, Run};
use veil_sql::mysql::analyse::{Analyser, Analysis};
use veil_sql::mysql::{Mode, Statement};

use super::Slot;

/// The generation of a catalog that is not known.
const UNKNOWN: u64 = u64::MAX - 1;

/// Judges statements by the labels of the moment.
pub struct Judge {
    analyser: Arc<Analyser>,
    slot: Arc<Slot>,
    user: String,
    generation: u64,
    labels: Arc<Labels>,
}

/// A statement as it runs.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) statement: Arc<Statement>,
    pub(super) run: Run,
    /// The session's database, by which names in it are read.
    pub(super) database: Option<Arc<str>>,
}

impl Judge {
    /// For sessions of `user` on the server of `slot`.
    #[must_use]
    pub fn new(analyser: Arc<Analyser>, slot: Arc<Slot>, user: String) -> Self {
        let (generation, labels) = slot.labels_now(&user);
        Self { analyser, slot, user, generation, labels }
    }

    pub(super) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What is known of the catalog is not relied on until it has been read again.
    pub(super) fn distrust(&mut self) {
        self.slot.invalidate();
        self.generation = UNKNOWN;
        self.labels = self.slot.labels_of_nothing(&self.user);
    }

    /// Takes the newest labels.
    pub(super) fn refresh(&mut self) {
        if self.generation == UNKNOWN && self.slot.is_stale() {
            return;
        }
        if let Some((generation, labels)) = self.slot.labels(&self.user, self.generation) {
            (self.generation, self.labels) = (generation, labels);
        }
    }

    pub(super) fn analyse(&self, text: &str, mode: Mode) -> Result<Arc<Analysis>, Refusal> {
        self.analyser.analyse(text, mode).map_err(|what| Refusal {
            code: "42601",
            message: format!("IronVeil refused: the text holds {what}"),
            hint: "",
        })
    }

    pub(super) fn names_missing(&self, statement: &Statement, database: Option<&str>) -> bool {
        judge::names_missing(statement, &self.labels, database)
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
        let run = judge(statement, &self.labels, database.as_deref())?;
        Ok(Judged { statement: Arc::clone(statement), run, database })
    }
}
