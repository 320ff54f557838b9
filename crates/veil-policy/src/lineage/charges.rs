//! What it costs to answer a statement's questions.

use std::collections::HashSet;

use veil_model::PgType;
use veil_sql::lineage::Expr;
use veil_sql::question::{Asks, Question};
use veil_sql::{Alias, AliasSource, QualifiedName};

use super::{Columns, Flow, perhaps_same};
use crate::labels::{Label, Standing};
use crate::question::{self, Mixed};

/// Names that are followed for the questions of one statement, times names that it gives.
const WORK_MAX: usize = 1 << 20;

/// Names of names that are followed.
const DEPTH_MAX: usize = 64;

impl Columns<'_> {
    /// What it costs to answer what the statement asks about what is labelled.
    ///
    /// # Errors
    /// Something is asked that would tell too much at once.
    pub(crate) fn cost(&self) -> Result<u32, Mixed> {
        let (mut sum, mut work) = (0_u32, WORK_MAX);
        for question in self.by_values().chain(&self.lineage.computed) {
            sum = sum.saturating_add(self.cost_of(question, &mut work)?);
        }
        Ok(sum)
    }

    /// The label of a column if all that it may be is masked by one rule, as columns of one type.
    pub(crate) fn sure(&self, column: &Expr) -> Option<Label> {
        let Expr::Column { of, name } = column else { return None };
        let Flow::Verbatim(label) = self.value(column) else { return None };
        // A name of the server's making, or of a function's column, could be the one that is meant.
        let traced = of.as_deref().is_some_and(|of| self.tracer.relations(of).is_some());
        let function = |alias: &Alias| matches!(alias.source, AliasSource::Function(_));
        let facts = self.tracer.facts;
        // By the time the statement runs, a relation without labels may have the column.
        let lacks =
            |relation: &&QualifiedName| self.tracer.in_relations(std::iter::once(*relation), name).is_none();
        let may_gain = match of.as_deref().and_then(|of| self.tracer.relations(of)) {
            Some(relations) => relations.iter().any(lacks),
            None => {
                let clean = |name: &&QualifiedName| self.tracer.labels.standing(name) != Standing::Guarded;
                facts.relations.iter().filter(clean).any(|relation| lacks(&relation))
            }
        };
        if may_gain {
            return None;
        }
        if !traced
            && (facts.unnamed
                || facts.aliases.iter().any(function)
                || self.lineage.named.iter().any(|(name, _)| name.is_none()))
        {
            return None;
        }
        let mut work = WORK_MAX;
        let mut named = Named {
            seen: HashSet::new(),
            columns: 0,
            doubtful: false,
            made: false,
            own: false,
            of: Row::Unknown,
            kind: Some(label.kind),
            work: &mut work,
        };
        self.name_column(of.as_deref(), name, &mut named, 0);
        (named.columns > 0 && !named.doubtful && !named.made && named.kind.is_some()).then_some(label)
    }

    /// What a value holds that is shown or copied by its label. Where clients may be guessing, nothing of theirs may go by the
    /// name: its mask would tell of whom it is.
    pub(crate) fn shown(&self, value: &Expr) -> Flow {
        let flow = self.tracer.expr(value);
        if self.tracer.guesses && matches!(flow, Flow::Verbatim(_)) && !self.is_of_labelled(value) {
            return Flow::Closed;
        }
        flow
    }

    fn is_of_labelled(&self, value: &Expr) -> bool {
        match value {
            Expr::Column { of, name } => {
                let (seen, mut work) = (HashSet::new(), WORK_MAX);
                let of_it = Row::Unknown;
                let mut named = Named {
                    seen,
                    columns: 0,
                    doubtful: false,
                    made: false,
                    own: false,
                    of: of_it,
                    kind: None,
                    work: &mut work,
                };
                self.name_column(of.as_deref(), name, &mut named, 0);
                !named.own && (!named.doubtful || !self.tracer.denies())
            }
            Expr::Chosen { among, .. } => {
                among.iter().all(|value| self.tracer.may_be_masked(value) || self.is_of_labelled(value))
            }
            _ => true,
        }
    }

    fn cost_of(&self, question: &Question<Vec<Expr>>, work: &mut usize) -> Result<u32, Mixed> {
        let flows: Vec<Flow> = question.about.iter().map(|value| self.tracer.expr(value)).collect();
        let computed = flows.iter().any(|flow| matches!(flow, Flow::Closed));
        let asks = match question.asks {
            // What is computed may be made to be alike.
            Asks::Alike if computed => Asks::Other,
            asks => asks,
        };
        // The value of a column as it is: computing it asks nothing.
        let harmless = |flow: &Flow| match flow {
            Flow::Clean => true,
            Flow::Verbatim(_) => matches!(asks, Asks::Computed | Asks::Total),
            Flow::Closed => false,
        };
        if flows.iter().all(harmless) || matches!(asks, Asks::Alike | Asks::Total | Asks::Beside) {
            let asked = !flows.iter().all(harmless);
            return if asked { question::cost(asks, question.given, false) } else { Ok(0) };
        }
        let (seen, of) = (HashSet::new(), Row::Unknown);
        let mut named =
            Named { seen, columns: 0, doubtful: false, made: false, own: false, of, kind: None, work };
        question.about.iter().for_each(|value| self.name(value, &mut named, 0));
        // In one row, it is compared with itself.
        let facts = self.tracer.facts;
        let several =
            (facts.aliases.len() > 1 || facts.unnamed || self.lineage.selects > 1) && !self.is_one(&named.of);
        // Columns that one rule masks are compared by what equal masks show.
        let plain = question.given.constants == 0 && !question.given.many && !named.doubtful && !named.made;
        if asks == Asks::Equality && plain && are_of_one_rule(&flows) {
            return Ok(0);
        }
        question::cost(asks, question.given, named.columns > 1 && named.doubtful && several)
    }

    /// Whether a name stands for one row of a relation.
    fn is_one(&self, of: &Row<'_>) -> bool {
        match of {
            Row::Of(of) => {
                let relations = self.tracer.relations(of);
                let named = self.tracer.facts.aliases.iter().filter(|alias| perhaps_same(&alias.name, of));
                relations.is_some() && named.count() == 1 && self.lineage.selects <= 1
            }
            Row::Unknown | Row::Several => false,
        }
    }

    /// Counts the columns that a value depends on.
    fn name<'v>(&'v self, value: &'v Expr, named: &mut Named<'v, '_>, depth: usize) {
        if depth > DEPTH_MAX || *named.work == 0 {
            return named.give_up();
        }
        *named.work -= 1;
        match value {
            Expr::Unknown | Expr::Whole(_) => named.give_up(),
            Expr::Literal => {}
            Expr::Windows => {
                if named.seen.insert("") {
                    self.lineage.windows.iter().for_each(|value| self.name(value, named, depth + 1));
                }
            }
            Expr::Nullness(inner) => match self.tracer.expr(inner) {
                Flow::Closed => self.name(inner, named, depth + 1),
                Flow::Verbatim(_) => {}
                // Another value, of two.
                Flow::Clean => named.add(true, None),
            },
            Expr::Aggregate(inner) => self.name(inner, named, depth + 1),
            Expr::Column { of, name } => self.name_column(of.as_deref(), name, named, depth),
            Expr::Chosen { among, by } => {
                among.iter().chain(by).for_each(|value| self.name(value, named, depth + 1));
            }
            Expr::From(parts) => parts.iter().for_each(|value| self.name(value, named, depth + 1)),
        }
    }

    /// A name that may be one of the server's making, or that of a function's column.
    fn name_untold<'v>(&'v self, of: Option<&'v str>, name: &str, named: &mut Named<'v, '_>) {
        let mut untold = self.lineage.named.iter().filter(|(name, _)| name.is_none()).peekable();
        let facts = self.tracer.facts;
        let unlisted = |alias: &Alias| match &alias.source {
            AliasSource::Function(_) => true,
            AliasSource::Derived(columns) => columns.is_empty(),
            AliasSource::Relation(_) => false,
        };
        if untold.peek().is_none() || !(facts.unnamed || facts.aliases.iter().any(unlisted)) {
            return;
        }
        named.made = true;
        named.own |= untold.any(|(_, value)| matches!(self.tracer.expr(value), Flow::Clean));
        let of_function = facts.aliases.iter().any(|alias| match &alias.source {
            AliasSource::Function(columns) => columns.iter().any(|column| perhaps_same(column, name)),
            AliasSource::Relation(_) | AliasSource::Derived(_) => false,
        });
        if of.is_some() || of_function {
            named.add(true, None);
        }
    }

    fn name_column<'v>(
        &'v self,
        of: Option<&'v str>,
        name: &'v str,
        named: &mut Named<'v, '_>,
        depth: usize,
    ) {
        let given = self.tracer.given(of, name);
        if given && named.seen.insert(name) {
            named.of = Row::Several;
            *named.work = named.work.saturating_sub(self.lineage.named.len());
            let values = self.lineage.named.iter().filter(|(known, _)| match known {
                Some(known) => perhaps_same(known, name),
                None => true,
            });
            for (_, value) in values {
                self.name(value, named, depth + 1);
                let made = !matches!(value, Expr::Column { .. });
                named.made |= made;
                named.own |= made && matches!(self.tracer.expr(value), Flow::Clean);
                // What is made of nothing may be any number of guesses.
                if value.is_constant() {
                    named.add(true, None);
                }
            }
        }
        let traced = of.is_some_and(|of| self.tracer.relations(of).is_some());
        if !given && !traced {
            self.name_untold(of, name, named);
        }
        if !given || self.tracer.in_relations(self.tracer.facts.relations.iter(), name).is_some() {
            named.add(!self.tracer.is_labelled(of, name), of);
            if named.kind.is_some_and(|kind| !self.tracer.is_of_kind(of, name, kind)) {
                named.kind = None;
            }
        }
    }
}

fn are_of_one_rule(flows: &[Flow]) -> bool {
    let rules: Option<HashSet<&str>> = flows
        .iter()
        .map(|flow| match flow {
            Flow::Verbatim(label) => Some(label.rule.as_ref()),
            Flow::Clean | Flow::Closed => None,
        })
        .collect();
    rules.is_some_and(|rules| rules.len() == 1)
}

/// The columns that something depends on.
struct Named<'a, 'w> {
    /// Names of the statement's own that have been followed.
    seen: HashSet<&'a str>,
    columns: u32,
    /// Some column may be one that is not labelled.
    doubtful: bool,
    /// Something is computed.
    made: bool,
    /// Something is computed of nothing that is labelled.
    own: bool,
    of: Row<'a>,
    /// The type of all of them, as long as they have that.
    kind: Option<Option<PgType>>,
    work: &'w mut usize,
}

/// Whose columns they are.
#[derive(Clone, Copy)]
enum Row<'a> {
    Unknown,
    Of(&'a str),
    Several,
}

impl<'a> Named<'a, '_> {
    fn add(&mut self, doubtful: bool, of: Option<&'a str>) {
        self.columns += 1;
        self.doubtful |= doubtful;
        self.of = match (self.of, of) {
            (Row::Unknown, Some(of)) => Row::Of(of),
            (Row::Of(known), Some(of)) if known == of => Row::Of(of),
            _ => Row::Several,
        };
    }

    /// It may be anything.
    fn give_up(&mut self) {
        self.add(true, None);
        self.add(true, None);
    }
}
