//! What a statement asks about: what decides which rows come, how many, and in what order. What rows are grouped by is
//! among it, since the server may sort them for that.

use pg_raw_parse::list::NodeList;
use pg_raw_parse::raw::SetOperation;
use pg_raw_parse::{ConstValue, Node, nodes};

use super::{VALUES_MAX, arms, descend, expr, name_of, parts};
use crate::analyse::last_name;
use crate::lineage::{Expr, Output};

/// What a statement asks about.
pub(super) struct Questions {
    /// All that conditions, joins and orders name.
    pub(super) asked: Vec<Expr>,
    /// What is computed.
    pub(super) computed: Vec<Expr>,
    /// Rows are kept: sorted, grouped, joined or put into windows.
    pub(super) keeps_rows: bool,
}

/// Reads what a statement asks about.
pub(super) fn read(root: Node<'_>) -> Questions {
    let mut found = Questions { asked: Vec::new(), computed: Vec::new(), keeps_rows: false };
    let Questions { asked, computed, keeps_rows } = &mut found;
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        *keeps_rows |= match node {
            Node::FuncCall(call) => call.over().is_some(),
            Node::SubLink(_) | Node::JoinExpr(_) | Node::RangeSubselect(_) | Node::CommonTableExpr(_) => true,
            _ => false,
        };
        match node {
            Node::SelectStmt(select) => {
                *keeps_rows |= keeps(select);
                of_select(select, asked);
                for row in select.values_lists() {
                    if let Node::NodeList(row) = row {
                        computed.extend(row.iter().map(|cell| expr(cell, 0)));
                    }
                }
            }
            Node::ResTarget(target) => computed.extend(value(target)),
            Node::RangeFunction(_) | Node::RangeTableFunc(_) | Node::JsonTable(_) => {
                asked.extend(inside(node))
            }
            Node::RangeTableSample(sample) => {
                asked.extend(sample.args().iter().flat_map(inside));
                asked.extend(inside(sample.repeatable()));
            }
            Node::FuncCall(call) if call.agg_distinct => {
                asked.extend(call.args().iter().map(|argument| expr(argument, 0)));
            }
            // The greatest of some is known by what it is shown as.
            Node::FuncCall(call) if matches!(last_name(call.funcname()).as_deref(), Some("max" | "min")) => {
                asked.extend(call.args().iter().map(|argument| expr(argument, 0)));
            }
            // Its own kind is not among those that are descended into.
            Node::CommonTableExpr(query) => {
                stack.push(query.ctequery());
                continue;
            }
            Node::UpdateStmt(update) => asked.extend(inside(update.where_clause())),
            Node::DeleteStmt(delete) => asked.extend(inside(delete.where_clause())),
            Node::MergeStmt(merge) => asked.extend(inside(merge.join_condition())),
            Node::MergeWhenClause(when) => asked.extend(inside(when.condition())),
            Node::OnConflictClause(conflict) => {
                asked.extend(inside(conflict.where_clause()));
                // What is in conflict tells what is there.
                match conflict.infer().map(nodes::InferClause::index_elems) {
                    Some(by) if !by.is_empty() => asked.extend(by.iter().flat_map(|by| match by {
                        Node::IndexElem(by) => {
                            let named = by.name().map(|name| column(Some(name)));
                            named.into_iter().chain(inside(by.expr())).collect()
                        }
                        _ => vec![Expr::Unknown],
                    })),
                    _ => asked.push(Expr::Unknown),
                }
            }
            Node::JoinExpr(join) => {
                asked.extend(inside(join.quals()));
                asked.extend(join.using_clause().iter().map(|name| column(name.sval())));
                asked.extend(join.is_natural.then_some(Expr::Unknown));
            }
            _ => {}
        }
        if asked.len() + computed.len() > VALUES_MAX {
            return Questions { asked: vec![Expr::Unknown], computed: Vec::new(), keeps_rows: true };
        }
        descend(node, &mut stack);
    }
    found
}

fn keeps(select: &nodes::SelectStmt) -> bool {
    let by = [select.group_clause(), select.distinct_clause()];
    !select.sort_clause().is_empty() || by.iter().any(|by| !by.is_empty()) || select.larg().is_some()
}

/// What is selected or assigned, if it is more than a column.
fn value(target: &nodes::ResTarget) -> Option<Expr> {
    match target.val() {
        Node::None | Node::ColumnRef(_) | Node::A_Const(_) | Node::ParamRef(_) | Node::MultiAssignRef(_) => {
            None
        }
        value => Some(expr(value, 0)),
    }
}

fn of_select(select: &nodes::SelectStmt, asked: &mut Vec<Expr>) {
    asked.extend([select.where_clause(), select.having_clause()].into_iter().flat_map(inside));
    asked.extend([select.limit_count(), select.limit_offset()].into_iter().flat_map(inside));
    let (sorts, groups) = (select.sort_clause(), select.group_clause());
    let plain = sorts.is_empty() && groups.is_empty() && select.distinct_clause().is_empty();
    let shown = if plain { Vec::new() } else { arms(select, 0) };
    asked.extend(sorts.iter().flat_map(|sort| ordered(sort.node(), select, &shown)));
    let mut stack: Vec<Node<'_>> = groups.iter().chain(select.distinct_clause().iter()).collect();
    while let Some(by) = stack.pop() {
        match by {
            Node::GroupingSet(set) => stack.extend(set.content().iter()),
            // A column of a table goes before one of the result.
            Node::ColumnRef(_) | Node::A_Const(_) => {
                asked.extend(ordered(by, select, &shown));
                asked.extend(inside(by));
            }
            other => asked.extend(inside(other)),
        }
    }
    // Sets compare what they are made of with each other, and DISTINCT rows with rows.
    let set = select.larg().is_some() && !(select.all && select.op == SetOperation::SETOP_UNION);
    if set || !select.distinct_clause().is_empty() {
        asked.extend(arms(select, 0).into_iter().flatten().map(|output| match output {
            Output::Value(value) => value,
            Output::Star | Output::Fields(_) => Expr::Whole(None),
        }));
    }
}

/// The names in a condition. Queries in it ask by what they show, and by their own conditions, which are read as well.
fn inside(condition: Node<'_>) -> Vec<Expr> {
    match condition {
        Node::None => Vec::new(),
        condition => parts(condition, 0),
    }
}

/// What rows are ordered by: a name or a number may be that of a column of the result.
fn ordered(by: Node<'_>, select: &nodes::SelectStmt, shown: &[Vec<Output>]) -> Vec<Expr> {
    let at = match by {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Integer(number)) => usize::try_from(number).ok().and_then(|n| n.checked_sub(1)),
            _ => return Vec::new(),
        },
        Node::ColumnRef(reference) => {
            let own = only(reference.fields());
            select.target_list().iter().position(|target| own.is_some() && name_of(target).as_deref() == own)
        }
        _ => None,
    };
    let Some(at) = at else { return parts(by, 0) };
    let value = |arm: &Vec<Output>| match arm.get(at) {
        Some(Output::Value(value)) if arm.iter().all(|output| matches!(output, Output::Value(_))) => {
            value.clone()
        }
        _ => Expr::Unknown,
    };
    shown.iter().map(value).collect()
}

fn only(fields: &NodeList) -> Option<&str> {
    (fields.len() == 1).then(|| fields.get(0).and_then(Node::as_str)).flatten()
}

fn column(name: Option<&str>) -> Expr {
    name.map_or(Expr::Unknown, |name| Expr::Column { of: None, name: name.to_owned() })
}
