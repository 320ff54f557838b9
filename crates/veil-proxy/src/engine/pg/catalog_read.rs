//! Reading the catalog inside a client's own session, unseen by it, between two of its statements.

use std::sync::Arc;
use std::time::Instant;

use veil_sql::Catalog;
use veil_sql::catalog::{QUERIES, Row, VIEWS};
use veil_wire::pg::command::{self, BindNames, Parse, Target};
use veil_wire::pg::row::Cells;
use veil_wire::pg::session::{Expected, Object, Session};

/// Name of the statement and portal, which are closed again at once. Not the unnamed ones: those are the client's.
const NAME: &[u8] = b"ironveil_catalog";

/// The rows that have come so far.
#[derive(Default)]
pub(super) struct CatalogRead {
    results: [Vec<Row>; QUERIES.len()],
    /// Definitions of views are read too.
    views: bool,
    /// The transaction sees what others have done since it began.
    current: bool,
    /// How many statements have ended; the first and the last are no queries of the catalog.
    ended: usize,
}

/// The client's timeouts are not for us: only what others have locked is not waited for. They are others for as long as the
/// transaction lasts, which may be the client's: so they are put back.
const OUR_TIMEOUTS: &str = "select pg_catalog.set_config('ironveil.timeout', \
    pg_catalog.current_setting('statement_timeout'), true), pg_catalog.set_config('statement_timeout', '0', true), \
    pg_catalog.set_config('ironveil.lock_timeout', pg_catalog.current_setting('lock_timeout'), true), \
    pg_catalog.set_config('lock_timeout', '500ms', true), pg_catalog.current_setting('transaction_isolation')";
const ITS_TIMEOUTS: &str = "select \
    pg_catalog.set_config('statement_timeout', pg_catalog.current_setting('ironveil.timeout'), true), \
    pg_catalog.set_config('lock_timeout', pg_catalog.current_setting('ironveil.lock_timeout'), true)";
/// In place of a query that is left out.
const NOTHING: &str = "select 1 where false";

impl CatalogRead {
    /// Sends the queries, with or without that for definitions of views, which waits where these are locked. Every reply to
    /// them is hidden.
    pub(super) fn start<S, P>(
        session: &mut Session<S, P>,
        statement: &Arc<S>,
        views: bool,
        (out, now): (&mut Vec<u8>, Instant),
    ) -> veil_wire::cursor::Result<Self> {
        // It is still there if the last reading failed.
        command::write_close(out, Target::Statement(NAME));
        session.send(Expected::Close(Object::Statement(NAME.into())), true, now)?;
        let queries = QUERIES.iter().enumerate();
        let queries = queries.map(|(at, query)| if at == VIEWS && !views { NOTHING } else { query });
        for query in [OUR_TIMEOUTS].into_iter().chain(queries).chain([ITS_TIMEOUTS]) {
            Parse { name: NAME, text: query.as_bytes(), types: &[] }.write(out);
            command::write_bind(out, BindNames { portal: NAME, statement: NAME }, &[]);
            command::write_execute(out, NAME);
            command::write_close(out, Target::Portal(NAME));
            command::write_close(out, Target::Statement(NAME));
            for expected in [
                Expected::Parse { name: NAME.into(), statement: Arc::clone(statement) },
                Expected::Bind { portal: NAME.into(), statement: NAME.into() },
                Expected::Execute(NAME.into()),
                Expected::Close(Object::Portal(NAME.into())),
                Expected::Close(Object::Statement(NAME.into())),
            ] {
                session.send(expected, true, now)?;
            }
        }
        command::write_sync(out);
        session.send(Expected::Sync, true, now)?;
        Ok(Self { views, ..Self::default() })
    }

    /// Whether definitions of views are read too.
    pub(super) const fn reads_views(&self) -> bool {
        self.views
    }

    /// Takes a row of the current query.
    pub(super) fn row(&mut self, body: &[u8]) -> veil_wire::cursor::Result<()> {
        let mut cells = Cells::decode(body)?;
        let mut row = Row::new();
        while let Some(cell) = cells.step()? {
            row.push(cell.map(|cell| String::from_utf8_lossy(cell).into_owned()));
        }
        if self.ended == 0 {
            self.current = row.last().is_some_and(|level| level.as_deref().is_some_and(sees_others));
        }
        if let Some(rows) = self.ended.checked_sub(1).and_then(|query| self.results.get_mut(query)) {
            rows.push(row);
        }
        Ok(())
    }

    /// The current query has ended.
    pub(super) const fn next(&mut self) {
        self.ended += 1;
    }

    /// The catalog, if every query was answered.
    pub(super) fn finish(self, known: &Catalog) -> Option<Catalog> {
        let catalog = (self.ended == QUERIES.len() + 2).then(|| Catalog::from_rows(&self.results))?;
        // In an old snapshot, a view that was replaced since looks as it did.
        Some(if self.views || !self.current { catalog } else { catalog.with_definitions_of(known) })
    }
}

/// Whether a transaction of this isolation level sees what others have done since it began.
fn sees_others(level: &str) -> bool {
    matches!(level, "read committed" | "read uncommitted")
}
