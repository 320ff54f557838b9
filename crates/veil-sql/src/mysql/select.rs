//! The columns of a result, where they are plain columns of base tables; and where written values come from.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, Delete, Expr, FromTable, Insert, JoinConstraint, JoinOperator, OnInsert, Query, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Statement, TableFactor, TableObject, TableWithJoins, Update,
    Visit, Visitor, WildcardAdditionalOptions,
};

use super::facts::table_name;
use super::statement::{Facts, Item, Outputs, Source, TableName, TableRef, Write};

/// Reads a statement's result columns and writes.
pub(super) fn read(statement: &Statement, facts: &mut Facts) -> Outputs {
    match statement {
        Statement::Query(query) => of_query(query).unwrap_or_default(),
        Statement::Insert(insert) => of_insert(insert, facts).unwrap_or_default(),
        Statement::Update(update) => {
            of_update(update, facts);
            Outputs::Unknown
        }
        Statement::Delete(delete) => of_delete(delete, facts).unwrap_or_default(),
        _ => Outputs::Unknown,
    }
}

fn of_query(query: &Query) -> Option<Outputs> {
    let (None, SetExpr::Select(select)) = (&query.with, query.body.as_ref()) else { return None };
    let mut scope = Scope::default();
    select.from.iter().try_for_each(|from| scope.add(from))?;
    let items = select.projection.iter().map(item).collect::<Option<_>>()?;
    Some(Outputs::Plain { tables: scope.tables, merged: scope.merged, items })
}

#[derive(Default)]
struct Scope {
    tables: Vec<TableRef>,
    merged: bool,
}

impl Scope {
    fn add(&mut self, from: &TableWithJoins) -> Option<()> {
        self.add_factor(&from.relation)?;
        for join in &from.joins {
            self.add_factor(&join.relation)?;
            match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                | JoinOperator::StraightJoin(constraint) => {
                    self.merged |= matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural);
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn add_factor(&mut self, factor: &TableFactor) -> Option<()> {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let alias = match alias {
                    Some(alias) if alias.columns.is_empty() => Some(alias.name.value.clone()),
                    Some(_) => return None,
                    None => None,
                };
                self.tables.push(TableRef { table: table_name(name)?, alias });
                Some(())
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.add(table_with_joins),
            _ => None,
        }
    }
}

fn item(item: &SelectItem) -> Option<Item> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expression(expr)),
        SelectItem::Wildcard(options) => is_bare(options).then(|| Item::Star(Vec::new())),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            let TableName { database, name } = table_name(name)?;
            is_bare(options).then(|| Item::Star(database.into_iter().chain([name]).collect()))
        }
        _ => None,
    }
}

/// Nothing but the star.
fn is_bare(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none()
}

fn expression(expr: &Expr) -> Item {
    match expr {
        Expr::Identifier(name) if !name.value.starts_with('@') => Item::Column(vec![name.value.clone()]),
        Expr::CompoundIdentifier(parts) => {
            Item::Column(parts.iter().map(|part| part.value.clone()).collect())
        }
        Expr::Nested(inner) => expression(inner),
        _ => Item::Computed,
    }
}

fn of_insert(insert: &Insert, facts: &mut Facts) -> Option<Outputs> {
    let TableObject::TableName(target) = &insert.table else {
        facts.opaque.get_or_insert("INSERT of this form");
        return None;
    };
    let Some(target) = table_name(target) else {
        facts.opaque.get_or_insert("INSERT of this form");
        return None;
    };
    let mut values = Values::default();
    match insert.source.as_deref() {
        Some(Query { with: None, body, .. }) if matches!(**body, SetExpr::Values(_)) => {
            values.read(body.as_ref())
        }
        Some(_) => values.queries = true,
        None => {}
    }
    values.assignments(&insert.assignments);
    match &insert.on {
        Some(OnInsert::DuplicateKeyUpdate(assignments)) => values.assignments(assignments),
        Some(_) => values.queries = true,
        None => {}
    }
    facts.writes.push(Write { target: target.clone(), source: values.source() });
    returning(insert.returning.as_deref(), target)
}

fn of_update(update: &Update, facts: &mut Facts) {
    let mut values = Values::default();
    values.assignments(&update.assignments);
    values.queries |= update.from.is_some() || !update.table.joins.is_empty();
    match &update.table.relation {
        TableFactor::Table { name, .. } if table_name(name).is_some() => {
            let target = table_name(name).unwrap_or(TableName { database: None, name: String::new() });
            facts.writes.push(Write { target, source: values.source() });
            for join in &update.table.joins {
                if let TableFactor::Table { name, .. } = &join.relation
                    && let Some(target) = table_name(name)
                {
                    facts.writes.push(Write { target, source: Source::Query });
                }
            }
        }
        _ => {
            facts.opaque.get_or_insert("UPDATE of this form");
        }
    }
}

fn of_delete(delete: &Delete, facts: &mut Facts) -> Option<Outputs> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let nothing = || Source::Columns(BTreeSet::new());
    let mut scope = Scope::default();
    if from.iter().chain(delete.using.iter().flatten()).try_for_each(|from| scope.add(from)).is_none() {
        facts.opaque.get_or_insert("DELETE of this form");
        return None;
    }
    for table in &scope.tables {
        facts.writes.push(Write { target: table.table.clone(), source: nothing() });
    }
    match scope.tables.as_slice() {
        [only] if delete.tables.is_empty() && only.alias.is_none() => {
            returning(delete.returning.as_deref(), only.table.clone())
        }
        _ => None,
    }
}

fn returning(items: Option<&[SelectItem]>, target: TableName) -> Option<Outputs> {
    let items = items?.iter().map(item).collect::<Option<_>>()?;
    Some(Outputs::Plain { tables: vec![TableRef { table: target, alias: None }], merged: false, items })
}

/// Where values that are written come from.
#[derive(Default)]
struct Values {
    columns: BTreeSet<String>,
    queries: bool,
}

impl Values {
    fn assignments(&mut self, assignments: &[Assignment]) {
        for assignment in assignments {
            self.read(&assignment.value);
        }
    }

    fn read(&mut self, node: &impl Visit) {
        let _: ControlFlow<()> = node.visit(self);
    }

    fn source(self) -> Source {
        if self.queries { Source::Query } else { Source::Columns(self.columns) }
    }
}

/// The keyword in place of a value.
fn is_default(name: &sqlparser::ast::Ident) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default")
}

impl Visitor for Values {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries = true;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            // A variable holds what a statement that was let through has put there.
            Expr::Identifier(name) if name.value.starts_with('@') || is_default(name) => {}
            Expr::Identifier(name) => drop(self.columns.insert(name.value.clone())),
            Expr::CompoundIdentifier(parts) => {
                self.columns.extend(parts.last().map(|part| part.value.clone()));
            }
            Expr::MatchAgainst { .. } => self.queries = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
