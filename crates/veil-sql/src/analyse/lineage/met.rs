//! Where literals and parameters stand that are compared with columns as they are, or written to columns.

use std::collections::{BTreeSet, HashSet};
use std::ptr;

use pg_raw_parse::raw::{A_Expr_Kind as Kind, BoolExprType};
use pg_raw_parse::{ConstValue, Node, nodes};
use veil_model::PgType;
use veil_model::pgtype::{self, oid};

use super::{VALUES_MAX, descend, expr, reference};
use crate::analyse::source::{PROPOSED, column_name};
use crate::analyse::{last_name, literal, push_children, relation_name};
use crate::lineage::{Expr, Literal, Meeting, Meets, Spot, Store, Stored};
use crate::statement::{Place, QualifiedName};

/// What values meet in a statement.
#[derive(Default)]
pub(super) struct Met {
    pub(super) meetings: Vec<Meeting>,
    pub(super) stores: Vec<Store>,
    pub(super) nulls: Vec<Stored>,
    pub(super) proposed: Vec<Stored>,
    pub(super) replaced: Vec<Stored>,
    pub(super) elsewhere: BTreeSet<u32>,
    pub(super) tested: BTreeSet<(u32, PgType)>,
    /// Where these parameters stand; a node may be come by twice.
    seen: BTreeSet<usize>,
}

/// All of them in a statement. Those that meet anything else stand in the questions only.
pub(super) fn read(root: Node<'_>, text: &str) -> Met {
    let mut found = Met::default();
    let mut holds: HashSet<*const nodes::A_Expr> = HashSet::new();
    let mut stack = vec![root];
    while let Some(node) = stack.pop() {
        match node {
            Node::A_Expr(expression) => {
                if let Some(Comparison { column, equal, operands, .. }) = comparison(expression) {
                    let equal = equal && holds.contains(&ptr::from_ref(expression));
                    let meets = Meets::Compared { column, equal };
                    operands.iter().for_each(|operand| found.meet(operand, meets.clone(), text));
                }
            }
            Node::NullTest(test) => {
                if let Some(Operand { at: Spot::Parameter(number), cast, place, .. }) = operand(test.arg()) {
                    found.seen.extend(place);
                    found.tested.extend(cast.map(|cast| (number, cast)));
                }
            }
            Node::SelectStmt(select) => {
                conjuncts(select.where_clause(), &mut holds);
                conjuncts(select.having_clause(), &mut holds);
            }
            Node::JoinExpr(join) => conjuncts(join.quals(), &mut holds),
            Node::DeleteStmt(delete) => conjuncts(delete.where_clause(), &mut holds),
            Node::InsertStmt(insert) => inserted(insert, text, &mut found),
            Node::UpdateStmt(update) => {
                let target = update.relation().map(relation_name);
                found.replaced.extend(replaced(target.as_ref(), update.target_list().iter()));
                conjuncts(update.where_clause(), &mut holds);
                let set = update.target_list().iter();
                set.for_each(|part| assigned(target.as_ref(), part, text, &mut found));
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
        if found.meetings.len() + found.stores.len() + found.proposed.len() > VALUES_MAX {
            return found.forget();
        }
        descend(node, &mut stack);
    }
    let parameters = literal::parameters(text).into_iter();
    let elsewhere = parameters.filter(|(at, _)| !found.seen.contains(at)).map(|(_, number)| number);
    found.elsewhere = elsewhere.collect();
    found
}

/// What has to hold for a condition to hold, or is one of what may: NULL is like false there.
fn conjuncts(condition: Node<'_>, found: &mut HashSet<*const nodes::A_Expr>) {
    let mut stack = vec![condition];
    while let Some(node) = stack.pop() {
        match node {
            Node::BoolExpr(parts) if parts.boolop != BoolExprType::NOT_EXPR => {
                stack.extend(parts.args().iter())
            }
            Node::A_Expr(expression) => drop(found.insert(ptr::from_ref(expression))),
            _ => {}
        }
    }
}

/// A column that is compared with values, by whether it equals them.
pub(super) struct Comparison<'a> {
    pub(super) column: Expr,
    equal: bool,
    operands: Vec<Operand<'a>>,
    /// It is compared with nothing else.
    whole: bool,
}

impl Comparison<'_> {
    /// The literals and parameters, if it is compared with nothing else.
    pub(super) fn spots(&self) -> Vec<Spot> {
        if self.whole { self.operands.iter().map(|operand| operand.at).collect() } else { Vec::new() }
    }
}

/// A literal or parameter, perhaps cast to a type.
struct Operand<'a> {
    at: Spot,
    constant: Option<&'a nodes::A_Const>,
    /// Where it stands, if it is a parameter.
    place: Option<usize>,
    cast: Option<PgType>,
    list: bool,
}

/// A comparison of a column as it is, by whether it equals something.
pub(super) fn comparison(expression: &nodes::A_Expr) -> Option<Comparison<'_>> {
    let equal = match (expression.kind, last_name(expression.name()).as_deref()) {
        (Kind::AEXPR_OP | Kind::AEXPR_IN | Kind::AEXPR_OP_ANY, Some("=")) => true,
        (Kind::AEXPR_OP | Kind::AEXPR_IN | Kind::AEXPR_OP_ALL, Some("<>"))
        | (Kind::AEXPR_NOT_DISTINCT | Kind::AEXPR_DISTINCT, _) => false,
        _ => return None,
    };
    let array = matches!(expression.kind, Kind::AEXPR_OP_ANY | Kind::AEXPR_OP_ALL);
    let (column, other) = match (expression.lexpr(), expression.rexpr()) {
        (Node::ColumnRef(column), other) => (column, other),
        (other, Node::ColumnRef(column)) if !array => (column, other),
        _ => return None,
    };
    let column = reference(column);
    if !matches!(column, Expr::Column { .. }) {
        return None;
    }
    let operands: Vec<Option<Operand<'_>>> = match other {
        Node::NodeList(list) => list.iter().map(operand).collect(),
        other if array => elements(other, None),
        other => vec![operand(other)],
    };
    let whole = operands.iter().all(Option::is_some);
    Some(Comparison { column, equal, operands: operands.into_iter().flatten().collect(), whole })
}

/// The elements of an array, or what stands for all of them.
fn elements<'a>(array: Node<'a>, cast: Option<PgType>) -> Vec<Option<Operand<'a>>> {
    match array {
        Node::A_ArrayExpr(array) => {
            let each = |node| operand(node).map(|own| Operand { cast: cast.or(own.cast), ..own });
            array.elements().iter().map(each).collect()
        }
        Node::TypeCast(typed) if cast.is_none() => match type_of(typed.type_name(), true) {
            Some(element) => elements(typed.arg(), Some(element)),
            None => vec![None],
        },
        other => vec![operand(other).filter(|own| own.cast.is_none()).map(|own| Operand {
            cast,
            list: true,
            ..own
        })],
    }
}

fn operand(node: Node<'_>) -> Option<Operand<'_>> {
    match node {
        Node::A_Const(constant) => {
            let at = usize::try_from(constant.location).ok().filter(|_| !constant.isnull)?;
            let constant = Some(constant);
            Some(Operand { at: Spot::Literal(at), constant, place: None, cast: None, list: false })
        }
        Node::ParamRef(parameter) => {
            let number = u32::try_from(parameter.number).ok()?;
            let place = Some(usize::try_from(parameter.location).ok()?);
            Some(Operand { at: Spot::Parameter(number), constant: None, place, cast: None, list: false })
        }
        Node::TypeCast(cast) => {
            let inner = operand(cast.arg()).filter(|inner| inner.cast.is_none())?;
            Some(Operand { cast: Some(type_of(cast.type_name(), false)?), ..inner })
        }
        _ => None,
    }
}

/// A type of the server's own, or that of an array's elements.
fn type_of(name: Option<&nodes::TypeName>, array: bool) -> Option<PgType> {
    let name = name?;
    let parts: Vec<&str> = name.names().iter().filter_map(nodes::String::sval).collect();
    let oid = match parts.as_slice() {
        ["pg_catalog", own] | [own] => pgtype::named(own)?,
        _ => return None,
    };
    if name.setof || name.array_bounds().len() != usize::from(array) {
        return None;
    }
    let numbers = name.typmods().iter().map(|modifier| match modifier {
        Node::A_Const(constant) => match constant.val()? {
            ConstValue::Integer(number) => Some(number),
            _ => None,
        },
        _ => None,
    });
    let modifier = match (oid, numbers.collect::<Option<Vec<i32>>>()?.as_slice()) {
        (_, []) => -1,
        (oid::VARCHAR | oid::BPCHAR, [length]) => length.checked_add(4)?,
        (oid::NUMERIC, [precision, scale @ ..]) => {
            let scale = match scale {
                [] => 0,
                [scale] if *scale >= 0 => *scale,
                _ => return None,
            };
            precision.checked_mul(1 << 16)?.checked_add(scale)?.checked_add(4)?
        }
        _ => return None,
    };
    Some(PgType { oid, modifier })
}

impl Met {
    /// None of them is told apart; any value may be written to any column.
    fn forget(self) -> Self {
        let met = self.meetings.into_iter().filter_map(|meeting| match meeting.meets {
            Meets::Stored(stored) => Some(stored),
            Meets::Compared { .. } => None,
        });
        let targets: BTreeSet<QualifiedName> = met
            .chain(self.stores.into_iter().map(|store| store.to))
            .chain(self.proposed)
            .map(|stored| stored.target)
            .collect();
        let any = targets.into_iter().map(|target| Stored { target, place: None, replaces: true });
        let stores = any.map(|to| Store { to, value: Expr::Unknown }).collect();
        Self { stores, ..Self::default() }
    }

    fn meet(&mut self, operand: &Operand<'_>, meets: Meets, text: &str) {
        let Operand { at, constant, place, cast, list } = *operand;
        self.seen.extend(place);
        let literal = match (at, constant) {
            (Spot::Literal(at), Some(constant)) => written(constant, at, text),
            _ => None,
        };
        self.meetings.push(Meeting { at, literal, cast, list, meets });
    }

    fn store(&mut self, stored: Stored, value: Node<'_>, text: &str) {
        match (operand(value), value) {
            (Some(operand), _) if stored.place.is_some() => self.meet(&operand, Meets::Stored(stored), text),
            (_, Node::SetToDefault(_)) => {}
            (_, Node::A_Const(constant)) if constant.isnull => {
                self.nulls.extend(stored.replaces.then_some(stored));
            }
            _ => self.stores.push(Store { to: stored, value: expr(value, 0) }),
        }
    }
}

/// A literal, if it is of a kind whose end is certain.
fn written(constant: &nodes::A_Const, at: usize, text: &str) -> Option<Literal> {
    let literal::Extent { end, quoted } = literal::extent(text, at)?;
    let value: Box<str> = match (constant.val()?, quoted) {
        (ConstValue::String(value), true) => value.into(),
        (ConstValue::Float(value), false) => value.into(),
        (ConstValue::Integer(value), false) => value.to_string().into(),
        _ => return None,
    };
    Some(Literal { end, value, quoted })
}

fn inserted(insert: &nodes::InsertStmt, text: &str, found: &mut Met) {
    let Some(target) = insert.relation().map(relation_name) else { return };
    let names: Vec<Option<&str>> = insert.cols().iter().map(column_name).collect();
    let place = |at: usize| match names.get(at) {
        Some(name) => name.map(|name| Place::Name(name.to_owned())),
        None => names.is_empty().then_some(Place::At(at)),
    };
    let stored = |place| Stored { target: target.clone(), place, replaces: false };
    if let Node::SelectStmt(select) = insert.select_stmt() {
        for row in select.values_lists().iter() {
            let Node::NodeList(row) = row else { continue };
            for (at, value) in row.iter().enumerate() {
                found.store(stored(place(at)), value, text);
            }
        }
        let plain = select.larg().is_none() && select.target_list().iter().all(|value| is_one(value.val()));
        for (at, value) in select.target_list().iter().enumerate().filter(|_| plain) {
            found.store(stored(place(at)), value.val(), text);
        }
        if !plain {
            // Any value may come to stand in any of the columns.
            let named = names.iter().map(|name| name.map(|name| Place::Name(name.to_owned())));
            let any = names.is_empty().then_some(None);
            let all = named.chain(any).map(stored);
            found.stores.extend(all.map(|to| Store { to, value: Expr::Unknown }));
        }
    }
    let conflict = insert.on_conflict_clause().map(nodes::OnConflictClause::target_list);
    for part in conflict.into_iter().flat_map(|list| list.iter()) {
        found.replaced.extend(replaced(Some(&target), std::iter::once(part)));
        let mut read = Vec::new();
        proposed(part.val(), &mut read);
        match (part.val(), read.as_slice()) {
            (Node::ColumnRef(_), [Some(own)]) if part.name() == Some(own.as_str()) => {}
            _ => {
                let places = read.into_iter().map(|name| name.map(Place::Name));
                found.proposed.extend(places.map(stored));
                assigned(Some(&target), part, text, found);
            }
        }
    }
}

/// The columns that are assigned to.
fn replaced<'a>(
    target: Option<&QualifiedName>,
    parts: impl Iterator<Item = &'a nodes::ResTarget>,
) -> impl Iterator<Item = Stored> {
    parts.filter_map(move |part| {
        let place = part.name().map(|name| Place::Name(name.to_owned()));
        Some(Stored { target: target?.clone(), place, replaces: true })
    })
}

/// Whether a value that is selected is one column.
fn is_one(value: Node<'_>) -> bool {
    match value {
        Node::ColumnRef(column) => matches!(reference(column), Expr::Column { .. }),
        Node::A_Indirection(_) => false,
        _ => true,
    }
}

/// The columns of `excluded` that a value reads; `None` for all of them.
fn proposed(value: Node<'_>, found: &mut Vec<Option<String>>) {
    let mut stack = vec![value];
    while let Some(node) = stack.pop() {
        if let Node::ColumnRef(column) = node {
            let fields: Vec<Option<&str>> = column.fields().iter().map(Node::as_str).collect();
            match fields.as_slice() {
                [Some(PROPOSED), Some(name)] => found.push(Some((*name).to_owned())),
                [Some(PROPOSED), ..] => found.push(None),
                _ => {}
            }
        }
        push_children(node, &mut stack);
    }
}

fn assigned(target: Option<&QualifiedName>, part: &nodes::ResTarget, text: &str, found: &mut Met) {
    let Some(target) = target else { return };
    let place = part.name().map(|name| Place::Name(name.to_owned()));
    found.store(Stored { target: target.clone(), place, replaces: true }, part.val(), text);
}
