//! Statements with their verdicts.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use veil_policy::judge::names_missing;
use veil_policy::{Judged, Labels, Refusal, Run, Translation, Verdict};
use veil_sql::normal::Normal;
use veil_sql::{Analyser, Kind, Statement};

use crate::budget::Budget;
use crate::catalogs::View;
use crate::engine::observe;
use crate::engine::pg::Slot;

/// Judges statements by the labels of the moment.
pub struct Judge {
    analyser: Arc<Analyser>,
    pub(super) view: View<Labels>,
    budget: Arc<Budget>,
    /// Statements may run on another connection than they were described on.
    wanders: bool,
}

/// Names that start so are the proxy's own.
const RESERVED: &str = "ironveil_";

/// The statement that stands in place of one that is refused when it is to run.
pub(super) const REFUSED: &str = "ironveil_refused";

/// Whether a name is the proxy's own.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(RESERVED.as_bytes())
}

/// The refusal of a name of the proxy's own.
pub(super) fn refuse_reserved() -> Refusal {
    let message = format!("IronVeil refused: names that begin with {RESERVED} are its own");
    Refusal { code: "42602", message, hint: "Choose another name." }
}

/// A statement that the server was asked to prepare or run.
pub(super) struct Prepared {
    /// `None` where the text is none or several statements.
    pub(super) statement: Option<Arc<Statement>>,
    verdict: Mutex<(u64, Verdict)>,
    /// What its masks stood for when it was sent.
    sent: Option<Arc<Translation>>,
    /// The types of its parameters as the client stated them, four bytes each.
    types: OnceLock<Box<[u8]>>,
    /// Its words, where these had a price when it was prepared.
    words: Option<u64>,
    /// Its text, as it may be shown.
    shown: OnceLock<Arc<Normal>>,
    /// One more than the generation by which the server's description was found to show nothing labelled.
    described: AtomicU64,
}

impl Judge {
    /// For a session that goes by the labels of `view`.
    #[must_use]
    pub fn new(analyser: Arc<Analyser>, view: View<Labels>, budget: Arc<Budget>) -> Self {
        Self { analyser, view, budget, wanders: false }
    }

    /// The same, where the session takes connections by turns: what is prepared anew on another one may have other columns by then.
    #[must_use]
    pub fn wandering(self, wanders: bool) -> Self {
        Self { wanders, ..self }
    }

    /// Tells of planted values, so many, among the rows that were masked.
    pub(in crate::engine) fn tell_of_canaries(&self, canaries: usize) {
        self.budget.tell(canaries);
    }

    /// What a statement's questions about masked columns cost, by the labels of the moment.
    pub(super) fn cost(&self, prepared: &Prepared) -> u32 {
        self.judged(prepared).map_or(0, |judged| judged.cost)
    }

    /// Pays for a statement whose words are these, or these and its parameters.
    ///
    /// # Errors
    /// It asks too much.
    pub(super) fn pay(&self, cost: u32, words: Option<u64>, now: Instant) -> Result<(), Refusal> {
        self.budget.pay(cost, words, now)
    }

    /// The words of something.
    pub(super) fn words(&self, of: impl Hash) -> u64 {
        self.budget.words(of)
    }

    /// Whether nothing is changed, and what would be is said.
    pub(super) fn observes(&self) -> bool {
        self.view.labels().policy().observes()
    }

    /// How a statement would run.
    pub(super) fn would_run(&self, prepared: &Prepared) -> Run {
        let judged = self.judged(prepared);
        judged.ok().and_then(|judged| judged.would).map_or(Run::CLOSED, |would| would.run)
    }

    pub(super) fn slot(&self) -> &Arc<Slot> {
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
    pub(super) fn refresh(&mut self, now: Instant, answering: bool) {
        self.look_at_rights(now, answering);
        self.view.refresh();
    }

    /// Goes by the rights of the moment.
    pub(super) fn look_at_rights(&mut self, now: Instant, answering: bool) {
        if self.view.look_at_rights(now, answering) {
            self.view.distrust();
        }
    }

    /// The statements of a text, judged.
    ///
    /// # Errors
    /// The text does not parse.
    pub(super) fn statements(&self, text: &[u8]) -> Result<Vec<Arc<Prepared>>, Refusal> {
        let refuse = |message: String| Refusal { code: "42601", message, hint: "" };
        let read = std::str::from_utf8(text).map_err(|_| refuse("the statement is not UTF-8".to_owned()));
        // What would be done is told of once.
        let known = read.as_ref().ok().filter(|_| !self.observes());
        if let Some((text, like)) = known.and_then(|text| Some((text, self.analyser.like(text)?))) {
            let prepared = self.prepare(&like, Some(text));
            if prepared.is_same_for_other_numbers() {
                return Ok(vec![Arc::new(prepared)]);
            }
        }
        let read =
            read.and_then(|text| Ok((text, self.analyser.analyse(text).map_err(|error| refuse(error.0))?)));
        let (text, statements) = match read {
            Err(refusal) if self.observes() => {
                observe::refused(&refusal);
                return Ok(vec![Arc::new(self.unknown(Ok(Run::SHOWN)))]);
            }
            read => read?,
        };
        Ok(statements.iter().map(|statement| Arc::new(self.prepare(statement, Some(text)))).collect())
    }

    pub(super) fn prepare(&self, statement: &Arc<Statement>, text: Option<&str>) -> Prepared {
        let verdict = match &statement.kind {
            Kind::Prepare { name, .. } | Kind::Declare { name, .. }
                if is_reserved(name.as_bytes()) && !self.observes() =>
            {
                Err(refuse_reserved())
            }
            _ => self.view.labels().verdict(statement),
        };
        if let (Ok(judged), Some(_)) = (&verdict, text) {
            judged.would.iter().for_each(observe::judged);
        }
        let asks = verdict.as_ref().is_ok_and(|judged| judged.cost > 0);
        let words = text.filter(|_| asks).map(|text| self.budget.words(text));
        Prepared { words, ..Prepared::new(Some(Arc::clone(statement)), self.view.generation(), verdict) }
    }

    /// A statement of which nothing is known but how it runs.
    pub(super) fn unknown(&self, verdict: Result<Run, Refusal>) -> Prepared {
        Prepared::new(None, self.view.generation(), verdict.map(Judged::run))
    }

    pub(super) fn names_missing(&self, prepared: &Prepared) -> bool {
        prepared.statement.as_ref().is_some_and(|statement| names_missing(statement, self.view.labels()))
    }

    /// How a statement runs under the labels of the moment.
    pub(super) fn run(&self, prepared: &Prepared) -> Run {
        // What was let through once and would be refused now has been sent: its rows are closed.
        self.judged(prepared).map_or(Run::CLOSED, |judged| judged.run)
    }

    fn judged(&self, prepared: &Prepared) -> Verdict {
        let mut verdict = prepared.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if verdict.0 != self.view.generation()
            && let Some(statement) = &prepared.statement
        {
            *verdict = (self.view.generation(), self.view.labels().verdict(statement));
        }
        verdict.1.clone()
    }

    /// Why a statement that was prepared before would not be sent now.
    pub(super) fn refusal_now(&self, prepared: &Prepared) -> Option<Refusal> {
        match self.view.labels().verdict(prepared.statement.as_ref()?) {
            Err(refusal) => Some(refusal),
            Ok(now) if now.masks != prepared.sent => Some(Refusal {
                code: "0A000",
                message: "IronVeil refused: what the masks in this statement stand for has changed"
                    .to_owned(),
                hint: "Prepare it again.",
            }),
            Ok(_) => None,
        }
    }

    /// Why a statement may not be run by EXECUTE, whose arguments are not looked at.
    pub(super) fn refusal_by_name(&self, prepared: &Prepared) -> Option<Refusal> {
        let reads = prepared.masks().is_some_and(Translation::reads_parameters);
        (reads && !self.observes()).then(|| Refusal {
            code: "0A000",
            message: "IronVeil refused: EXECUTE of a statement whose parameters are compared with, or written to, masked columns"
                .to_owned(),
            hint: "Bind its parameters, or prepare it with PREPARE.",
        })
    }

    /// Whether the rows of a statement may pass without a description of their own.
    pub(super) fn passes_undescribed(&self, prepared: &Prepared) -> bool {
        !self.wanders
            && self.run(prepared).clean
            && prepared.described.load(Ordering::Relaxed) == self.view.generation() + 1
    }

    /// The server's description of a statement shows nothing labelled.
    pub(super) fn note_described(&self, prepared: &Prepared) {
        prepared.described.store(self.view.generation() + 1, Ordering::Relaxed);
    }
}

impl Prepared {
    fn new(statement: Option<Arc<Statement>>, generation: u64, verdict: Verdict) -> Self {
        let sent = verdict.as_ref().ok().and_then(|judged| judged.masks.clone());
        Self {
            statement,
            verdict: Mutex::new((generation, verdict)),
            sent,
            types: OnceLock::new(),
            words: None,
            shown: OnceLock::new(),
            described: AtomicU64::new(0),
        }
    }

    /// What its masks stood for when it was sent.
    pub(super) fn masks(&self) -> Option<&Translation> {
        self.sent.as_deref()
    }

    /// Whether nothing is done with numbers in it.
    fn is_same_for_other_numbers(&self) -> bool {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.1.as_ref().is_ok_and(|judged| judged.masks.is_none() && judged.would.is_none())
    }

    /// Whether the server has another text of it than the client sent.
    pub(super) fn is_rewritten(&self) -> bool {
        self.masks().is_some_and(Translation::changes_text)
    }

    /// Notes its text, as it may be shown.
    pub(super) fn show_as(&self, text: Option<Arc<Normal>>) {
        text.into_iter().for_each(|text| drop(self.shown.set(text)));
    }

    /// Its text, as it may be shown.
    pub(super) fn shown(&self) -> Option<&Arc<Normal>> {
        self.shown.get()
    }

    /// Notes the types of its parameters.
    pub(super) fn state_types(&self, types: &[u8]) {
        let _ = self.types.set(types.into());
    }

    /// The type of a parameter as the client stated it, or 0.
    pub(super) fn type_of(&self, number: usize) -> u32 {
        let types = self.types.get().map_or(&[][..], |types| types);
        let stated = types.get((number - 1) * 4..).and_then(|rest| rest.first_chunk());
        stated.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The types of its parameters that the server is told, where these are not those that the client states.
    pub(super) fn widened_types(&self) -> Option<Vec<u8>> {
        self.types_but(self.types.get()?, |number, stated| self.masks()?.widened(number, stated))
    }

    /// The types of its parameters as the client knows them, where the server's are others.
    pub(super) fn stated_types(&self, told: &[u8]) -> Option<Vec<u8>> {
        self.types_but(told, |number, _| {
            let stated = self.type_of(usize::try_from(number).ok()?);
            self.masks()?.widened(number, stated).map(|_| stated)
        })
    }

    /// Types, four bytes each, with others in the place of some; `None` if there are none.
    fn types_but(&self, types: &[u8], other: impl Fn(u32, u32) -> Option<u32>) -> Option<Vec<u8>> {
        let (types, _) = types.as_chunks::<4>();
        let mut found = false;
        let types = (1..).zip(types).flat_map(|(number, stated)| {
            let other = other(number, u32::from_be_bytes(*stated));
            found |= other.is_some();
            other.map_or(*stated, u32::to_be_bytes)
        });
        let types = types.collect();
        found.then_some(types)
    }

    /// Whether it is PREPARE, which asks nothing yet.
    pub(super) fn prepares(&self) -> bool {
        self.statement.as_ref().is_some_and(|statement| matches!(statement.kind, Kind::Prepare { .. }))
    }

    /// Whether it is PREPARE of this name.
    pub(super) fn prepares_as(&self, name: &str) -> bool {
        let kind = self.statement.as_ref().map(|statement| &statement.kind);
        matches!(kind, Some(Kind::Prepare { name: own, .. }) if own == name)
    }

    /// Its words, where these had a price when it was prepared.
    pub(super) const fn words(&self) -> Option<u64> {
        self.words
    }

    /// Whether it is a COPY whose data come from the client.
    pub(super) fn copies_in(&self) -> bool {
        self.statement.as_ref().is_some_and(|statement| statement.kind == Kind::CopyIn)
    }

    /// Whether it copies columns by their places, which the server does not say again.
    pub(super) fn copies_by_place(&self) -> bool {
        self.statement.as_ref().is_some_and(|statement| match &statement.kind {
            Kind::CopyOut(copy) => match &copy.table {
                Some((_, columns)) => columns.is_empty(),
                None => statement.facts.names.contains("*"),
            },
            _ => false,
        })
    }

    /// Whether it reads relations, more than to define others.
    pub(super) fn reads(&self) -> bool {
        self.statement.as_ref().is_some_and(|statement| {
            !statement.facts.relations.is_empty() && !matches!(statement.kind, Kind::Define(_))
        })
    }

    /// Whether it may have to come before all that is read in its transaction: settings of that, locks.
    pub(super) fn may_begin(&self) -> bool {
        self.statement.as_ref().is_some_and(|statement| statement.kind == Kind::Session)
    }

    /// Why it was not sent, if it was not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).1.clone().err()
    }
}
