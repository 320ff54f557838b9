//! What a statement writes, where the values come from, and where the columns of its result come from.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    self, Assignment, AssignmentTarget, Delete, Expr, FromTable, Insert, OnInsert, SelectItem, SetExpr,
    Statement, TableObject, Update, Visit, Visitor,
};

use super::facts::table_name;
use super::lower;
use super::query::{self, Body, From, Item, Query, Rows, Select};
use super::statement::{Facts, Source, TableName, Write};

/// Reads a statement's writes and its result.
pub(super) fn read(statement: &Statement, facts: &mut Facts) -> Option<Query> {
    match statement {
        Statement::Query(query) => lower::query(query),
        Statement::Insert(insert) => of_insert(insert, facts),
        Statement::Update(update) => {
            if of_update(update, facts).is_none() {
                facts.opaque.get_or_insert("UPDATE of this form");
            }
            None
        }
        Statement::Delete(delete) => of_delete(delete, facts),
        _ => None,
    }
}

/// Whether what is written may be evaluated after a trigger has run: by all but an INSERT of one row.
pub(super) fn repeats(tree: &Statement) -> bool {
    match tree {
        Statement::Update(_) => true,
        Statement::Insert(insert) => {
            let rows = insert.source.as_deref().map(|query| query.body.as_ref());
            let one = match rows {
                Some(SetExpr::Values(values)) => values.rows.len() == 1,
                Some(_) => false,
                None => true,
            };
            !one || insert.on.is_some()
        }
        _ => false,
    }
}

fn of_insert(insert: &Insert, facts: &mut Facts) -> Option<Query> {
    let target = match &insert.table {
        TableObject::TableName(target) => table_name(target),
        _ => None,
    };
    let Some(target) = target else {
        facts.opaque.get_or_insert("INSERT of this form");
        return None;
    };
    let proposed = insert.insert_alias.as_ref().and_then(|alias| table_name(&alias.row_alias));
    let mut values = Values { proposed: proposed.map(|alias| alias.name), ..Values::default() };
    let mut rows = None;
    match insert.source.as_deref() {
        Some(ast::Query { with: None, body, .. }) if matches!(**body, SetExpr::Values(_)) => {
            values.read(body.as_ref())
        }
        Some(query) => rows = Some(lower::query(query)),
        None => {}
    }
    values.assignments(&insert.assignments);
    match &insert.on {
        Some(OnInsert::DuplicateKeyUpdate(assignments)) => values.assignments(assignments),
        Some(_) => values.queries = true,
        None => {}
    }
    let source = match (rows, values.source()) {
        (None, source) => source,
        (Some(Some(query)), Source::Columns(columns)) if columns.is_empty() => Source::Query(query),
        (Some(_), _) => Source::Unknown,
    };
    facts.writes.push(Write { target: target.clone(), source });
    returning(insert.returning.as_deref(), target)
}

fn of_update(update: &Update, facts: &mut Facts) -> Option<()> {
    if update.from.is_some() || update.returning.is_some() {
        return None;
    }
    let mut items = Vec::new();
    for Assignment { target, value } in &update.assignments {
        let AssignmentTarget::ColumnName(name) = target else { return None };
        let parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.clone()));
        let target: Vec<String> = parts.collect::<Option<_>>()?;
        let plain = matches!(value, Expr::Identifier(name) if is_default(name));
        let value = if plain { query::Expr::Default(target.clone()) } else { lower::expr(value) };
        items.extend([query::Expr::Column(target), value]);
    }
    let tables = std::slice::from_ref(&update.table);
    let from = lower::from(tables)?;
    let named: Vec<TableName> = from
        .iter()
        .filter_map(|from| match &from.rows {
            Rows::Table(name) => Some(name.clone()),
            Rows::Query { .. } | Rows::Other => None,
        })
        .collect();
    let items = items.into_iter().map(|expr| Item::Value { expr, name: None }).collect();
    let select =
        Select { from, merged: lower::is_merged(tables), items, windows: Vec::new(), counted: Vec::new() };
    let rows = Query { with: Vec::new(), recursive: false, body: Body::Select(select) };
    for target in named {
        facts.writes.push(Write { target, source: Source::Assigned(rows.clone()) });
    }
    Some(())
}

fn of_delete(delete: &Delete, facts: &mut Facts) -> Option<Query> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let tables = lower::from(from).zip(lower::from(delete.using.as_deref().unwrap_or_default()));
    let names = tables.and_then(|(from, using)| {
        let names = from.into_iter().chain(using).map(|from| match from.rows {
            Rows::Table(name) => Some((name, from.alias)),
            Rows::Query { .. } | Rows::Other => None,
        });
        names.collect::<Option<Vec<_>>>()
    });
    let Some(names) = names else {
        facts.opaque.get_or_insert("DELETE of this form");
        return None;
    };
    for (target, _) in &names {
        let nothing = Source::Columns(BTreeSet::new());
        facts.writes.push(Write { target: target.clone(), source: nothing });
    }
    match names.as_slice() {
        [(only, None)] if delete.tables.is_empty() => returning(delete.returning.as_deref(), only.clone()),
        _ => None,
    }
}

fn returning(items: Option<&[SelectItem]>, target: TableName) -> Option<Query> {
    let from = vec![From { rows: Rows::Table(target), alias: None, columns: Vec::new() }];
    let select = Select {
        from,
        merged: false,
        items: lower::items(items?)?,
        windows: Vec::new(),
        counted: Vec::new(),
    };
    Some(Query { with: Vec::new(), recursive: false, body: Body::Select(select) })
}

/// Where values that are written come from.
#[derive(Default)]
struct Values {
    columns: BTreeSet<String>,
    queries: bool,
    /// In `VALUES(column)`: what the statement itself would have inserted.
    inserted: usize,
    /// Another name for that row.
    proposed: Option<String>,
}

impl Values {
    fn assignments(&mut self, assignments: &[Assignment]) {
        for Assignment { target, value } in assignments {
            self.read(value);
            // What it holds by default may be computed from others.
            if let (Expr::Identifier(value), AssignmentTarget::ColumnName(name)) = (value, target)
                && is_default(value)
            {
                let last = name.0.last().and_then(|part| part.as_ident());
                self.columns.extend(last.map(|ident| ident.value.clone()));
            }
        }
    }

    fn read(&mut self, node: &impl Visit) {
        let _: ControlFlow<()> = node.visit(self);
    }

    fn source(self) -> Source {
        if self.queries { Source::Unknown } else { Source::Columns(self.columns) }
    }
}

fn is_inserted(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("values"))
}

/// The keyword in place of a value.
fn is_default(name: &ast::Ident) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default")
}

impl Visitor for Values {
    type Break = ();

    fn pre_visit_query(&mut self, _: &ast::Query) -> ControlFlow<()> {
        self.queries = true;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.inserted -= usize::from(is_inserted(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.inserted += usize::from(is_inserted(expr));
        match expr {
            Expr::Identifier(_) if self.inserted > 0 => {}
            // Whether variables may be read is another question.
            Expr::Identifier(name)
                if (name.quote_style.is_none() && name.value.starts_with('@')) || is_default(name) => {}
            Expr::Identifier(name) => drop(self.columns.insert(name.value.clone())),
            Expr::CompoundIdentifier(parts) if matches!(parts.as_slice(), [row, _] if self.proposed.as_ref() == Some(&row.value)) =>
                {}
            Expr::CompoundIdentifier(parts) => {
                self.columns.extend(parts.last().map(|part| part.value.clone()));
            }
            Expr::MatchAgainst { .. } => self.queries = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
