//! How many rows the groups of a SELECT have at least, by its HAVING.

use pg_raw_parse::raw::{A_Expr_Kind, BoolExprType};
use pg_raw_parse::{ConstValue, Node, nodes};

use crate::analyse::{last_name, qualified};
use crate::question::AGGREGATES;

/// At least so many rows of one table; 0 where that is not written.
pub(super) fn rows(root: Node<'_>) -> u64 {
    let Node::SelectStmt(select) = root else { return 0 };
    let from = select.from_clause();
    if from.len() != 1 || !matches!(from.get(0), Some(Node::RangeVar(_))) || select.larg().is_some() {
        return 0;
    }
    let mut stack = vec![select.having_clause()];
    let mut found = 0;
    while let Some(node) = stack.pop() {
        match node {
            Node::BoolExpr(all) if all.boolop == BoolExprType::AND_EXPR => stack.extend(all.args().iter()),
            Node::A_Expr(condition) if condition.kind == A_Expr_Kind::AEXPR_OP => {
                found = found.max(counted(condition).unwrap_or(0));
            }
            _ => {}
        }
    }
    found
}

/// `count(*) >= n`, and what says the same.
fn counted(condition: &nodes::A_Expr) -> Option<u64> {
    let (left, right) = (condition.lexpr(), condition.rexpr());
    let (least, strict) = match last_name(condition.name())?.as_str() {
        ">=" if is_count(left) => (right, 0),
        ">" if is_count(left) => (right, 1),
        "<=" if is_count(right) => (left, 0),
        "<" if is_count(right) => (left, 1),
        _ => return None,
    };
    match least {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Integer(number)) => Some(u64::try_from(number).ok()? + strict),
            _ => None,
        },
        _ => None,
    }
}

fn is_count(node: Node<'_>) -> bool {
    match node {
        Node::FuncCall(call) => {
            call.agg_star
                && is_plain(call)
                && qualified(call.funcname()).is_some_and(|name| is_builtin(&name, &["count"]))
        }
        _ => false,
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
