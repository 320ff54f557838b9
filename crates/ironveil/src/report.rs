//! What a policy means for a database, and what in the database may get round it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use veil_model::Attribute;
use veil_policy::config::Config;
use veil_policy::{Action, Fate, Labels, mysql};

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

/// What becomes of the columns of a database.
#[derive(Default)]
struct Columns {
    /// By rule.
    masked: BTreeMap<String, Vec<String>>,
    closed: Vec<String>,
    /// Masked, by functions that have no masks of their types.
    unsuited: Vec<String>,
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
            found.add(&name, &column.name, labels.fate(attribute));
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
            );
        }
    }
    found
}

impl Columns {
    fn add(&mut self, table: &str, column: &str, fate: Fate) {
        let name = format!("{table}.{column}");
        match fate {
            Fate::Pass => {}
            Fate::Close => self.closed.push(name),
            Fate::Mask(label) => {
                if label.kind.is_some_and(|kind| !label.masker.column(kind).supported()) {
                    self.unsuited.push(format!("{name} ({})", label.masker.strategy().name()));
                }
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
    let mut closed = columns.closed.clone();
    closed.sort_unstable();
    line("NULL, for they are computed from masked columns, or not known; a rule can name them", &closed);
    let triggers: Vec<String> = columns.triggers.intersection(&columns.tables).cloned().collect();
    line("masked tables with triggers; if one copies a masked column, the copy needs a rule", &triggers);
    line("functions with their owners' rights; refused, unless trusted", definers);
    line("rights that this user should not have", rights);
    text
}
