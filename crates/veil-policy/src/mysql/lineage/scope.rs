//! What the sources of one SELECT are called, and which of them has a column.

use veil_sql::mysql::{Table, TableName};

use super::{Flow, Output, Resolver};

/// The sources of a SELECT.
pub(super) struct Scope<'a, 's> {
    pub(super) sources: Vec<Source<'a>>,
    pub(super) merged: bool,
    /// Names that the SELECT gives to its columns.
    pub(super) names: Vec<&'s str>,
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
        if let ([only], true, false) = (named.as_slice(), sure, qualifier.is_empty())
            && matches!(only.rows, Known::Harmless)
        {
            return Some(Output::of(Flow::Clean, Some(name.to_owned())));
        }
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
        // Two names that differ by case alone are one here, so that neither is believed.
        let named = |name: &str| own.is_some_and(|own| same(own, name));
        match qualifier {
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
                Ok(table.column(name).map(|column| resolver.of_table(table, &column.name)))
            }
            Known::Columns(columns) => {
                let mut having =
                    columns.iter().filter(|column| column.name.as_deref().is_some_and(|own| same(own, name)));
                match (having.next(), having.next()) {
                    (None, _) if columns.iter().any(|column| column.name.is_none()) => Err(()),
                    (found, None) => Ok(found.map(|found| Output { base: None, ..found.clone() })),
                    (_, Some(_)) => Err(()),
                }
            }
            Known::Harmless | Known::Nothing => Err(()),
        }
    }
}

/// Names of columns have no case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}
