//! Which columns of which tables the columns of a result are, by the statement's text.

use veil_sql::mysql::{Item, Outputs, Table, TableKind, TableRef};

use super::labels::Labels;

/// Where a column of a result comes from.
#[derive(Clone)]
pub(super) enum Origin<'a> {
    /// This column of this table.
    Column(&'a Table, String),
    /// A column of one of these tables.
    OneOf(Vec<&'a Table>),
    /// It is computed, or cannot be told.
    Unknown,
}

/// The origins of `count` columns, in order.
pub(super) fn origins<'a>(
    outputs: &Outputs,
    count: usize,
    labels: &'a Labels,
    database: Option<&str>,
) -> Vec<Origin<'a>> {
    traced(outputs, count, labels, database)
        .filter(|origins| origins.len() == count)
        .unwrap_or_else(|| vec![Origin::Unknown; count])
}

fn traced<'a>(
    outputs: &Outputs,
    count: usize,
    labels: &'a Labels,
    database: Option<&str>,
) -> Option<Vec<Origin<'a>>> {
    let Outputs::Plain { tables, merged, items } = outputs else { return None };
    let scope: Vec<(&TableRef, &Table)> = tables
        .iter()
        .map(|named| {
            let database = named.table.database.as_deref().or(database)?;
            Some((named, labels.catalog().table(database, &named.table.name)?))
        })
        .collect::<Option<_>>()?;
    let scope = Scope { scope: &scope, labels };
    // A view's columns may go by the name of the tables below it.
    if *merged && scope.scope.iter().any(|(_, table)| table.kind != TableKind::Base) {
        return None;
    }
    if *merged && items.as_slice() == [Item::Star(Vec::new())] {
        return Some(vec![Origin::OneOf(scope.scope.iter().map(|(_, table)| *table).collect()); count]);
    }
    let mut origins = Vec::with_capacity(count);
    for item in items {
        match item {
            Item::Star(of) if of.is_empty() && *merged => return None,
            Item::Star(of) => {
                for (_, table) in scope.named(of)? {
                    let visible = table.columns.iter().filter(|column| !column.invisible);
                    origins.extend(visible.map(|column| Origin::Column(table, column.name.clone())));
                }
            }
            Item::Column(parts) => origins.push(scope.column(parts, *merged)),
            Item::Computed => origins.push(Origin::Unknown),
        }
    }
    Some(origins)
}

struct Scope<'s, 'a> {
    scope: &'s [(&'s TableRef, &'a Table)],
    labels: &'a Labels,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The tables that a qualifier means: all without one, otherwise one.
    fn named(&self, qualifier: &[String]) -> Option<Vec<(&'s TableRef, &'a Table)>> {
        if qualifier.is_empty() {
            return Some(self.scope.to_vec());
        }
        let found: Vec<_> =
            self.scope.iter().copied().filter(|entry| self.is_called(*entry, qualifier)).collect();
        (found.len() == 1).then_some(found)
    }

    fn is_called(&self, (named, table): (&TableRef, &Table), qualifier: &[String]) -> bool {
        // Two aliases that differ by case alone are one here, so that neither is believed.
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        match (qualifier, &named.alias) {
            ([name], Some(alias)) => same(name, alias),
            ([name], None) => same(name, &table.name),
            ([database, name], None) => {
                self.labels.catalog().same_name(database, &table.database) && same(name, &table.name)
            }
            _ => false,
        }
    }

    fn column(&self, parts: &[String], merged: bool) -> Origin<'a> {
        let Some((name, qualifier)) = parts.split_last() else { return Origin::Unknown };
        let Some(tables) = self.named(qualifier) else { return Origin::Unknown };
        let having: Vec<&Table> =
            tables.into_iter().map(|(_, table)| table).filter(|table| table.column(name).is_some()).collect();
        match having.as_slice() {
            [only] => Origin::Column(only, name.clone()),
            [_, ..] if merged => Origin::OneOf(having),
            _ => Origin::Unknown,
        }
    }
}
