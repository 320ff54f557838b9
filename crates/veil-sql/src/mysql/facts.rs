//! What a statement names: tables, functions, common table expressions. Only listed kinds of nodes are understood.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArguments, JoinOperator, ObjectName, Query, Select, SetExpr, Statement,
    TableFactor, TableWithJoins, Visit, Visitor,
};

use super::statement::{Facts, Function, TableName};

/// Collects what `node` names.
pub(super) fn collect(node: &impl Visit, facts: &mut Facts) {
    if let ControlFlow::Break(what) = node.visit(&mut Collector(facts, false)) {
        facts.opaque.get_or_insert(what);
    }
}

/// The facts, and whether the outermost query has been seen.
struct Collector<'a>(&'a mut Facts, bool);

/// The common table expressions of the outermost query, which go before tables of the same name all over it. Not those
/// whose name stands for a table in their own definition or in one before.
fn expressions(query: &Query) -> BTreeSet<String> {
    let Some(with) = &query.with else { return BTreeSet::new() };
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut inside = Facts::default();
    for cte in &with.cte_tables {
        names.insert(cte.alias.name.value.to_lowercase());
        collect(&cte.query, &mut inside);
    }
    if with.cte_tables.len() == 1 && with.recursive {
        return names;
    }
    // One that a later definition names is given up too: it only costs a look.
    let used: BTreeSet<String> = inside.tables.iter().map(|table| table.name.to_lowercase()).collect();
    names.difference(&used).cloned().collect()
}

/// Variables that tell how the statement before went.
const ASKS_BACK: [&str; 6] = [
    "@@warning_count",
    "@@error_count",
    "@@session.warning_count",
    "@@session.error_count",
    "@@local.warning_count",
    "@@local.error_count",
];

type Flow = ControlFlow<&'static str>;

impl Visitor for Collector<'_> {
    type Break = &'static str;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        // What a query inside a write names is known there only.
        self.1 |= !matches!(statement, Statement::Query(_));
        match statement {
            Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
                Flow::Continue(())
            }
            _ => Flow::Break("a statement inside a statement"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if query.fetch.is_some()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return Flow::Break("a clause of another dialect");
        }
        if !std::mem::replace(&mut self.1, true) {
            self.0.expressions = expressions(query);
        }
        set_expression(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        if select.into.is_some()
            || select.top.is_some()
            || select.exclude.is_some()
            || select.prewhere.is_some()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
        {
            return Flow::Break("a clause of another dialect");
        }
        select.from.iter().try_for_each(joins)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Flow {
        match table_name(relation) {
            Some(_) if is_dual(relation) => Flow::Continue(()),
            Some(name) => {
                self.0.tables.insert(name);
                Flow::Continue(())
            }
            None => Flow::Break("a table's name of this form"),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table {
                args: None,
                version: None,
                json_path: None,
                sample: None,
                with_hints,
                ..
            } if with_hints.is_empty() => Flow::Continue(()),
            TableFactor::Derived { sample: None, .. } | TableFactor::JsonTable { .. } => Flow::Continue(()),
            TableFactor::NestedJoin { table_with_joins, alias: None } => joins(table_with_joins),
            _ => Flow::Break("a source of rows of this form"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        match expr {
            Expr::Function(function) => return self.function(function),
            Expr::BinaryOp { op, .. } => match op {
                BinaryOperator::Assignment => self.0.assigns = true,
                op if is_operator(op) => {}
                _ => return Flow::Break("an operator of another dialect"),
            },
            Expr::Identifier(name) => {
                self.0.reads_variables |= is_variable(&name.value);
                self.0.asks_warnings |= ASKS_BACK.contains(&name.value.to_ascii_lowercase().as_str());
            }
            Expr::MatchAgainst { .. }
            | Expr::CompoundIdentifier(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::In { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::RLike { .. }
            | Expr::AnyOp { .. }
            | Expr::AllOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::Convert { .. }
            | Expr::Cast { .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Collate { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::Prefixed { .. }
            | Expr::TypedString(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::Tuple(_)
            | Expr::Interval(_)
            | Expr::MemberOf(_) => {}
            _ => return Flow::Break("an expression of another dialect"),
        }
        Flow::Continue(())
    }
}

impl Collector<'_> {
    fn function(&mut self, function: &sqlparser::ast::Function) -> Flow {
        if !matches!(function.parameters, FunctionArguments::None)
            || matches!(function.args, FunctionArguments::Subquery(_))
            || !function.within_group.is_empty()
            || function.filter.is_some()
        {
            return Flow::Break("a function call of this form");
        }
        let Some(function) = function_name(function) else {
            return Flow::Break("a function's name of this form");
        };
        self.0.asks_back |= matches!(function.name.as_str(), "found_rows" | "row_count");
        self.0.functions.insert(function);
        Flow::Continue(())
    }
}

/// The operators that the servers have.
const fn is_operator(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(
        op,
        B::Plus
            | B::Minus
            | B::Multiply
            | B::Divide
            | B::Modulo
            | B::StringConcat
            | B::Gt
            | B::Lt
            | B::GtEq
            | B::LtEq
            | B::Spaceship
            | B::Eq
            | B::NotEq
            | B::And
            | B::Or
            | B::Xor
            | B::BitwiseOr
            | B::BitwiseAnd
            | B::BitwiseXor
            | B::MyIntegerDivide
            | B::PGBitwiseShiftLeft
            | B::PGBitwiseShiftRight
            | B::PGOverlap
            | B::Arrow
            | B::LongArrow
    )
}

fn set_expression(body: &SetExpr) -> Flow {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => Flow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            set_expression(left)?;
            set_expression(right)
        }
        _ => Flow::Break("a query of this form"),
    }
}

fn joins(from: &TableWithJoins) -> Flow {
    let known = |operator: &JoinOperator| {
        matches!(
            operator,
            JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::CrossJoin(_)
                | JoinOperator::StraightJoin(_)
        )
    };
    if from.joins.iter().all(|join| !join.global && known(&join.join_operator)) {
        Flow::Continue(())
    } else {
        Flow::Break("a join of another dialect")
    }
}

/// Whether a name is a variable of the user's.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with('@') && !name.starts_with("@@")
}

/// The function that a call names.
pub(super) fn function_name(call: &sqlparser::ast::Function) -> Option<Function> {
    let TableName { database, name } = table_name(&call.name)?;
    // In quotes it is a user's function, whatever it is called.
    let quoted =
        call.name.0.iter().any(|part| part.as_ident().is_some_and(|ident| ident.quote_style.is_some()));
    let database = database.or_else(|| quoted.then(String::new));
    // `TABLE(...)` and others are grammar, not functions; as such they are on no list.
    Some(Function { database, name: name.to_ascii_lowercase() })
}

/// The table that is none; in quotes it is one.
pub(super) fn is_dual(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [only] => only
            .as_ident()
            .is_some_and(|ident| ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("dual")),
        _ => false,
    }
}

/// A name of one or two parts.
pub(super) fn table_name(name: &ObjectName) -> Option<TableName> {
    let part = |at: usize| name.0.get(at).and_then(|part| part.as_ident()).map(|ident| ident.value.clone());
    match name.0.len() {
        1 => Some(TableName { database: None, name: part(0)? }),
        2 => Some(TableName { database: Some(part(0)?), name: part(1)? }),
        _ => None,
    }
}
