//! What a policy means for a database, and what in the database may get round it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use veil_mask::Masker;
use veil_model::Attribute;
use veil_policy::config::Config;
use veil_policy::{Action, Fate, Label, Labels, mysql};

use crate::server::{Known, Rows, Server};

const DEFINERS: &str = "select n.nspname || '.' || p.proname from pg_catalog.pg_proc p \
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace where p.prosecdef and p.oid >= 16384 order by 1";
const RIGHTS: &str = "select r.name from pg_catalog.pg_roles u, lateral (values ('superuser', u.rolsuper), \
    ('replication', u.rolreplication), ('pg_read_server_files', pg_catalog.pg_has_role('pg_read_server_files', 'usage')), \
    ('pg_execute_server_program', pg_catalog.pg_has_role('pg_execute_server_program', 'usage'))) r (name, has) \
    where u.rolname = current_user and r.has";
const MYSQL_DEFINERS: &str = "select concat(routine_schema, '.', routine_name) from information_schema.routines \
    where security_type = 'DEFINER' and routine_schema not in ('sys', 'mysql') order by 1";
const MYSQL_TRIGGERS: &str =
    "select distinct event_object_schema, event_object_table from information_schema.triggers order by 1, 2";
const MYSQL_RIGHTS: &str = "select privilege_type from information_schema.user_privileges where replace(grantee, '''', '') = current_user() \
    and privilege_type in ('FILE', 'SUPER', 'PROCESS', 'REPLICATION SLAVE', 'BINLOG MONITOR', 'BINLOG ADMIN', 'SYSTEM_VARIABLES_ADMIN') order by 1";

/// How many different values columns have, and rows, as the server estimates it.
const DISTINCT: &str = "select s.schemaname || '.' || s.tablename || '.' || s.attname, \
    (case when s.n_distinct >= 0 then s.n_distinct else -s.n_distinct * c.reltuples end)::bigint::text, c.reltuples::bigint::text \
    from pg_catalog.pg_stats s join pg_catalog.pg_namespace n on n.nspname = s.schemaname \
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename where s.n_distinct <> 0 and c.reltuples > 0";
const MYSQL_DISTINCT: &str = "select concat(s.table_schema, '.', s.table_name, '.', s.column_name), max(s.cardinality), max(t.table_rows) \
    from information_schema.statistics s join information_schema.tables t on t.table_schema = s.table_schema and t.table_name = s.table_name \
    where s.seq_in_index = 1 and s.cardinality > 0 group by s.table_schema, s.table_name, s.column_name";
/// Whoever knows how often each of so few values comes finds them by counting their masks.
const FEW_VALUES: u64 = 1000;

/// What becomes of the columns of a database.
#[derive(Default)]
struct Columns {
    /// By rule.
    masked: BTreeMap<String, Vec<String>>,
    /// Functions, by column.
    maskers: BTreeMap<String, Arc<Masker>>,
    closed: Vec<String>,
    /// Masked, by functions that have no masks of their types.
    unsuited: Vec<String>,
    /// Masked, with few values.
    few: Vec<String>,
    /// Masked, with more values than masks.
    crowded: Vec<String>,
    /// Tables with masked columns.
    tables: BTreeSet<String>,
    /// Tables with triggers.
    triggers: BTreeSet<String>,
}

/// The report, as it is printed.
pub(crate) async fn report(config: &Config, server: &mut Server, user: &str) -> Result<String> {
    let (columns, definers, rights) = match &server.known {
        Known::Postgres(labels) => (of_postgres(labels), DEFINERS, RIGHTS),
        Known::MySql(labels, _) => (of_mysql(labels), MYSQL_DEFINERS, MYSQL_RIGHTS),
    };
    let (mut columns, mysql) = (columns, matches!(server.known, Known::MySql(..)));
    if mysql {
        let rows = server.rows(MYSQL_TRIGGERS).await?;
        columns.triggers =
            rows.iter().map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(".")).collect();
    }
    let distinct = server.rows(if mysql { MYSQL_DISTINCT } else { DISTINCT }).await?;
    columns.count(&distinct);
    let (definers, rights) = (names(server.rows(definers).await?), names(server.rows(rights).await?));
    Ok(print(config, &columns, (&definers, &rights), &server.database, user))
}

fn names(rows: Rows) -> Vec<String> {
    rows.into_iter().flatten().flatten().collect()
}

fn of_postgres(labels: &Labels) -> Columns {
    let mut found = Columns::default();
    for (oid, relation) in labels.catalog().relations().filter(|(_, relation)| !relation.system()) {
        let name = format!("{}.{}", relation.schema, relation.name);
        for column in &relation.columns {
            let attribute = Attribute { relation: oid, attnum: column.attnum };
            let suits = |label: &Label| label.kind.is_none_or(|kind| label.masker.column(kind).supported());
            found.add(&name, &column.name, labels.fate(attribute), suits);
        }
        if relation.triggers {
            found.triggers.insert(name);
        }
    }
    found
}

fn of_mysql(labels: &mysql::Labels) -> Columns {
    let mut found = Columns::default();
    for table in labels.catalog().tables() {
        for column in &table.columns {
            found.add(
                &format!("{}.{}", table.database, table.name),
                &column.name,
                labels.fate(table, &column.name),
                |label| label.masker.suits(&column.column_type),
            );
        }
    }
    found
}

impl Columns {
    /// Compares how many values there are with how many masks.
    fn count(&mut self, distinct: &Rows) {
        for row in distinct {
            let [Some(name), Some(count), Some(rows)] = row.as_slice() else { continue };
            let Some(masker) = self.maskers.get(name) else { continue };
            let (Ok(count), Ok(rows)) = (count.parse::<u64>(), rows.parse::<u64>()) else { continue };
            let function = masker.strategy().name();
            if count < FEW_VALUES && count <= rows / 2 && masker.counts_values() {
                self.few.push(format!("{name} ({function}, {count} values)"));
            }
            if let Some(room) = masker.room().filter(|room| *room < count) {
                self.crowded.push(format!("{name} ({function}, {count} values, {room} masks)"));
            }
        }
        [&mut self.few, &mut self.crowded, &mut self.unsuited]
            .into_iter()
            .for_each(|names| names.sort_unstable());
    }

    fn add(&mut self, table: &str, column: &str, fate: Fate, suits: impl Fn(&Label) -> bool) {
        let name = format!("{table}.{column}");
        match fate {
            Fate::Pass => {}
            Fate::Close => self.closed.push(name),
            Fate::Mask(label) => {
                if !suits(&label) {
                    self.unsuited.push(format!("{name} ({})", label.masker.strategy().name()));
                }
                self.maskers.insert(name.clone(), Arc::clone(&label.masker));
                self.masked.entry(label.rule.to_string()).or_default().push(name);
                self.tables.insert(table.to_owned());
            }
        }
    }
}

fn print(
    config: &Config,
    columns: &Columns,
    (definers, rights): (&[String], &[String]),
    database: &str,
    user: &str,
) -> String {
    let mut text = format!("{database}, for {user}:\n");
    let mut line = |what: &str, names: &[String]| {
        if !names.is_empty() {
            writeln!(text, "  {what}: {}", names.join(", ")).unwrap_or_default();
        }
    };
    for (rule, columns) in &columns.masked {
        let mut columns = columns.clone();
        columns.sort_unstable();
        line(&format!("masked by {rule}"), &columns);
    }
    let idle = config
        .rules
        .iter()
        .filter(|rule| matches!(rule.action, Action::Mask(_)) && !columns.masked.contains_key(&rule.name));
    line("rules that mask nothing here", &idle.map(|rule| rule.name.clone()).collect::<Vec<_>>());
    line("NULL, for the function has no masks of the column's type; choose another", &columns.unsuited);
    line("so few values that counting their masks may tell them; a lossy function hides them", &columns.few);
    line(
        "more values than masks, so that several share one; joins and lookups by mask mix them up",
        &columns.crowded,
    );
    let mut closed = columns.closed.clone();
    closed.sort_unstable();
    line("NULL, for they are computed from masked columns, or not known; a rule can name them", &closed);
    let triggers: Vec<String> = columns.triggers.intersection(&columns.tables).cloned().collect();
    line("masked tables with triggers; if one copies a masked column, the copy needs a rule", &triggers);
    line("functions with their owners' rights; refused, unless trusted", definers);
    line("rights that this user should not have", rights);
    text
}
