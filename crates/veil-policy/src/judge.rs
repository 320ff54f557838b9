//! The gate: may a statement run, and what of its result is closed.
//!
//! It looks at what a statement names, not at how values flow through it: what names nothing sensitive is let through,
//! what calls unknown code is closed or refused, and only what is left is followed (`lineage`).

use std::collections::HashSet;

use veil_model::pgtype;
use veil_sql::analyse::SYSTEM_USER;
use veil_sql::functions::{self, Effect};
use veil_sql::{
    AliasSource, Facts, Field, Kind, QualifiedName, RelationKind, Source, Statement, Write, Written, system,
};

use crate::copy::copied;
use crate::labels::{Label, Labels, Standing};
use crate::lineage::{Columns, Flow};
use crate::protection::Predicates;
use crate::question::refuse_mixed;

/// Why a statement is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE.
    pub code: &'static str,
    /// What is refused.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

/// What happens to result columns that the server does not trace to a column of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untraced {
    /// They are shown: nothing sensitive is named.
    Show,
    /// They are followed to what they are made of, and shown, masked or closed by that.
    Follow,
    /// They are NULL.
    Close,
}

/// How a statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its computed columns.
    pub untraced: Untraced,
    /// It names nothing sensitive: its rows need no description to be judged.
    pub clean: bool,
    /// Texts of its errors and notices may quote data.
    pub scrub: bool,
}

impl Run {
    /// For what is not known: nothing computed is shown.
    pub const CLOSED: Self = Self { untraced: Untraced::Close, clean: false, scrub: true };

    /// For what is shown as it is.
    pub const SHOWN: Self = Self { untraced: Untraced::Show, clean: true, scrub: false };

    /// Whether what is computed from nothing known, such as variables of the session, is shown.
    #[must_use]
    pub fn shows_all(self) -> bool {
        self.untraced == Untraced::Show
    }
}

pub(crate) const HINT_SELECT: &str =
    "Select the columns one by one; masked columns come masked, the others in clear.";
pub(crate) const HINT_DIRECT: &str =
    "Run it on the database itself, or as a user whom a rule with \"unmask: true\" exempts.";
pub(crate) const HINT_TRUST: &str =
    "If the function shows no masked value, list it under protection.trusted_functions.";

/// Judges a statement. A name that is not known makes it closed, never refused.
///
/// # Errors
/// The refusal, for the client.
pub fn judge(statement: &Statement, labels: &Labels) -> Result<Run, Refusal> {
    if let Kind::CopyOut(out) = &statement.kind
        && out.layout.is_none()
        && labels.scan().is_some()
    {
        return refuse(
            "COPY in a form that is not known, where columns without rules are looked into".to_owned(),
            "ENCODING has to be UTF8.",
        );
    }
    if labels.masks_nothing() {
        return Ok(Run::SHOWN);
    }
    if let Kind::Refused(what) = statement.kind {
        return refuse(format!("{what} is not available where columns are masked"), HINT_DIRECT);
    }
    let facts = &statement.facts;
    if let Some(what) = facts.opaque {
        return refuse(format!("the statement contains {what}"), HINT_DIRECT);
    }
    let worst = worst_effect(facts, labels)?;
    if let Some(write) = facts.writes.iter().find(|write| is_reserved(write, labels)) {
        return refuse(format!("\"{}\" may not be written to", write.target.name), HINT_DIRECT);
    }
    if !facts.writes.is_empty() && has_untrusted_casts(labels) {
        return refuse(
            "a write where users made casts, which the server applies unseen".to_owned(),
            HINT_TRUST,
        );
    }
    if !facts.writes.is_empty() && worst == Effect::Unknown {
        // What it returns would be kept where nothing is masked.
        return refuse("a write in a statement that calls what is not known".to_owned(), HINT_TRUST);
    }
    let clean = names_only_clean(facts, labels);
    if let Kind::Define(targets) = &statement.kind {
        return judge_definition(targets, clean && worst != Effect::Unknown, facts, labels);
    }
    if !clean {
        judge_guarded(statement, worst, labels)?;
    }
    let untraced = untraced(facts, worst, labels);
    match &statement.kind {
        // They have no columns that could be closed one by one.
        Kind::CopyOut(_) if untraced == Untraced::Close => {
            refuse("COPY of a statement that calls what is not known".to_owned(), HINT_SELECT)
        }
        Kind::CopyOut(_) if untraced == Untraced::Follow && copied(statement, labels).is_none() => refuse(
            "COPY of columns over masked ones that cannot be told from the statement".to_owned(),
            "Name columns one by one and tables with their schema; ENCODING has to be UTF8.",
        ),
        Kind::Explain if untraced == Untraced::Close => {
            refuse("EXPLAIN of a statement that calls what is not known".to_owned(), HINT_DIRECT)
        }
        Kind::Explain
            if !clean
                && facts.measures
                && !Columns::new(statement, labels).is_some_and(|columns| columns.holds_nothing()) =>
        {
            refuse(
                "EXPLAIN ANALYZE of what sorts, joins or computes with masked columns, since it shows how much memory that takes"
                    .to_owned(),
                "Use EXPLAIN without ANALYZE.",
            )
        }
        // A plan quotes the statement and definitions, and counts rows; it holds no value of a row.
        Kind::Explain => Ok(Run { untraced: Untraced::Show, clean, scrub: true }),
        // What they run is judged under its own name as well; a transaction's end may report what others did.
        Kind::Execute { .. } | Kind::Fetch { .. } => Ok(Run { untraced, clean: false, scrub: true }),
        Kind::Session | Kind::Deallocate { .. } | Kind::Close { .. } | Kind::DiscardAll => {
            Ok(Run { untraced: Untraced::Show, clean: true, scrub: true })
        }
        _ => {
            let scrub =
                !clean || worst != Effect::Pure || facts.writes.iter().any(|w| has_triggers(w, labels));
            Ok(Run { untraced, clean: clean && untraced == Untraced::Show, scrub })
        }
    }
}

/// What is shown of a view's computed columns.
pub(crate) fn judge_view(view: &Statement, labels: &Labels) -> Untraced {
    let facts = &view.facts;
    if facts.opaque.is_some() || !facts.writes.is_empty() {
        return Untraced::Close;
    }
    worst_effect(facts, labels).map_or(Untraced::Close, |worst| untraced(facts, worst, labels))
}

/// By the worst that the statement's functions may do.
fn untraced(facts: &Facts, worst: Effect, labels: &Labels) -> Untraced {
    if has_untrusted_casts(labels) {
        return Untraced::Close;
    }
    match (names_only_clean(facts, labels), worst) {
        (true, Effect::Pure | Effect::Keeps) => Untraced::Show,
        (false, Effect::Pure) if !reads_older_name(facts, labels) => Untraced::Follow,
        _ => Untraced::Close,
    }
}

fn names_only_clean(facts: &Facts, labels: &Labels) -> bool {
    !reads_older_name(facts, labels)
        && !shows_secrets(facts, labels)
        && facts.relations.iter().all(|name| labels.standing(name) == Standing::Clean)
}

/// What the newest grammar reads as a function is a relation for older servers, if there is one.
fn reads_older_name(facts: &Facts, labels: &Labels) -> bool {
    facts.functions.iter().any(|function| function.name == SYSTEM_USER)
        && labels.catalog().named(None, SYSTEM_USER).next().is_some()
}

/// Whether the column of a system relation that is not harmless may be read, by itself or in a whole row.
fn shows_secrets(facts: &Facts, labels: &Labels) -> bool {
    let mut secrets = facts.relations.iter().filter_map(|relation| system::secret_column(&relation.name));
    secrets.any(|column| {
        facts.renames
            || facts.names.contains("*")
            || facts.names.contains(column)
            || facts.fields.iter().any(|field| field.name == column)
            || facts.aliases.iter().any(|alias| facts.names.contains(&alias.name))
            || facts.fields.iter().any(|field| calls_function(field, facts, labels))
    })
}

/// Whether the server may call a user's function to cast a value: no statement shows where it does.
fn has_untrusted_casts(labels: &Labels) -> bool {
    let mut casts = labels.catalog().cast_functions();
    casts.any(|(schema, name)| !labels.policy().trusts(Some(schema), name))
}

/// Whether a statement names a relation that the catalog does not have.
#[must_use]
pub fn names_missing(statement: &Statement, labels: &Labels) -> bool {
    let facts = &statement.facts;
    facts.relations.iter().any(|name| labels.standing(name) == Standing::Missing)
}

/// Objects may be defined, changed and dropped where nothing sensitive is near: then whatever is known of them by those who
/// have read the catalog before, no value comes to stand where it was not expected.
fn judge_definition(
    targets: &[QualifiedName],
    harmless: bool,
    facts: &Facts,
    labels: &Labels,
) -> Result<Run, Refusal> {
    let guarded = |target: &QualifiedName| match target.name.as_str() {
        "*" => labels.holds_guarded(target.schema.as_deref()),
        // In another schema, it could be taken for the one that is.
        _ => {
            let name = QualifiedName { schema: None, name: target.name.clone() };
            labels.standing(&name) == Standing::Guarded
        }
    };
    // Partitions and children change with what they belong to.
    let in_family = |name: &QualifiedName| labels.catalog().is_related(name, |oid| !labels.is_clean(oid));
    let called = |name: &QualifiedName| has_column_like_function(name, labels);
    if labels.policy().predicates() == Predicates::Deny && defines_masked(targets, facts, labels) {
        return refuse_own_columns();
    }
    // Types are looked for in the session's own schema first, and so are casts to them.
    let builtin = |name: &String| pgtype::named(name).is_some() || name == "n";
    let takes_type = facts.made.iter().any(builtin);
    if !harmless
        || takes_type
        || !facts.writes.is_empty()
        || has_untrusted_casts(labels)
        || targets.iter().any(guarded)
        || targets.iter().chain(&facts.relations).any(in_family)
        || facts.types.iter().any(|name| labels.catalog().unary_function(name))
        || targets.iter().chain(&facts.relations).any(called)
    {
        return refuse(
            "a definition that involves masked columns, or what is not known".to_owned(),
            HINT_DIRECT,
        );
    }
    Ok(Run { untraced: Untraced::Show, clean: true, scrub: false })
}

/// Whether a column may come to be that a rule is on: whoever may write to it sees the masks of his guesses.
fn defines_masked(targets: &[QualifiedName], facts: &Facts, labels: &Labels) -> bool {
    let catalog = labels.catalog();
    let known = facts.relations.iter().flat_map(|name| catalog.named(name.schema.as_deref(), &name.name));
    let known = known.flat_map(|(_, relation)| relation.columns.iter().map(|column| &column.name));
    let columns: HashSet<&String> = known.chain(&facts.defines).collect();
    let masks = |relation: &QualifiedName| {
        columns.iter().any(|column| labels.would_mask(relation, column))
            || (facts.defines_any && labels.would_mask_some(relation))
    };
    // What changes a table changes its children.
    let in_family = |name: &QualifiedName| {
        catalog.is_related(name, |oid| {
            catalog.relation(oid).is_some_and(|relation| {
                let (schema, name) = (Some(relation.schema.clone()), relation.name.clone());
                masks(&QualifiedName { schema, name })
            })
        })
    };
    targets.iter().chain(&facts.relations).any(|relation| masks(relation) || in_family(relation))
}

pub(crate) fn refuse_own_columns<T>() -> Result<T, Refusal> {
    refuse(
        "a definition of columns that rules mask, which would show the masks of what is written to them"
            .to_owned(),
        "Define it as a user whom no rule concerns, or name tables in the rules.",
    )
}

/// Whether a relation has a column that a function is called like: if the relation goes, or goes by another name, `x.f` means
/// the function.
fn has_column_like_function(name: &QualifiedName, labels: &Labels) -> bool {
    let catalog = labels.catalog();
    catalog.named(name.schema.as_deref(), &name.name).any(|(_, relation)| {
        let mut columns = relation.columns.iter().map(|column| &column.name);
        !relation.system()
            && columns.any(|column| catalog.unary_function(column) && catalog.user_function(column))
    })
}

/// A statement that names something sensitive.
fn judge_guarded(statement: &Statement, worst: Effect, labels: &Labels) -> Result<(), Refusal> {
    if statement.kind == Kind::CopyIn {
        return refuse("COPY into a table with masked columns".to_owned(), "Use INSERT.");
    }
    let allowed = worst == Effect::Unknown && labels.policy().unknown_functions();
    if worst != Effect::Pure && !allowed {
        let facts = &statement.facts;
        let called = facts.functions.iter().map(|function| &function.name);
        let fields = facts.fields.iter().filter(|field| calls_function(field, facts, labels));
        let mut names = called.chain(fields.map(|field| &field.name));
        let name = names.find(|name| functions::effect(name) != Effect::Pure);
        let name = name.map_or("a function", String::as_str);
        return refuse(format!("{name} may not be used together with masked columns"), HINT_TRUST);
    }
    if names_guarded(&statement.facts, labels) && !copies_table(statement) {
        match (labels.policy().predicates(), Columns::new(statement, labels)) {
            (Predicates::Allow, _) => {}
            (Predicates::Audit, Some(columns)) if columns.cost().is_err() => return refuse_mixed(),
            (Predicates::Deny, Some(columns)) if !columns.asks_nothing() => return refuse_question(),
            (Predicates::Audit | Predicates::Deny, Some(_)) => {}
            (Predicates::Audit | Predicates::Deny, None) => return refuse_question(),
        }
    }
    match statement.facts.writes.iter().find(|write| !may_write(write, statement, labels)) {
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

/// Whether a statement names a relation with labels, or one of which it cannot be told.
fn names_guarded(facts: &Facts, labels: &Labels) -> bool {
    facts.relations.iter().any(|name| labels.standing(name) == Standing::Guarded)
}

/// Whether it copies a table as it is, which asks nothing.
fn copies_table(statement: &Statement) -> bool {
    matches!(&statement.kind, Kind::CopyOut(copy) if copy.table.is_some())
}

/// What it costs to answer what a statement that may run asks.
pub(crate) fn cost(statement: &Statement, labels: &Labels) -> u32 {
    let counted = labels.policy().predicates() == Predicates::Audit;
    if !counted || copies_table(statement) || !names_guarded(&statement.facts, labels) {
        return 0;
    }
    let columns = Columns::new(statement, labels);
    columns.and_then(|columns| columns.cost().ok()).unwrap_or(u32::MAX)
}

/// A relation of the server's own (`pg_settings` can be updated), one whose rules make something else of a
/// write, or a view over such.
fn is_reserved(write: &Write, labels: &Labels) -> bool {
    let mut names = vec![&write.target];
    let mut seen = HashSet::new();
    while let Some(name) = names.pop() {
        for (oid, relation) in labels.catalog().named(name.schema.as_deref(), &name.name) {
            if relation.system() || relation.rules {
                return true;
            }
            if seen.insert(oid) {
                names.extend(relation.definition.iter().flat_map(|view| &view.facts.relations));
            }
        }
    }
    false
}

fn may_write(write: &Write, statement: &Statement, labels: &Labels) -> bool {
    let Some(Source { columns, values }) = &write.source else { return false };
    let plain = columns.iter().all(|column| {
        let mut targets = named(&write.target, labels).peekable();
        targets.peek().is_some() && targets.all(|oid| labels.is_plain_column(oid, column))
    });
    plain && (values.is_empty() || may_copy(write, values, statement, labels))
}

/// Values may be copied if nothing labelled is in them, or where they came from, into columns that are masked alike. Other
/// tables may be of the client's own making, and what their names mean may change until the statement runs.
fn may_copy(write: &Write, values: &[Written], statement: &Statement, labels: &Labels) -> bool {
    let Some(columns) = Columns::new(statement, labels) else { return false };
    // What is shown by its row or its group would be shown by the copy's.
    let by_row = |label: &Label| {
        label.cases.is_some() || label.masker.subject().is_some() || label.min_group.is_some()
    };
    values.iter().all(|written| match columns.shown(&written.value) {
        Flow::Clean => true,
        Flow::Verbatim(label) if statement.facts.relations.len() == 1 && !by_row(&label) => {
            let mut targets = named(&write.target, labels).peekable();
            targets.peek().is_some()
                && targets.all(|oid| labels.at(oid, &written.to).is_some_and(|own| own.rule == label.rule))
        }
        Flow::Verbatim(_) | Flow::Closed => false,
    })
}

fn has_triggers(write: &Write, labels: &Labels) -> bool {
    let name = &write.target;
    labels
        .catalog()
        .named(name.schema.as_deref(), &name.name)
        .any(|(_, relation)| relation.triggers || relation.kind == RelationKind::View)
}

pub(crate) fn named<'a>(name: &'a QualifiedName, labels: &'a Labels) -> impl Iterator<Item = u32> + 'a {
    labels.catalog().named(name.schema.as_deref(), &name.name).map(|(oid, _)| oid)
}

/// The worst that the functions and operators of a statement may do.
fn worst_effect(facts: &Facts, labels: &Labels) -> Result<Effect, Refusal> {
    if let Some(operator) = facts.operators.iter().find(|name| labels.catalog().user_operator(name)) {
        return refuse(format!("the operator {operator} was made by a user"), HINT_DIRECT);
    }
    let fields = facts.fields.iter().filter(|field| calls_function(field, facts, labels));
    let fields = fields.map(|field| QualifiedName { schema: None, name: field.name.clone() });
    let mut worst = Effect::Pure;
    for function in facts.functions.iter().cloned().chain(fields) {
        worst = match (function_effect(&function, labels)?, worst) {
            (Effect::Pure, worst) => worst,
            (Effect::Keeps, Effect::Unknown) => Effect::Unknown,
            (effect, _) => effect,
        };
    }
    Ok(worst)
}

/// Whether a field that is selected may be a function: not if what it is selected from has such a column.
pub(crate) fn calls_function(field: &Field, facts: &Facts, labels: &Labels) -> bool {
    let catalog = labels.catalog();
    if !catalog.unary_function(&field.name) {
        return false;
    }
    let Some(of) = &field.of else { return true };
    let mut sources = facts.aliases.iter().filter(|alias| alias.name == *of).peekable();
    if sources.peek().is_none() {
        return true;
    }
    sources.any(|alias| match &alias.source {
        AliasSource::Derived(columns) | AliasSource::Function(columns) => !columns.contains(&field.name),
        AliasSource::Relation(name) => catalog
            .named(name.schema.as_deref(), &name.name)
            .any(|(_, relation)| !relation.columns.iter().any(|column| column.name == field.name)),
    })
}

fn function_effect(function: &QualifiedName, labels: &Labels) -> Result<Effect, Refusal> {
    let QualifiedName { schema, name } = function;
    if labels.policy().trusts(schema.as_deref(), name) {
        return Ok(Effect::Keeps);
    }
    let builtin = schema.as_deref() == Some("pg_catalog");
    if !builtin && labels.catalog().user_function(name) {
        if labels.policy().unknown_functions() {
            return Ok(Effect::Unknown);
        }
        return refuse(format!("the function {name} was made by a user"), HINT_TRUST);
    }
    match functions::effect(name) {
        Effect::Dangerous => {
            refuse(format!("the function {name} runs text or reads what is not a table"), HINT_DIRECT)
        }
        Effect::Unknown if !builtin && labels.catalog().volatile_function(name) => {
            refuse(format!("the function {name} of an extension may do more than it returns"), HINT_TRUST)
        }
        _ if !builtin && schema.is_some() => Ok(Effect::Unknown),
        effect => Ok(effect),
    }
}

/// Where questions about masked columns are not answered.
pub(crate) fn refuse_question<T>() -> Result<T, Refusal> {
    refuse(
        "conditions, joins, orders and computed values may not depend on masked columns".to_owned(),
        "Ask by other columns; protection.predicates says whether such questions are answered.",
    )
}

pub(crate) fn refuse<T>(what: String, hint: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code: "42501", message: format!("IronVeil refused: {what}"), hint })
}

#[cfg(test)]
mod tests;
