//! What the sources of one SELECT are called, and which of them has a column.

use veil_sql::mysql::query::Expr;
use veil_sql::mysql::{Table, TableName};

use super::{Flow, Output, Resolver};
use crate::labels::Label;

/// The sources of a SELECT.
pub(super) struct Scope<'a, 's> {
    pub(super) sources: Vec<Source<'a>>,
    pub(super) merged: bool,
    /// Names that the SELECT gives to its columns.
    pub(super) names: Vec<&'s str>,
    /// What windows that have names are made by.
    pub(super) windows: &'s [Expr],
    /// So many values of columns are in each group.
    pub(super) counted: &'s [(String, u64)],
    pub(super) around: Option<&'s Self>,
}

/// One source of rows.
pub(super) struct Source<'a> {
    pub(super) alias: Option<String>,
    /// The table as it was written.
    pub(super) table: Option<TableName>,
    pub(super) rows: Known<'a>,
}

/// Whether a source goes by a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Called {
    Yes,
    No,
    /// It depends on what is not known here.
    Perhaps,
}

/// What is known of a source's columns.
pub(super) enum Known<'a> {
    Table(&'a Table),
    Columns(Vec<Output<'a>>),
    /// They show nothing labelled, whatever they are called.
    Harmless,
    Nothing,
}

impl<'a> Scope<'a, '_> {
    /// Whether it reads the rows of one table, and nothing around it.
    pub(super) fn is_one_table(&self) -> bool {
        let table = matches!(self.sources.as_slice(), [Source { rows: Known::Table(table), .. }] if table.kind.keeps_rows());
        table && self.around.is_none()
    }

    /// Whether what sums up the rows of a group is shown: there are enough rows, all of one table.
    pub(super) fn shows_groups(&self, summed: &Expr, label: &Label, resolver: &Resolver<'a, '_>) -> bool {
        let ([Source { rows: Known::Table(table), .. }], Expr::Column(parts)) =
            (self.sources.as_slice(), summed)
        else {
            return false;
        };
        let Some((name, qualifier)) = parts.split_last() else { return false };
        // A column from further out would be summed up there.
        let own = table.column(name).is_some() && self.named(qualifier, resolver).is_some();
        let mut counted = self.counted.iter().filter(|(column, _)| *column == name.to_lowercase());
        own && table.kind.keeps_rows()
            && label.min_group.is_some_and(|least| counted.any(|(_, count)| *count >= least))
    }

    /// Whether the SELECT gives a name to a column.
    pub(super) fn gives(&self, name: &str) -> bool {
        self.names.iter().any(|known| perhaps_same(known, name))
    }

    /// The sources that a qualifier means: all without one, otherwise one.
    pub(super) fn named(
        &self,
        qualifier: &[String],
        resolver: &Resolver<'a, '_>,
    ) -> Option<Vec<&Source<'a>>> {
        let (found, sure) = self.called(qualifier, resolver);
        (sure && (qualifier.is_empty() || found.len() == 1)).then_some(found)
    }

    /// The sources that a qualifier may mean, and whether that is sure.
    fn called(&self, qualifier: &[String], resolver: &Resolver<'a, '_>) -> (Vec<&Source<'a>>, bool) {
        let called = |source: &Source<'a>| match qualifier {
            [] => Called::Yes,
            some => source.called(some, resolver),
        };
        let sure = self.sources.iter().all(|source| called(source) != Called::Perhaps);
        (self.sources.iter().filter(|source| called(source) == Called::Yes).collect(), sure)
    }

    /// The column of this name; `None` if it is to be looked for further out.
    pub(super) fn column(
        &self,
        name: &str,
        qualifier: &[String],
        resolver: &Resolver<'a, '_>,
    ) -> Option<Output<'a>> {
        let closed = || Some(Output::of(Flow::Closed, None));
        let (named, mut sure) = self.called(qualifier, resolver);
        let mut found = Vec::new();
        for source in &named {
            match source.column(name, resolver) {
                Ok(output) => found.extend(output),
                Err(()) => sure = false,
            }
        }
        let merges = self.merged && qualifier.is_empty();
        match found.len() {
            0 if sure && (named.is_empty() || qualifier.is_empty()) => None,
            // Where two have it, the server would refuse.
            1 if sure || !merges => found.pop(),
            2.. if sure && merges => {
                let flows = found.into_iter().map(|output| output.flow);
                Some(Output::of(flows.fold(Flow::Clean, Flow::or), Some(name.to_owned())))
            }
            _ => closed(),
        }
    }
}

impl<'a> Source<'a> {
    fn called(&self, qualifier: &[String], resolver: &Resolver<'a, '_>) -> Called {
        let own = self.alias.as_deref().or(self.table.as_ref().map(|table| table.name.as_str()));
        let folds = resolver.labels.catalog().folds();
        let named = |name: &str| own.is_some_and(|own| own == name || (folds && same(own, name)));
        match qualifier {
            // Names that are one for some servers are not believed.
            [.., name] if !named(name) && own.is_some_and(|own| perhaps_same(own, name)) => Called::Perhaps,
            [name] if named(name) => Called::Yes,
            // A database may stand before an alias too.
            [database, name] if named(name) => {
                let own =
                    self.table.as_ref().and_then(|table| table.database.as_deref().or(resolver.database));
                match own {
                    Some(own) if resolver.labels.catalog().same_name(own, database) => Called::Yes,
                    Some(own) if !same(own, database) => Called::No,
                    _ => Called::Perhaps,
                }
            }
            [_] | [_, _] => Called::No,
            _ => Called::Perhaps,
        }
    }

    /// The column of this name; an error if it may have one that is not known.
    fn column(&self, name: &str, resolver: &Resolver<'a, '_>) -> Result<Option<Output<'a>>, ()> {
        match &self.rows {
            Known::Table(table) => {
                let names = table.columns.iter().map(|column| column.name.as_str());
                let at = the_one(names, name)?;
                let column = at.and_then(|at| table.columns.get(at));
                Ok(column.map(|column| resolver.of_table(table, &column.name)))
            }
            Known::Columns(columns) => {
                if columns.iter().any(|column| column.name.is_none()) {
                    return Err(());
                }
                let names = columns.iter().map(|column| column.name.as_deref().unwrap_or_default());
                let found = the_one(names, name)?.and_then(|at| columns.get(at));
                // Tables behind a star may have gained it.
                if found.is_none() && columns.iter().any(|column| column.moves) {
                    return Err(());
                }
                Ok(found.map(|found| Output { base: None, ..found.clone() }))
            }
            Known::Harmless | Known::Nothing => Err(()),
        }
    }
}

/// The place of the only column that goes by `name`; an error if that cannot be told.
fn the_one<'n>(names: impl Iterator<Item = &'n str>, name: &str) -> Result<Option<usize>, ()> {
    let mut found = None;
    for (at, own) in names.enumerate().filter(|(_, own)| perhaps_same(own, name)) {
        if found.is_some() || !same(own, name) {
            return Err(());
        }
        found = Some(at);
    }
    Ok(found)
}

/// Names of columns have no case. Which letters outside of ASCII are pairs depends on the server's version.
fn same(a: &str, b: &str) -> bool {
    a == b || (a.is_ascii() && b.is_ascii() && a.eq_ignore_ascii_case(b))
}

/// Whether two names may be one for the server.
pub(in crate::mysql) fn perhaps_same(a: &str, b: &str) -> bool {
    let pair = |(a, b): (char, char)| a.eq_ignore_ascii_case(&b) || !a.is_ascii() || !b.is_ascii();
    a.chars().count() == b.chars().count() && a.chars().zip(b.chars()).all(pair)
}
