//! Reading the catalog inside a client's own session, unseen by it, between two of its statements.

use std::sync::Arc;

use veil_sql::Catalog;
use veil_sql::catalog::{QUERIES, Row};
use veil_wire::pg::command::{self, BindNames, Parse, Target};
use veil_wire::pg::row::Cells;
use veil_wire::pg::session::{Expected, Object, Session};

/// Name of the statement and portal, which are closed again at once. Not the unnamed ones: those are the client's.
const NAME: &[u8] = b"ironveil_catalog";

/// The rows that have come so far.
#[derive(Default)]
pub(super) struct CatalogRead {
    results: [Vec<Row>; QUERIES.len()],
    /// How many statements have ended; the first and the last are no queries of the catalog.
    ended: usize,
}

/// The client's timeout is not for us. It is another for as long as the transaction lasts, which may be the client's: so
/// it is put back.
const NO_TIMEOUT: &str = "select pg_catalog.set_config('ironveil.timeout', \
    pg_catalog.current_setting('statement_timeout'), true), pg_catalog.set_config('statement_timeout', '0', true)";
const ITS_TIMEOUT: &str =
    "select pg_catalog.set_config('statement_timeout', pg_catalog.current_setting('ironveil.timeout'), true)";

impl CatalogRead {
    /// Sends the queries. Every reply to them is hidden.
    pub(super) fn start<S, P>(
        session: &mut Session<S, P>,
        statement: &Arc<S>,
        out: &mut Vec<u8>,
    ) -> veil_wire::cursor::Result<Self> {
        for query in [NO_TIMEOUT].into_iter().chain(QUERIES).chain([ITS_TIMEOUT]) {
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
                session.send(expected, true)?;
            }
        }
        command::write_sync(out);
        session.send(Expected::Sync, true)?;
        Ok(Self::default())
    }

    /// Takes a row of the current query.
    pub(super) fn row(&mut self, body: &[u8]) -> veil_wire::cursor::Result<()> {
        let mut cells = Cells::decode(body)?;
        let mut row = Row::new();
        while let Some(cell) = cells.step()? {
            row.push(cell.map(|cell| String::from_utf8_lossy(cell).into_owned()));
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
    pub(super) fn finish(self) -> Option<Catalog> {
        (self.ended == QUERIES.len() + 2).then(|| Catalog::from_rows(&self.results))
    }
}
