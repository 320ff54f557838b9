//! Where literals and parameters stand that are compared with columns as they are, or written to columns.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Delete, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, InTarget, Insert, OnInsert, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, TableObject, TableWithJoins, Update, Value, Visit, Visitor,
};

use super::facts::table_name;
use super::places::Places;
use super::statement::{Facts, Named, TableName};
use crate::lineage::{self, Literal, Meeting, Meets, Spot, Store, Stored};
use crate::question::Question;
use crate::statement::{Place, QualifiedName};

/// Values that are told apart in one statement.
const VALUES_MAX: usize = 16 << 10;

/// Collects what is written, and what the tables are called; what is compared has been collected with the questions.
pub(super) fn collect(tree: &Statement, places: &Places, facts: &mut Facts) {
    let mut met = Met { places, facts, named: HashSet::new(), inserted: None };
    let _: ControlFlow<()> = tree.visit(&mut met);
    let named = met.named;
    let (meetings, in_names) =
        std::mem::take(&mut facts.meetings).into_iter().partition(|meeting| !named.contains(&meeting.at));
    facts.meetings = meetings;
    facts.lose(in_names);
    let of_names = |question: &&mut Question<Named>| question.spots.iter().any(|spot| named.contains(spot));
    facts.asked.iter_mut().filter(of_names).for_each(|question| question.spots.clear());
    if facts.meetings.len() + facts.stores.len() > VALUES_MAX {
        facts.lose_places();
    }
}

/// A column that is compared with literals and parameters, by whether it equals them.
pub(super) struct Comparison {
    column: lineage::Expr,
    equal: bool,
    operands: Vec<(Spot, Option<Literal>)>,
    whole: bool,
}

impl Comparison {
    /// What the literals and parameters meet.
    pub(super) fn meetings(&self) -> impl Iterator<Item = Meeting> {
        self.operands.iter().map(|(at, literal)| {
            let meets = Meets::Compared { column: self.column.clone(), equal: self.equal };
            Meeting { at: *at, literal: literal.clone(), cast: None, list: false, meets }
        })
    }

    /// The literals and parameters, if it is compared with nothing else.
    pub(super) fn spots(&self) -> Vec<Spot> {
        if self.whole { self.operands.iter().map(|(spot, _)| *spot).collect() } else { Vec::new() }
    }
}

/// A comparison of a column as it is, by whether it equals something.
pub(super) fn comparison(tree: &Expr, places: &Places) -> Option<Comparison> {
    let (column, others, equal): (_, Vec<&Expr>, _) = match tree {
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Spaceship),
            right,
        } => (column(left)?, vec![right.as_ref()], *op == BinaryOperator::Eq),
        Expr::In { expr, target: InTarget::List(list), negated, .. } => {
            (column(expr)?, list.iter().collect(), !negated)
        }
        _ => return None,
    };
    let operands: Vec<_> = others.iter().map(|other| places.last(other)).collect();
    let whole = operands.iter().all(Option::is_some);
    Some(Comparison { column, equal, operands: operands.into_iter().flatten().collect(), whole })
}

/// Two columns that are compared with each other, if both are named with their tables.
pub(super) fn sides(tree: &Expr) -> Option<[(String, String); 2]> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = tree else { return None };
    let side = |tree| match column(tree)? {
        lineage::Expr::Column { of: Some(of), name } => Some((of, name)),
        _ => None,
    };
    Some([side(left)?, side(right)?])
}

/// A column by its name, and the name of its table.
fn column(tree: &Expr) -> Option<lineage::Expr> {
    let (name, of) = match tree {
        Expr::Identifier(name) if is_column(name) => (name, None),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [of, name] => (name, Some(of.value.clone())),
            // The database says no more than the table does.
            [_, of, name] => (name, Some(of.value.clone())),
            _ => return None,
        },
        _ => return None,
    };
    Some(lineage::Expr::Column { of, name: name.value.clone() })
}

/// Neither a variable nor a keyword in the place of a value.
fn is_column(name: &Ident) -> bool {
    name.quote_style.is_some() || !(name.value.starts_with('@') || is_default(name))
}

fn is_default(name: &Ident) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default")
}

struct Met<'a> {
    places: &'a Places,
    facts: &'a mut Facts,
    /// Literals and parameters of which the server makes names of columns, which everybody sees.
    named: HashSet<Spot>,
    /// The rows of INSERT, which are not shown.
    inserted: Option<*const Query>,
}

impl Visitor for Met<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, tree: &Statement) -> ControlFlow<()> {
        match tree {
            Statement::Insert(insert) => self.inserted(insert),
            Statement::Update(update) => self.updated(update),
            Statement::Delete(Delete { returning: Some(items), .. }) => self.shown(items),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        self.facts.with_names.extend(with.map(|cte| cte.alias.name.value.clone()));
        if self.inserted.is_none_or(|inserted| !std::ptr::eq(query, inserted)) {
            self.rows(&query.body);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        // A text without a name goes by what it says.
        let named = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(value) if is_text(value));
        self.facts.makes_names |= select.projection.iter().any(named);
        self.shown(&select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let Some(table) = table_name(name) else {
                    self.facts.untold = true;
                    return ControlFlow::Continue(());
                };
                let own = alias.as_ref().map_or_else(|| table.name.clone(), |alias| alias.name.value.clone());
                self.facts.aliases.push((own, Some(table)));
            }
            TableFactor::Derived { alias, .. } => {
                let own = alias.as_ref().map(|alias| (alias.name.value.clone(), None));
                self.facts.aliases.extend(own);
            }
            TableFactor::NestedJoin { .. } => {}
            _ => self.facts.untold = true,
        }
        ControlFlow::Continue(())
    }
}

impl Met<'_> {
    /// The server calls the columns of VALUES by what stands in its first row.
    fn rows(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Values(values) => {
                let mut inside = Inside { places: self.places, found: &mut self.named };
                for value in values.rows.iter().flat_map(|row| &row.content) {
                    let _: ControlFlow<()> = value.visit(&mut inside);
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.rows(left);
                self.rows(right);
            }
            _ => {}
        }
    }

    fn shown(&mut self, items: &[SelectItem]) {
        for item in items {
            if let SelectItem::UnnamedExpr(value) = item {
                let mut inside = Inside { places: self.places, found: &mut self.named };
                let _: ControlFlow<()> = value.visit(&mut inside);
            }
        }
    }

    fn inserted(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else { return };
        let Some(target) = table_name(name) else { return };
        self.facts.inserts = true;
        self.facts.aliases.push((target.name.clone(), Some(target.clone())));
        self.shown(insert.returning.as_deref().unwrap_or_default());
        let names: Vec<String> = insert
            .columns
            .iter()
            .map(|column| column.0.last().and_then(|part| part.as_ident()).map_or("*", |ident| &ident.value))
            .map(str::to_owned)
            .collect();
        let place = |at: usize| match names.get(at) {
            Some(name) => Some(Place::Name(name.clone())),
            None => names.is_empty().then_some(Place::At(at)),
        };
        let target = qualified(&target);
        if insert.replace_into {
            self.facts.replaced.push(stored(&target, None, true));
        }
        self.inserted = insert.source.as_deref().map(std::ptr::from_ref);
        match insert.source.as_deref().map(|source| source.body.as_ref()) {
            None => {}
            Some(SetExpr::Values(values)) => {
                for row in &values.rows {
                    for (at, value) in row.content.iter().enumerate() {
                        self.store(stored(&target, place(at), insert.replace_into), value, None);
                    }
                }
            }
            // What a query selects has names, by which the query can ask.
            Some(_) => {
                let named = names.iter().map(|name| Some(Place::Name(name.clone())));
                for place in named.chain(names.is_empty().then_some(None)) {
                    self.any(stored(&target, place, insert.replace_into));
                }
            }
        }
        let proposed = insert.insert_alias.as_ref().and_then(|alias| table_name(&alias.row_alias));
        let row = Row { alias: proposed.map(|alias| alias.name), target: &target };
        self.facts.aliases.extend(row.alias.clone().map(|alias| (alias, None)));
        self.assigned(&insert.assignments, |_| Some(target.clone()), None);
        if let Some(OnInsert::DuplicateKeyUpdate(assignments)) = &insert.on {
            self.assigned(assignments, |_| Some(target.clone()), Some(&row));
        }
    }

    fn updated(&mut self, update: &Update) {
        let mut tables = Vec::new();
        named_tables(&update.table, &mut tables);
        let single = tables.len() == 1;
        let of = |qualifier: Option<&str>| {
            let mut found = tables.iter().filter(|(own, _)| match qualifier {
                Some(of) => own.eq_ignore_ascii_case(of),
                None => single,
            });
            found
                .next()
                .filter(|_| found.next().is_none())
                .and_then(|(_, table)| table.as_ref())
                .map(qualified)
        };
        self.assigned(&update.assignments, of, None);
        let unclear = |assignment: &&Assignment| of(qualifier(assignment).as_deref()).is_none();
        for assignment in update.assignments.iter().filter(unclear) {
            // Whichever of them has the column.
            let place = column_of(assignment).map(|name| Place::Name(name.to_owned()));
            for table in tables.iter().filter_map(|(_, table)| table.as_ref()) {
                self.facts.replaced.push(stored(&qualified(table), place.clone(), true));
                self.any(stored(&qualified(table), place.clone(), true));
            }
        }
    }

    fn assigned(
        &mut self,
        assignments: &[Assignment],
        of: impl Fn(Option<&str>) -> Option<QualifiedName>,
        row: Option<&Row<'_>>,
    ) {
        for assignment in assignments {
            let Some(name) = column_of(assignment) else { continue };
            let Some(target) = of(qualifier(assignment).as_deref()) else { continue };
            self.facts.replaced.push(stored(&target, Some(Place::Name(name.to_owned())), true));
            let proposed = row.and_then(|row| row.column(&assignment.value));
            let kept = is_kept(assignment) || proposed.is_some_and(|own| own.eq_ignore_ascii_case(name));
            if !kept {
                let place = Some(Place::Name(name.to_owned()));
                self.store(stored(&target, place, true), &assignment.value, row);
            }
        }
    }

    fn store(&mut self, to: Stored, value: &Expr, row: Option<&Row<'_>>) {
        if let Some(row) = row {
            let mut read = Proposed { row, found: Vec::new() };
            let _: ControlFlow<()> = value.visit(&mut read);
            let read = read.found.into_iter().map(|name| Some(Place::Name(name)));
            self.facts.proposed.extend(read.map(|place| stored(&to.target, place, false)));
        }
        match (self.places.spot(value), value) {
            (Some((at, literal)), _) if to.place.is_some() => {
                self.facts.meetings.push(Meeting {
                    at,
                    literal,
                    cast: None,
                    list: false,
                    meets: Meets::Stored(to),
                });
            }
            (_, Expr::Value(value)) if value.value == Value::Null => {
                self.facts.nulls.extend(to.replaces.then_some(to));
            }
            (_, Expr::Identifier(name)) if is_default(name) => {}
            _ => self.any(to),
        }
    }

    /// Any value may be written to a column, or to all of them.
    fn any(&mut self, to: Stored) {
        self.facts.stores.push(Store { to, value: lineage::Expr::Unknown });
    }
}

fn stored(target: &QualifiedName, place: Option<Place>, replaces: bool) -> Stored {
    Stored { target: target.clone(), place, replaces }
}

fn qualified(table: &TableName) -> QualifiedName {
    QualifiedName { schema: table.database.clone(), name: table.name.clone() }
}

/// The column that is assigned to.
fn column_of(assignment: &Assignment) -> Option<&str> {
    let AssignmentTarget::ColumnName(name) = &assignment.target else { return None };
    name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str())
}

/// Whether a column is assigned what it holds: itself, perhaps with the name of its table as the target has it.
pub(super) fn is_kept(assignment: &Assignment) -> bool {
    let Some(name) = column_of(assignment) else { return false };
    match &assignment.value {
        Expr::Identifier(own) => is_column(own) && own.value.eq_ignore_ascii_case(name),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [of, own] => {
                own.value.eq_ignore_ascii_case(name)
                    && qualifier(assignment).is_none_or(|own| own == of.value)
            }
            _ => false,
        },
        _ => false,
    }
}

/// The table that an assignment names.
fn qualifier(assignment: &Assignment) -> Option<String> {
    let AssignmentTarget::ColumnName(name) = &assignment.target else { return None };
    let before = name.0.len().checked_sub(2).and_then(|at| name.0.get(at))?;
    before.as_ident().map(|ident| ident.value.clone())
}

/// The literal or parameter that is assigned.
pub(super) fn assigned_spot(assignment: &Assignment, places: &Places) -> Vec<Spot> {
    places.spot(&assignment.value).map(|(spot, _)| spot).into_iter().collect()
}

/// The row that was to be inserted.
struct Row<'a> {
    alias: Option<String>,
    target: &'a QualifiedName,
}

impl Row<'_> {
    /// The column of it that a value is.
    fn column<'v>(&self, value: &'v Expr) -> Option<&'v str> {
        match value {
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("values") => {
                let FunctionArguments::List(list) = &function.args else { return None };
                match list.args.as_slice() {
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))] => {
                        Some(&name.value)
                    }
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))] => {
                        parts.last().map(|part| part.value.as_str())
                    }
                    _ => Some("*"),
                }
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [of, name] if self.alias.as_ref() == Some(&of.value) => Some(&name.value),
                // With a row's alias, it may be that of the table too.
                [of, _] if self.alias.is_some() && of.value != self.target.name => Some("*"),
                _ => None,
            },
            // A bare name may be one that the row's alias gives.
            _ => None,
        }
    }
}

/// What is read of that row.
struct Proposed<'a> {
    row: &'a Row<'a>,
    found: Vec<String>,
}

impl Visitor for Proposed<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        self.found.extend(self.row.column(tree).map(str::to_owned));
        ControlFlow::Continue(())
    }
}

/// The tables of a FROM, by what they are called.
fn named_tables(table: &TableWithJoins, found: &mut Vec<(String, Option<TableName>)>) {
    for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let table = table_name(name);
                let own = match (alias, &table) {
                    (Some(alias), _) => alias.name.value.clone(),
                    (None, Some(table)) => table.name.clone(),
                    (None, None) => String::new(),
                };
                found.push((own, table));
            }
            TableFactor::NestedJoin { table_with_joins, .. } => named_tables(table_with_joins, found),
            _ => found.push((String::new(), None)),
        }
    }
}

/// The literals and parameters in a value.
struct Inside<'a> {
    places: &'a Places,
    found: &'a mut HashSet<Spot>,
}

impl Visitor for Inside<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        self.found.extend(self.places.spot(tree).map(|(spot, _)| spot));
        ControlFlow::Continue(())
    }
}

/// A text, however it is written.
fn is_text(tree: &Expr) -> bool {
    match tree {
        Expr::Value(value) => {
            matches!(value.value, Value::SingleQuotedString(_) | Value::DoubleQuotedString(_))
        }
        Expr::Prefixed { value, .. }
        | Expr::Nested(value)
        | Expr::UnaryOp { expr: value, .. }
        | Expr::Collate { expr: value, .. } => is_text(value),
        _ => false,
    }
}
