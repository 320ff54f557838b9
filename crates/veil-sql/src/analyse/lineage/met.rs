//! Where literals and parameters stand that are compared with columns as they are, or written to columns.

use pg_raw_parse::raw::A_Expr_Kind as Kind;
use pg_raw_parse::{Node, nodes};

use super::{VALUES_MAX, descend, reference};
use crate::analyse::source::column_name;
use crate::analyse::{last_name, relation_name};
use crate::lineage::{Expr, Meeting, Meets, Spot};
use crate::statement::{Place, QualifiedName};

/// All of them in a statement. Those that meet anything else stand in the questions only.
pub(super) fn read(root: Node<'_>) -> Vec<Meeting> {
    let mut found = Vec::new();
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        match node {
            Node::A_Expr(comparison) => compared(comparison, &mut found),
            Node::InsertStmt(insert) => inserted(insert, &mut found),
            Node::UpdateStmt(update) => {
                let target = update.relation().map(relation_name);
                let set = update.target_list().iter();
                set.for_each(|part| assigned(target.as_ref(), part, &mut found));
            }
            Node::CommonTableExpr(query) => {
                stack.push(query.ctequery());
                continue;
            }
            Node::WithClause(with) => {
                stack.extend(with.ctes().iter().map(Node::from));
                continue;
            }
            _ => {}
        }
        if found.len() > VALUES_MAX {
            return Vec::new();
        }
        descend(node, &mut stack);
    }
    found
}

fn compared(comparison: &nodes::A_Expr, found: &mut Vec<Meeting>) {
    let equal =
        match (comparison.kind, last_name(comparison.name()).as_deref()) {
            (Kind::AEXPR_OP | Kind::AEXPR_IN | Kind::AEXPR_OP_ANY, Some("="))
            | (Kind::AEXPR_NOT_DISTINCT, _) => true,
            (Kind::AEXPR_OP | Kind::AEXPR_IN | Kind::AEXPR_OP_ALL, Some("<>"))
            | (Kind::AEXPR_DISTINCT, _) => false,
            _ => return,
        };
    for (column, other) in
        [(comparison.lexpr(), comparison.rexpr()), (comparison.rexpr(), comparison.lexpr())]
    {
        let Node::ColumnRef(column) = column else { continue };
        let column = reference(column);
        if !matches!(column, Expr::Column { .. }) {
            continue;
        }
        let mut spots = Vec::new();
        each(other, &mut spots);
        let meets = Meets::Compared { column, equal };
        found.extend(spots.into_iter().map(|at| Meeting { at, meets: meets.clone() }));
    }
}

/// What an expression is, or the list of which it is one.
fn each(node: Node<'_>, found: &mut Vec<Spot>) {
    match node {
        Node::NodeList(list) => list.iter().for_each(|node| found.extend(spot(node))),
        Node::A_ArrayExpr(array) => array.elements().iter().for_each(|node| found.extend(spot(node))),
        node => found.extend(spot(node)),
    }
}

/// A literal or parameter, perhaps with a type that it is cast to.
fn spot(node: Node<'_>) -> Option<Spot> {
    match node {
        Node::A_Const(constant) if !constant.isnull => {
            Some(Spot::Literal(usize::try_from(constant.location).ok()?))
        }
        Node::ParamRef(parameter) => Some(Spot::Parameter(u32::try_from(parameter.number).ok()?)),
        Node::TypeCast(cast) => spot(cast.arg()),
        _ => None,
    }
}

fn inserted(insert: &nodes::InsertStmt, found: &mut Vec<Meeting>) {
    let target = insert.relation().map(relation_name);
    if let (Some(target), Node::SelectStmt(select)) = (&target, insert.select_stmt()) {
        let names: Vec<Option<&str>> = insert.cols().iter().map(column_name).collect();
        let place = |at: usize| match names.get(at) {
            Some(name) => name.map(|name| Place::Name(name.to_owned())),
            None => names.is_empty().then_some(Place::At(at)),
        };
        for row in select.values_lists().iter() {
            let Node::NodeList(row) = row else { continue };
            for (at, value) in row.iter().enumerate() {
                stored(target, place(at), value, found);
            }
        }
        for (at, value) in select.target_list().iter().enumerate() {
            stored(target, place(at), value.val(), found);
        }
    }
    let conflict = insert.on_conflict_clause().map(nodes::OnConflictClause::target_list);
    let set = conflict.into_iter().flat_map(|list| list.iter());
    set.for_each(|part| assigned(target.as_ref(), part, found));
}

fn assigned(target: Option<&QualifiedName>, part: &nodes::ResTarget, found: &mut Vec<Meeting>) {
    if let (Some(target), Some(name)) = (target, part.name()) {
        stored(target, Some(Place::Name(name.to_owned())), part.val(), found);
    }
}

fn stored(target: &QualifiedName, place: Option<Place>, value: Node<'_>, found: &mut Vec<Meeting>) {
    if let (Some(place), Some(at)) = (place, spot(value)) {
        found.push(Meeting { at, meets: Meets::Stored { target: target.clone(), place } });
    }
}
