//! What a statement asks about: what decides which rows come, how many, and in what order. By names alone: a name stands
//! for every column that goes by it.

mod given;
mod names;

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Distinct, Expr, FromTable, Function, GroupByExpr,
    JoinConstraint, LimitClause, NamedWindowDefinition, NamedWindowExpr, OnInsert, OrderBy, OrderByKind,
    Query, Select, SelectItem, SetExpr, SetQuantifier, Statement, TableFactor, TableWithJoins, UnaryOperator,
    Value, Visit, Visitor, WindowSpec, WindowType,
};

use super::lower::constraint;
use super::met::{assigned_spot, comparison, is_kept, sides};
use super::places::Places;
use super::statement::{Facts, Named};
use crate::lineage::Spot;
use crate::question::{Asks, Given, Question};
use given::given_name;
use names::{
    ANY, Names, cells, chosen, cost, guesses, is_column, is_distinct, is_equality, is_extreme, named, rows,
    value,
};

/// Collects what `tree` asks about.
pub(super) fn collect(tree: &Statement, places: &Places, facts: &mut Facts) {
    let _: ControlFlow<()> = tree.visit(&mut Asked { facts, places });
}

struct Asked<'a> {
    facts: &'a mut Facts,
    places: &'a Places,
}

impl Visitor for Asked<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, tree: &Statement) -> ControlFlow<()> {
        match tree {
            Statement::Update(update) => {
                self.condition(update.selection.as_ref());
                self.tables(std::iter::once(&update.table));
                self.ordered(update.order_by.iter().map(|by| &by.expr), None);
                self.assigned(&update.assignments);
            }
            Statement::Insert(insert) => {
                self.shown(insert.returning.iter().flatten());
                insert.assignments.iter().for_each(|assignment| self.computed(&assignment.value));
                // How many rows change tells whether one was the same before.
                if insert.replace_into {
                    self.name(BTreeSet::from([ANY.to_owned()]), 1, Asks::Equality);
                }
                if let Some(OnInsert::DuplicateKeyUpdate(assignments)) = &insert.on {
                    self.assigned(assignments);
                }
            }
            Statement::Delete(delete) => {
                self.condition(delete.selection.as_ref());
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.tables(from.iter().chain(delete.using.iter().flatten()));
                self.ordered(delete.order_by.iter().map(|by| &by.expr), None);
                self.shown(delete.returning.iter().flatten());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(OrderBy { kind, .. }) = &query.order_by {
            match kind {
                OrderByKind::Expressions(by) => self.ordered(by.iter().map(|by| &by.expr), Some(&query.body)),
                OrderByKind::All(_) => self.any(),
            }
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            self.condition(limit.as_ref());
            self.condition(offset.as_ref().map(|offset| &offset.value));
        }
        self.set(&query.body);
        self.arms(&query.body);
        cells(&query.body, &mut |cell| self.computed(cell));
        if let Some(with) = &query.with {
            for table in &with.cte_tables {
                self.renamed(table.alias.columns.iter().map(|column| &column.name), &table.query);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for NamedWindowDefinition(_, window) in &select.named_window {
            match window {
                NamedWindowExpr::WindowSpec(window) => self.window(window),
                NamedWindowExpr::NamedWindow(_) => {}
            }
        }
        self.condition(select.selection.as_ref());
        self.condition(select.having.as_ref());
        self.tables(select.from.iter());
        if let GroupByExpr::Expressions(by, _) = &select.group_by {
            self.grouped(by, &select.projection);
        }
        if let Some(Distinct::Distinct | Distinct::On(_)) = &select.distinct {
            select.projection.iter().for_each(|item| match value(item) {
                Some(value) => self.alike(value),
                None => self.star(Asks::Alike),
            });
        }
        self.shown(select.projection.iter());
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.facts.given.push((vec![given_name(alias)], named(expr)));
            }
            if let Some(value) = value(item).filter(|value| guesses(value) > 0 && !is_column(value)) {
                self.beside(value);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { over: Some(WindowType::WindowSpec(window)), .. }) = tree {
            self.window(window);
        }
        // The greatest of some is known by what it is shown as.
        if let Expr::Function(function) = tree
            && is_extreme(function)
        {
            self.question(tree, Asks::Other);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.facts.sources += 1;
        match factor {
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                self.renamed(alias.columns.iter().map(|column| &column.name), subquery);
            }
            // Rows may be in a partition by what is masked.
            TableFactor::Table { partitions, .. } if !partitions.is_empty() => self.any(),
            TableFactor::JsonTable { json_expr, .. } => self.condition(Some(json_expr)),
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.tables(std::iter::once(table_with_joins.as_ref()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Asked<'_> {
    /// What cannot be told, perhaps several columns.
    fn any(&mut self) {
        self.star(Asks::Other);
    }

    fn star(&mut self, asks: Asks) {
        self.name(BTreeSet::from([ANY.to_owned()]), 2, asks);
    }

    fn name(&mut self, names: BTreeSet<String>, columns: u32, asks: Asks) {
        let about = Named { names, columns, ..Named::default() };
        self.facts.asked.push(Question { about, asks, given: Given::default(), spots: Vec::new() });
    }

    /// What is asked last is asked of these literals and parameters only.
    fn of_spots(&mut self, spots: Vec<Spot>) {
        if let Some(question) = self.facts.asked.last_mut() {
            question.spots = spots;
        }
    }

    fn add(&mut self, names: Names, asks: Asks) {
        self.facts.asked_null.extend(names.nulls);
        if !names.found.is_empty() {
            let about = Named { names: names.found, columns: names.columns, ..Named::default() };
            self.facts.asked.push(Question { about, asks, given: names.given, spots: Vec::new() });
        }
    }

    /// The parts of a condition that hold or do not by themselves.
    fn condition(&mut self, condition: Option<&Expr>) {
        let mut stack: Vec<&Expr> = condition.into_iter().collect();
        while let Some(part) = stack.pop() {
            match part {
                Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                    stack.extend([left.as_ref(), right.as_ref()]);
                }
                Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => {
                    stack.push(inner)
                }
                part => self.question(part, if is_equality(part) { Asks::Equality } else { Asks::Other }),
            }
        }
    }

    fn question(&mut self, part: &Expr, asks: Asks) {
        let mut names = Names::default();
        names.visit(part);
        let asked = self.facts.asked.len();
        self.add(names, asks);
        if let (Some(question), Some(sides)) = (self.facts.asked.get_mut(asked), sides(part)) {
            question.about.sides = Some(sides);
        }
        if self.facts.asked.len() > asked
            && let Some(comparison) = comparison(part, self.places)
            && !comparison.spots().is_empty()
        {
            self.of_spots(comparison.spots());
            self.facts.meetings.extend(comparison.meetings());
        }
    }

    /// Literals that stand beside a value are masked like it.
    fn beside(&mut self, value: &Expr) {
        let mut names = Names::default();
        names.visit(value);
        names.given = Given { constants: guesses(value), many: false };
        self.add(names, Asks::Beside);
    }

    /// Rows come in the order in which a window has sorted them.
    fn window(&mut self, window: &WindowSpec) {
        window.partition_by.iter().for_each(|by| self.alike(by));
        window.order_by.iter().for_each(|by| self.question(&by.expr, Asks::Other));
    }

    /// Rows are grouped by a value: by a column as it is, or by something computed.
    fn alike(&mut self, value: &Expr) {
        self.question(value, if is_column(value) { Asks::Alike } else { Asks::Other });
    }

    /// What is written: how many rows change tells whether they held that before.
    fn assigned(&mut self, assignments: &[Assignment]) {
        for assignment in assignments.iter().filter(|assignment| !is_kept(assignment)) {
            let last = match &assignment.target {
                AssignmentTarget::ColumnName(name) => name.0.last().and_then(|part| part.as_ident()),
                AssignmentTarget::Tuple(_) => None,
            };
            let name = last.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase());
            self.name(BTreeSet::from([name]), 1, Asks::Equality);
            self.of_spots(assigned_spot(assignment, self.places));
        }
    }

    /// What is computed may fail, warn, or take long, whether or not it is shown. A value as it is does none of it.
    fn shown<'i>(&mut self, items: impl Iterator<Item = &'i SelectItem>) {
        items.filter_map(value).for_each(|value| self.computed(value));
    }

    fn computed(&mut self, tree: &Expr) {
        match tree {
            // Queries inside show what they show by themselves.
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Exists { .. }
            | Expr::Subquery(_) => {}
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.computed(inner),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.condition(operand.as_deref());
                conditions.iter().for_each(|when| self.condition(Some(&when.condition)));
                let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
                results.for_each(|result| self.computed(result));
            }
            Expr::Function(function) => match chosen(function) {
                // Counting what is distinct compares.
                Some((_, arguments)) if is_distinct(function) => {
                    arguments.into_iter().for_each(|argument| self.alike(argument));
                }
                Some((by, among)) => {
                    by.into_iter().for_each(|condition| self.condition(Some(condition)));
                    among.into_iter().for_each(|argument| self.computed(argument));
                }
                None => self.question(tree, cost(tree)),
            },
            other => self.question(other, cost(other)),
        }
    }

    /// What rows are grouped by, and perhaps sorted. A name or a number may be that of a column of the result.
    fn grouped(&mut self, by: &[Expr], items: &[SelectItem]) {
        let aliases: HashMap<String, &SelectItem> = items
            .iter()
            .filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some((alias.value.to_lowercase(), item)),
                _ => None,
            })
            .collect();
        let plain = items.iter().all(|item| value(item).is_some());
        for by in by {
            if is_placeholder(by) {
                self.any();
            } else if let Some(number) = number(by) {
                let item = number.checked_sub(1).and_then(|at| items.get(at)).and_then(value);
                match item.filter(|_| plain) {
                    Some(value) => self.alike(value),
                    None => self.any(),
                }
            } else {
                if let Expr::Identifier(name) = by {
                    let own = aliases.get(&name.value.to_lowercase()).copied();
                    own.and_then(value).into_iter().for_each(|value| self.alike(value));
                }
                // A column of a table goes before one of the result.
                self.alike(by);
            }
        }
    }

    /// What rows are ordered by: a number is that of a column of the result.
    fn ordered<'e>(&mut self, by: impl Iterator<Item = &'e Expr>, body: Option<&SetExpr>) {
        for by in by {
            if is_placeholder(by) {
                self.any();
            }
            let Some(number) = number(by) else {
                self.question(by, Asks::Other);
                continue;
            };
            match body.and_then(|body| place(body, number.checked_sub(1)?)) {
                Some(names) => self.add(names, Asks::Other),
                // A column of a star is a column, but for what the statement has made.
                None => self.name(
                    BTreeSet::from([ANY.to_owned()]),
                    1 + u32::from(!self.facts.given.is_empty()),
                    Asks::Other,
                ),
            }
        }
    }

    fn tables<'t>(&mut self, tables: impl Iterator<Item = &'t TableWithJoins>) {
        for join in tables.flat_map(|table| &table.joins) {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => self.condition(Some(condition)),
                Some(JoinConstraint::Using(columns)) => {
                    for column in columns {
                        let last = column.0.last().and_then(|part| part.as_ident());
                        let name = last.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase());
                        // On either side.
                        self.name(BTreeSet::from([name]), 2, Asks::Equality);
                    }
                }
                Some(JoinConstraint::None) => {}
                Some(JoinConstraint::Natural | JoinConstraint::UsingAlias(..)) | None => self.any(),
            }
        }
    }

    /// Sets compare what they are made of with each other: what stands in one place in all of them. Where they do not, what
    /// stands beside a value is masked like it.
    fn set(&mut self, body: &SetExpr) {
        if !matches!(body, SetExpr::SetOperation { .. } | SetExpr::Values(_)) {
            return;
        }
        let mut places: Vec<Names> = Vec::new();
        let (mut plain, mut plain_places) = (true, true);
        rows(body, &mut |values| {
            places.resize_with(places.len().max(values.len()), Names::default);
            for (value, place) in values.iter().zip(&mut places) {
                let Some(value) = value else {
                    plain = false;
                    continue;
                };
                let given = place.given;
                place.visit(value);
                place.given =
                    Given { constants: given.constants.saturating_add(guesses(value)), many: given.many };
                plain_places &= is_column(value);
            }
        });
        let compares = compares(body);
        let asks = match (compares, plain_places) {
            (false, _) => Asks::Beside,
            (true, true) => Asks::Equality,
            (true, false) => Asks::Other,
        };
        places.into_iter().for_each(|place| self.add(place, asks));
        if !plain && compares {
            self.any();
        }
    }
}

/// Whether anything but UNION ALL is in it.
fn compares(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            *op != sqlparser::ast::SetOperator::Union
                || *set_quantifier != SetQuantifier::All
                || compares(left)
                || compares(right)
        }
        _ => false,
    }
}

/// An expression without what the server's grammar drops.
fn bare(tree: &Expr) -> &Expr {
    match tree {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => bare(inner),
        tree => tree,
    }
}

/// Whether it is a parameter, which may be the number of a column.
fn is_placeholder(tree: &Expr) -> bool {
    matches!(bare(tree), Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

/// The number that an expression is.
fn number(tree: &Expr) -> Option<usize> {
    match bare(tree) {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// What stands in a place of a result, in all queries of a set operation; `None` if it cannot be told.
fn place(body: &SetExpr, at: usize) -> Option<Names> {
    let (mut names, mut found, mut plain) = (Names::default(), false, true);
    rows(body, &mut |values| {
        plain &= values.iter().all(Option::is_some);
        match values.get(at).copied().flatten() {
            Some(value) => {
                names.visit(value);
                found = true;
            }
            None => plain = false,
        }
    });
    (found && plain).then_some(names)
}
