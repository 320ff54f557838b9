//! How values flow from tables into the columns of a result, by a statement's text and the catalog.
//!
//! Names are resolved as the server does it: the innermost scope first, tables before what lies outside of them. What
//! does not resolve to exactly one thing is closed.

mod around;
mod because;
mod flow;
mod output;
mod scope;

use std::cell::Cell;

use veil_sql::mysql::functions::Effect;
use veil_sql::mysql::query::{Body, Expr, From, Item, Query, Rows, Select, With};
use veil_sql::mysql::{Table, TableName, catalog, system};

use self::around::{Around, Expressions};
pub(super) use self::flow::Flow;
pub(super) use self::output::Output;
use self::output::{placed, renamed, same_flows};
pub(super) use self::scope::perhaps_same;
use self::scope::{Known, Scope, Source};
use super::judge;
use super::labels::Labels;
use crate::protection::Predicates;

/// Queries inside queries deeper than this are closed.
const DEPTH_MAX: usize = 64;
/// A recursive query is followed until its columns no longer change, so often at most.
const ROUNDS_MAX: usize = 4;
/// Columns that are followed for one statement, those of all queries in it together.
const COLUMNS_MAX: usize = 32 << 10;

/// The columns of a result.
pub(super) enum Outputs<'a> {
    /// These, in order.
    Each {
        columns: Vec<Output<'a>>,
        /// They come from tables alone: definitions say truly which.
        direct: bool,
    },
    /// Columns of these tables in an order of the server's.
    Merged(Vec<&'a Table>),
}

/// The columns of the result of `query` in a session whose database is `database`; `None` if they cannot be told.
pub(super) fn outputs<'a>(query: &Query, labels: &'a Labels, database: Option<&str>) -> Option<Outputs<'a>> {
    outputs_of(&Resolver::new(labels, database), query)
}

/// The same, with what closed them.
pub(super) fn explained<'a>(
    query: &Query,
    labels: &'a Labels,
    database: Option<&str>,
) -> Option<Outputs<'a>> {
    outputs_of(&Resolver { explains: true, ..Resolver::new(labels, database) }, query)
}

fn outputs_of<'a>(resolver: &Resolver<'a, '_>, query: &Query) -> Option<Outputs<'a>> {
    if let Query { body: Body::Select(select), with, .. } = query
        && let ([], true, [Item::Star(of)]) = (with.as_slice(), select.merged, select.items.as_slice())
        && of.is_empty()
    {
        return resolver.merged(select).map(Outputs::Merged);
    }
    let direct = match query {
        Query { body: Body::Select(select), with, .. } => with.is_empty() && resolver.is_direct(select),
        _ => false,
    };
    resolver.query(query, &Around::default()).map(|columns| Outputs::Each { columns, direct })
}

/// What the rows of `query` hold, in order; `None` if that cannot be told.
pub(super) fn flows(query: &Query, labels: &Labels, database: Option<&str>) -> Option<Vec<Flow>> {
    Resolver::new(labels, database).flows(query)
}

/// The same of a view's definition.
pub(super) fn flows_of_view(query: &Query, labels: &Labels, database: Option<&str>) -> Option<Vec<Flow>> {
    Resolver { guesses: false, ..Resolver::new(labels, database) }.flows(query)
}

struct Resolver<'a, 's> {
    labels: &'a Labels,
    database: Option<&'s str>,
    /// How many columns may still be followed.
    left: Cell<usize>,
    /// Somebody wants to know what closed a column.
    explains: bool,
    /// The client may be guessing: what is not labelled is not masked beside what is.
    guesses: bool,
}

impl<'a, 's> Resolver<'a, 's> {
    fn new(labels: &'a Labels, database: Option<&'s str>) -> Self {
        let guesses = !matches!(labels.policy().predicates(), Predicates::Allow);
        Self { labels, database, left: Cell::new(COLUMNS_MAX), explains: false, guesses }
    }
}

impl<'a> Resolver<'a, '_> {
    /// Counts columns that are followed; `None` if they are too many.
    fn count(&self, columns: usize) -> Option<()> {
        self.left.set(self.left.get().checked_sub(columns)?);
        Some(())
    }

    fn flows(&self, query: &Query) -> Option<Vec<Flow>> {
        let outputs = self.query(query, &Around::default())?;
        Some(outputs.into_iter().map(|output| output.flow).collect())
    }

    fn query(&self, query: &Query, around: &Around<'a, '_>) -> Option<Vec<Output<'a>>> {
        let depth = around.depth + 1;
        let level = around.level + usize::from(!query.with.is_empty());
        self.with(query, &query.with, &Around { depth, level, ..*around })
    }

    /// Follows the common table expressions one by one, then the query itself.
    fn with(&self, query: &Query, rest: &[With], around: &Around<'a, '_>) -> Option<Vec<Output<'a>>> {
        let Some((first, rest)) = rest.split_first() else { return self.body(&query.body, around) };
        let depth = around.depth + 1;
        if depth > DEPTH_MAX {
            return None;
        }
        let around = Around { depth, ..*around };
        let columns = if around.hides(&first.name) {
            // Servers differ in which of the two they mean.
            None
        } else if query.recursive {
            // Those that follow may be named as well.
            let later: Vec<&str> = rest.iter().map(|with| with.name.as_str()).collect();
            self.recursive(first, &later, &around)
        } else {
            self.query(&first.query, &around).and_then(|columns| renamed(columns, &first.columns))
        };
        let expressions =
            Expressions { name: &first.name, columns, around: around.expressions, level: around.level };
        self.with(query, rest, &Around { expressions: Some(&expressions), ..around })
    }

    fn recursive(&self, with: &With, later: &[&str], around: &Around<'a, '_>) -> Option<Vec<Output<'a>>> {
        if let Some((name, later)) = later.split_first() {
            let expressions =
                Expressions { name, columns: None, around: around.expressions, level: around.level };
            return self.recursive(with, later, &Around { expressions: Some(&expressions), ..*around });
        }
        if !with.query.with.is_empty() {
            return None;
        }
        let seed = match &with.query.body {
            Body::Sets(arms) => arms.first()?,
            other => other,
        };
        let mut columns = renamed(placed(self.body(seed, around)?), &with.columns)?;
        for _ in 0..ROUNDS_MAX {
            let own = Expressions {
                name: &with.name,
                columns: Some(columns.clone()),
                around: around.expressions,
                level: around.level,
            };
            let next = self.query(&with.query, &Around { expressions: Some(&own), ..*around })?;
            let next = renamed(placed(next), &with.columns)?;
            if next.len() != columns.len() {
                return None;
            }
            let seeds = columns.iter().cloned();
            let joined: Vec<_> = seeds.zip(next).map(|(seed, next)| seed.recur(next)).collect();
            let same = same_flows(&columns, &joined);
            columns = joined;
            if same {
                return Some(columns);
            }
        }
        None
    }

    fn body(&self, body: &Body, around: &Around<'a, '_>) -> Option<Vec<Output<'a>>> {
        if around.depth > DEPTH_MAX {
            return None;
        }
        match body {
            Body::Select(select) => self.select(select, around),
            Body::Query(query) => self.query(query, around),
            Body::Sets(arms) => {
                let arms = arms.iter().map(|arm| self.body(arm, around).map(placed));
                let arms = arms.collect::<Option<Vec<_>>>()?;
                // Arms of other lengths are those of other tables than the server will read.
                let count = arms.first()?.len();
                arms.iter().all(|arm| arm.len() == count).then_some(())?;
                arms.into_iter().reduce(|first, next| {
                    first.into_iter().zip(next).map(|(a, b)| a.beside(b, self.guesses)).collect()
                })
            }
            Body::Values(rows) => {
                let rows = rows.iter().map(|row| {
                    let cells = row.iter().map(|cell| (self.expr(cell, around), cell.is_literal()));
                    cells
                        .map(|(flow, constant)| Output { constant, ..Output::of(flow, None) })
                        .collect::<Vec<_>>()
                });
                rows.reduce(|first, next| {
                    first.into_iter().zip(next).map(|(a, b)| a.beside(b, self.guesses)).collect()
                })
            }
        }
    }

    fn select(&self, select: &Select, around: &Around<'a, '_>) -> Option<Vec<Output<'a>>> {
        let scope = self.scope(select, around);
        let inside = Around { scope: Some(&scope), ..*around };
        let mut outputs = Vec::with_capacity(select.items.len());
        let mut moves = false;
        for item in &select.items {
            match item {
                // What stands where is the server's choice.
                Item::Star(of) if of.is_empty() && select.merged => return None,
                Item::Star(of) => {
                    for source in scope.named(of, self)? {
                        moves |= self.may_change(source);
                        outputs.extend(self.columns(source)?);
                    }
                }
                Item::Value { expr: Expr::Column(parts), name } => {
                    let found = self.column(parts, &inside);
                    outputs.push(Output { name: name.clone(), ..found });
                }
                Item::Value { expr, name } => {
                    let flow = self.expr(expr, &inside);
                    let mut because = Vec::new();
                    if self.explains && matches!(flow, Flow::Closed) {
                        self.because(expr, &inside, &mut because);
                    }
                    let constant = expr.is_literal();
                    outputs.push(Output { because, constant, ..Output::of(flow, name.clone()) });
                }
            }
        }
        self.count(outputs.len() + 1)?;
        outputs.iter_mut().for_each(|output| output.moves = moves);
        Some(outputs)
    }

    /// Whether a source may have other columns when the statement runs: whoever may define objects changes tables without
    /// labels.
    fn may_change(&self, source: &Source<'a>) -> bool {
        match &source.rows {
            Known::Table(table) => self.labels.is_clean(table),
            Known::Columns(columns) => columns.iter().any(|column| column.moves),
            Known::Harmless | Known::Nothing => true,
        }
    }

    fn scope<'s>(&self, select: &'s Select, around: &Around<'a, 's>) -> Scope<'a, 's> {
        let names = select.items.iter().filter_map(|item| match item {
            // Its own name is none that was given.
            Item::Value { expr: Expr::Column(parts), name } if parts.last() == name.as_ref() => None,
            Item::Value { name, .. } => name.as_deref(),
            Item::Star(_) => None,
        });
        let mut scope = Scope {
            sources: Vec::with_capacity(select.from.len()),
            merged: select.merged,
            names: names.collect(),
            windows: &select.windows,
            counted: &select.counted,
            around: around.scope,
        };
        for from in &select.from {
            let rows = self.rows(from, &scope, around);
            let table = match &from.rows {
                Rows::Table(name) => Some(name.clone()),
                Rows::Query { .. } | Rows::Other => None,
            };
            scope.sources.push(Source { alias: from.alias.clone(), table, rows });
        }
        scope
    }

    fn rows(&self, from: &From, before: &Scope<'a, '_>, around: &Around<'a, '_>) -> Known<'a> {
        let known = match &from.rows {
            Rows::Table(name) => match self.expression(name, around) {
                Some(Some(columns)) => Known::Columns(columns),
                Some(None) => Known::Nothing,
                None => self.table(name),
            },
            Rows::Query { query, lateral } => {
                let scope = if *lateral { Some(before) } else { around.scope };
                self.query(query, &Around { scope, ..*around }).map_or(Known::Nothing, Known::Columns)
            }
            Rows::Other => Known::Nothing,
        };
        match known {
            known if from.columns.is_empty() => known,
            Known::Columns(columns) => renamed(columns, &from.columns).map_or(Known::Nothing, Known::Columns),
            Known::Table(_) | Known::Harmless | Known::Nothing => Known::Nothing,
        }
    }

    /// The columns of a common table expression of this name, if there is one.
    fn expression(&self, name: &TableName, around: &Around<'a, '_>) -> Option<Option<Vec<Output<'a>>>> {
        if name.database.is_some() {
            return None;
        }
        let mut expressions = around.expressions;
        while let Some(known) = expressions {
            if self.labels.catalog().same_name(known.name, &name.name) {
                // From inside another WITH, MariaDB sees a table of that name before it.
                let hidden = known.level < around.level && self.is_table(name);
                return Some(known.columns.clone().filter(|_| !hidden));
            }
            // Whether case tells them apart depends on the server.
            if perhaps_same(known.name, &name.name) {
                return Some(None);
            }
            expressions = known.around;
        }
        None
    }

    fn is_table(&self, name: &TableName) -> bool {
        self.database.is_some_and(|database| self.labels.catalog().table(database, &name.name).is_some())
    }

    fn table(&self, name: &TableName) -> Known<'a> {
        let Some(database) = name.database.as_deref().or(self.database) else { return Known::Nothing };
        if catalog::is_system(database) {
            let harmless = system::harmless(&database.to_lowercase(), &name.name.to_lowercase());
            return if harmless { Known::Harmless } else { Known::Nothing };
        }
        self.labels.catalog().table(database, &name.name).map_or(Known::Nothing, Known::Table)
    }

    /// All columns that a star shows.
    fn columns(&self, source: &Source<'a>) -> Option<Vec<Output<'a>>> {
        match &source.rows {
            Known::Table(table) => {
                let visible = table.columns.iter().filter(|column| !column.invisible);
                Some(visible.map(|column| self.of_table(table, &column.name)).collect())
            }
            Known::Columns(columns) => {
                Some(columns.iter().map(|column| Output { base: None, ..column.clone() }).collect())
            }
            Known::Harmless | Known::Nothing => None,
        }
    }

    fn of_table(&self, table: &'a Table, column: &str) -> Output<'a> {
        let base = (table.kind.keeps_rows()).then(|| (table, column.to_owned()));
        Output { base, ..Output::of(self.labels.flow(table, column), Some(column.to_owned())) }
    }

    fn expr(&self, expr: &Expr, around: &Around<'a, '_>) -> Flow {
        match expr {
            Expr::Free | Expr::Literal => Flow::Clean,
            Expr::Unknown => Flow::Closed,
            Expr::Column(parts) => self.column(parts, around).flow,
            // What is computed may be NULL because of what it is computed from.
            Expr::Nullness(inner) => match self.expr(inner, around) {
                Flow::Clean | Flow::Verbatim { .. } => Flow::Clean,
                Flow::Closed => Flow::Closed,
            },
            Expr::Aggregate(inner) => match self.expr(inner, around) {
                Flow::Verbatim { label, .. }
                    if around.scope.is_some_and(|scope| scope.shows_groups(inner, &label, self)) =>
                {
                    Flow::Clean
                }
                other => other.computed(),
            },
            // MariaDB orders windows by selected columns before those of tables.
            Expr::Named(name) if around.scope.is_some_and(|scope| scope.gives(name)) => Flow::Closed,
            Expr::Default(parts) => match self.column(parts, around).base {
                Some((table, name)) if table.column(&name).is_some_and(|column| !column.computed_default) => {
                    Flow::Clean
                }
                _ => Flow::Closed,
            },
            Expr::Windows => {
                let windows = around.scope.map(|scope| scope.windows).unwrap_or_default();
                match windows.iter().all(|part| self.is_clean(part, around)) {
                    true => Flow::Clean,
                    false => Flow::Closed,
                }
            }
            Expr::Named(name) => self.column(std::slice::from_ref(name), around).flow,
            Expr::Call(function) => match judge::effect(function, self.labels) {
                Effect::Pure | Effect::Keeps => Flow::Clean,
                Effect::Unknown | Effect::Dangerous => Flow::Closed,
            },
            Expr::From(parts) => match parts.iter().all(|part| self.is_clean(part, around)) {
                true => Flow::Clean,
                false => Flow::Closed,
            },
            Expr::Chosen { by, .. } if !by.iter().all(|part| self.is_clean(part, around)) => Flow::Closed,
            Expr::Chosen { among, .. } => {
                // Columns of one row stand beside each other.
                let one_row = around.scope.is_some_and(Scope::is_one_table);
                let output = |part: &Expr| {
                    let constant = part.is_literal() || (one_row && matches!(part, Expr::Column(_)));
                    Output { constant, ..Output::of(self.expr(part, around), None) }
                };
                let all = among.iter().map(output).reduce(|a, b| a.beside(b, self.guesses));
                all.map_or(Flow::Clean, |one| one.flow)
            }
            Expr::Query(query) => match self.query(query, around).as_deref() {
                Some([only]) => only.flow.clone(),
                _ => Flow::Closed,
            },
        }
    }

    /// Whether what is computed from it holds nothing of what is labelled.
    fn is_clean(&self, expr: &Expr, around: &Around<'a, '_>) -> bool {
        match expr {
            // It may have several columns where it is compared.
            Expr::Query(query) => self
                .query(query, around)
                .is_some_and(|columns| columns.iter().all(|column| column.flow.is_clean())),
            other => self.expr(other, around).computed().is_clean(),
        }
    }

    /// What a name stands for.
    fn column(&self, parts: &[String], around: &Around<'a, '_>) -> Output<'a> {
        let closed = || Output::of(Flow::Closed, None);
        let Some((name, qualifier)) = parts.split_last() else { return closed() };
        // Another name of the column by which a table is keyed.
        if name.eq_ignore_ascii_case("_rowid") {
            return closed();
        }
        let mut scope = around.scope;
        let mut outside = false;
        while let Some(here) = scope {
            // From inside, a name may also be that of a selected column.
            if outside && qualifier.is_empty() && here.gives(name) {
                return closed();
            }
            if let Some(found) = here.column(name, qualifier, self) {
                // If the table has lost the column by the time the statement runs, the name means another further out.
                let further = std::iter::successors(here.around, |scope| scope.around);
                let given = qualifier.is_empty() && further.clone().any(|scope| scope.gives(name));
                let mut others = further.filter_map(|scope| scope.column(name, qualifier, self));
                let sure = !found.flow.is_clean() || (!given && others.all(|other| other.flow.is_clean()));
                return if sure { found } else { closed() };
            }
            scope = here.around;
            outside = true;
        }
        closed()
    }

    /// Whether all sources of a SELECT are tables.
    fn is_direct(&self, select: &Select) -> bool {
        select.from.iter().all(|from| match &from.rows {
            Rows::Table(name) => {
                matches!(self.table(name), Known::Table(table) if table.kind.keeps_rows())
            }
            Rows::Query { .. } | Rows::Other => false,
        })
    }

    /// The tables of a SELECT that are joined by columns of the same name, if all are tables.
    fn merged(&self, select: &Select) -> Option<Vec<&'a Table>> {
        let tables = select.from.iter().map(|from| match (&from.rows, from.columns.as_slice()) {
            (Rows::Table(name), []) => match self.table(name) {
                // A view's columns may go by the name of the tables below it.
                Known::Table(table) if table.kind.keeps_rows() => Some(table),
                _ => None,
            },
            _ => None,
        });
        tables.collect()
    }
}
