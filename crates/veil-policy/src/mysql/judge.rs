//! The gate: may a statement run, and what of its result is closed.

use std::collections::HashSet;

use veil_sql::mysql::functions::{self, Effect};
use veil_sql::mysql::{
    Definition, Facts, Function, Kind, Show, Source, Statement, Table, TableKind, TableName, Write, catalog,
};

use super::asked::{self, asks_nothing};
use super::labels::Labels;
use super::lineage::{self, perhaps_same};
use crate::judge::{
    HINT_DIRECT, HINT_SELECT, HINT_TRUST, Refusal, Run, Untraced, refuse, refuse_own_columns, refuse_question,
};
use crate::labels::Standing;
use crate::protection::Predicates;
use crate::question::refuse_mixed;

/// Judges a statement of a session whose database is `database`. A name that is not known makes it closed.
///
/// # Errors
/// The refusal, for the client.
pub fn judge(statement: &Statement, labels: &Labels, database: Option<&str>) -> Result<Run, Refusal> {
    if labels.masks_nothing() {
        return Ok(Run::SHOWN);
    }
    let facts = &statement.facts;
    if let Kind::Refused(what) = statement.kind {
        return refuse(format!("{what} is not available where columns are masked"), HINT_DIRECT);
    }
    if let Some(what) = facts.opaque {
        return refuse(format!("the statement contains {what}"), HINT_DIRECT);
    }
    let worst = worst_effect(facts, labels);
    if worst == Effect::Dangerous {
        return refuse(
            format!("{} is not available where columns are masked", culprit(facts, labels)),
            HINT_DIRECT,
        );
    }
    let shown = |scrub| Ok(Run { untraced: Untraced::Show, clean: true, scrub });
    match &statement.kind {
        Kind::Data | Kind::Explain => judge_data(statement, worst, labels, database),
        Kind::Define(definition) => judge_definition(definition, facts, worst, labels, database)
            .map(|()| Run { untraced: Untraced::Show, clean: true, scrub: false }),
        Kind::Show(_) if worst != Effect::Pure => {
            refuse(format!("{} in this statement", culprit(facts, labels)), HINT_DIRECT)
        }
        Kind::Call | Kind::Set { .. } if worst == Effect::Unknown => {
            refuse(format!("{} in this statement", culprit(facts, labels)), HINT_TRUST)
        }
        Kind::Show(Show::Warnings | Show::Processes | Show::Counters) => {
            Ok(Run { untraced: Untraced::Show, clean: false, scrub: true })
        }
        // What EXECUTE runs is judged under its own name as well; a transaction's end may report what others did.
        Kind::Execute { .. } => Ok(Run { untraced: Untraced::Close, clean: false, scrub: true }),
        Kind::Call | Kind::Prepare { .. } => shown(true),
        // A condition may choke on what it is given.
        Kind::Show(Show::Definitions) => shown(!facts.functions.is_empty() || facts.reads_variables),
        Kind::Set { .. }
        | Kind::Use(_)
        | Kind::Deallocate { .. }
        | Kind::Kill { .. }
        | Kind::Session
        | Kind::Refused(_) => shown(false),
    }
}

/// Objects may be defined, changed and dropped where nothing sensitive is near.
fn judge_definition(
    definition: &Definition,
    facts: &Facts,
    worst: Effect,
    labels: &Labels,
    database: Option<&str>,
) -> Result<(), Refusal> {
    let free = |name: &TableName| {
        let of = name.database.as_deref().or(database);
        of.is_some_and(|of| !catalog::is_system(of))
            && labels.standing(name, &Facts::default(), database) != Standing::Guarded
    };
    let own = |name: &TableName| is_temporary(name, labels, database);
    // Where one hides another table, triggers that write to that write to this.
    let hides = |name: &TableName| known(name, labels, database).is_some() && !own(name);
    let free_of = |of: &String| {
        let mut inside = labels.catalog().tables().filter(|table| perhaps_same(&table.database, of));
        !catalog::is_system(of) && inside.all(|table| labels.is_clean(table))
    };
    if labels.policy().predicates() == Predicates::Deny
        && defines_masked(&definition.made, facts, labels, database)
    {
        return refuse_own_columns();
    }
    let harmless = names_only_clean(facts, labels, database)
        && matches!(worst, Effect::Pure | Effect::Keeps)
        && facts.writes.is_empty()
        && !facts.assigns
        && definition.database.iter().all(free_of)
        && definition.made.iter().all(free)
        && (definition.temporary || definition.gone.iter().all(|name| own(name) || free(name)))
        && match definition.temporary {
            true => !definition.made.iter().any(hides),
            false => !definition.made.iter().chain(&facts.tables).any(own),
        };
    if harmless {
        return Ok(());
    }
    refuse("a definition that involves masked columns, or what is not known".to_owned(), HINT_DIRECT)
}

/// Whether a column may come to be that a rule is on: whoever may write to it sees the masks of his guesses.
fn defines_masked(made: &[TableName], facts: &Facts, labels: &Labels, database: Option<&str>) -> bool {
    let known = facts.tables.iter().filter_map(|name| known(name, labels, database));
    let known = known.flat_map(|table| table.columns.iter().map(|column| &column.name));
    let columns: HashSet<&String> = known.chain(&facts.defines).collect();
    let mut tables = made.iter().chain(&facts.tables);
    tables.any(|table| {
        let of = table.database.as_deref().or(database).unwrap_or_default();
        columns.iter().any(|column| labels.rule(of, &table.name, column).is_some())
    })
}

fn judge_data(
    statement: &Statement,
    worst: Effect,
    labels: &Labels,
    database: Option<&str>,
) -> Result<Run, Refusal> {
    let facts = &statement.facts;
    let keeps_values = facts.assigns || !facts.writes.is_empty();
    if let Some(write) = facts.writes.iter().find(|write| is_reserved(write, database)) {
        return refuse(format!("\"{}\" may not be written to", write.target.name), HINT_DIRECT);
    }
    if worst == Effect::Unknown && keeps_values {
        return refuse(format!("{} in a statement that keeps values", culprit(facts, labels)), HINT_TRUST);
    }
    let clean = names_only_clean(facts, labels, database);
    if !clean {
        judge_guarded(statement, worst, labels, database)?;
    } else if worst == Effect::Unknown && labels.policy().predicates() == Predicates::Deny {
        // It may read what is masked, and rows are chosen by what it returns.
        return refuse(format!("{} where questions are not answered", culprit(facts, labels)), HINT_TRUST);
    }
    let untraced = if clean && worst != Effect::Unknown { Untraced::Show } else { Untraced::Follow };
    if statement.kind == Kind::Explain && worst == Effect::Unknown {
        return refuse("EXPLAIN of a statement that calls what is not known".to_owned(), HINT_SELECT);
    }
    // A trigger runs what the statement does not show.
    let scrub = !clean || worst != Effect::Pure || !facts.writes.is_empty();
    Ok(Run { untraced, clean: clean && untraced == Untraced::Show, scrub })
}

/// A statement that names something sensitive.
fn judge_guarded(
    statement: &Statement,
    worst: Effect,
    labels: &Labels,
    database: Option<&str>,
) -> Result<(), Refusal> {
    let facts = &statement.facts;
    let allowed = worst == Effect::Unknown && labels.policy().unknown_functions();
    if worst != Effect::Pure && !allowed {
        return refuse(
            format!("{} may not be used together with masked columns", culprit(facts, labels)),
            HINT_TRUST,
        );
    }
    if facts.assigns {
        return refuse("variables may not be set in a statement over masked columns".to_owned(), HINT_SELECT);
    }
    match labels.policy().predicates() {
        Predicates::Deny if !asks_nothing(facts, labels, database) => return refuse_question(),
        Predicates::Audit if asked::cost(facts, labels, database).is_err() => return refuse_mixed(),
        Predicates::Allow | Predicates::Audit | Predicates::Deny => {}
    }
    // Several tables may be written from the same rows.
    let again = |at: usize| {
        let pair =
            at.checked_sub(1).and_then(|before| Some((facts.writes.get(before)?, facts.writes.get(at)?)));
        pair.is_some_and(|(before, write)| {
            matches!(write.source, Source::Assigned(_)) && before.source == write.source
        })
    };
    let mut writes = facts.writes.iter().enumerate().filter(|(at, _)| !again(*at)).map(|(_, write)| write);
    match writes.find(|write| !may_write(write, facts, labels, database)) {
        None => Ok(()),
        Some(write) => refuse(
            format!(
                "values may not be copied into \"{}\" in a statement over masked columns",
                write.target.name
            ),
            "Write literals or parameters.",
        ),
    }
}

/// What it costs to answer what a statement that may run asks.
pub(super) fn cost(statement: &Statement, labels: &Labels, database: Option<&str>) -> u32 {
    let facts = &statement.facts;
    if labels.policy().predicates() != Predicates::Audit || names_only_clean(facts, labels, database) {
        return 0;
    }
    asked::cost(facts, labels, database).unwrap_or(u32::MAX)
}

/// Whether a statement may run code that its text does not show: triggers, and functions that are not known.
#[must_use]
pub fn runs_hidden_code(statement: &Statement, labels: &Labels, database: Option<&str>) -> bool {
    let facts = &statement.facts;
    let reads = matches!(statement.kind, Kind::Data | Kind::Explain);
    !facts.writes.iter().all(|write| is_temporary(&write.target, labels, database))
        || (reads
            && (worst_effect(facts, labels) >= Effect::Unknown
                || facts.tables.iter().any(|name| runs_unknown(name, labels, database, 0))))
}

/// Whether a name is that of a temporary table of the session, which has no triggers.
fn is_temporary(name: &TableName, labels: &Labels, database: Option<&str>) -> bool {
    known(name, labels, database).is_some_and(|table| table.kind == TableKind::Temporary)
}

fn known<'l>(name: &TableName, labels: &'l Labels, database: Option<&str>) -> Option<&'l Table> {
    labels.catalog().table(name.database.as_deref().or(database)?, &name.name)
}

/// Whether a view calls functions that are not known, or that cannot be told.
fn runs_unknown(name: &TableName, labels: &Labels, database: Option<&str>, depth: usize) -> bool {
    let Some(view) =
        known(name, labels, database).filter(|table| !table.kind.keeps_rows() && !labels.is_clean(table))
    else {
        return false;
    };
    let Some(definition) = view.definition.as_deref() else { return true };
    let (facts, own) = (&definition.facts, Some(view.database.as_str()));
    depth > VIEW_DEPTH_MAX
        || facts.opaque.is_some()
        || worst_effect(facts, labels) >= Effect::Unknown
        || facts.tables.iter().any(|name| runs_unknown(name, labels, own, depth + 1))
}

/// Views over views deeper than this may do anything.
const VIEW_DEPTH_MAX: usize = 32;

/// Whether a statement names what is no table with rows of its own: what else a view calls, its text does not show.
#[must_use]
pub fn reads_views(statement: &Statement, labels: &Labels, database: Option<&str>) -> bool {
    let expressions = &statement.facts.expressions;
    statement.facts.tables.iter().any(|name| {
        let table = known(name, labels, database);
        let expression = name.database.is_none() && expressions.contains(&name.name.to_lowercase());
        !expression && table.is_none_or(|table| !table.kind.keeps_rows())
    })
}

/// Whether a view with this definition shows nothing sensitive.
pub(super) fn shows_nothing(facts: &Facts, labels: &Labels, database: &str) -> bool {
    facts.opaque.is_none()
        && facts.writes.is_empty()
        && !facts.assigns
        && matches!(worst_effect(facts, labels), Effect::Pure | Effect::Keeps)
        && names_only_clean(facts, labels, Some(database))
}

/// Whether a statement names a table that the catalog does not have.
#[must_use]
pub fn names_missing(statement: &Statement, labels: &Labels, database: Option<&str>) -> bool {
    let facts = &statement.facts;
    facts.tables.iter().any(|name| labels.standing(name, facts, database) == Standing::Missing)
}

fn names_only_clean(facts: &Facts, labels: &Labels, database: Option<&str>) -> bool {
    facts.tables.iter().all(|name| labels.standing(name, facts, database) == Standing::Clean)
}

fn worst_effect(facts: &Facts, labels: &Labels) -> Effect {
    let effects = facts.functions.iter().map(|function| effect(function, labels));
    effects.max().unwrap_or(Effect::Pure)
}

pub(super) fn effect(function: &Function, labels: &Labels) -> Effect {
    let schema = function.database.as_deref();
    if labels.policy().trusts(schema.filter(|database| !database.is_empty()), &function.name) {
        return Effect::Pure;
    }
    match functions::effect(&function.name) {
        Effect::Dangerous => Effect::Dangerous,
        _ if schema.is_some() || labels.catalog().may_be_users(&function.name) => Effect::Unknown,
        known => known,
    }
}

/// The function that is at fault, by name.
fn culprit(facts: &Facts, labels: &Labels) -> String {
    let worst = facts.functions.iter().max_by_key(|function| effect(function, labels));
    worst.map_or_else(|| "a function".to_owned(), |function| format!("function {}", function.name))
}

fn is_reserved(write: &Write, database: Option<&str>) -> bool {
    write.target.database.as_deref().or(database).is_some_and(catalog::is_system)
}

fn may_write(write: &Write, facts: &Facts, labels: &Labels, database: Option<&str>) -> bool {
    let columns = match &write.source {
        Source::Columns(columns) => columns,
        Source::Query(query) => {
            return lineage::flows(query, labels, database)
                .is_some_and(|flows| flows.iter().all(lineage::Flow::is_clean));
        }
        Source::Assigned(query) => {
            // Other tables may be of the client's own making.
            let alone = facts.tables.len() == 1;
            let may = |pair: &[lineage::Flow]| lineage::Flow::may_be_assigned(pair, alone);
            return lineage::flows(query, labels, database).is_some_and(|flows| flows.chunks(2).all(may));
        }
        Source::Unknown => return false,
    };
    if columns.is_empty() {
        return true;
    }
    let table = write.target.database.as_deref().or(database);
    let table = table.and_then(|database| labels.catalog().table(database, &write.target.name));
    table.is_some_and(|table| columns.iter().all(|column| labels.is_plain_column(table, column)))
}
