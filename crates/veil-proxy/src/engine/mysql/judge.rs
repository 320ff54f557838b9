//! Statements with their verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use veil_policy::mysql::{Labels, judge};
use veil_policy::{Refusal, Run};
use veil_sql::mysql::analyse::{Analyser, Analysis};
use veil_sql::mysql::catalog::Row;
use veil_sql::mysql::{Catalog, Facts, Kind, Mode, Statement};

use super::Slot;
use super::hidden::Place;
use crate::catalogs::View;

/// Judges statements by the labels of the moment.
pub struct Judge {
    analyser: Arc<Analyser>,
    view: View<Labels>,
    temporary: Temporary,
}

/// The session's temporary tables, which no catalog has.
#[derive(Default)]
struct Temporary {
    /// Their columns, by database and name.
    tables: BTreeMap<(String, String), Vec<Row>>,
    /// The catalog that they were laid over.
    over: Option<u64>,
}

/// Temporary tables that one session may have.
const TEMPORARY_MAX: usize = 1000;

/// A statement as it runs.
#[derive(Clone)]
pub(super) struct Judged {
    pub(super) statement: Arc<Statement>,
    pub(super) run: Run,
    /// Where its names and its text were read.
    pub(super) place: Place,
    /// Code that the text does not show may set variables of the session.
    pub(super) may_set_variables: bool,
}

impl Judged {
    /// One that shows nothing.
    pub(super) fn closed(kind: Kind) -> Self {
        let statement = unknown(kind);
        Self { statement, run: Run::CLOSED, place: Place::default(), may_set_variables: false }
    }
}

/// A statement of which only the kind is known.
pub(super) fn unknown(kind: Kind) -> Arc<Statement> {
    let facts = Facts { opaque: Some("what IronVeil has not read"), ..Facts::default() };
    Arc::new(Statement { kind, facts, result: None })
}

impl Judge {
    /// For sessions of `user` on the server of `slot`.
    #[must_use]
    pub fn new(analyser: Arc<Analyser>, slot: Arc<Slot>, user: String) -> Self {
        Self { analyser, view: View::new(slot, user), temporary: Temporary::default() }
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
        let generation = self.slot().generation();
        if !self.temporary.tables.is_empty()
            && self.temporary.over != Some(generation)
            && !self.view.has_own()
        {
            self.view.release();
            self.view.refresh();
            if !self.view.is_unknown() {
                let catalog = self.with_temporary(self.labels().catalog().clone());
                self.view.extend(catalog);
                self.temporary.over = Some(generation);
            }
        }
        self.view.refresh();
    }

    fn with_temporary(&self, catalog: Catalog) -> Catalog {
        let tables = self.temporary.tables.iter();
        tables.fold(catalog, |catalog, ((database, name), columns)| {
            catalog.with_temporary((database, name), columns)
        })
    }

    /// Takes a catalog that was read inside a transaction: it may be that of the past.
    pub(super) fn adopt(&mut self, catalog: Catalog, now: Instant) {
        let catalog = self.with_temporary(catalog);
        self.view.adopt(catalog, now);
    }

    /// The transaction has ended.
    pub(super) fn release(&mut self) {
        if self.view.has_own() {
            self.temporary.over = None;
            self.view.release();
        }
    }

    pub(super) fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        self.view.is_due(now, names_missing)
    }

    /// Takes the columns of a temporary table; without them there is none any more.
    pub(super) fn note_temporary(&mut self, name: (String, String), columns: Option<Vec<Row>>) {
        match columns {
            Some(columns) if self.temporary.tables.len() < TEMPORARY_MAX => {
                self.temporary.tables.insert(name, columns);
            }
            _ => drop(self.temporary.tables.remove(&name)),
        }
        self.temporary.over = None;
        if self.view.has_own() {
            let catalog = self.with_temporary(self.labels().catalog().clone());
            self.view.extend(catalog);
        } else if self.temporary.tables.is_empty() {
            self.view.release();
        }
    }

    /// All temporary tables are gone.
    pub(super) fn forget_temporary(&mut self) {
        self.temporary = Temporary::default();
        self.view.release();
    }

    pub(super) fn is_temporary(&self, name: &(String, String)) -> bool {
        self.temporary.tables.contains_key(name)
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
    pub(super) fn judge(&self, statement: &Arc<Statement>, place: Place) -> Result<Judged, Refusal> {
        let run = self.view.labels().verdict(statement, place.database.as_ref())?;
        let may_set_variables =
            judge::runs_hidden_code(statement, self.view.labels(), place.database.as_deref());
        Ok(Judged { statement: Arc::clone(statement), run, place, may_set_variables })
    }

    /// Whether code that nobody has read may have written an error of a statement.
    pub(super) fn is_foreign(&self, judged: &Judged) -> bool {
        let reads = matches!(judged.statement.kind, Kind::Data | Kind::Execute { .. });
        let database = judged.place.database.as_deref();
        !reads
            || judged.may_set_variables
            || !judged.statement.facts.writes.is_empty()
            || judge::reads_views(&judged.statement, self.view.labels(), database)
    }
}
