//! What clients mean by the masks that they give. Names are not resolved: where a name may be that of a column which is not
//! masked by the same rule, its values stay as they are, and count as questions.

use std::collections::{HashMap, HashSet};

use veil_mask::{Given, Use};
use veil_sql::lineage::{Expr, Meeting, Meets, Spot, Stored};
use veil_sql::mysql::{Facts, Kind, Statement, Table};
use veil_sql::{Place, QualifiedName};

use super::asked::Scope;
use super::labels::Labels;
use super::lineage::{Flow, perhaps_same};
use crate::judge::Refusal;
use crate::labels::Label;
use crate::protection::{Predicates, Writes};
use crate::translate::{Escapes, Parameter, Translation, Type, Written, refuse_computed, refuse_deciding};

/// Of a statement; `None` if there are no masks in it.
///
/// # Errors
/// Something is written to a column whose masks stand for values, and is no mask.
pub(super) fn translation(
    statement: &Statement,
    labels: &Labels,
    database: Option<&str>,
) -> Result<Option<Translation>, Refusal> {
    let facts = &statement.facts;
    let plain = !labels.translates() && facts.writes.is_empty();
    if plain || !matches!(statement.kind, Kind::Data | Kind::Explain) {
        return Ok(None);
    }
    let found = taken(facts, labels, database).masks;
    check_writes(facts, &found, labels, database)?;
    if statement.kind == Kind::Explain {
        // A plan quotes the statement.
        let stores = facts.meetings.iter().any(|meeting| matches!(meeting.meets, Meets::Stored(_)));
        return if stores && !found.is_empty() { refuse_computed() } else { Ok(None) };
    }
    let escapes = if facts.plain_backslashes { Escapes::Quotes } else { Escapes::Backslashes };
    let guard = |to: &Stored| match written(to, labels, database) {
        (Written::Shown(label), declared) => Some((label.rule, label.masker.declared(&declared)?)),
        _ => None,
    };
    Translation::new(&facts.meetings, &found, escapes)?.guarded(&facts.meetings, &facts.nulls, guard)
}

/// What literals and parameters are taken for.
#[derive(Default)]
pub(super) struct Taken {
    /// Masks.
    pub(super) masks: HashMap<Spot, Parameter>,
    /// Values of columns without labels.
    pub(super) clean: HashSet<Spot>,
}

/// What the literals and parameters of a statement are taken for.
pub(super) fn taken(facts: &Facts, labels: &Labels, database: Option<&str>) -> Taken {
    if !labels.translates() {
        return Taken::default();
    }
    let scope = Scope::new(facts, labels, database);
    let clean = facts.meetings.iter().filter(|meeting| match &meeting.meets {
        Meets::Compared { column: Expr::Column { of: Some(of), name }, .. } => scope.is_clear(of, name),
        _ => false,
    });
    let clean = clean.map(|meeting| meeting.at).collect();
    let mut found: HashMap<Spot, Option<Parameter>> = HashMap::new();
    for meeting in &facts.meetings {
        let one = parameter(meeting, &scope);
        let known = found.remove(&meeting.at);
        found.insert(meeting.at, if known.is_none() { one } else { None });
    }
    let masks = found.into_iter().filter_map(|(spot, taken)| Some((spot, taken?))).collect();
    Taken { masks, clean }
}

fn parameter(meeting: &Meeting, scope: &Scope<'_>) -> Option<Parameter> {
    let ((label, declared), used) = match &meeting.meets {
        Meets::Compared { column: Expr::Column { of, name }, equal } => {
            (scope.sure(of.as_deref(), name)?, if *equal { Use::Equal } else { Use::Unequal })
        }
        Meets::Compared { .. } => return None,
        Meets::Stored(to) => match written(to, scope.labels, scope.database) {
            (Written::Masks(label), declared) => ((label, declared), Use::Stored),
            (Written::Plain | Written::Shown(_) | Written::Unsure, _) => return None,
        },
    };
    if meeting.literal.is_none() && meeting.is_literal() {
        return None;
    }
    let mask = label.masker.declared(&declared).filter(|mask| mask.translates() && label.cases.is_none())?;
    let given = Given { used, kind: None, list: false };
    Some(Parameter { rule: label.rule, kind: Type::MySql(declared.into()), mask, given })
}

fn check_writes(
    facts: &Facts,
    found: &HashMap<Spot, Parameter>,
    labels: &Labels,
    database: Option<&str>,
) -> Result<(), Refusal> {
    let mut replaced = facts.replaced.iter();
    if labels.policy().predicates() == Predicates::Deny
        && replaced.any(|to| labels.decides(&to.target, to.place.as_ref(), database))
    {
        return refuse_deciding();
    }
    let plain = |to: &Stored| written(to, labels, database).0.takes_anything();
    let untold = facts.meetings.iter().filter(|meeting| !found.contains_key(&meeting.at));
    let untold = untold.filter_map(|meeting| match &meeting.meets {
        Meets::Stored(to) => Some(to),
        Meets::Compared { .. } => None,
    });
    let mut all = untold.chain(facts.stores.iter().map(|store| &store.to)).chain(&facts.proposed);
    if all.all(plain) { Ok(()) } else { refuse_computed() }
}

/// What stands in a column that is written to, or in any column of its table, and the column's type.
fn written(to: &Stored, labels: &Labels, database: Option<&str>) -> (Written, String) {
    let QualifiedName { schema, name } = &to.target;
    let known = schema.as_deref().or(database).and_then(|database| labels.catalog().table(database, name));
    let Some(table) = known else { return (Written::Plain, String::new()) };
    let columns: Vec<&str> = match &to.place {
        Some(Place::Name(name)) if name == "*" => all(table),
        Some(Place::Name(name)) => {
            all(table).into_iter().filter(|column| perhaps_same(column, name)).collect()
        }
        Some(Place::At(at)) => {
            let mut visible = table.columns.iter().filter(|column| !column.invisible);
            visible.nth(*at).map(|column| column.name.as_str()).into_iter().collect()
        }
        None => all(table),
    };
    let mut found = (Written::Plain, String::new());
    for column in columns {
        let declared = table.column(column).map_or("", |column| column.column_type.as_str());
        match labels.flow(table, column) {
            // The mask of a value of the client's own would tell how those of its subject are made.
            Flow::Verbatim { label, .. }
                if labels.policy().predicates() == Predicates::Deny && label.masker.subject().is_some() =>
            {
                return (Written::Unsure, String::new());
            }
            Flow::Verbatim { label, .. } if label.writes == Writes::Plain => {}
            Flow::Verbatim { label, .. } if translates(&label, declared) => {
                return (Written::Masks(label), declared.to_owned());
            }
            Flow::Verbatim { label, .. } => found = (Written::Shown(label), declared.to_owned()),
            // Whatever a view's column is.
            Flow::Closed if !table.kind.keeps_rows() => return (Written::Unsure, String::new()),
            Flow::Clean | Flow::Closed => {}
        }
    }
    found
}

fn all(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

fn translates(label: &Label, declared: &str) -> bool {
    label.cases.is_none() && label.masker.declared(declared).is_some_and(|mask| mask.translates())
}
