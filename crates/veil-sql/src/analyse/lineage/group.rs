//! How many values the groups of a SELECT have at least, by its HAVING.

use pg_raw_parse::raw::{A_Expr_Kind, BoolExprType};
use pg_raw_parse::{ConstValue, Node, nodes};

use crate::analyse::{last_name, qualified};
use crate::question::AGGREGATES;

/// Columns of which each group has at least so many values.
pub(super) fn counted(root: Node<'_>) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let Node::SelectStmt(select) = root else { return found };
    let from = select.from_clause();
    if from.len() != 1 || !matches!(from.get(0), Some(Node::RangeVar(_))) || select.larg().is_some() {
        return found;
    }
    let mut stack = vec![select.having_clause()];
    while let Some(node) = stack.pop() {
        match node {
            Node::BoolExpr(all) if all.boolop == BoolExprType::AND_EXPR => stack.extend(all.args().iter()),
            Node::A_Expr(condition) if condition.kind == A_Expr_Kind::AEXPR_OP => {
                found.extend(least(condition))
            }
            _ => {}
        }
    }
    found
}

/// `count(column) >= n`, and what says the same.
fn least(condition: &nodes::A_Expr) -> Option<(String, u64)> {
    let (left, right) = (condition.lexpr(), condition.rexpr());
    let (counts, least, strict) = match last_name(condition.name())?.as_str() {
        ">=" => (left, right, 0),
        ">" => (left, right, 1),
        "<=" => (right, left, 0),
        "<" => (right, left, 1),
        _ => return None,
    };
    match least {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Integer(number)) => {
                Some((column(counts)?, u64::try_from(number).ok()? + strict))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The column whose values are counted.
fn column(node: Node<'_>) -> Option<String> {
    let Node::FuncCall(call) = node else { return None };
    let name = qualified(call.funcname())?;
    let plain =
        is_plain(call) && !call.agg_distinct && is_builtin(&name, &["count"]) && call.args().len() == 1;
    match call.args().get(0)? {
        Node::ColumnRef(column) if plain => last_name(column.fields()),
        _ => None,
    }
}

/// The column that a call sums up.
pub(super) fn aggregated(call: &nodes::FuncCall) -> Option<Node<'_>> {
    let name = qualified(call.funcname())?;
    let argument = call.args().get(0).filter(|argument| matches!(argument, Node::ColumnRef(_)))?;
    (is_builtin(&name, &AGGREGATES) && is_plain(call) && call.args().len() == 1 && !call.agg_distinct)
        .then_some(argument)
}

fn is_builtin(name: &crate::QualifiedName, names: &[&str]) -> bool {
    name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && names.contains(&name.name.as_str())
}

fn is_plain(call: &nodes::FuncCall) -> bool {
    call.over().is_none()
        && matches!(call.agg_filter(), Node::None)
        && call.agg_order().is_empty()
        && !call.agg_within_group
}
