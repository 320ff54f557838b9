//! Text to statements, by PostgreSQL's grammar (version 18, a superset of 14 to 17 for what is understood).
//!
//! The tree is walked with a stack of our own, one level at a time: the depth of a client's expression never
//! becomes depth of our stack.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pg_raw_parse::raw::DiscardMode;
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{Node, nodes};
use thiserror::Error;

use crate::effect::Effect;
use crate::lineage::Lineage;
use crate::statement::{Alias, AliasSource, Facts, Field, Kind, QualifiedName, Source, Statement, Write};

mod copy;
mod define;
mod effect;
mod implied;
mod known;
mod lineage;
mod literal;
mod scope;
mod settings;
mod source;

use implied::{newer_function, visit_operators};
pub use known::Analyser;
use scope::Scope;
use settings::{pinned, sets_harmless, sets_pinned};
pub use source::SYSTEM_USER;
use source::{PROPOSED, insert_source, update_source};

/// The text is not SQL as PostgreSQL writes it. The message is the parser's; it quotes the client's own text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SyntaxError(pub String);

type Analysis = Result<Arc<[Arc<Statement>]>, SyntaxError>;

/// Common table expressions that one WITH may have.
const LOCAL_NAMES_MAX: usize = 500;
const CURSOR_OPT_HOLD: i32 = 0x0020;

/// Analyses `text` without a cache.
///
/// # Errors
/// The text does not parse.
pub fn analyse(text: &str) -> Analysis {
    // The parser reports trees that it cannot show by a panic; such a statement is opaque to us.
    catch_unwind(AssertUnwindSafe(|| {
        let parsed = pg_raw_parse::parse(text).map_err(|error| SyntaxError(syntax_message(&error)))?;
        Ok(parsed.stmts().map(|node| Arc::new(statement(node, text))).collect())
    }))
    .unwrap_or_else(|_| {
        let facts = Facts { opaque: Some("a syntax tree that cannot be read"), ..Facts::default() };
        Ok([Arc::new(Statement { kind: Kind::Data, effect: Effect::unknown(), facts, lineage: None })].into())
    })
}

fn syntax_message(error: &pg_raw_parse::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("Invalid statement: ").unwrap_or(&text).to_owned()
}

fn statement(node: Node<'_>, text: &str) -> Statement {
    let mut facts = Facts::default();
    let kind = classify(node, text, &mut facts);
    let lineage = match (&kind, node) {
        (Kind::Data, node) => lineage::read(node, text),
        (Kind::Explain, Node::ExplainStmt(explain)) => lineage::read(explain.query(), text),
        (Kind::Prepare { inner, .. } | Kind::Declare { inner, .. }, _) => inner.lineage.clone(),
        (Kind::CopyOut(_), Node::CopyStmt(copy)) => copy::read_lineage(copy, text),
        _ => None,
    };
    let effect = effect::read(node, &kind, &facts, text);
    Statement { kind, effect, facts, lineage }
}

fn classify(node: Node<'_>, text: &str, facts: &mut Facts) -> Kind {
    match node {
        Node::SelectStmt(select) if select.into_clause().is_some() => define::select_into(select, facts),
        Node::SelectStmt(_)
        | Node::InsertStmt(_)
        | Node::UpdateStmt(_)
        | Node::DeleteStmt(_)
        | Node::MergeStmt(_) => {
            walk(node, facts);
            Kind::Data
        }
        Node::CopyStmt(copy) => copy::classify(copy, facts),
        Node::ExplainStmt(explain) => match classify(explain.query(), text, facts) {
            Kind::Data => {
                let mut options = explain.options().iter();
                facts.measures = options.any(|option| option.defname().is_none_or(|name| name == "analyze"));
                Kind::Explain
            }
            Kind::Refused(what) => Kind::Refused(what),
            _ => Kind::Refused("EXPLAIN of this statement"),
        },
        Node::PrepareStmt(prepare) => {
            let mut inner = statement(prepare.query(), text);
            // What EXECUTE gives them is not looked at.
            inner.lineage.iter_mut().for_each(Lineage::lose_parameters);
            let inner = Arc::new(inner);
            facts.clone_from(&inner.facts);
            holding(inner, prepare.name(), |name, inner| Kind::Prepare { name, inner })
        }
        Node::DeclareCursorStmt(declare) => {
            let inner = Arc::new(statement(declare.query(), text));
            facts.clone_from(&inner.facts);
            let hold = declare.options & CURSOR_OPT_HOLD != 0;
            holding(inner, declare.portalname(), |name, inner| Kind::Declare { name, hold, inner })
        }
        Node::ExecuteStmt(execute) => {
            execute.params().iter().for_each(|param| walk(param, facts));
            named(execute.name(), |name| Kind::Execute { name })
        }
        Node::FetchStmt(fetch) => named(fetch.portalname(), |name| Kind::Fetch { name }),
        Node::DeallocateStmt(forget) => Kind::Deallocate { name: forget.name().map(str::to_owned) },
        Node::ClosePortalStmt(close) => Kind::Close { name: close.portalname().map(str::to_owned) },
        Node::DiscardStmt(discard) if discard.target == DiscardMode::DISCARD_ALL => Kind::DiscardAll,
        Node::VariableSetStmt(set) => match set.name() {
            Some(name) if pinned(name) && !sets_pinned(set) => {
                Kind::Refused("SET of an encoding or string setting")
            }
            _ => Kind::Session,
        },
        _ => classify_other(node, facts),
    }
}

fn classify_other(node: Node<'_>, facts: &mut Facts) -> Kind {
    match node {
        Node::TransactionStmt(_)
        | Node::VariableShowStmt(_)
        | Node::ListenStmt(_)
        | Node::UnlistenStmt(_)
        | Node::NotifyStmt(_)
        | Node::DiscardStmt(_)
        | Node::ConstraintsSetStmt(_)
        | Node::LockStmt(_)
        | Node::CheckPointStmt(_)
        | Node::TruncateStmt(_)
        | Node::VacuumStmt(_)
        | Node::ReindexStmt(_)
        | Node::CommentStmt(_)
        | Node::RefreshMatViewStmt(_) => Kind::Session,
        Node::DoStmt(_) => Kind::Refused("DO"),
        Node::CallStmt(_) => Kind::Refused("CALL"),
        Node::LoadStmt(_) => Kind::Refused("LOAD"),
        _ => define::classify(node, facts),
    }
}

/// A statement that keeps another for later; what the other is refused for, it is too.
fn holding(
    inner: Arc<Statement>,
    name: Option<&str>,
    kind: impl FnOnce(String, Arc<Statement>) -> Kind,
) -> Kind {
    match inner.kind {
        Kind::Refused(what) => Kind::Refused(what),
        Kind::Define(_) => Kind::Refused("a definition that is kept for later"),
        _ => named(name, |name| kind(name, inner)),
    }
}

fn named(name: Option<&str>, kind: impl FnOnce(String) -> Kind) -> Kind {
    name.map_or(Kind::Refused("a statement without a name"), |name| kind(name.to_owned()))
}

/// Collects what `root` and all below it name.
fn walk(root: Node<'_>, facts: &mut Facts) {
    let mut stack = vec![(root, Scope::default())];
    let mut children = Vec::new();
    while let Some((node, scope)) = stack.pop() {
        if !visit(node, &scope, facts) {
            continue;
        }
        push_children(node, &mut children);
        if children
            .iter()
            .any(|child| matches!(child, Node::WithClause(with) if with.ctes().len() > LOCAL_NAMES_MAX))
        {
            facts.opaque = Some("too many common table expressions");
        }
        // What a statement calls its common table expressions is known in all of it.
        let inner = children.iter().fold(scope.clone(), |inner, child| match child {
            Node::WithClause(with) => inner.with_all(with),
            _ => inner,
        });
        for child in children.drain(..) {
            match child {
                Node::WithClause(with) => stack.extend(scope.queries(with)),
                child => stack.push((child, inner.clone())),
            }
        }
    }
}

fn push_children<'a>(node: Node<'a>, stack: &mut Vec<Node<'a>>) {
    walk_manual::<()>(node, |child| {
        stack.push(child);
        ControlFlow::Continue(Recurse::No)
    });
}

/// Notes what `node` itself says; returns whether its children are to be visited.
fn visit(node: Node<'_>, scope: &Scope, facts: &mut Facts) -> bool {
    match node {
        Node::RangeVar(relation) => visit_relation(relation, scope, facts),
        Node::ColumnRef(column) => visit_column(column, facts),
        Node::A_Indirection(selected) => {
            let names = selected.indirection().iter().filter_map(Node::as_str);
            facts.fields.extend(names.map(|name| Field { of: None, name: name.to_owned() }));
        }
        Node::RangeSubselect(source) => {
            let columns = scope::output_columns(source.subquery());
            derived(source.alias(), AliasSource::Derived(columns), facts);
        }
        Node::RangeFunction(source) => {
            let defined = source.coldeflist().iter().filter_map(|column| match Node::from(column) {
                Node::ColumnDef(column) => column.colname().map(str::to_owned),
                _ => None,
            });
            let defined = AliasSource::Function(defined.collect());
            match (source.alias(), only_call(source)) {
                (None, Some(name)) => drop(facts.aliases.insert(Alias { name, source: defined })),
                (alias, _) => derived(alias, defined, facts),
            }
        }
        // The row as it was or as it is now, by another name.
        Node::ReturningOption(option) => {
            let name = option.value().unwrap_or_default().to_owned();
            facts.aliases.insert(Alias { name, source: AliasSource::Derived(BTreeSet::new()) });
            return false;
        }
        Node::RangeTableFunc(source) => derived(source.alias(), nothing_known(), facts),
        Node::JsonTable(source) => derived(source.alias(), nothing_known(), facts),
        Node::FuncCall(call) => visit_call(call, facts),
        Node::SelectStmt(select) if select.into_clause().is_some() => {
            facts.opaque = Some("SELECT INTO");
        }
        Node::InsertStmt(insert) => write(insert.relation(), insert_source(insert), facts),
        Node::UpdateStmt(update) => write(update.relation(), update_source(update), facts),
        Node::MergeStmt(merge) => write(merge.relation(), None, facts),
        Node::DeleteStmt(delete) => write(delete.relation(), Some(Source::default()), facts),
        _ => {
            if let Node::JoinExpr(source) = node {
                for alias in [source.alias(), source.join_using_alias()].into_iter().flatten() {
                    derived(Some(alias), nothing_known(), facts);
                }
            }
            visit_operators(node, facts);
            facts.functions.extend(newer_function(node));
            return visit_plain(node, facts);
        }
    }
    if let Node::JsonTable(_) = node {
        facts.functions.extend(newer_function(node));
    }
    true
}

fn visit_relation(relation: &nodes::RangeVar, scope: &Scope, facts: &mut Facts) {
    let name = relation_name(relation);
    let local = scope.columns(&name).cloned();
    let renamed = relation.alias().map(|alias| column_names(alias.colnames())).unwrap_or_default();
    facts.renames |= !renamed.is_empty();
    let alias = relation.alias().and_then(|alias| alias.aliasname()).unwrap_or(&name.name).to_owned();
    let source = match &local {
        _ if !renamed.is_empty() => AliasSource::Derived(renamed),
        Some(columns) => AliasSource::Derived(columns.clone()),
        None => AliasSource::Relation(name.clone()),
    };
    facts.aliases.insert(Alias { name: alias, source });
    if local.is_none() {
        facts.relations.insert(name);
    }
}

const fn nothing_known() -> AliasSource {
    AliasSource::Derived(BTreeSet::new())
}

/// Notes what goes by an alias, which may rename the columns of `source`.
fn derived(alias: Option<&nodes::Alias>, mut source: AliasSource, facts: &mut Facts) {
    let Some((alias, name)) = alias.and_then(|alias| Some((alias, alias.aliasname()?.to_owned()))) else {
        facts.unnamed = true;
        return;
    };
    let renamed = column_names(alias.colnames());
    facts.renames |= !renamed.is_empty();
    if let (AliasSource::Derived(columns) | AliasSource::Function(columns), false) =
        (&mut source, renamed.is_empty())
    {
        *columns = renamed;
    }
    facts.aliases.insert(Alias { name, source });
}

/// The name of the function, which an only call in FROM goes by if it has no other.
fn only_call(source: &nodes::RangeFunction) -> Option<String> {
    let functions: Vec<Node<'_>> = source.functions().iter().collect();
    let [Node::NodeList(with_columns)] = functions.as_slice() else { return None };
    match with_columns.get(0) {
        Some(Node::FuncCall(call)) => last_name(call.funcname()),
        _ => None,
    }
}

fn column_names(names: &pg_raw_parse::list::NodeList) -> BTreeSet<String> {
    names.iter().filter_map(Node::as_str).map(str::to_owned).collect()
}

fn visit_column(column: &nodes::ColumnRef, facts: &mut Facts) {
    let fields: Option<Vec<&str>> = column.fields().iter().map(Node::as_str).collect();
    match fields.as_deref() {
        Some([.., of, name]) => {
            facts.fields.insert(Field { of: Some((*of).to_owned()), name: (*name).to_owned() });
        }
        Some([name]) => {
            facts.names.insert((*name).to_owned());
        }
        Some([]) => {}
        None => {
            facts.names.insert("*".to_owned());
        }
    }
}

/// The target of a write is a relation of the database, whatever common table expressions are called.
fn write(target: Option<&nodes::RangeVar>, source: Option<Source>, facts: &mut Facts) {
    let Some(target) = target else { return };
    let name = relation_name(target);
    facts.relations.insert(name.clone());
    let alias = target.alias().and_then(|alias| alias.aliasname()).unwrap_or(&name.name);
    for alias in [alias, PROPOSED] {
        let source = AliasSource::Relation(name.clone());
        facts.aliases.insert(Alias { name: alias.to_owned(), source });
    }
    facts.writes.push(Write { target: name, source });
}

/// Node kinds that name nothing themselves. What is not listed is not understood.
fn visit_plain(node: Node<'_>, facts: &mut Facts) -> bool {
    match node {
        Node::None
        | Node::Alias(_)
        | Node::A_Const(_)
        | Node::A_Star(_)
        | Node::BitString(_)
        | Node::Boolean(_)
        | Node::CurrentOfExpr(_)
        | Node::Float(_)
        | Node::Integer(_)
        | Node::JsonFormat(_)
        // Its names are aliases of relations that FROM has named.
        | Node::LockingClause(_)
        | Node::MergeSupportFunc(_)
        | Node::ParamRef(_)
        | Node::ReturningOption(_)
        | Node::SQLValueFunction(_)
        | Node::SetToDefault(_)
        | Node::String(_) => false,
        Node::A_Expr(_) | Node::SubLink(_) | Node::SortBy(_) => true,
        Node::NodeList(_)
        | Node::A_ArrayExpr(_)
        | Node::A_Indices(_)
        | Node::A_Indirection(_)
        | Node::BoolExpr(_)
        | Node::BooleanTest(_)
        | Node::CaseExpr(_)
        | Node::CaseWhen(_)
        | Node::CoalesceExpr(_)
        | Node::CollateClause(_)
        | Node::ColumnDef(_)
        | Node::ColumnRef(_)
        | Node::GroupingFunc(_)
        | Node::GroupingSet(_)
        | Node::IndexElem(_)
        | Node::InferClause(_)
        | Node::JoinExpr(_)
        | Node::JsonAggConstructor(_)
        | Node::JsonArgument(_)
        | Node::JsonArrayAgg(_)
        | Node::JsonArrayConstructor(_)
        | Node::JsonArrayQueryConstructor(_)
        | Node::JsonBehavior(_)
        | Node::JsonFuncExpr(_)
        | Node::JsonIsPredicate(_)
        | Node::JsonKeyValue(_)
        | Node::JsonObjectAgg(_)
        | Node::JsonObjectConstructor(_)
        | Node::JsonOutput(_)
        | Node::JsonParseExpr(_)
        | Node::JsonReturning(_)
        | Node::JsonScalarExpr(_)
        | Node::JsonSerializeExpr(_)
        | Node::JsonTable(_)
        | Node::JsonTableColumn(_)
        | Node::JsonTablePathSpec(_)
        | Node::JsonValueExpr(_)
        | Node::MergeWhenClause(_)
        | Node::MinMaxExpr(_)
        | Node::MultiAssignRef(_)
        | Node::NamedArgExpr(_)
        | Node::NullTest(_)
        | Node::OnConflictClause(_)
        | Node::RangeFunction(_)
        | Node::RangeSubselect(_)
        | Node::RangeTableFunc(_)
        | Node::RangeTableFuncCol(_)
        | Node::RangeTableSample(_)
        | Node::ResTarget(_)
        | Node::ReturningClause(_)
        | Node::RowExpr(_)
        | Node::SelectStmt(_)
        | Node::TypeCast(_)
        | Node::TypeName(_)
        | Node::WindowDef(_)
        | Node::WithClause(_)
        | Node::XmlExpr(_)
        | Node::XmlSerialize(_) => true,
        _ => {
            facts.opaque = Some("an expression of a kind that is not analysed yet");
            false
        }
    }
}

fn visit_call(call: &nodes::FuncCall, facts: &mut Facts) {
    let Some(function) = qualified(call.funcname()) else {
        facts.opaque = Some("a function name of three parts");
        return;
    };
    if function.name == "set_config" && !sets_harmless(call) {
        facts.opaque = Some("set_config of an encoding or string setting, or of a computed name");
    }
    facts.functions.insert(function);
}

fn relation_name(relation: &nodes::RangeVar) -> QualifiedName {
    QualifiedName {
        schema: relation.schemaname().map(str::to_owned),
        name: relation.relname().unwrap_or_default().to_owned(),
    }
}

fn qualified(parts: &pg_raw_parse::list::NodeList) -> Option<QualifiedName> {
    let parts: Option<Vec<&str>> = parts.iter().map(Node::as_str).collect();
    match parts?.as_slice() {
        [name] => Some(QualifiedName { schema: None, name: (*name).to_owned() }),
        [schema, name] => {
            Some(QualifiedName { schema: Some((*schema).to_owned()), name: (*name).to_owned() })
        }
        _ => None,
    }
}

fn last_name(parts: &pg_raw_parse::list::NodeList) -> Option<String> {
    parts.iter().next_back().and_then(Node::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests;
