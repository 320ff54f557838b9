//! Functions that return a value as it stands in some row.

use pg_raw_parse::{Node, nodes};

use super::{expr, parts};
use crate::analyse::qualified;
use crate::lineage::Expr;

/// The argument whose value an aggregate returns as it is.
pub(in crate::analyse::lineage) fn argument(call: &nodes::FuncCall) -> Option<Node<'_>> {
    let name = qualified(call.funcname())?;
    let builtin = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let plain = call.over().is_none()
        && matches!(call.agg_filter(), Node::None)
        && call.agg_order().is_empty()
        && !call.agg_within_group;
    match (name.name.as_str(), call.args().len(), call.args().get(0)) {
        ("min" | "max", 1, Some(argument)) if builtin && plain => Some(argument),
        _ => None,
    }
}

/// What a window function returns as it stands in another row.
pub(super) fn of_other_row(call: &nodes::FuncCall, depth: usize) -> Option<Expr> {
    let name = qualified(call.funcname())?;
    let builtin = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let (window, mut arguments) = (call.over()?, call.args().iter());
    if !builtin || !matches!(call.agg_filter(), Node::None) {
        return None;
    }
    let first = arguments.next()?;
    let fits = match name.name.as_str() {
        "first_value" | "last_value" | "nth_value" => true,
        // What there is if there is none would be a client's own value under the mask.
        "lag" | "lead" => call.args().len() < 3,
        _ => false,
    };
    // Beside a column in it there could be values of the client's own.
    let fits = fits && matches!(first, Node::ColumnRef(_));
    let by = arguments.chain(std::iter::once(Node::WindowDef(window)));
    fits.then(|| Expr::Chosen {
        among: vec![expr(first, depth)],
        by: by.flat_map(|node| parts(node, depth)).collect(),
    })
}
