//! What a statement asks about: what decides which rows come, how many, and in what order. By names alone: a name stands
//! for every column that goes by it.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Distinct, DuplicateTreatment, Expr, FromTable, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, GroupByExpr, JoinConstraint, LimitClause, OnInsert, OrderBy,
    OrderByKind, Query, Select, SelectItem, SetExpr, SetQuantifier, Statement, TableFactor, TableWithJoins,
    UnaryOperator, Value, Visit, Visitor,
};

use super::lower::constraint;
use super::statement::Facts;

/// A name for what cannot be told.
const ANY: &str = "*";

/// Collects what `tree` asks about.
pub(super) fn collect(tree: &Statement, facts: &mut Facts) {
    let _: ControlFlow<()> = tree.visit(&mut Asked(facts));
}

struct Asked<'a>(&'a mut Facts);

impl Visitor for Asked<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, tree: &Statement) -> ControlFlow<()> {
        match tree {
            Statement::Update(update) => {
                self.condition(update.selection.as_ref());
                self.tables(std::iter::once(&update.table));
                self.ordered(update.order_by.iter().map(|by| &by.expr), &[]);
                self.assigned(&update.assignments);
            }
            Statement::Insert(insert) => {
                self.shown(insert.returning.iter().flatten());
                if let Some(OnInsert::DuplicateKeyUpdate(assignments)) = &insert.on {
                    self.assigned(assignments);
                }
            }
            Statement::Delete(delete) => {
                self.condition(delete.selection.as_ref());
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.tables(from.iter().chain(delete.using.iter().flatten()));
                self.ordered(delete.order_by.iter().map(|by| &by.expr), &[]);
                self.shown(delete.returning.iter().flatten());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(OrderBy { kind, .. }) = &query.order_by {
            match kind {
                OrderByKind::Expressions(by) => {
                    self.ordered(by.iter().map(|by| &by.expr), items(&query.body))
                }
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
                self.renamed(
                    table.alias.columns.iter().map(|column| column.name.value.as_str()),
                    &table.query,
                );
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut windows = Names::default();
        let _: ControlFlow<()> = select.named_window.visit(&mut windows);
        self.0.asked.extend(windows.found);
        self.condition(select.selection.as_ref());
        self.condition(select.having.as_ref());
        self.tables(select.from.iter());
        if let GroupByExpr::Expressions(by, _) = &select.group_by {
            self.grouped(by, &select.projection);
        }
        if let Some(Distinct::Distinct | Distinct::On(_)) = &select.distinct {
            select.projection.iter().for_each(|item| self.item(item));
        }
        self.shown(select.projection.iter());
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.0.given.push((vec![alias.value.to_lowercase()], names(expr)));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                self.renamed(alias.columns.iter().map(|column| column.name.value.as_str()), subquery);
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
    fn any(&mut self) {
        self.0.asked.insert(ANY.to_owned());
    }

    fn condition(&mut self, condition: Option<&Expr>) {
        let Some(condition) = condition else { return };
        let mut names = Names::default();
        let _: ControlFlow<()> = condition.visit(&mut names);
        self.0.asked.extend(names.found);
        self.0.asked_null.extend(names.nulls);
    }

    /// What is written: how many rows change tells whether they held that before.
    fn assigned(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            let last = match &assignment.target {
                AssignmentTarget::ColumnName(name) => name.0.last().and_then(|part| part.as_ident()),
                AssignmentTarget::Tuple(_) => None,
            };
            self.0.asked.insert(last.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase()));
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
                Some(arguments) if is_distinct(function) => {
                    arguments.into_iter().for_each(|argument| self.condition(Some(argument)));
                }
                Some(arguments) => arguments.into_iter().for_each(|argument| self.computed(argument)),
                None => self.condition(Some(tree)),
            },
            other => self.condition(Some(other)),
        }
    }

    fn item(&mut self, item: &SelectItem) {
        match value(item) {
            Some(value) => self.condition(Some(value)),
            None => self.any(),
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
        for by in by {
            let own = match by {
                Expr::Identifier(name) => aliases.get(&name.value.to_lowercase()).copied(),
                _ => number(by).and_then(|number| items.get(number.checked_sub(1)?)),
            };
            self.condition(own.and_then(value));
            // A column of a table goes before one of the result.
            if own.is_none() || matches!(by, Expr::Identifier(_)) {
                self.ordered(std::iter::once(by), items);
            }
        }
    }

    /// The names of a union are those of its first arm, and stand for all arms.
    fn arms(&mut self, body: &SetExpr) {
        if !matches!(body, SetExpr::SetOperation { .. }) {
            return;
        }
        let (mut first, mut inside) = (None, BTreeSet::new());
        arms(body, &mut |select| {
            first.get_or_insert_with(|| select.projection.iter().filter_map(shown_as).collect::<Vec<_>>());
            for item in &select.projection {
                inside.extend(value(item).map_or_else(|| BTreeSet::from([ANY.to_owned()]), names));
            }
        });
        let first = first.unwrap_or_default();
        if first.iter().any(|name| name == ANY) {
            self.0.given.push((inside.iter().cloned().collect(), inside.clone()));
        }
        self.0.given.push((first, inside));
    }

    /// What rows are ordered by: a number is that of a column of the result.
    fn ordered<'e>(&mut self, by: impl Iterator<Item = &'e Expr>, items: &[SelectItem]) {
        for by in by {
            // A parameter may be the number of a column.
            if matches!(bare(by), Expr::Value(value) if matches!(value.value, Value::Placeholder(_))) {
                self.any();
            }
            let Some(number) = number(by) else {
                self.condition(Some(by));
                continue;
            };
            let plain = items.iter().all(|item| value(item).is_some());
            match items.get(number.saturating_sub(1)) {
                Some(item) if plain => self.item(item),
                _ => self.any(),
            }
        }
    }

    fn tables<'t>(&mut self, tables: impl Iterator<Item = &'t TableWithJoins>) {
        for join in tables.flat_map(|table| &table.joins) {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => self.condition(Some(condition)),
                Some(JoinConstraint::Using(columns)) => {
                    let last = columns.iter().map(|name| name.0.last().and_then(|part| part.as_ident()));
                    self.0.asked.extend(
                        last.map(|part| {
                            part.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase())
                        }),
                    );
                }
                Some(JoinConstraint::None) => {}
                Some(JoinConstraint::Natural | JoinConstraint::UsingAlias(..)) | None => self.any(),
            }
        }
    }

    /// Sets compare what they are made of with each other.
    fn set(&mut self, body: &SetExpr) {
        let SetExpr::SetOperation { set_quantifier, .. } = body else { return };
        if *set_quantifier == SetQuantifier::All && !compares(body) {
            return;
        }
        arms(body, &mut |select| select.projection.iter().for_each(|item| self.item(item)));
    }

    /// Names that a list gives to the columns of a query.
    fn renamed<'n>(&mut self, columns: impl Iterator<Item = &'n str>, query: &Query) {
        let mut inside = BTreeSet::new();
        arms(&query.body, &mut |select| {
            for item in &select.projection {
                inside.extend(value(item).map_or_else(|| BTreeSet::from([ANY.to_owned()]), names));
            }
        });
        self.0.given.push((columns.map(str::to_lowercase).collect(), inside));
    }
}

/// The name that an item has in a result, in lower case; a star has any.
fn shown_as(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.to_lowercase()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().map(|part| part.value.to_lowercase())
        }
        SelectItem::UnnamedExpr(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => Some(text.to_lowercase()),
            _ => None,
        },
        SelectItem::UnnamedExpr(_) => None,
        _ => Some(ANY.to_owned()),
    }
}

fn is_distinct(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::List(list) => list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
        _ => false,
    }
}

/// The arguments of a function that gives one of them as it is, or counts them.
fn chosen(function: &Function) -> Option<Vec<&Expr>> {
    const CHOOSING: [&str; 5] = ["any_value", "coalesce", "count", "ifnull", "nvl"];
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &function.args else { return None };
    if function.over.is_some() || !list.clauses.is_empty() || !CHOOSING.contains(&name.as_str()) {
        return None;
    }
    let mut arguments = Vec::new();
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(tree)) => arguments.push(tree),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
            _ => return None,
        }
    }
    Some(arguments)
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

fn cells<'b>(body: &'b SetExpr, each: &mut impl FnMut(&'b Expr)) {
    match body {
        SetExpr::Values(values) => values.rows.iter().flat_map(|row| &row.content).for_each(each),
        SetExpr::SetOperation { left, right, .. } => {
            cells(left, each);
            cells(right, each);
        }
        _ => {}
    }
}

fn arms(body: &SetExpr, each: &mut impl FnMut(&Select)) {
    match body {
        SetExpr::Select(select) => each(select),
        SetExpr::Query(query) => arms(&query.body, each),
        SetExpr::SetOperation { left, right, .. } => {
            arms(left, each);
            arms(right, each);
        }
        _ => {}
    }
}

/// An expression without what the server's grammar drops.
fn bare(tree: &Expr) -> &Expr {
    match tree {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => bare(inner),
        tree => tree,
    }
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

/// The columns of a result, if it is that of one SELECT.
fn items(body: &SetExpr) -> &[SelectItem] {
    match body {
        SetExpr::Select(select) => &select.projection,
        SetExpr::Query(query) => items(&query.body),
        _ => &[],
    }
}

const fn value(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => Some(value),
        _ => None,
    }
}

const fn is_column(tree: &Expr) -> bool {
    matches!(tree, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// All names in an expression, those of queries in it too.
fn names(tree: &Expr) -> BTreeSet<String> {
    let mut names = Names::default();
    let _: ControlFlow<()> = tree.visit(&mut names);
    names.found.extend(names.nulls);
    names.found
}

/// A name in lower case; one that may be the text of an expression, which the server makes a name, can be any.
fn written(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    if name.chars().all(plain) { name.to_lowercase() } else { ANY.to_owned() }
}

#[derive(Default)]
struct Names {
    found: BTreeSet<String>,
    /// Of columns that are asked only whether they are NULL.
    nulls: BTreeSet<String>,
    inside: usize,
}

impl Names {
    fn is_free(tree: &Expr) -> bool {
        match tree {
            // Its own conditions are read for themselves.
            Expr::Exists { .. } => true,
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_column(inner),
            _ => false,
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        if let (0, Expr::IsNull(column) | Expr::IsNotNull(column)) = (self.inside, tree) {
            let name = match column.as_ref() {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            self.nulls.extend(name.map(|name| name.value.to_lowercase()));
        }
        self.inside += usize::from(Self::is_free(tree));
        if self.inside > 0 {
            return ControlFlow::Continue(());
        }
        match tree {
            Expr::Identifier(name) if name.quote_style.is_none() && name.value.starts_with('@') => {}
            Expr::Identifier(name) => drop(self.found.insert(written(&name.value))),
            Expr::CompoundIdentifier(parts) => {
                self.found.extend(parts.last().map(|part| written(&part.value)));
            }
            Expr::MatchAgainst { columns, .. } => self.found.extend(columns.iter().map(|name| {
                let last = name.0.last().and_then(|part| part.as_ident());
                last.map_or_else(|| ANY.to_owned(), |ident| ident.value.to_lowercase())
            })),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, tree: &Expr) -> ControlFlow<()> {
        self.inside -= usize::from(Self::is_free(tree));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if self.inside == 0 && select.projection.iter().any(|item| value(item).is_none()) {
            self.found.insert(ANY.to_owned());
        }
        ControlFlow::Continue(())
    }
}
