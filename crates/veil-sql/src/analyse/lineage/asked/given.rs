//! The constants of a question.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use pg_raw_parse::raw::A_Expr_Kind;
use pg_raw_parse::{ConstValue, Node, nodes};

use super::super::chosen_argument;
use super::{descend, expr};
use crate::analyse::last_name;
use crate::lineage::Expr;
use crate::question::{self, Given, is_fixed};

/// The constants in what is written. What it names goes into the key.
pub(super) fn read(about: &[Expr], written: &[Node<'_>]) -> Given {
    let mut found = Given::default();
    let mut hasher = DefaultHasher::new();
    format!("{about:?}").hash(&mut hasher);
    let mut stack = written.to_vec();
    while let Some(node) = stack.pop() {
        discriminant(&node).hash(&mut hasher);
        match node {
            Node::A_Const(constant) => {
                found.constants += 1;
                format!("{:?}", constant.val()).hash(&mut hasher);
            }
            Node::ParamRef(parameter) => {
                found.constants += 1;
                found.parameters = true;
                parameter.number.hash(&mut hasher);
            }
            Node::FuncCall(call) => {
                let name = last_name(call.funcname()).unwrap_or_default();
                found.moment |= !is_fixed(&name);
                name.hash(&mut hasher);
            }
            Node::SQLValueFunction(_) => found.moment = true,
            Node::A_Expr(expression) => last_name(expression.name()).hash(&mut hasher),
            Node::TypeCast(cast) => format!("{:?}", cast.type_name()).hash(&mut hasher),
            Node::BooleanTest(test) => format!("{:?}", test.booltesttype).hash(&mut hasher),
            _ => {}
        }
        further(node, &mut stack);
    }
    found.key = hasher.finish();
    found
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
    by_value && ((column(left) && is_plain(right)) || (column(right) && is_plain(left)))
}

fn is_plain(node: Node<'_>) -> bool {
    match node {
        Node::ColumnRef(_) | Node::A_Const(_) | Node::ParamRef(_) => true,
        Node::TypeCast(cast) => !matches!(cast.arg(), Node::ColumnRef(_)) && is_plain(cast.arg()),
        Node::NodeList(list) => list.iter().all(is_plain),
        Node::A_ArrayExpr(array) => array.elements().iter().all(is_plain),
        _ => false,
    }
}

/// Whether nothing in a value can fail, whatever it is computed from.
pub(super) fn is_total(value: Node<'_>) -> bool {
    const OPERATORS: [&str; 8] = ["!=", "<", "<=", "<>", "=", ">", ">=", "||"];
    let mut stack = vec![value];
    while let Some(node) = stack.pop() {
        let total = match node {
            Node::FuncCall(call) => last_name(call.funcname()).is_some_and(|name| question::is_total(&name)),
            Node::A_Expr(expression) => {
                last_name(expression.name()).is_some_and(|name| OPERATORS.contains(&name.as_str()))
            }
            Node::ColumnRef(_) => continue,
            Node::A_Const(_)
            | Node::A_ArrayExpr(_)
            | Node::BoolExpr(_)
            | Node::CaseExpr(_)
            | Node::CaseWhen(_)
            | Node::CoalesceExpr(_)
            | Node::NodeList(_)
            | Node::NullTest(_)
            | Node::ParamRef(_)
            | Node::RowExpr(_)
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
pub(super) fn guesses(value: Node<'_>) -> u32 {
    let all = |values: &mut dyn Iterator<Item = Node<'_>>| values.map(guesses).fold(0, u32::saturating_add);
    match value {
        Node::None | Node::ColumnRef(_) => 0,
        Node::A_Const(constant) => match constant.val() {
            None | Some(ConstValue::String("")) => 0,
            Some(_) => 1,
        },
        Node::CollateClause(inner) => guesses(inner.arg()),
        Node::CoalesceExpr(inner) => all(&mut inner.args().iter()),
        Node::CaseExpr(case) => {
            let results = case.args().iter().map(|when| match when {
                Node::CaseWhen(when) => when.result(),
                other => other,
            });
            all(&mut results.chain([case.defresult()]))
        }
        Node::FuncCall(call) => match chosen_argument(call) {
            Some(argument) => guesses(argument),
            None => u32::from(expr(value, 0).is_constant()),
        },
        // Where something is computed from columns, it is not shown.
        other => u32::from(expr(other, 0).is_constant()),
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
