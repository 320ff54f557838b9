//! What a catalog says of tables and columns.

use std::collections::HashMap;

use veil_detect::{Key, Kind};

use crate::session::{Error, Rows, Session};

/// Relations that are no partitions: these are scanned with the table that they are of. Estimates are summed up over them.
const POSTGRES_TABLES: &str = "select c.oid::text, n.nspname, c.relname, c.relkind::text, \
    case when c.relkind = 'p' then coalesce((select sum(greatest(l.reltuples, 0)) from pg_catalog.pg_partition_tree(c.oid) t \
    join pg_catalog.pg_class l on l.oid = t.relid where t.isleaf), 0) else c.reltuples end::bigint::text \
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema') \
    and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%' \
    order by 2, 3";
/// With the type below all domains.
const POSTGRES_COLUMNS: &str = "with recursive base(domain, type) as (select t.oid, t.oid from pg_catalog.pg_type t where t.typtype <> 'd' \
    union all select t.oid, b.type from pg_catalog.pg_type t join base b on b.domain = t.typbasetype where t.typtype = 'd') \
    select a.attrelid::text, a.attnum::text, a.attname, \
    case when b.typtype = 'e' then 'enum' when b.typname = 'citext' then 'text' else pg_catalog.format_type(b.oid, a.atttypmod) end, pg_catalog.col_description(a.attrelid, a.attnum), \
    (a.attidentity <> '')::text, \
    (pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'select') and pg_catalog.has_schema_privilege(n.oid, 'usage'))::text \
    from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    join base on base.domain = a.atttypid join pg_catalog.pg_type b on b.oid = base.type \
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition \
    and n.nspname not in ('pg_catalog', 'information_schema') order by a.attrelid, a.attnum";
const POSTGRES_KEYS: &str = "select k.conrelid::text, k.conkey[1]::text, k.contype::text, k.confrelid::text, k.confkey[1]::text \
    from pg_catalog.pg_constraint k where k.contype in ('p', 'u', 'f') and pg_catalog.array_length(k.conkey, 1) = 1 and k.conrelid <> 0";

const MYSQL_TABLES: &str = "select concat(table_schema, '.', table_name), table_schema, table_name, table_type, table_rows \
    from information_schema.tables where table_schema = database() order by 2, 3";
const MYSQL_COLUMNS: &str = "select concat(table_schema, '.', table_name), ordinal_position, column_name, column_type, column_comment, \
    case when extra like '%auto_increment%' then 'true' else 'false' end, \
    case when privileges like '%select%' and data_type not in ('point', 'geometry') then 'true' else 'false' end from information_schema.columns \
    where table_schema = database() order by 1, 2";
const MYSQL_KEYS: &str = "select concat(k.table_schema, '.', k.table_name), c.ordinal_position, \
    case when k.referenced_table_name is not null then 'f' when k.constraint_name = 'PRIMARY' then 'p' else 'u' end, \
    concat(k.referenced_table_schema, '.', k.referenced_table_name), r.ordinal_position \
    from information_schema.key_column_usage k \
    join information_schema.columns c on c.table_schema = k.table_schema and c.table_name = k.table_name and c.column_name = k.column_name \
    left join information_schema.columns r on r.table_schema = k.referenced_table_schema and r.table_name = k.referenced_table_name \
    and r.column_name = k.referenced_column_name where k.table_schema = database() and not exists (select 1 from information_schema.key_column_usage o \
    where o.table_schema = k.table_schema and o.table_name = k.table_name and o.constraint_name = k.constraint_name and o.ordinal_position > 1)";

/// A table's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    /// Its schema; of MySQL, its database.
    pub schema: String,
    /// Its own.
    pub table: String,
}

/// What kind of relation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table.
    Table,
    /// A view: its rows are computed.
    View,
    /// A table of another server.
    Foreign,
}

impl TableKind {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Foreign => "foreign table",
        }
    }
}

/// A table, by what its server knows it by, and a column of it, by name or number.
pub(crate) type ColumnId = (String, String);

/// A table to scan.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) id: String,
    pub(crate) name: TableName,
    pub(crate) kind: TableKind,
    /// Rows, as the server estimates them; `None` if it does not know.
    pub(crate) rows: Option<u64>,
    pub(crate) columns: Vec<Column>,
    /// A connection was lost while it was read.
    pub(crate) lost: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) kind: Kind,
    pub(crate) comment: Option<String>,
    pub(crate) key: Key,
    /// The table and column that it refers to.
    pub(crate) refers: Option<ColumnId>,
    pub(crate) may_read: bool,
}

impl Column {
    /// Whether values of its type are looked at.
    pub(crate) fn is_read(&self) -> bool {
        self.may_read && !matches!(self.kind, Kind::Bool | Kind::Other | Kind::Uuid)
    }
}

/// The tables of the database that a session is in.
pub(crate) async fn tables(session: &mut Session) -> Result<Vec<Table>, Error> {
    let [tables, columns, keys] = match session {
        Session::Postgres(_) => [POSTGRES_TABLES, POSTGRES_COLUMNS, POSTGRES_KEYS],
        Session::MySql(_) => [MYSQL_TABLES, MYSQL_COLUMNS, MYSQL_KEYS],
    };
    let (tables, columns) = (session.rows(tables).await?, session.rows(columns).await?);
    // A server that takes too long to tell its keys is scanned without them.
    let keys = match session.rows(keys).await {
        Err(Error::Refused(_)) => Vec::new(),
        keys => keys?,
    };
    Ok(joined(tables, columns, keys))
}

fn joined(tables: Rows, columns: Rows, keys: Rows) -> Vec<Table> {
    let numbers: HashMap<ColumnId, String> =
        columns.iter().filter_map(|row| Some(((text(row, 0)?, text(row, 1)?), text(row, 2)?))).collect();
    let mut known: HashMap<ColumnId, (Key, Option<ColumnId>)> = HashMap::new();
    for row in keys {
        let (Some(table), Some(column), Some(kind)) = (text(&row, 0), text(&row, 1), text(&row, 2)) else {
            continue;
        };
        let refers = text(&row, 3).zip(text(&row, 4)).and_then(|(table, number)| {
            let column = numbers.get(&(table.clone(), number))?;
            Some((table, column.clone()))
        });
        let key = match kind.as_str() {
            "p" => Key::Primary,
            "f" => Key::Foreign,
            _ => Key::Unique,
        };
        let entry = known.entry((table, column)).or_default();
        // What refers to another table is that first.
        if entry.0 == Key::None || key == Key::Foreign {
            entry.0 = key;
        }
        entry.1 = entry.1.take().or(refers);
    }
    let mut found: HashMap<String, Vec<Column>> = HashMap::new();
    for row in columns {
        let (Some(table), Some(number), Some(name), Some(type_name)) =
            (text(&row, 0), text(&row, 1), text(&row, 2), text(&row, 3))
        else {
            continue;
        };
        let (key, refers) = known.remove(&(table.clone(), number.clone())).unwrap_or_default();
        let counts = text(&row, 5).is_some_and(|counts| counts == "true");
        found.entry(table).or_default().push(Column {
            kind: Kind::of_type(&type_name),
            comment: text(&row, 4).filter(|comment| !comment.is_empty()),
            key: if counts { Key::Primary } else { key },
            may_read: text(&row, 6).is_some_and(|may| may == "true"),
            name,
            type_name,
            refers,
        });
    }
    let table = |row: Vec<Option<String>>| {
        let id = text(&row, 0)?;
        Some(Table {
            columns: found.remove(&id)?,
            name: TableName { schema: text(&row, 1)?, table: text(&row, 2)? },
            kind: match text(&row, 3)?.as_str() {
                "v" | "m" | "VIEW" | "SYSTEM VIEW" => TableKind::View,
                "f" => TableKind::Foreign,
                _ => TableKind::Table,
            },
            rows: text(&row, 4).and_then(|rows| rows.parse().ok()),
            lost: false,
            id,
        })
    };
    tables.into_iter().filter_map(table).collect()
}

fn text(row: &[Option<String>], at: usize) -> Option<String> {
    row.get(at).cloned().flatten()
}

impl Table {
    /// The column that counts its rows, if its key is one whole number.
    pub(crate) fn counter(&self) -> Option<&Column> {
        let mut keys =
            self.columns.iter().filter(|column| column.key == Key::Primary && column.kind == Kind::Integer);
        keys.next().filter(|_| keys.next().is_none())
    }
}
