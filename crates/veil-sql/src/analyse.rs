//! Text to statements, by PostgreSQL's grammar (version 18, a superset of 14 to 17 for what is understood).
//!
//! The tree is walked with a stack of our own, one level at a time: the depth of a client's expression never
//! becomes depth of our stack.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pg_raw_parse::const_val::ConstValue;
use pg_raw_parse::raw::{DiscardMode, JsonExprOp};
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{Node, nodes};
use quick_cache::sync::Cache;
use thiserror::Error;

use crate::statement::{Facts, Kind, QualifiedName, Source, Statement, Write};

/// The text is not SQL as PostgreSQL writes it. The message is the parser's; it quotes the client's own text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SyntaxError(pub String);

type Analysis = Result<Arc<[Arc<Statement>]>, SyntaxError>;

/// Texts that are longer are analysed every time.
const CACHED_TEXT_MAX: usize = 16 << 10;
const CACHED_TEXTS: usize = 4096;
/// Settings on which the meaning of a text depends.
const PINNED_SETTINGS: [&str; 3] = ["client_encoding", "names", "standard_conforming_strings"];
const CURSOR_OPT_HOLD: i32 = 0x0020;

/// Analyses texts and remembers the recent ones. The result depends on the text alone.
#[derive(Debug)]
pub struct Analyser(Cache<Box<str>, Analysis>);

impl Default for Analyser {
    fn default() -> Self {
        Self(Cache::new(CACHED_TEXTS))
    }
}

impl Analyser {
    /// The statements of `text`, in order; none for an empty text.
    ///
    /// # Errors
    /// The text does not parse.
    pub fn analyse(&self, text: &str) -> Result<Arc<[Arc<Statement>]>, SyntaxError> {
        if text.len() > CACHED_TEXT_MAX {
            return analyse(text);
        }
        if let Some(known) = self.0.get(text) {
            return known;
        }
        let fresh = analyse(text);
        self.0.insert(text.into(), fresh.clone());
        fresh
    }
}

/// Analyses `text` without a cache.
///
/// # Errors
/// The text does not parse.
pub fn analyse(text: &str) -> Analysis {
    // The parser reports trees that it cannot show by a panic; such a statement is opaque to us.
    catch_unwind(AssertUnwindSafe(|| {
        let parsed = pg_raw_parse::parse(text).map_err(|error| SyntaxError(syntax_message(&error)))?;
        Ok(parsed.stmts().map(|node| Arc::new(statement(node))).collect())
    }))
    .unwrap_or_else(|_| {
        let facts = Facts { opaque: Some("a syntax tree that cannot be read"), ..Facts::default() };
        Ok([Arc::new(Statement { kind: Kind::Data, facts })].into())
    })
}

fn syntax_message(error: &pg_raw_parse::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("Invalid statement: ").unwrap_or(&text).to_owned()
}

fn statement(node: Node<'_>) -> Statement {
    let mut facts = Facts::default();
    let kind = classify(node, &mut facts);
    Statement { kind, facts }
}

fn classify(node: Node<'_>, facts: &mut Facts) -> Kind {
    match node {
        Node::SelectStmt(select) if select.into_clause().is_some() => Kind::Refused("SELECT INTO"),
        Node::SelectStmt(_)
        | Node::InsertStmt(_)
        | Node::UpdateStmt(_)
        | Node::DeleteStmt(_)
        | Node::MergeStmt(_) => {
            walk(node, facts);
            Kind::Data
        }
        Node::CopyStmt(copy) => classify_copy(copy, facts),
        Node::ExplainStmt(explain) => match classify(explain.query(), facts) {
            Kind::Data => Kind::Explain,
            Kind::Refused(what) => Kind::Refused(what),
            _ => Kind::Refused("EXPLAIN of this statement"),
        },
        Node::PrepareStmt(prepare) => {
            let inner = Arc::new(statement(prepare.query()));
            facts.clone_from(&inner.facts);
            holding(inner, prepare.name(), |name, inner| Kind::Prepare { name, inner })
        }
        Node::DeclareCursorStmt(declare) => {
            let inner = Arc::new(statement(declare.query()));
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
            Some(name) if pinned(name) => Kind::Refused("SET of an encoding or string setting"),
            _ => Kind::Session,
        },
        _ => classify_other(node),
    }
}

fn classify_other(node: Node<'_>) -> Kind {
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
        | Node::ReindexStmt(_) => Kind::Session,
        Node::DoStmt(_) => Kind::Refused("DO"),
        Node::CallStmt(_) => Kind::Refused("CALL"),
        Node::LoadStmt(_) => Kind::Refused("LOAD"),
        Node::CreateTableAsStmt(_) => Kind::Refused("CREATE TABLE AS"),
        _ => Kind::Refused("a statement that defines or changes objects"),
    }
}

fn classify_copy(copy: &nodes::CopyStmt, facts: &mut Facts) -> Kind {
    if copy.is_program {
        return Kind::Refused("COPY with a program");
    }
    if copy.filename().is_some() {
        return Kind::Refused("COPY with a server file");
    }
    walk(copy.query(), facts);
    walk(copy.where_clause(), facts);
    if let Some(relation) = copy.relation() {
        let target = relation_name(relation);
        facts.relations.insert(target.clone());
        if copy.is_from {
            facts.writes.push(Write { target, source: Source::Columns(vec![]) });
        }
    }
    Kind::Copy
}

/// A statement that keeps another for later; what the other is refused for, it is too.
fn holding(
    inner: Arc<Statement>,
    name: Option<&str>,
    kind: impl FnOnce(String, Arc<Statement>) -> Kind,
) -> Kind {
    match inner.kind {
        Kind::Refused(what) => Kind::Refused(what),
        _ => named(name, |name| kind(name, inner)),
    }
}

fn named(name: Option<&str>, kind: impl FnOnce(String) -> Kind) -> Kind {
    name.map_or(Kind::Refused("a statement without a name"), |name| kind(name.to_owned()))
}

fn pinned(setting: &str) -> bool {
    PINNED_SETTINGS.iter().any(|name| name.eq_ignore_ascii_case(setting))
}

/// Collects what `root` and all below it name.
fn walk(root: Node<'_>, facts: &mut Facts) {
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        if visit(node, facts) {
            push_children(node, &mut stack);
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
fn visit(node: Node<'_>, facts: &mut Facts) -> bool {
    match node {
        Node::RangeVar(relation) => {
            facts.relations.insert(relation_name(relation));
        }
        Node::ColumnRef(column) if column.fields().len() > 1 => {
            facts.fields.extend(last_name(column.fields()))
        }
        Node::A_Indirection(selected) => {
            let names = selected.indirection().iter().filter_map(Node::as_str);
            facts.fields.extend(names.map(str::to_owned));
        }
        Node::TypeName(kind) => {
            facts.types.extend(kind.names().iter().next_back().and_then(|n| n.sval()).map(str::to_owned))
        }
        Node::CommonTableExpr(cte) => facts.local_names.extend(cte.ctename().map(str::to_owned)),
        Node::FuncCall(call) => visit_call(call, facts),
        Node::A_Expr(expression) => facts.operators.extend(last_name(expression.name())),
        Node::SubLink(link) => facts.operators.extend(last_name(link.oper_name())),
        Node::SortBy(sort) => facts.operators.extend(last_name(sort.use_op())),
        Node::SelectStmt(select) if select.into_clause().is_some() => {
            facts.opaque = Some("SELECT INTO");
        }
        Node::InsertStmt(insert) => facts.writes.extend(
            insert
                .relation()
                .map(|target| Write { target: relation_name(target), source: insert_source(insert) }),
        ),
        Node::UpdateStmt(update) => facts.writes.extend(
            update
                .relation()
                .map(|target| Write { target: relation_name(target), source: update_source(update) }),
        ),
        Node::MergeStmt(merge) => facts.writes.extend(
            merge.relation().map(|target| Write { target: relation_name(target), source: Source::Query }),
        ),
        Node::DeleteStmt(delete) => facts.writes.extend(
            delete
                .relation()
                .map(|target| Write { target: relation_name(target), source: Source::Columns(vec![]) }),
        ),
        _ => {
            facts.functions.extend(newer_function(node));
            return visit_plain(node, facts);
        }
    }
    true
}

/// What is syntax in the newest PostgreSQL and the call of a function, perhaps a user's, in older ones.
fn newer_function(node: Node<'_>) -> Option<QualifiedName> {
    let name = match node {
        Node::JsonFuncExpr(call) => match call.op {
            JsonExprOp::JSON_EXISTS_OP => "json_exists",
            JsonExprOp::JSON_QUERY_OP => "json_query",
            JsonExprOp::JSON_VALUE_OP => "json_value",
            _ => "json_table",
        },
        Node::JsonArrayAgg(_) => "json_arrayagg",
        Node::JsonArrayConstructor(_) | Node::JsonArrayQueryConstructor(_) => "json_array",
        Node::JsonObjectAgg(_) => "json_objectagg",
        Node::JsonObjectConstructor(_) => "json_object",
        Node::JsonParseExpr(_) => "json",
        Node::JsonScalarExpr(_) => "json_scalar",
        Node::JsonSerializeExpr(_) => "json_serialize",
        Node::JsonTable(_) => "json_table",
        Node::MergeSupportFunc(_) => "merge_action",
        _ => return None,
    };
    Some(QualifiedName { schema: None, name: name.to_owned() })
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

fn sets_harmless(call: &nodes::FuncCall) -> bool {
    match call.args().get(0) {
        Some(Node::A_Const(constant)) => match constant.val() {
            Some(ConstValue::String(name)) => !pinned(name),
            _ => false,
        },
        _ => false,
    }
}

fn insert_source(insert: &nodes::InsertStmt) -> Source {
    let mut columns = Vec::new();
    let values = match insert.select_stmt() {
        Node::None => true,
        Node::SelectStmt(select) => {
            select.values_lists().iter().all(|row| written_from(row, Proposed::No, &mut columns))
        }
        _ => false,
    };
    let is_values = match insert.select_stmt() {
        Node::SelectStmt(select) => !select.values_lists().is_empty(),
        _ => true,
    };
    // A column named in VALUES has nothing to refer to; only ON CONFLICT can read the target.
    if !values || !is_values || !columns.is_empty() {
        return Source::Query;
    }
    // `excluded` is the proposed row, unless the target itself goes by that name.
    let alias = insert.relation().and_then(|target| target.alias()?.aliasname());
    let proposed = if alias == Some(PROPOSED) { Proposed::No } else { Proposed::Yes };
    let assignments = insert.on_conflict_clause().map(nodes::OnConflictClause::target_list);
    for target in assignments.into_iter().flat_map(|list| list.iter()) {
        if !written_from(target.val(), proposed, &mut columns) {
            return Source::Query;
        }
    }
    Source::Columns(columns)
}

fn update_source(update: &nodes::UpdateStmt) -> Source {
    let mut columns = Vec::new();
    let plain =
        update.target_list().iter().all(|target| written_from(target.val(), Proposed::No, &mut columns));
    // With FROM, a column's name does not say whose it is.
    if !plain || !(update.from_clause().is_empty() || columns.is_empty()) {
        return Source::Query;
    }
    Source::Columns(columns)
}

/// Collects the columns that an expression reads; false if it reads anything else.
fn written_from<'a>(expression: Node<'a>, proposed: Proposed, columns: &mut Vec<String>) -> bool {
    let mut stack = vec![expression];
    while let Some(node) = stack.pop() {
        match node {
            Node::SubLink(_) | Node::SelectStmt(_) => return false,
            Node::ColumnRef(column) => {
                let fields: Option<Vec<&str>> = column.fields().iter().map(Node::as_str).collect();
                match fields.as_deref() {
                    Some([PROPOSED, _]) if proposed == Proposed::Yes => {}
                    Some([name] | [_, name] | [_, _, name]) => columns.push((*name).to_owned()),
                    _ => return false,
                }
            }
            _ if visit_plain(node, &mut Facts::default())
                || matches!(node, Node::FuncCall(_) | Node::A_Expr(_)) =>
            {
                push_children(node, &mut stack);
            }
            _ => {}
        }
    }
    true
}

/// The name by which ON CONFLICT calls the row that was to be inserted.
const PROPOSED: &str = "excluded";

/// Whether `excluded` is the row that the client proposed to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proposed {
    Yes,
    No,
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
