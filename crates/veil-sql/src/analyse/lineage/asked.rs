//! What a statement asks about: what decides which rows come, how many, and in what order. What rows are grouped by is
//! among it, since the server may sort them for that.

mod given;

use std::collections::HashSet;

use pg_raw_parse::list::NodeList;
use pg_raw_parse::raw::SetOperation;
use pg_raw_parse::{ConstValue, Node, nodes};

use super::met::comparison;
use super::{VALUES_MAX, arms, descend, expr, name_of, parts, set_arms};
use crate::analyse::last_name;
use crate::lineage::{Expr, Output};
use crate::question::{Asks, Given, Question};

type Asked = Question<Vec<Expr>>;

/// Queries of a set operation inside of another that are compared one by one.
const INNER_MAX: usize = 100;

/// What a statement asks about.
pub(super) struct Questions {
    /// All that conditions, joins and orders name.
    pub(super) asked: Vec<Asked>,
    /// What is computed.
    pub(super) computed: Vec<Asked>,
    /// Rows are kept: sorted, grouped, joined or put into windows.
    pub(super) keeps_rows: bool,
    /// SELECTs, those inside too.
    pub(super) selects: usize,
}

/// Reads what a statement asks about.
pub(super) fn read(root: Node<'_>) -> Questions {
    let mut found = Questions { asked: Vec::new(), computed: Vec::new(), keeps_rows: false, selects: 0 };
    let Questions { asked, computed, keeps_rows, selects } = &mut found;
    let mut stack = vec![root];
    // Queries of set operations, which stand beside each other at the outermost.
    let mut inside_set = HashSet::new();
    while let Some(node) = stack.pop() {
        *keeps_rows |= match node {
            Node::FuncCall(call) => call.over().is_some(),
            Node::SubLink(_) | Node::JoinExpr(_) | Node::RangeSubselect(_) | Node::CommonTableExpr(_) => true,
            _ => false,
        };
        match node {
            Node::SelectStmt(select) => {
                *selects += 1;
                *keeps_rows |= keeps(select);
                let inner = inside_set.contains(&std::ptr::from_ref(select));
                inside_set
                    .extend([select.larg(), select.rarg()].into_iter().flatten().map(std::ptr::from_ref));
                of_select(select, inner, asked);
                for row in select.values_lists() {
                    if let Node::NodeList(row) = row {
                        computed.extend(row.iter().filter(|value| !is_plain(*value)).map(cell));
                    }
                }
            }
            Node::ResTarget(target) => {
                computed.extend(value(target));
                if given::guesses(target.val(), 0) > 0 {
                    asked.extend(beside(vec![expr(target.val(), 0)], &[target.val()]));
                }
            }
            // Rows come in the order in which a window has sorted them.
            Node::WindowDef(window) => {
                asked.extend(window.partition_clause().iter().map(alike));
                asked.extend(window.order_clause().iter().filter_map(|by| question(by.node())));
            }
            Node::RangeFunction(_) | Node::RangeTableFunc(_) | Node::JsonTable(_) => {
                let made = inside(node);
                asked.extend((!made.is_empty()).then(|| about(made, Asks::Other, &[])));
            }
            Node::RangeTableSample(sample) => {
                asked.extend(sample.args().iter().filter_map(question));
                asked.extend(question(sample.repeatable()));
            }
            Node::FuncCall(call) if call.agg_distinct => {
                asked.extend(call.args().iter().map(alike));
            }
            // The greatest of some is known by what it is shown as.
            Node::FuncCall(call) if matches!(last_name(call.funcname()).as_deref(), Some("max" | "min")) => {
                asked.extend(call.args().iter().map(|argument| value_of(argument, Asks::Other)));
            }
            // Its own kind is not among those that are descended into.
            Node::CommonTableExpr(query) => {
                stack.push(query.ctequery());
                continue;
            }
            Node::UpdateStmt(update) => asked.extend(conditions(update.where_clause())),
            Node::DeleteStmt(delete) => asked.extend(conditions(delete.where_clause())),
            Node::MergeStmt(merge) => asked.extend(conditions(merge.join_condition())),
            Node::MergeWhenClause(when) => asked.extend(conditions(when.condition())),
            Node::InsertStmt(insert) => asked.extend(any_conflict(insert)),
            Node::OnConflictClause(conflict) => {
                asked.extend(conditions(conflict.where_clause()));
                // What is in conflict tells what is there.
                asked.extend(arbiters(conflict).map(|by| match by {
                    Node::IndexElem(by) => {
                        let named = by.name().map(|name| column(Some(name)));
                        about(named.into_iter().chain(inside(by.expr())).collect(), Asks::Alike, &[by.expr()])
                    }
                    _ => about(vec![Expr::Unknown], Asks::Alike, &[]),
                }));
            }
            Node::JoinExpr(join) => {
                asked.extend(conditions(join.quals()));
                // A name on either side.
                let pair = |name: &nodes::String| vec![column(name.sval()); 2];
                asked.extend(join.using_clause().iter().map(|name| about(pair(name), Asks::Equality, &[])));
                asked.extend(join.is_natural.then(|| about(vec![Expr::Unknown; 2], Asks::Equality, &[])));
            }
            _ => {}
        }
        if asked.len() + computed.len() > VALUES_MAX {
            return Questions {
                asked: vec![about(vec![Expr::Unknown; 2], Asks::Other, &[])],
                computed: Vec::new(),
                keeps_rows: true,
                selects: usize::MAX,
            };
        }
        descend(node, &mut stack);
    }
    // A condition on a group comes before what it says of the group.
    asked.iter_mut().flat_map(|question| &mut question.about).for_each(Expr::ungroup);
    found
}

/// What a conflict is looked for by.
fn arbiters(conflict: &nodes::OnConflictClause) -> impl Iterator<Item = Node<'_>> {
    conflict.infer().into_iter().flat_map(|infer| infer.index_elems().iter())
}

/// A conflict with any unique index, which is over columns that are written, or computed from them.
fn any_conflict(insert: &nodes::InsertStmt) -> Vec<Asked> {
    match insert.on_conflict_clause() {
        Some(conflict) if arbiters(conflict).next().is_none() => {}
        Some(_) | None => return Vec::new(),
    }
    let name = |target: Node<'_>| match target {
        Node::ResTarget(target) => column(target.name()),
        _ => Expr::Unknown,
    };
    // Each row asks whether its values are there.
    let rows = match insert.select_stmt() {
        Node::None => Some(1),
        Node::SelectStmt(select) if !select.values_lists().is_empty() => Some(select.values_lists().len()),
        _ => None,
    };
    let constants = rows.and_then(|rows| u32::try_from(rows).ok()).unwrap_or(u32::MAX);
    let given = Given { constants, many: rows.is_none() };
    let ask = |column| Question { about: vec![column], asks: Asks::Equality, given, spots: Vec::new() };
    let written: Vec<Asked> = insert.cols().iter().map(|target| ask(name(target))).collect();
    match written.is_empty() {
        true => vec![about(vec![Expr::Unknown], Asks::Alike, &[])],
        false => written,
    }
}

fn keeps(select: &nodes::SelectStmt) -> bool {
    let by = [select.group_clause(), select.distinct_clause()];
    !select.sort_clause().is_empty() || by.iter().any(|by| !by.is_empty()) || select.larg().is_some()
}

/// What is selected or assigned, if it is more than a column.
fn value(target: &nodes::ResTarget) -> Option<Asked> {
    (!is_plain(target.val())).then(|| cell(target.val()))
}

fn is_plain(value: Node<'_>) -> bool {
    matches!(
        value,
        Node::None | Node::ColumnRef(_) | Node::A_Const(_) | Node::ParamRef(_) | Node::MultiAssignRef(_)
    )
}

/// Literals that stand beside a value are masked like it.
fn beside(values: Vec<Expr>, written: &[Node<'_>]) -> Option<Asked> {
    let constants = written.iter().map(|node| given::guesses(*node, 0)).fold(0, u32::saturating_add);
    let asked = constants > 0 && !values.iter().all(Expr::is_constant);
    asked.then_some(Question {
        about: values,
        asks: Asks::Beside,
        given: Given { constants, many: false },
        spots: Vec::new(),
    })
}

/// What is computed.
fn cell(value: Node<'_>) -> Asked {
    value_of(value, if given::is_total(value) { Asks::Total } else { Asks::Computed })
}

fn of_select(select: &nodes::SelectStmt, inner: bool, asked: &mut Vec<Asked>) {
    asked.extend([select.where_clause(), select.having_clause()].into_iter().flat_map(conditions));
    asked.extend([select.limit_count(), select.limit_offset()].into_iter().filter_map(question));
    let (sorts, groups) = (select.sort_clause(), select.group_clause());
    let plain = sorts.is_empty() && groups.is_empty() && select.distinct_clause().is_empty();
    let shown = if plain { Vec::new() } else { arms(select, 0) };
    asked.extend(sorts.iter().filter_map(|sort| ordered(sort.node(), select, &shown, Asks::Other)));
    let mut stack: Vec<Node<'_>> = groups.iter().chain(select.distinct_clause().iter()).collect();
    while let Some(by) = stack.pop() {
        match by {
            Node::GroupingSet(set) => stack.extend(set.content().iter()),
            // A column of a table goes before one of the result.
            Node::ColumnRef(_) | Node::A_Const(_) => {
                asked.extend(ordered(by, select, &shown, Asks::Alike));
                asked.extend((!inside(by).is_empty()).then(|| about(inside(by), Asks::Alike, &[by])));
            }
            other => asked.extend(question(other)),
        }
    }
    // Sets compare what they are made of with each other, and DISTINCT rows with rows.
    if select.larg().is_some() {
        let compares = !(select.all && select.op == SetOperation::SETOP_UNION);
        if inner && compares && set_arms(select).len() > INNER_MAX {
            asked.push(about(vec![Expr::Unknown; 2], Asks::Other, &[]));
        } else if compares || !inner {
            compared(&arms(select, 0), select, compares, asked);
        }
    } else if select.values_lists().len() > 1 {
        // Rows that are written out stand beside each other.
        compared(&arms(select, 0), select, false, asked);
    } else if select.distinct_clause().iter().any(|by| matches!(by, Node::None)) {
        asked.extend(select.target_list().iter().map(|target| match expr(target.val(), 0) {
            Expr::Whole(_) => about(vec![Expr::Whole(None)], Asks::Alike, &[]),
            _ => alike(target.val()),
        }));
    }
}

/// What stands in one place in all queries of a set operation; everything at once where there are stars.
fn compared(arms: &[Vec<Output>], select: &nodes::SelectStmt, compares: bool, asked: &mut Vec<Asked>) {
    let written: Vec<Vec<Node<'_>>> = set_arms(select).into_iter().flat_map(given::shown).collect();
    for at in 0..arms.iter().map(Vec::len).max().unwrap_or(0) {
        let values = arms.iter().map(|arm| match arm.get(at) {
            Some(Output::Value(value)) => value.clone(),
            Some(Output::Star | Output::Fields(_)) | None => Expr::Whole(None),
        });
        let values: Vec<Expr> = values.collect();
        if !compares {
            let written: Vec<Node<'_>> = written.iter().filter_map(|arm| arm.get(at).copied()).collect();
            asked.extend(beside(values, &written));
            continue;
        }
        let columns = values.iter().filter(|value| matches!(value, Expr::Column { .. })).count();
        let asks = if columns == values.len() { Asks::Equality } else { Asks::Other };
        let constants = u32::try_from(arms.len() - columns).unwrap_or(u32::MAX);
        let given = Given { constants, many: false };
        asked.push(Question { about: values, asks, given, spots: Vec::new() });
    }
}

/// The parts of a condition that hold or do not by themselves. Queries in it ask by what they show, and by their own
/// conditions, which are read as well.
fn conditions(condition: Node<'_>) -> Vec<Asked> {
    let mut found = Vec::new();
    let mut stack = vec![condition];
    while let Some(node) = stack.pop() {
        match node {
            Node::BoolExpr(parts) => stack.extend(parts.args().iter()),
            part => found.extend(question(part)),
        }
    }
    found
}

fn question(part: Node<'_>) -> Option<Asked> {
    let named = inside(part);
    let asks = if given::is_equality(part) { Asks::Equality } else { Asks::Other };
    let compared = match part {
        Node::A_Expr(expression) => comparison(expression),
        _ => None,
    };
    let spots = compared.map_or(Vec::new(), |compared| compared.spots());
    (!named.is_empty()).then(|| Question { spots, ..about(named, asks, &[part]) })
}

/// The names in a condition.
fn inside(condition: Node<'_>) -> Vec<Expr> {
    match condition {
        Node::None => Vec::new(),
        condition => parts(condition, 0),
    }
}

fn about(values: Vec<Expr>, asks: Asks, written: &[Node<'_>]) -> Asked {
    Question { about: values, asks, given: given::read(written), spots: Vec::new() }
}

fn value_of(node: Node<'_>, asks: Asks) -> Asked {
    about(vec![expr(node, 0)], asks, &[node])
}

/// Rows are grouped by a value: by a column as it is, or by something computed.
fn alike(node: Node<'_>) -> Asked {
    value_of(node, if matches!(node, Node::ColumnRef(_)) { Asks::Alike } else { Asks::Other })
}

/// What rows are ordered by: a name or a number may be that of a column of the result.
fn ordered(by: Node<'_>, select: &nodes::SelectStmt, shown: &[Vec<Output>], asks: Asks) -> Option<Asked> {
    let at = match by {
        Node::A_Const(constant) => match constant.val() {
            Some(ConstValue::Integer(number)) => usize::try_from(number).ok().and_then(|n| n.checked_sub(1)),
            _ => return None,
        },
        Node::ColumnRef(reference) => {
            let own = only(reference.fields());
            select.target_list().iter().position(|target| own.is_some() && name_of(target).as_deref() == own)
        }
        _ => None,
    };
    let Some(at) = at else {
        return if asks == Asks::Alike { Some(about(parts(by, 0), asks, &[by])) } else { question(by) };
    };
    let value = |arm: &Vec<Output>| match arm.get(at) {
        Some(Output::Value(value)) if arm.iter().all(|output| matches!(output, Output::Value(_))) => {
            value.clone()
        }
        _ => Expr::Unknown,
    };
    let values: Vec<Expr> = shown.iter().map(value).collect();
    let plain = values.iter().all(|value| matches!(value, Expr::Column { .. }));
    let written = select.target_list().get(at).map_or(Node::None, |target| target.val());
    Some(about(values, if plain { asks } else { Asks::Other }, &[written]))
}

fn only(fields: &NodeList) -> Option<&str> {
    (fields.len() == 1).then(|| fields.get(0).and_then(Node::as_str)).flatten()
}

fn column(name: Option<&str>) -> Expr {
    name.map_or(Expr::Unknown, |name| Expr::Column { of: None, name: name.to_owned() })
}
