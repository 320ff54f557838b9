//! Some rows of a table: all of a small one, some pages of a large one. Never sorted, never all of a large one.

use veil_detect::Kind;

use crate::session::{Error, Rows, Session};
use crate::tables::{Column, Table, TableKind};

/// Rows that are taken, and of views and tables of other servers.
const ROWS: u64 = 1000;
const ROWS_COMPUTED: u64 = 200;

/// From so many rows on a table is large.
const LARGE: u64 = 20_000;

/// Characters of a cell that are read, and of a document, of which a part would be none.
const CELL_MAX: u32 = 4000;
const DOCUMENT_MAX: u32 = 1 << 16;

/// Places in the key of a large table of MySQL from which rows are taken.
const PROBES: u64 = 20;

/// The cells of each column that is read, without NULL.
pub(crate) async fn sample(
    session: &mut Session,
    table: &Table,
    seed: u64,
) -> Result<(u64, Vec<Vec<String>>), Error> {
    let read: Vec<&Column> = table.columns.iter().filter(|column| column.is_read()).collect();
    let mut cells = vec![Vec::new(); table.columns.len()];
    if read.is_empty() {
        return Ok((0, cells));
    }
    let rows = match session {
        Session::Postgres(_) => {
            // Code in a view may change what holds for a session, and nothing for a transaction that has begun to read.
            session.rows("begin transaction read only").await?;
            let rows = postgres(session, table, &read, seed).await;
            session.rows("rollback").await?;
            rows?
        }
        Session::MySql(_) => mysql(session, table, &read, seed).await?,
    };
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let places = table.columns.iter().enumerate().filter(|(_, column)| column.is_read()).map(|(at, _)| at);
    for row in rows {
        for (at, cell) in places.clone().zip(row) {
            if let (Some(column), Some(cell)) = (cells.get_mut(at), cell) {
                column.push(cell);
            }
        }
    }
    Ok((count, cells))
}

async fn postgres(session: &mut Session, table: &Table, read: &[&Column], seed: u64) -> Result<Rows, Error> {
    let list: Vec<String> = read
        .iter()
        .map(|column| format!("pg_catalog.left({}::text, {})", quoted(&column.name, '"'), length_max(column)))
        .collect();
    let list = list.join(", ");
    let from = format!("{}.{}", quoted(&table.name.schema, '"'), quoted(&table.name.table, '"'));
    let only = if table.kind == TableKind::Table { ROWS } else { ROWS_COMPUTED };
    let large = table.rows.filter(|rows| *rows >= LARGE && table.kind == TableKind::Table);
    if let Some(rows) = large {
        // Pages are taken as a whole, from all over the table; a limit at what is wanted would leave its end out.
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let percent = (ROWS as f64 * 130.0 / rows as f64).min(100.0);
        let text = format!(
            "select {list} from {from} tablesample system ({percent:.6}) repeatable ({}) limit {}",
            seed % 1_000_000,
            2 * only
        );
        let rows = session.rows(&text).await?;
        if rows.len() as u64 * 4 >= only {
            return Ok(rows);
        }
    }
    session.rows(&format!("select {list} from {from} limit {only}")).await
}

async fn mysql(session: &mut Session, table: &Table, read: &[&Column], seed: u64) -> Result<Rows, Error> {
    let list: Vec<String> = read
        .iter()
        .map(|column| format!("left(cast({} as char), {})", quoted(&column.name, '`'), length_max(column)))
        .collect();
    let list = list.join(", ");
    let from = format!("{}.{}", quoted(&table.name.schema, '`'), quoted(&table.name.table, '`'));
    let only = if table.kind == TableKind::Table { ROWS } else { ROWS_COMPUTED };
    let large = table.rows.is_some_and(|rows| rows >= LARGE && table.kind == TableKind::Table);
    if let Some(key) = table.counter().filter(|_| large) {
        let key = quoted(&key.name, '`');
        let ends = session.rows(&format!("select min({key}), max({key}) from {from}")).await?;
        let number = |at: usize| ends.first()?.get(at)?.as_ref()?.parse::<i64>().ok();
        if let Some((least, most)) = number(0).zip(number(1)) {
            let probes = starts(least, most, seed).map(|start| {
                format!(
                    "(select {list} from {from} where {key} >= {start} order by {key} limit {})",
                    only / PROBES
                )
            });
            return session.rows(&probes.collect::<Vec<_>>().join(" union all ")).await;
        }
    }
    session.rows(&format!("select {list} from {from} limit {only}")).await
}

/// Keys from which rows are taken, spread over the whole range.
fn starts(least: i64, most: i64, seed: u64) -> impl Iterator<Item = i64> {
    let step = most.abs_diff(least) / PROBES;
    (0..PROBES).map(move |at| {
        let jump = seed.wrapping_add(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let offset = at * step + if step > 0 { jump % step } else { 0 };
        least.saturating_add_unsigned(offset)
    })
}

const fn length_max(column: &Column) -> u32 {
    if matches!(column.kind, Kind::Json) { DOCUMENT_MAX } else { CELL_MAX }
}

fn quoted(name: &str, mark: char) -> String {
    format!("{mark}{}{mark}", name.replace(mark, &format!("{mark}{mark}")))
}
