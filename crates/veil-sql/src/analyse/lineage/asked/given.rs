//! The constants of a question.

use pg_raw_parse::raw::{A_Expr_Kind, SubLinkType};
use pg_raw_parse::{ConstValue, Node, nodes};

use super::super::{arms, chosen};
use super::{descend, expr};
use crate::analyse::last_name;
use crate::lineage::{Expr, Output};
use crate::question::{self, Given};

/// Nodes that are looked at for one question; more may be anything.
const NODES_MAX: usize = 2_000;

/// Literals in literals that are looked at.
const DEPTH_MAX: usize = 16;

/// So deep are queries inside taken to stand already: only their outermost values are looked at.
const SHALLOW: usize = super::super::DEPTH_MAX - 3;

/// Constants that an array in one stands for.
const ARRAY: u32 = 10;

/// What stands in a question besides columns.
pub(super) fn read(written: &[Node<'_>]) -> Given {
    let mut found = Given::default();
    let mut stack = written.to_vec();
    let mut left = NODES_MAX;
    while let Some(node) = stack.pop() {
        let Some(fewer) = left.checked_sub(1) else { return Given { constants: u32::MAX, many: true } };
        left = fewer;
        match node {
            Node::A_Const(_) | Node::ParamRef(_) => found.constants = found.constants.saturating_add(1),
            Node::FuncCall(call) => found.many |= makes_many(call),
            Node::SubLink(link) => {
                found.many |= is_made_up(link) && !written.iter().any(|root| is_same(root, link))
            }
            Node::A_Expr(expression) if is_array(expression) => {
                found.constants = found.constants.saturating_add(ARRAY);
            }
            _ => {}
        }
        further(node, &mut stack);
    }
    found
}

/// Whether a call gives any number of values, without a column.
fn makes_many(call: &nodes::FuncCall) -> bool {
    let Some(name) = last_name(call.funcname()) else { return true };
    let aggregate = question::AGGREGATES.contains(&name.as_str()) || matches!(name.as_str(), "max" | "min");
    let made_up = aggregate && call.args().iter().all(|argument| expr(argument, 0).is_constant());
    question::is_many(&name) || made_up
}

/// Whether a query shows what is made of no column: a count, or whether there are rows.
fn is_made_up(link: &nodes::SubLink) -> bool {
    match (link.sub_link_type, link.subselect()) {
        (SubLinkType::EXISTS_SUBLINK, _) => true,
        (_, Node::SelectStmt(select)) => arms(select, SHALLOW).iter().flatten().any(|output| match output {
            Output::Value(value) => !names_column(value),
            Output::Star | Output::Fields(_) => false,
        }),
        _ => true,
    }
}

/// Whether a value is made of some column, and not of whether it is NULL alone.
fn names_column(value: &Expr) -> bool {
    match value {
        Expr::Column { .. } | Expr::Whole(_) | Expr::Windows | Expr::Unknown => true,
        Expr::Nullness(_) | Expr::Literal => false,
        Expr::Aggregate(inner) => names_column(inner),
        Expr::From(parts) => parts.iter().any(names_column),
        Expr::Chosen { among, by } => among.iter().chain(by).any(names_column),
    }
}

fn is_same(node: &Node<'_>, link: &nodes::SubLink) -> bool {
    matches!(node, Node::SubLink(root) if std::ptr::eq(*root, link))
}

/// Whether a column is compared with the values of an array.
fn is_array(expression: &nodes::A_Expr) -> bool {
    let all = matches!(expression.kind, A_Expr_Kind::AEXPR_OP_ANY | A_Expr_Kind::AEXPR_OP_ALL);
    all && !matches!(expression.rexpr(), Node::A_ArrayExpr(_))
}

fn further<'a>(node: Node<'a>, stack: &mut Vec<Node<'a>>) {
    match node {
        Node::CommonTableExpr(query) => stack.push(query.ctequery()),
        node => descend(node, stack),
    }
}

/// Whether a condition compares a column as it is with constants or another column, by equality.
pub(super) fn is_equality(condition: Node<'_>) -> bool {
    let Node::A_Expr(expression) = condition else { return false };
    let by_value = matches!(
        expression.kind,
        A_Expr_Kind::AEXPR_OP
            | A_Expr_Kind::AEXPR_OP_ANY
            | A_Expr_Kind::AEXPR_IN
            | A_Expr_Kind::AEXPR_DISTINCT
            | A_Expr_Kind::AEXPR_NOT_DISTINCT
    ) && matches!(last_name(expression.name()).as_deref(), Some("=" | "<>"));
    let (left, right) = (expression.lexpr(), expression.rexpr());
    let column = |node| matches!(node, Node::ColumnRef(_));
    by_value && ((column(left) && is_plain(right, 0)) || (column(right) && is_plain(left, 0)))
}

fn is_plain(node: Node<'_>, depth: usize) -> bool {
    let deeper = |node| is_plain(node, depth + 1);
    match node {
        _ if depth > DEPTH_MAX => false,
        Node::ColumnRef(_) | Node::A_Const(_) | Node::ParamRef(_) => true,
        Node::TypeCast(cast) => !matches!(cast.arg(), Node::ColumnRef(_)) && deeper(cast.arg()),
        Node::NodeList(list) => list.iter().all(deeper),
        Node::A_ArrayExpr(array) => array.elements().iter().all(deeper),
        _ => false,
    }
}

/// Whether nothing in a value can fail, whatever it is computed from.
pub(super) fn is_total(value: Node<'_>) -> bool {
    const OPERATORS: [&str; 8] = ["!=", "<", "<=", "<>", "=", ">", ">=", "||"];
    let mut stack = vec![value];
    while let Some(node) = stack.pop() {
        let total = match node {
            Node::FuncCall(call) => last_name(call.funcname()).is_some_and(|name| match name.as_str() {
                "avg" | "sum" => call.args().iter().all(|argument| matches!(argument, Node::ColumnRef(_))),
                name => question::is_total(name),
            }),
            Node::A_Expr(expression) => {
                last_name(expression.name()).is_some_and(|name| OPERATORS.contains(&name.as_str()))
            }
            Node::ColumnRef(_) => continue,
            Node::A_Const(_)
            | Node::BoolExpr(_)
            | Node::CaseExpr(_)
            | Node::CaseWhen(_)
            | Node::CoalesceExpr(_)
            | Node::NodeList(_)
            | Node::NullTest(_)
            | Node::ParamRef(_)
            | Node::SortBy(_)
            | Node::WindowDef(_)
            | Node::None => true,
            _ => false,
        };
        if !total {
            return false;
        }
        further(node, &mut stack);
    }
    true
}

/// Literals and parameters that may stand in the place of a value.
pub(super) fn guesses(value: Node<'_>, depth: usize) -> u32 {
    let deeper = |value| guesses(value, depth + 1);
    match value {
        _ if depth > DEPTH_MAX => u32::MAX,
        Node::A_Const(constant) => match constant.val() {
            None | Some(ConstValue::String("")) => 0,
            Some(_) => 1,
        },
        Node::ParamRef(_) => 1,
        Node::TypeCast(cast) => deeper(cast.arg()),
        Node::CollateClause(inner) => deeper(inner.arg()),
        Node::CoalesceExpr(inner) => inner.args().iter().map(deeper).fold(0, u32::saturating_add),
        Node::CaseExpr(case) => {
            let results = case.args().iter().map(|when| match when {
                Node::CaseWhen(when) => when.result(),
                other => other,
            });
            results.chain([case.defresult()]).map(deeper).fold(0, u32::saturating_add)
        }
        Node::FuncCall(call) => chosen::argument(call).map_or(0, deeper),
        Node::SubLink(link) => match link.subselect() {
            Node::SelectStmt(select) => {
                let shown = arms(select, SHALLOW).into_iter().flatten();
                let written =
                    shown.filter(|output| matches!(output, Output::Value(value) if value.is_constant()));
                u32::try_from(written.count()).unwrap_or(u32::MAX)
            }
            _ => 1,
        },
        // What else is not labelled is not masked beside what is.
        _ => 0,
    }
}

/// What a query shows, once for each row that is written out.
pub(super) fn shown(select: &nodes::SelectStmt) -> Vec<Vec<Node<'_>>> {
    let rows = select.values_lists();
    if rows.is_empty() {
        return vec![select.target_list().iter().map(nodes::ResTarget::val).collect()];
    }
    let row = |row| match row {
        Node::NodeList(row) => row.iter().collect(),
        _ => Vec::new(),
    };
    rows.iter().map(row).collect()
}
