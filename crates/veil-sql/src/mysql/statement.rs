//! What is known of one statement.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::query::Query;
use crate::lineage::{self, Meeting, Meets, Store, Stored};
use crate::question::Question;

/// A table as it was written: perhaps with a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableName {
    /// Database, if it was written.
    pub database: Option<String>,
    /// The name itself.
    pub name: String,
}

impl TableName {
    /// The same with its database, which is `database` where it names none.
    #[must_use]
    pub fn inside(&self, database: Option<&str>) -> Self {
        Self { database: self.database.as_deref().or(database).map(str::to_owned), name: self.name.clone() }
    }
}

/// A function that is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// Database, if it was written; such a function is a user's.
    pub database: Option<String>,
    /// The name, in lower case.
    pub name: String,
}

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is.
    pub kind: Kind,
    /// What it names and writes, statements inside it included.
    pub facts: Facts,
    /// Where the columns of its result come from; `None` if that is not known.
    pub result: Option<Query>,
}

/// The kinds that are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, INSERT, REPLACE, UPDATE, DELETE, DO.
    Data,
    /// EXPLAIN or ANALYZE of such a statement.
    Explain,
    /// SHOW, DESCRIBE and others that list definitions and settings.
    Show(Show),
    /// SET: the session's settings are read again.
    Set {
        /// Privileges change, and with them what of the catalog can be seen.
        role: bool,
        /// It is meant for the next transaction only, whichever that is.
        once: bool,
    },
    /// USE of another database.
    Use(String),
    /// PREPARE of a literal text.
    Prepare {
        /// Name of the new statement.
        name: String,
        /// What it prepares.
        inner: Arc<Statement>,
    },
    /// EXECUTE of a prepared statement.
    Execute {
        /// Its name.
        name: String,
    },
    /// DEALLOCATE PREPARE.
    Deallocate {
        /// Its name.
        name: String,
    },
    /// CALL of a procedure, which `facts.functions` names.
    Call,
    /// KILL.
    Kill {
        /// Number of the connection, as the client knows it.
        connection: u64,
        /// Only its statement.
        query: bool,
    },
    /// Defines, changes or drops tables or indexes. What is read, changed or referred to stands in the facts.
    Define(Definition),
    /// Transactions, locks, maintenance: reads and writes no row.
    Session,
    /// Not done where anything is masked; the text says what it is.
    Refused(&'static str),
}

/// Tables that come and go with a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Those that it makes.
    pub made: Vec<TableName>,
    /// Those that are gone afterwards, views too.
    pub gone: Vec<TableName>,
    /// They are the session's alone.
    pub temporary: bool,
    /// One that is there already stays as it is.
    pub keeps: bool,
    /// A database that goes with all that is in it.
    pub database: Option<String>,
}

/// What a SHOW lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Definitions, settings, counters.
    Definitions,
    /// Counters that values move.
    Counters,
    /// Warnings and errors, whose texts may quote values.
    Warnings,
    /// Connections, with the texts of their statements.
    Processes,
}

/// What a statement names and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tables and views.
    pub tables: BTreeSet<TableName>,
    /// Names of common table expressions, in lower case.
    pub expressions: BTreeSet<String>,
    /// Functions called.
    pub functions: BTreeSet<Function>,
    /// INSERT, REPLACE, UPDATE and DELETE.
    pub writes: Vec<Write>,
    /// Names that columns of what it defines may have, besides those of the tables that it names.
    pub defines: BTreeSet<String>,
    /// A variable of the session is given a value.
    pub assigns: bool,
    /// A variable of the session is read.
    pub reads_variables: bool,
    /// Tables, derived ones too, as often as they are read.
    pub sources: u32,
    /// What conditions, joins and orders ask.
    pub asked: Vec<Question<Named>>,
    /// What conditions ask whether it is NULL.
    pub asked_null: BTreeSet<String>,
    /// Names that the statement gives to values, and what these name.
    pub given: Vec<(Vec<String>, Named)>,
    /// Literals and parameters that are compared with columns or written to them.
    pub meetings: Vec<Meeting>,
    /// What else is written to columns, but NULL and defaults.
    pub stores: Vec<Store>,
    /// Columns that become NULL, whatever was there.
    pub nulls: Vec<Stored>,
    /// Columns of a row that was to be inserted which are read otherwise than to write them to the same column.
    pub proposed: Vec<Stored>,
    /// Columns that are assigned to where rows are already, whatever to.
    pub replaced: Vec<Stored>,
    /// What tables are called; `None` for queries.
    pub aliases: Vec<(String, Option<TableName>)>,
    /// The names of all common table expressions, inner ones too.
    pub with_names: BTreeSet<String>,
    /// The server may make names of columns that could be any.
    pub makes_names: bool,
    /// Rows come from something whose columns have names that are not known.
    pub untold: bool,
    /// A backslash in a literal is a character like others.
    pub plain_backslashes: bool,
    /// Rows are written one after another by what a variable holds, which a trigger may set between them.
    pub writes_variables: bool,
    /// It was read from a literal.
    pub inner_text: bool,
    /// It inserts rows.
    pub inserts: bool,
    /// It reads or sets the number that the server has counted up to in the session.
    pub reads_counter: bool,
    /// It reads or sets how far columns have been counted up.
    pub reads_counts: bool,
    /// It asks how the statement before went, which nothing may stand between.
    pub asks_back: bool,
    /// It asks for the warnings of the statement before, or how many there were.
    pub asks_warnings: bool,
    /// Something inside is not understood; the text says what.
    pub opaque: Option<&'static str>,
}

impl Facts {
    /// Where literals and parameters stand is not told.
    pub(super) fn lose_places(&mut self) {
        self.asked.iter_mut().for_each(|question| question.spots.clear());
        let meetings = std::mem::take(&mut self.meetings);
        self.lose(meetings);
    }

    /// These are not told apart from what is computed.
    pub(super) fn lose(&mut self, meetings: Vec<Meeting>) {
        let stored = meetings.into_iter().filter_map(|meeting| match meeting.meets {
            Meets::Stored(to) => Some(Store { to, value: lineage::Expr::Unknown }),
            Meets::Compared { .. } => None,
        });
        self.stores.extend(stored);
    }
}

/// Columns that something names, in lower case; `*` for what cannot be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The names.
    pub names: BTreeSet<String>,
    /// How often they are named.
    pub columns: u32,
    /// It may be made of none.
    pub constant: bool,
    /// It may be more than a column.
    pub computed: bool,
    /// Something stands in it that may be any number of constants.
    pub many: bool,
    /// Two columns that are compared with each other, with the names of their tables.
    pub sides: Option<[(String, String); 2]>,
}

/// One INSERT, REPLACE, UPDATE or DELETE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The table written.
    pub target: TableName,
    /// Where the values come from.
    pub source: Source,
}

/// Where written values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Literals, parameters, functions of these, and these columns of the target.
    Columns(BTreeSet<String>),
    /// The rows of this query.
    Query(Query),
    /// The rows of this query: a column that is written, what is written to it, the next column, and so on.
    Assigned(Query),
    /// Anything else.
    Unknown,
}
