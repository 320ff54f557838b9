//! Operators and functions that a statement uses without calling them by their form.

use pg_raw_parse::Node;
use pg_raw_parse::raw::{A_Expr_Kind, JsonExprOp};

use super::last_name;
use crate::statement::{Facts, QualifiedName};

/// Operators that are written, and those that the syntax means without writing them.
pub(super) fn visit_operators(node: Node<'_>, facts: &mut Facts) {
    let implied: &[&str] = match node {
        Node::A_Expr(expression) => {
            facts.operators.extend(last_name(expression.name()));
            match expression.kind {
                A_Expr_Kind::AEXPR_OP => &[],
                _ => &["=", "<>", "<", "<=", ">", ">="],
            }
        }
        Node::SubLink(link) => {
            facts.operators.extend(last_name(link.oper_name()));
            &["="]
        }
        Node::SortBy(sort) => {
            facts.operators.extend(last_name(sort.use_op()));
            &[]
        }
        Node::CaseExpr(case) if !matches!(case.arg(), Node::None) => &["="],
        Node::JoinExpr(join) if join.is_natural || !join.using_clause().is_empty() => &["="],
        _ => &[],
    };
    facts.operators.extend(implied.iter().map(|name| (*name).to_owned()));
}

/// What is syntax in the newest PostgreSQL and the call of a function, perhaps a user's, in older ones.
pub(super) fn newer_function(node: Node<'_>) -> Option<QualifiedName> {
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
