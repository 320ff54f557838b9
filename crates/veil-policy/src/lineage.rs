//! What the computed columns of a result may hold, by the names that they are made of.
//!
//! A name stands for everything in the statement that goes by it; so what is found here is too strict rather than wrong.

mod charges;
mod names;

use std::collections::{BTreeSet, HashMap};

use veil_model::{Attribute, PgType};
use veil_sql::lineage::{Expr, Lineage, Meeting, Meets, Output, Store, Stored};
use veil_sql::question::Question;
use veil_sql::{Alias, AliasSource, Facts, Field, Kind, RelationKind, Statement};

use crate::judge::{self, named};
use crate::labels::{Fate, Label, Labels, Standing};
use crate::protection::Predicates;

/// Names that are made of each other are followed until nothing changes, so often at most.
const ROUNDS_MAX: usize = 32;

/// Values with names, times relations, that are followed.
const WORK_MAX: usize = 20_000;

/// Names of the written row in RETURNING, before whatever else goes by them.
const RETURNED: [&str; 2] = ["old", "new"];

/// What a value may hold.
#[derive(Clone)]
pub(crate) enum Flow {
    /// Nothing of what is labelled.
    Clean,
    /// The value of a column with this label as it is, or nothing of what is labelled.
    Verbatim(Label),
    /// It may be made from what is labelled, or cannot be told.
    Closed,
}

impl Flow {
    /// One of two values.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Clean, other) | (other, Self::Clean) => other,
            (Self::Verbatim(label), Self::Verbatim(second)) if label.rule == second.rule => {
                Self::Verbatim(label)
            }
            _ => Self::Closed,
        }
    }

    /// What becomes of such a column.
    pub(crate) fn fate(self) -> Fate {
        match self {
            Self::Clean => Fate::Pass,
            Self::Verbatim(label) => Fate::Mask(label),
            Self::Closed => Fate::Close,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Verbatim(_) => 1,
            Self::Closed => 2,
        }
    }

    /// What is computed from all these.
    fn computed(mut flows: impl Iterator<Item = Self>) -> Self {
        if flows.all(|flow| matches!(flow, Self::Clean)) { Self::Clean } else { Self::Closed }
    }
}

/// The columns of a statement's result.
pub(crate) struct Columns<'a> {
    kind: &'a Kind,
    tracer: Tracer<'a>,
    lineage: &'a Lineage,
    /// Of each arm.
    shapes: Vec<Shape>,
}

/// How many values stand before the first output that is any number of columns, and how many behind the last.
#[derive(Clone, Copy)]
struct Shape {
    before: usize,
    after: usize,
}

impl Shape {
    fn of(arm: &[Output]) -> Self {
        let plain = |output: &&Output| matches!(output, Output::Value(_));
        Self {
            before: arm.iter().take_while(plain).count(),
            after: arm.iter().rev().take_while(plain).count(),
        }
    }
}

impl<'a> Columns<'a> {
    /// `None` if they cannot be followed: a relation is not known.
    pub(crate) fn new(statement: &'a Statement, labels: &'a Labels) -> Option<Self> {
        Self::read(statement, labels, labels.policy().predicates() != Predicates::Allow)
    }

    /// Those of a view, which is not of a client's making.
    pub(crate) fn of_view(definition: &'a Statement, labels: &'a Labels) -> Option<Self> {
        Self::read(definition, labels, false)
    }

    fn read(statement: &'a Statement, labels: &'a Labels, guesses: bool) -> Option<Self> {
        let lineage = statement.lineage.as_ref()?;
        let facts = &statement.facts;
        if facts.relations.iter().any(|name| labels.standing(name) == Standing::Missing) {
            return None;
        }
        if lineage.named.len().saturating_mul(facts.relations.len()) > WORK_MAX {
            return None;
        }
        let mut tracer = Tracer {
            labels,
            facts,
            named: HashMap::new(),
            doubtful: Vec::new(),
            made_up: Flow::Clean,
            windows: Flow::Clean,
            counted: &lineage.counted,
            selects: lineage.selects,
            guesses,
        };
        tracer.settle(lineage);
        let shapes = lineage.arms.iter().map(|arm| Shape::of(arm)).collect();
        Some(Self { kind: &statement.kind, tracer, lineage, shapes })
    }

    /// Literals and parameters that meet columns as they are.
    pub(crate) fn meetings(&self) -> &'a [Meeting] {
        &self.lineage.meetings
    }

    /// What else is written to columns.
    pub(crate) fn stores(&self) -> &'a [Store] {
        &self.lineage.stores
    }

    /// Columns that become NULL.
    pub(crate) fn nulls(&self) -> &'a [Stored] {
        &self.lineage.nulls
    }

    /// What is read of a row that was to be inserted.
    pub(crate) fn proposed(&self) -> &'a [Stored] {
        &self.lineage.proposed
    }

    /// Columns that are assigned to where rows are already.
    pub(crate) fn replaced(&self) -> &'a [Stored] {
        &self.lineage.replaced
    }

    /// Parameters that stand elsewhere too.
    pub(crate) fn elsewhere(&self) -> &'a BTreeSet<u32> {
        &self.lineage.elsewhere
    }

    /// Types to which parameters are cast before they are asked whether they are NULL.
    pub(crate) fn tested(&self) -> &'a BTreeSet<(u32, PgType)> {
        &self.lineage.tested
    }

    /// What the statement is.
    pub(crate) fn kind(&self) -> &'a Kind {
        self.kind
    }

    pub(crate) fn labels(&self) -> &'a Labels {
        self.tracer.labels
    }

    /// The label of a column that is compared or written to; `None` if it has none, or it is not sure which.
    pub(crate) fn met(&self, meets: &Meets) -> Option<Label> {
        match meets {
            Meets::Compared { column, .. } => match self.value(column) {
                Flow::Verbatim(label) => Some(label),
                Flow::Clean | Flow::Closed => None,
            },
            Meets::Stored(Stored { target, place, .. }) => {
                let place = place.as_ref()?;
                let mut labels =
                    named(target, self.tracer.labels).map(|oid| self.tracer.labels.at(oid, place));
                let first = labels.next()??;
                labels.all(|other| other.is_some_and(|other| other.rule == first.rule)).then(|| first.clone())
            }
        }
    }

    /// What column `at` of `count` holds, which the server calls `name`.
    pub(crate) fn flow(&self, at: usize, count: usize, name: Option<&str>) -> Flow {
        if self.lineage.arms.is_empty() {
            return Flow::Closed;
        }
        let arms = self.lineage.arms.iter().zip(&self.shapes);
        let arms =
            arms.map(|(arm, shape)| (self.of_arm(arm, *shape, at, count, name), self.may_be_masked(arm, at)));
        self.tracer.together(arms.collect())
    }

    /// What all columns hold; `None` if their number cannot be told.
    pub(crate) fn all(&self) -> Option<Vec<Flow>> {
        let first = self.lineage.arms.first()?;
        if let ([Output::Star], [_]) = (first.as_slice(), self.lineage.arms.as_slice()) {
            return self.tracer.only_relation();
        }
        let plain = first.iter().all(|output| matches!(output, Output::Value(_)));
        plain.then(|| (0..first.len()).map(|at| self.flow(at, first.len(), None)).collect())
    }

    /// The columns of the result, once for each query of a set operation.
    pub(crate) fn arms(&self) -> &'a [Vec<Output>] {
        &self.lineage.arms
    }

    /// Whether what decides which rows come holds nothing of what is labelled, and nothing is computed from that.
    pub(crate) fn asks_nothing(&self) -> bool {
        self.asks_by_clean() && self.computes_nothing()
    }

    fn asks_by_clean(&self) -> bool {
        let asked = self.by_values();
        let mut values = asked.flat_map(|question| &question.about);
        values.all(|value| matches!(self.tracer.expr(value), Flow::Clean))
    }

    /// What is asked otherwise than by masks, which show no more than equal masks do.
    fn by_values(&self) -> impl Iterator<Item = &'a Question<Vec<Expr>>> {
        let translated = self.translated();
        let by_masks = move |question: &&Question<Vec<Expr>>| {
            let mut spots = question.spots.iter();
            !question.spots.is_empty() && spots.all(|spot| translated.contains_key(spot))
        };
        self.lineage.asked.iter().filter(move |question| !by_masks(question))
    }

    fn computes_nothing(&self) -> bool {
        let mut values = self.lineage.computed.iter().flat_map(|question| &question.about);
        values.all(|value| !matches!(self.tracer.expr(value), Flow::Closed))
    }

    /// Whether the server keeps nothing that is labelled while it runs: it names nothing of that, or only passes over one table.
    pub(crate) fn holds_nothing(&self) -> bool {
        let facts = self.tracer.facts;
        if facts.aliases.len() <= 1 && !facts.unnamed && !self.lineage.keeps_rows && self.computes_nothing() {
            return true;
        }
        let fields = facts.fields.iter().map(|field| &field.name);
        // NATURAL joins name nothing.
        self.asks_by_clean()
            && facts
                .names
                .iter()
                .chain(fields)
                .all(|name| matches!(self.tracer.column(None, name), Flow::Clean))
    }

    /// What a value in the statement holds.
    pub(crate) fn value(&self, value: &Expr) -> Flow {
        self.tracer.expr(value)
    }

    fn may_be_masked(&self, arm: &[Output], at: usize) -> bool {
        matches!(arm.get(at), Some(Output::Value(value)) if self.tracer.may_be_masked(value))
            && arm.iter().all(|output| matches!(output, Output::Value(_)))
    }

    fn of_arm(&self, arm: &[Output], shape: Shape, at: usize, count: usize, name: Option<&str>) -> Flow {
        let Shape { before, after } = shape;
        if before == arm.len() && arm.len() != count {
            return Flow::Closed;
        }
        let value = |output: Option<&Output>| match output {
            Some(Output::Value(value)) => self.shown(value),
            Some(Output::Star | Output::Fields(_)) | None => Flow::Closed,
        };
        if at < before {
            return value(arm.get(at));
        }
        if let Some(from_end) = count.checked_sub(at).filter(|from_end| *from_end <= after) {
            return value(arm.len().checked_sub(from_end).and_then(|at| arm.get(at)));
        }
        // Between two stars anything may stand; and in a set operation the names are those of the first query.
        match (arm.get(before), name) {
            _ if before + after + 1 != arm.len() => Flow::Closed,
            (Some(Output::Star), Some(name)) if self.lineage.arms.len() == 1 => {
                self.shown(&Expr::Column { of: None, name: name.to_owned() })
            }
            (Some(Output::Fields(value)), _) => Flow::computed(std::iter::once(self.tracer.expr(value))),
            _ => Flow::Closed,
        }
    }
}

/// Whether two names may be one. Where the database's letters are single bytes, the server makes those outside of ASCII
/// small by its locale, which may even make one of ASCII of them.
fn perhaps_same(a: &str, b: &str) -> bool {
    let pair = |(a, b): (char, char)| a == b || !a.is_ascii() || !b.is_ascii();
    a == b
        || (!(a.is_ascii() && b.is_ascii())
            && a.chars().count() == b.chars().count()
            && a.chars().zip(b.chars()).all(pair))
}

struct Tracer<'a> {
    labels: &'a Labels,
    facts: &'a Facts,
    /// What goes by names that the statement gives.
    named: HashMap<&'a str, Flow>,
    /// Of these names those with letters outside of ASCII.
    doubtful: Vec<&'a str>,
    /// What goes by names that the server makes up.
    made_up: Flow,
    /// What windows that have names depend on.
    windows: Flow,
    /// So many values of columns are in each group.
    counted: &'a [(String, u64)],
    /// SELECTs in the statement.
    selects: usize,
    /// The client may be guessing.
    guesses: bool,
}

impl<'a> Tracer<'a> {
    /// Whether nothing is to be told by masks of what clients can put beside masked columns.
    fn denies(&self) -> bool {
        self.labels.policy().predicates() == Predicates::Deny
    }

    /// The columns of the one relation that the statement reads.
    fn only_relation(&self) -> Option<Vec<Flow>> {
        let mut aliases = self.facts.aliases.iter().filter(|_| !self.facts.unnamed);
        let (Some(Alias { source: AliasSource::Relation(name), .. }), None) =
            (aliases.next(), aliases.next())
        else {
            return None;
        };
        let mut relations = self.labels.catalog().named(name.schema.as_deref(), &name.name);
        let (Some((relation, known)), None) = (relations.next(), relations.next()) else { return None };
        let columns = known.columns_in_order();
        let stored = columns.iter().map(|column| self.stored(Attribute { relation, attnum: column.attnum }));
        Some(stored.collect())
    }

    fn settle(&mut self, lineage: &'a Lineage) {
        let names = lineage.named.iter().filter_map(|(name, _)| name.as_deref());
        self.named.extend(names.map(|name| (name, Flow::Clean)));
        self.doubtful.extend(self.named.keys().filter(|name| !name.is_ascii()));
        for _ in 0..ROUNDS_MAX {
            let mut changed = false;
            for (name, value) in &lineage.named {
                let flow = self.expr(value);
                let known = match name {
                    Some(name) => self.named.entry(name.as_str()).or_insert(Flow::Clean),
                    None => &mut self.made_up,
                };
                let joined = known.clone().or(flow);
                changed |= joined.rank() != known.rank();
                *known = joined;
            }
            let windows = Flow::computed(lineage.windows.iter().map(|value| self.expr(value)));
            changed |= windows.rank() > self.windows.rank();
            self.windows = self.windows.clone().or(windows);
            if !changed {
                return;
            }
        }
        self.made_up = Flow::Closed;
    }

    fn expr(&self, expr: &Expr) -> Flow {
        let all = |parts: &[Expr]| Flow::computed(parts.iter().map(|part| self.expr(part)));
        match expr {
            Expr::Unknown => Flow::Closed,
            Expr::Literal => Flow::Clean,
            Expr::Windows => self.windows.clone(),
            // What is computed may be NULL because of what it is computed from.
            Expr::Nullness(inner) => match self.expr(inner) {
                Flow::Clean | Flow::Verbatim(_) => Flow::Clean,
                Flow::Closed => Flow::Closed,
            },
            Expr::Column { of, name } => self.column(of.as_deref(), name),
            Expr::Whole(of) => self.whole(of.as_deref()),
            Expr::Aggregate(of) => match self.expr(of) {
                Flow::Verbatim(label) if self.shows_groups(of, &label) => Flow::Clean,
                other => Flow::computed(std::iter::once(other)),
            },
            Expr::From(parts) => all(parts),
            Expr::Chosen { among, by } => match all(by) {
                Flow::Clean => self.beside(among.iter()),
                Flow::Verbatim(_) | Flow::Closed => Flow::Closed,
            },
        }
    }

    /// Whether what sums up the rows of a group is shown: there are enough rows, all of one table.
    fn shows_groups(&self, summed: &Expr, label: &Label) -> bool {
        let Expr::Column { name, .. } = summed else { return false };
        let counted = self.counted.iter().filter(|(column, _)| column == name).map(|(_, least)| *least).max();
        let mut relations = self.facts.relations.iter().flat_map(|name| named(name, self.labels));
        let table = |oid| self.labels.catalog().relation(oid).is_some_and(|r| r.kind == RelationKind::Table);
        label.min_group.is_some_and(|least| counted.is_some_and(|counted| counted >= least))
            && self.selects == 1
            && self.facts.aliases.len() == 1
            && !self.facts.unnamed
            && relations.all(table)
    }

    /// One of these values.
    fn beside<'e>(&self, values: impl Iterator<Item = &'e Expr>) -> Flow {
        self.together(values.map(|value| (self.expr(value), self.may_be_masked(value))).collect())
    }

    /// Whether a value may be masked beside a labelled one: a literal, which counts as a guess, or a column of the same row.
    fn may_be_masked(&self, value: &Expr) -> bool {
        match value {
            Expr::Literal => true,
            Expr::Column { .. } => self.facts.aliases.len() == 1 && !self.facts.unnamed && self.selects <= 1,
            Expr::Chosen { among, .. } => among.iter().all(|value| self.may_be_masked(value)),
            _ => false,
        }
    }

    /// One of these, which may be masked beside others or not, where clients may be guessing.
    fn together(&self, flows: Vec<(Flow, bool)>) -> Flow {
        let labelled = flows.iter().any(|(flow, _)| !matches!(flow, Flow::Clean));
        let other = flows.iter().any(|(flow, may)| matches!(flow, Flow::Clean) && !may);
        if self.guesses && labelled && other {
            return Flow::Closed;
        }
        flows.into_iter().map(|(flow, _)| flow).fold(Flow::Clean, Flow::or)
    }

    fn column(&self, of: Option<&str>, name: &str) -> Flow {
        let written = of.is_none() && RETURNED.contains(&name) && !self.facts.writes.is_empty();
        let field = of.map(|of| Field { of: Some(of.to_owned()), name: name.to_owned() });
        let called = field.is_some_and(|field| judge::calls_function(&field, self.facts, self.labels));
        if written || called {
            return Flow::Closed;
        }
        if let Some(relations) = of.and_then(|of| self.relations(of)) {
            return self.in_relations(relations.into_iter(), name).unwrap_or(Flow::Closed);
        }
        let stored = self.in_relations(self.facts.relations.iter(), name);
        let given = self.named.get(name).cloned();
        let doubtful = self.doubtful.iter().filter(|known| **known != name && perhaps_same(known, name));
        let doubtful = doubtful.filter_map(|known| self.named.get(known).cloned());
        let given = doubtful.chain(given).reduce(Flow::or);
        let row = self.facts.aliases.iter().any(|alias| perhaps_same(&alias.name, name));
        let row = row.then(|| self.whole(Some(name)));
        let found = [stored, given, row].into_iter().flatten().reduce(Flow::or);
        // A name that nothing goes by is not known.
        found.unwrap_or(Flow::Closed).or(self.made_up.clone())
    }
}
