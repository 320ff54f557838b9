//! A snapshot of what tables and views a session can see, and what their columns are called.
//!
//! The queries ask for names in UTF-8 whatever the session's character set, and have a LIMIT of their own, so that the
//! session's `sql_select_limit` does not cut what is known. The servers' own tables are not asked for: what they show
//! is known (`system`), and opening them costs more than all others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::analyse::analyse;
use super::lexer::Mode;
use super::statement::{Kind, Statement};
use super::system;

/// A query whose rows make a part of a catalog.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its text.
    pub text: &'static str,
    /// How many columns its rows have.
    pub columns: usize,
}

/// The queries whose rows make a catalog, in order.
pub const QUERIES: [Query; 7] = [
    Query { text: "select @@lower_case_table_names, version() limit 18446744073709551615", columns: 2 },
    Query {
        text: "select cast(convert(table_schema using utf8mb4) as binary), \
            cast(convert(table_name using utf8mb4) as binary), \
            cast(convert(table_type using utf8mb4) as binary), \
            cast(convert(engine using utf8mb4) as binary) \
            from information_schema.tables \
            where table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') \
            limit 18446744073709551615",
        columns: 4,
    },
    Query {
        text: "select cast(convert(table_schema using utf8mb4) as binary), \
            cast(convert(table_name using utf8mb4) as binary), \
            cast(convert(column_name using utf8mb4) as binary), \
            cast(convert(column_type using utf8mb4) as binary), \
            cast(convert(extra using utf8mb4) as binary), \
            cast(convert(column_default using utf8mb4) as binary) from information_schema.columns \
            where table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') \
            order by table_schema, table_name, ordinal_position limit 18446744073709551615",
        columns: 6,
    },
    Query {
        text: "select cast(convert(table_schema using utf8mb4) as binary), \
            cast(convert(table_name using utf8mb4) as binary), \
            cast(convert(view_definition using utf8mb4) as binary) from information_schema.views \
            where table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') \
            limit 18446744073709551615",
        columns: 3,
    },
    Query {
        text: "select distinct cast(convert(routine_name using utf8mb4) as binary) \
            from information_schema.routines where routine_type = 'FUNCTION' and routine_schema <> 'sys' \
            limit 18446744073709551615",
        columns: 1,
    },
    Query {
        text: "select cast(convert(table_schema using utf8mb4) as binary), \
            cast(convert(table_name using utf8mb4) as binary), \
            cast(convert(column_name using utf8mb4) as binary), \
            cast(convert(referenced_table_schema using utf8mb4) as binary), \
            cast(convert(referenced_table_name using utf8mb4) as binary), \
            cast(convert(referenced_column_name using utf8mb4) as binary) from information_schema.key_column_usage \
            where referenced_table_name is not null limit 18446744073709551615",
        columns: 6,
    },
    Query {
        text: "select distinct cast(convert(role_name using utf8mb4) as binary) \
            from information_schema.applicable_roles limit 18446744073709551615",
        columns: 1,
    },
];

/// Engines that keep rows of their own.
pub(super) const ENGINES: [&str; 12] = [
    "archive",
    "aria",
    "blackhole",
    "columnstore",
    "csv",
    "innodb",
    "memory",
    "myisam",
    "ndbcluster",
    "rocksdb",
    "s3",
    "tokudb",
];

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// It has rows of its own.
    Base,
    /// The same, and only one session sees it; it has no triggers.
    Temporary,
    /// It shows rows of others.
    View,
    /// A sequence, a table over other tables or servers: nothing is known of its rows.
    Other,
}

impl TableKind {
    /// Whether the rows are the table's own.
    #[must_use]
    pub const fn keeps_rows(self) -> bool {
        matches!(self, Self::Base | Self::Temporary)
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type, as `varchar`.
    pub data_type: String,
    /// Type with all that is said of it, as `varchar(50)`.
    pub column_type: String,
    /// It is computed from other columns.
    pub generated: bool,
    /// A star leaves it out.
    pub invisible: bool,
    /// The server counts it up, and says what it has come to.
    pub counted: bool,
    /// What it holds where nothing is written may be computed from other columns.
    pub computed_default: bool,
}

impl Column {
    /// The words of an enumeration.
    #[must_use]
    pub fn words(&self) -> Option<Arc<[String]>> {
        let words = self.column_type.strip_prefix("enum('")?.strip_suffix("')")?;
        Some(words.split("','").map(|word| word.replace("''", "'")).collect())
    }
}

/// A table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Database.
    pub database: String,
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Columns, in order.
    pub columns: Vec<Column>,
    /// What a view shows, if its definition is known.
    pub definition: Option<Arc<Statement>>,
}

impl Table {
    /// The only column of this name; names of columns have no case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        let wanted = name.to_lowercase();
        let mut found = self.columns.iter().filter(|column| column.name.to_lowercase() == wanted);
        found.next().filter(|_| found.next().is_none())
    }
}

/// One row: text in UTF-8, or NULL.
pub type Row = Vec<Option<String>>;

/// What can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Names of tables and databases have no case.
    folds: bool,
    tables: HashMap<(String, String), Table>,
    /// Names of users' functions, in lower case; `None` if nothing is known.
    functions: Option<HashSet<String>>,
    references: BTreeSet<Reference>,
    /// Roles that the account has been granted, by others too; `None` if nothing is known.
    roles: Option<HashSet<String>>,
}

/// A column that refers to another: database, table and column of both.
pub type Reference = [[String; 3]; 2];

impl Catalog {
    /// From the rows of [`QUERIES`], in order.
    #[must_use]
    pub fn from_rows(results: &[Vec<Row>; QUERIES.len()]) -> Self {
        let [settings, tables, columns, views, functions, references, roles] = results;
        let setting =
            |at: usize| settings.first().and_then(|row| row.get(at)).cloned().flatten().unwrap_or_default();
        let mode = Mode::new("", &setting(1));
        let functions = functions.iter().filter_map(|row| Some(row.first()?.as_ref()?.to_lowercase()));
        let reference = |row: &Row| -> Option<Reference> {
            let names: Vec<String> = row.iter().cloned().collect::<Option<_>>()?;
            let [a, b, c, d, e, f] = names.try_into().ok()?;
            Some([[a, b, c], [d, e, f]])
        };
        let mut catalog = Self {
            folds: setting(0) != "0",
            tables: HashMap::new(),
            functions: Some(functions.collect()),
            references: references.iter().filter_map(reference).collect(),
            roles: Some(roles.iter().filter_map(|row| row.first()?.clone()).collect()),
        };
        for row in tables {
            if let [Some(database), Some(name), Some(kind), engine] = row.as_slice() {
                let table = Table {
                    database: database.clone(),
                    name: name.clone(),
                    kind: table_kind(kind, engine.as_deref()),
                    columns: Vec::new(),
                    definition: None,
                };
                catalog.tables.insert(catalog.key(database, name), table);
            }
        }
        for row in columns {
            if let [Some(database), Some(table), Some(name), Some(data_type), extra, default @ ..] =
                row.as_slice()
            {
                let default = default.first().and_then(Option::as_deref);
                let computed_default =
                    default.is_some_and(|default| is_computed(default, extra.as_deref(), mode.mariadb));
                let column = Column { computed_default, ..column(name, data_type, extra.as_deref()) };
                let key = catalog.key(database, table);
                if let Some(table) = catalog.tables.get_mut(&key) {
                    table.columns.push(column);
                }
            }
        }
        for row in views {
            if let [Some(database), Some(name), Some(definition)] = row.as_slice() {
                let key = catalog.key(database, name);
                if let Some(table) = catalog.tables.get_mut(&key) {
                    table.definition = view(definition, mode);
                }
            }
        }
        catalog
    }

    /// Columns that refer to others.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter()
    }

    /// The roles that the account has; `None` if they are not known.
    #[must_use]
    pub const fn roles(&self) -> Option<&HashSet<String>> {
        self.roles.as_ref()
    }

    /// What both know alike: an old one may miss what came later, and have what has gone.
    #[must_use]
    pub fn agreeing(mut self, other: &Self) -> Self {
        self.tables.retain(|key, table| other.tables.get(key) == Some(table));
        self.references.extend(other.references.iter().cloned());
        self.functions = self.functions.zip(other.functions.as_ref()).map(|(mut all, more)| {
            all.extend(more.iter().cloned());
            all
        });
        self
    }

    /// The same, with a table that only one session sees, as `SHOW COLUMNS` describes it. It hides one of its name.
    #[must_use]
    pub fn with_temporary(mut self, name: (&str, &str), columns: &[Row]) -> Self {
        let columns = columns.iter().filter_map(|row| match row.as_slice() {
            [Some(name), Some(kind), .., extra] => Some(column(name, kind, extra.as_deref())),
            _ => None,
        });
        let (database, name) = name;
        let table = Table {
            database: database.to_owned(),
            name: name.to_owned(),
            kind: TableKind::Temporary,
            columns: columns.collect(),
            definition: None,
        };
        self.tables.insert(self.key(database, name), table);
        self
    }

    /// What a table goes by.
    #[must_use]
    pub fn key(&self, database: &str, name: &str) -> (String, String) {
        if self.folds || database.eq_ignore_ascii_case("information_schema") {
            (database.to_lowercase(), name.to_lowercase())
        } else {
            (database.to_owned(), name.to_owned())
        }
    }

    /// Whether names of tables and databases have no case.
    #[must_use]
    pub const fn folds(&self) -> bool {
        self.folds
    }

    /// The table of this name.
    #[must_use]
    pub fn table(&self, database: &str, name: &str) -> Option<&Table> {
        self.tables.get(&self.key(database, name))
    }

    /// Every table and view but the servers' own.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// Whether a function of this name, in lower case, may be a user's. Such a function can have the name of one that
    /// only other versions of the server have.
    #[must_use]
    pub fn may_be_users(&self, function: &str) -> bool {
        self.functions.as_ref().is_none_or(|known| known.contains(function))
    }

    /// Whether two names of tables or databases are one.
    #[must_use]
    pub fn same_name(&self, a: &str, b: &str) -> bool {
        a == b || (self.folds && a.to_lowercase() == b.to_lowercase())
    }
}

/// A column by its name, its type as it is declared, and what else is said of it.
fn column(name: &str, kind: &str, extra: Option<&str>) -> Column {
    let extra = extra.unwrap_or_default().to_ascii_uppercase();
    let computed = ["VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"];
    Column {
        name: name.to_owned(),
        // The words of an enumeration keep their letters.
        column_type: if kind.contains('\'') { kind.to_owned() } else { kind.to_ascii_lowercase() },
        data_type: kind.split(['(', ' ']).next().unwrap_or_default().to_ascii_lowercase(),
        generated: computed.iter().any(|word| extra.contains(word)),
        invisible: extra.contains("INVISIBLE"),
        counted: extra.contains("AUTO_INCREMENT"),
        computed_default: false,
    }
}

/// Whether a default is more than a literal or the time: MySQL says so beside it, MariaDB writes literals as such.
fn is_computed(default: &str, extra: Option<&str>, mariadb: bool) -> bool {
    let default = default.to_ascii_lowercase();
    let number = |c: char| c.is_ascii_digit() || matches!(c, '\'' | '-' | '.');
    let plain = match mariadb {
        true => default == "null" || default.starts_with(number),
        false => !extra.is_some_and(|extra| extra.to_ascii_uppercase().contains("DEFAULT_GENERATED")),
    };
    !plain && !default.starts_with("current_timestamp") && !default.starts_with("curdate")
}

fn table_kind(kind: &str, engine: Option<&str>) -> TableKind {
    let engine = engine.unwrap_or_default().to_ascii_lowercase();
    match kind.to_ascii_uppercase().as_str() {
        "BASE TABLE" | "SYSTEM VERSIONED" if ENGINES.contains(&engine.as_str()) => TableKind::Base,
        "VIEW" => TableKind::View,
        _ => TableKind::Other,
    }
}

/// What a view reads; its definition names databases throughout.
fn view(definition: &str, mode: Mode) -> Option<Arc<Statement>> {
    let analysis = analyse(definition, mode).ok()?;
    match analysis.statements.as_slice() {
        [only] if only.kind == Kind::Data => Some(Arc::clone(only)),
        _ => None,
    }
}

/// Whether a database is the server's own.
#[must_use]
pub fn is_system(database: &str) -> bool {
    system::is_system(&database.to_lowercase())
}
