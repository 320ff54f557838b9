//! Where the values that INSERT and UPDATE write come from.

use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::{Node, nodes};

use super::lineage::{arms, expr};
use super::{last_name, push_children, visit_plain};
use crate::lineage::Output;
use crate::statement::{Facts, Place, Source, Written};

pub(super) fn insert_source(insert: &nodes::InsertStmt) -> Option<Source> {
    let mut columns = Vec::new();
    let (mut values, rows) = match insert.select_stmt() {
        Node::None => (Vec::new(), true),
        Node::SelectStmt(select) => {
            let rows = select.values_lists();
            // A column named in VALUES has nothing to refer to.
            let plain = rows.iter().all(|row| written_from(row, Proposed::No, &mut columns));
            if plain && !rows.is_empty() && columns.is_empty() {
                (Vec::new(), true)
            } else {
                (written_by_query(insert, select)?, false)
            }
        }
        _ => return None,
    };
    // `excluded` is the row that the client proposes, unless it is made of others or the target goes by that name.
    let alias = insert.relation().and_then(|target| target.alias()?.aliasname());
    let proposed = if rows && alias != Some(PROPOSED) { Proposed::Yes } else { Proposed::No };
    let assignments = insert.on_conflict_clause().map(nodes::OnConflictClause::target_list);
    columns.clear();
    for target in assignments.into_iter().flat_map(|list| list.iter()) {
        if !written_from(target.val(), proposed, &mut columns) {
            return None;
        }
    }
    if let (false, Some(assigned)) = (columns.is_empty(), assignments.and_then(assigned)) {
        columns.clear();
        values.extend(assigned);
    }
    Some(Source { columns, values })
}

/// The values of a query, and the columns that they are inserted into.
fn written_by_query(insert: &nodes::InsertStmt, select: &nodes::SelectStmt) -> Option<Vec<Written>> {
    let names: Vec<Option<&str>> = insert.cols().iter().map(column_name).collect();
    let place = |at: usize| match names.get(at) {
        Some(name) => name.map(|name| Place::Name(name.to_owned())),
        None => names.is_empty().then_some(Place::At(at)),
    };
    let written = arms(select, 0).into_iter().flat_map(|arm| arm.into_iter().enumerate());
    written
        .map(|(at, output)| match output {
            Output::Value(value) => Some(Written { to: place(at)?, value }),
            Output::Star | Output::Fields(_) => None,
        })
        .collect()
}

pub(super) fn column_name(column: Node<'_>) -> Option<&str> {
    match column {
        Node::ResTarget(column) => column.name(),
        _ => None,
    }
}

pub(super) fn update_source(update: &nodes::UpdateStmt) -> Option<Source> {
    let mut columns = Vec::new();
    let plain =
        update.target_list().iter().all(|target| written_from(target.val(), Proposed::No, &mut columns));
    if plain && columns.is_empty() {
        return Some(Source::default());
    }
    match assigned(update.target_list()) {
        Some(values) => Some(Source { columns: Vec::new(), values }),
        // With FROM, a column's name does not say whose it is.
        None => (plain && update.from_clause().is_empty()).then_some(Source { columns, values: Vec::new() }),
    }
}

/// What is assigned, one by one.
fn assigned(targets: &CastNodeList<nodes::ResTarget>) -> Option<Vec<Written>> {
    let written = targets.iter().map(|target| match (target.name(), target.val()) {
        (_, Node::MultiAssignRef(_)) | (None, _) => None,
        (Some(name), value) => Some(Written { to: Place::Name(name.to_owned()), value: expr(value, 0) }),
    });
    written.collect()
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
            _ if visit_plain(node, &mut Facts::default()) || matches!(node, Node::FuncCall(_)) => {
                // A name that is a function in newer servers may be a column in older ones.
                if is_system_user(node) {
                    columns.push(SYSTEM_USER.to_owned());
                }
                push_children(node, &mut stack);
            }
            _ => {}
        }
    }
    true
}

/// Reserved since PostgreSQL 16; before, anything could be called so.
pub const SYSTEM_USER: &str = "system_user";

pub(super) fn is_system_user(node: Node<'_>) -> bool {
    match node {
        Node::FuncCall(call) => last_name(call.funcname()).as_deref() == Some(SYSTEM_USER),
        _ => false,
    }
}

/// The name by which ON CONFLICT calls the row that was to be inserted.
pub(super) const PROPOSED: &str = "excluded";

/// Whether `excluded` is the row that the client proposed to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proposed {
    Yes,
    No,
}
