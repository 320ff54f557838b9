//! Where the values that INSERT and UPDATE write come from.

use pg_raw_parse::{Node, nodes};

use super::{last_name, push_children, visit_plain};
use crate::statement::{Facts, Source};

pub(super) fn insert_source(insert: &nodes::InsertStmt) -> Source {
    let mut columns = Vec::new();
    let values = match insert.select_stmt() {
        Node::None => true,
        Node::SelectStmt(select) => {
            select.values_lists().iter().all(|row| written_from(row, Proposed::No, &mut columns))
        }
        _ => false,
    };
    let is_values = match insert.select_stmt() {
        Node::SelectStmt(select) => !select.values_lists().is_empty(),
        _ => true,
    };
    // A column named in VALUES has nothing to refer to; only ON CONFLICT can read the target.
    if !values || !is_values || !columns.is_empty() {
        return Source::Query;
    }
    // `excluded` is the proposed row, unless the target itself goes by that name.
    let alias = insert.relation().and_then(|target| target.alias()?.aliasname());
    let proposed = if alias == Some(PROPOSED) { Proposed::No } else { Proposed::Yes };
    let assignments = insert.on_conflict_clause().map(nodes::OnConflictClause::target_list);
    for target in assignments.into_iter().flat_map(|list| list.iter()) {
        if !written_from(target.val(), proposed, &mut columns) {
            return Source::Query;
        }
    }
    Source::Columns(columns)
}

pub(super) fn update_source(update: &nodes::UpdateStmt) -> Source {
    let mut columns = Vec::new();
    let plain =
        update.target_list().iter().all(|target| written_from(target.val(), Proposed::No, &mut columns));
    // With FROM, a column's name does not say whose it is.
    if !plain || !(update.from_clause().is_empty() || columns.is_empty()) {
        return Source::Query;
    }
    Source::Columns(columns)
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
