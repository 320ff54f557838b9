//! Statements with their verdicts.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use veil_mask::{Cell, ColumnMask};
use veil_model::Format;
use veil_policy::mysql::{Labels, judge};
use veil_policy::{Refusal, Run, Translation, Would};
use veil_sql::mysql::analyse::{Analyser, Analysis};
use veil_sql::mysql::catalog::Row;
use veil_sql::mysql::{Catalog, Facts, Kind, Mode, Statement, TableName};

use super::Slot;
use super::guarded::Numbers;
use super::hidden::Place;
use crate::budget::Budget;
use crate::catalogs::View;
use crate::problem::Problem;

/// Judges statements by the labels of the moment.
pub struct Judge {
    analyser: Arc<Analyser>,
    view: View<Labels>,
    /// What was read inside the transaction.
    past: Option<Catalog>,
    temporary: Temporary,
    budget: Arc<Budget>,
}

/// The session's temporary tables, which no catalog has.
#[derive(Default)]
struct Temporary {
    /// Their columns, by database and name; none where nothing is known of what they hold.
    tables: BTreeMap<(String, String), Vec<Row>>,
    /// They have to be laid over the catalog again.
    changed: bool,
    /// The generation of the catalog that they were laid over.
    over: u64,
}

impl Temporary {
    fn over(&self, catalog: Catalog) -> Catalog {
        self.tables.iter().fold(catalog, |catalog, ((database, name), columns)| {
            catalog.with_temporary((database, name), columns)
        })
    }
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
    /// What its questions cost.
    pub(super) cost: u32,
    /// Its words, where these have a price.
    pub(super) words: Option<u64>,
    /// What its masks stand for.
    pub(super) masks: Option<Arc<Translation>>,
    /// What would become of it, where nothing is changed.
    pub(super) would: Option<Would>,
}

impl Judged {
    /// Whether nothing is done with numbers in it.
    pub(super) fn is_same_for_other_numbers(&self) -> bool {
        self.masks.is_none() && self.would.is_none()
    }

    /// How it runs, or would if anything were changed.
    pub(super) fn would_run(&self) -> Run {
        self.would.as_ref().map_or(self.run, |would| would.run)
    }

    /// One that shows all.
    pub(super) fn shown(kind: Kind) -> Self {
        Self { run: Run::SHOWN, ..Self::closed(kind) }
    }

    /// Whether the server gets another text than the client's.
    pub(super) fn is_rewritten(&self) -> bool {
        self.masks.as_ref().is_some_and(|masks| masks.changes_text())
    }

    /// One that shows nothing.
    pub(super) fn closed(kind: Kind) -> Self {
        let statement = unknown(kind);
        Self {
            statement,
            run: Run::CLOSED,
            place: Place::default(),
            may_set_variables: false,
            cost: 0,
            words: None,
            masks: None,
            would: None,
        }
    }
}

/// A statement of which only the kind is known.
pub(super) fn unknown(kind: Kind) -> Arc<Statement> {
    let facts = Facts { opaque: Some("what IronVeil has not read"), ..Facts::default() };
    Arc::new(Statement { kind, facts, result: None })
}

impl Judge {
    /// For a session that goes by the labels of `view`.
    #[must_use]
    pub fn new(analyser: Arc<Analyser>, view: View<Labels>, budget: Arc<Budget>) -> Self {
        Self { analyser, view, past: None, temporary: Temporary::default(), budget }
    }

    /// Whether nothing is changed, and what would be is said.
    pub(super) fn observes(&self) -> bool {
        self.view.labels().policy().observes()
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
        (self.past, self.temporary.changed) = (None, true);
    }

    /// Goes by the rights of the moment.
    pub(super) fn look_at_rights(&mut self, now: Instant) {
        if self.view.look_at_rights(now, false) {
            self.distrust();
        }
    }

    /// Takes the newest labels.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.look_at_rights(now);
        let generation = self.slot().generation();
        let moved =
            self.past.is_none() && !self.temporary.tables.is_empty() && self.temporary.over != generation;
        if !(self.temporary.changed || moved) {
            return self.view.refresh();
        }
        let below = if let Some(past) = &self.past {
            past.clone()
        } else {
            self.view.release();
            self.view.refresh();
            if self.view.is_unknown() {
                return;
            }
            self.labels().catalog().clone()
        };
        if self.past.is_some() || !self.temporary.tables.is_empty() {
            self.view.extend(self.temporary.over(below));
        }
        (self.temporary.changed, self.temporary.over) = (false, generation);
    }

    /// Takes a catalog that was read inside a transaction: it may be that of the past.
    pub(super) fn adopt(&mut self, catalog: Catalog, now: Instant) {
        let Some(known) = self.slot().catalog() else { return self.distrust() };
        let catalog = catalog.agreeing(&known);
        self.past = Some(catalog.clone());
        self.view.adopt(catalog, now);
        self.temporary.changed = true;
    }

    /// The transaction has ended.
    pub(super) fn release(&mut self) {
        if self.past.take().is_some() {
            self.view.release();
            self.temporary.changed = true;
        }
    }

    pub(super) fn is_due(&self, now: Instant, names_missing: bool) -> bool {
        self.view.is_due(now, names_missing)
    }

    /// There is a temporary table. Without columns, nothing is known of what it holds.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn note_temporary(&mut self, name: &TableName, columns: Vec<Row>) -> Result<(), Problem> {
        self.temporary.tables.insert(self.key(name), columns);
        self.temporary.changed = true;
        match self.temporary.tables.len() {
            0..=TEMPORARY_MAX => Ok(()),
            _ => Err(Problem::new("54000", "too many temporary tables", "")),
        }
    }

    /// A temporary table of this name is gone, or perhaps not.
    pub(super) fn drop_temporary(&mut self, name: &TableName, perhaps: bool) {
        let key = self.key(name);
        if let Some(columns) = self.temporary.tables.get_mut(&key) {
            columns.clear();
            self.temporary.changed = true;
        }
        if !perhaps {
            self.temporary.tables.remove(&key);
        }
    }

    /// Code that nobody has read may have written to any of them, and dropped it.
    pub(super) fn spoil_temporary(&mut self) {
        self.temporary.changed |= self.temporary.tables.values().any(|columns| !columns.is_empty());
        self.temporary.tables.values_mut().for_each(Vec::clear);
    }

    /// All temporary tables are gone.
    pub(super) fn forget_temporary(&mut self) {
        self.temporary = Temporary { changed: true, ..Temporary::default() };
    }

    /// Whether a statement names a temporary table with such columns.
    pub(super) fn names_temporary(&self, statement: &Statement, such: impl Fn(&[Row]) -> bool) -> bool {
        let named = |name: &TableName| {
            let tables = self.temporary.tables.iter();
            let mut of_name =
                tables.filter(|((_, known), _)| known.to_lowercase() == name.name.to_lowercase());
            of_name.any(|(_, columns)| such(columns))
        };
        statement.facts.tables.iter().any(named)
    }

    fn key(&self, name: &TableName) -> (String, String) {
        self.labels().catalog().key(name.database.as_deref().unwrap_or_default(), &name.name)
    }

    pub(super) fn analyse(&self, text: &str, mode: Mode, numbers: Numbers) -> Result<Arc<Analysis>, Refusal> {
        if let Some(like) = (numbers == Numbers::Any).then(|| self.analyser.like(text, mode)).flatten() {
            return Ok(like);
        }
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
        let veil_policy::Judged { run, cost, masks, would } =
            self.view.labels().verdict(statement, place.database.as_ref())?;
        masks.as_ref().map_or(Ok(()), |masks| masks.check())?;
        let (labels, database) = (self.view.labels(), place.database.as_deref());
        let may_set_variables = judge::runs_hidden_code(statement, labels, database);
        // A trigger or function may write to the table while the statement reads it.
        let hidden = |columns: &[Row]| may_set_variables || columns.is_empty();
        if would.is_none() && self.names_temporary(statement, hidden) {
            return Err(Refusal {
                code: "42501",
                message:
                    "IronVeil refused: a temporary table, where code runs or has run that may write to it"
                        .to_owned(),
                hint: "Write to other tables in statements of their own; after that, drop it and make it again.",
            });
        }
        let statement = Arc::clone(statement);
        Ok(Judged { statement, run, place, may_set_variables, cost, words: None, masks, would })
    }

    /// What masks the number that a statement has counted a column up to, if that is masked.
    pub(super) fn counter(&self, judged: &Judged) -> Option<ColumnMask> {
        if self.observes() {
            return None;
        }
        self.labels().counter(&judged.statement, judged.place.database.as_deref())
    }

    /// Tells of planted values, so many, among the rows that were masked.
    pub(in crate::engine) fn tell_of_canaries(&self, canaries: usize) {
        self.budget.tell(canaries);
    }

    /// Pays for questions about masked columns.
    ///
    /// # Errors
    /// They are too many.
    pub(super) fn pay(&self, cost: u32, words: Option<u64>, now: Instant) -> Result<(), Refusal> {
        self.budget.pay(cost, words, now)
    }

    /// The words of something.
    pub(super) fn words(&self, of: impl Hash) -> u64 {
        self.budget.words(of)
    }

    /// What a statement names that may have become something else by those before it in the same text.
    pub(super) fn depends_on(&self, statement: &Statement, before: &[Judged]) -> Option<&'static str> {
        let gone = before.iter().filter_map(|earlier| match &earlier.statement.kind {
            Kind::Define(definition) => Some(&definition.gone),
            _ => None,
        });
        let named = |gone: &TableName| {
            statement.facts.tables.iter().any(|name| name.name.to_lowercase() == gone.name.to_lowercase())
        };
        if gone.flatten().any(named) {
            return Some("a table that was dropped or renamed before in the same text");
        }
        let spoilt = before.iter().any(|earlier| earlier.may_set_variables)
            && self.names_temporary(statement, |_| true);
        spoilt.then_some("a temporary table, behind code that may have written to it")
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

/// The mask of a number that is counted up, from 1; 0 where it has none.
pub(super) fn masked_number(mask: &ColumnMask, number: u64) -> u64 {
    let mut masked = Vec::new();
    if number == 0 || mask.mask(Format::Text, number.to_string().as_bytes(), &mut masked) == Cell::Null {
        return 0;
    }
    std::str::from_utf8(&masked).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
