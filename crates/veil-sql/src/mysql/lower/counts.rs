//! What depends on how many values there are rather than on the values.

use sqlparser::ast::{self, BinaryOperator, FunctionArgExpr, FunctionArguments, Value};

use super::{arguments, expr, function_name, is_column};
use crate::mysql::query::Expr;
use crate::question::AGGREGATES;

/// What can be counted without a look at values other than whether they are NULL or the same.
pub(super) fn is_counted(argument: &FunctionArgExpr) -> bool {
    match argument {
        FunctionArgExpr::Expr(tree) => is_column(tree) || matches!(tree, ast::Expr::Value(_)),
        _ => false,
    }
}

pub(super) fn counted(argument: &FunctionArgExpr) -> Expr {
    match argument {
        FunctionArgExpr::Expr(tree) => nullness(tree),
        _ => Expr::Unknown,
    }
}

/// Whether a column is NULL.
pub(super) fn nullness(tree: &ast::Expr) -> Expr {
    match expr(tree) {
        Expr::Free | Expr::Literal => Expr::Free,
        column => Expr::Nullness(Box::new(column)),
    }
}

/// A count of rows, or of columns that are not NULL.
pub(super) fn is_count(tree: &ast::Function) -> bool {
    let plain = |list: Vec<&FunctionArgExpr>| {
        matches!(list.as_slice(), [FunctionArgExpr::Wildcard]) || list.iter().all(|one| is_counted(one))
    };
    function_name(tree).is_some_and(|name| name.database.is_none() && name.name == "count")
        && tree.over.is_none()
        && arguments(tree).is_some_and(plain)
}

/// Whether a call sums up a column.
pub(super) fn is_aggregate(tree: &ast::Function) -> bool {
    let column =
        |list: Vec<&FunctionArgExpr>| matches!(list.as_slice(), [FunctionArgExpr::Expr(of)] if is_column(of));
    function_name(tree)
        .is_some_and(|name| name.database.is_none() && AGGREGATES.contains(&name.name.as_str()))
        && is_plain(tree)
        && arguments(tree).is_some_and(column)
}

/// Without a window, DISTINCT, or whatever else a call may have.
fn is_plain(tree: &ast::Function) -> bool {
    let plain = matches!(&tree.args, FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty());
    plain && tree.over.is_none() && tree.filter.is_none() && tree.within_group.is_empty()
}

/// Columns of which the groups have at least so many values, by this HAVING.
pub(super) fn counted_by(having: Option<&ast::Expr>) -> Vec<(String, u64)> {
    let mut stack: Vec<&ast::Expr> = having.into_iter().collect();
    let mut found = Vec::new();
    while let Some(part) = stack.pop() {
        match part {
            ast::Expr::Nested(inner) => stack.push(inner),
            ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                stack.extend([left.as_ref(), right.as_ref()]);
            }
            ast::Expr::BinaryOp { left, op, right } => {
                let (counts, least, strict) = match op {
                    BinaryOperator::GtEq => (left, right, 0),
                    BinaryOperator::Gt => (left, right, 1),
                    BinaryOperator::LtEq => (right, left, 0),
                    BinaryOperator::Lt => (right, left, 1),
                    _ => continue,
                };
                found.extend(
                    column_count(counts).zip(number(least).map(|least| least.saturating_add(strict))),
                );
            }
            _ => {}
        }
    }
    found
}

/// The column whose values are counted.
fn column_count(tree: &ast::Expr) -> Option<String> {
    let ast::Expr::Function(function) = tree else { return None };
    if !is_count(function) || !is_plain(function) {
        return None;
    }
    match arguments(function)?.as_slice() {
        [FunctionArgExpr::Expr(ast::Expr::Identifier(name))] => Some(name.value.to_lowercase()),
        [FunctionArgExpr::Expr(ast::Expr::CompoundIdentifier(parts))] => {
            parts.last().map(|name| name.value.to_lowercase())
        }
        _ => None,
    }
}

fn number(tree: &ast::Expr) -> Option<u64> {
    match tree {
        ast::Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
