//! What is known of one statement.

use std::collections::BTreeSet;
use std::sync::Arc;

use veil_model::CopyLayout;

use crate::effect::Effect;
use crate::lineage::{Expr, Lineage};

/// A name as written: perhaps with a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// Schema, if it was written.
    pub schema: Option<String>,
    /// The name itself, folded as the server folds it.
    pub name: String,
}

/// One statement of a query text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is.
    pub kind: Kind,
    /// What it names and writes, statements inside it included.
    pub facts: Facts,
    /// What it leaves behind in its session.
    pub effect: Effect,
    /// What its result is made of; `None` if that is not followed.
    pub lineage: Option<Lineage>,
}

/// The kinds that the gate tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE.
    Data,
    /// COPY of data that the client sends.
    CopyIn,
    /// COPY of data to the client.
    CopyOut(CopyOut),
    /// EXPLAIN of a statement.
    Explain,
    /// PREPARE.
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
    /// DECLARE CURSOR.
    Declare {
        /// Name of the cursor.
        name: String,
        /// It outlives the transaction.
        hold: bool,
        /// What it runs.
        inner: Arc<Statement>,
    },
    /// FETCH or MOVE.
    Fetch {
        /// Name of the cursor.
        name: String,
    },
    /// DEALLOCATE of a name, or of all.
    Deallocate {
        /// The statement; all without one.
        name: Option<String>,
    },
    /// CLOSE of a name, or of all.
    Close {
        /// The cursor; all without one.
        name: Option<String>,
    },
    /// DISCARD ALL.
    DiscardAll,
    /// Defines, changes or drops relations, or types; those that are made or dropped by name. What is read, changed or
    /// referred to stands in the facts.
    Define(Vec<QualifiedName>),
    /// Transactions, settings, LISTEN, locks, VACUUM: reads and writes no row.
    Session,
    /// Not done where anything is masked; the text says what it is.
    Refused(&'static str),
}

/// A COPY to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOut {
    /// The table and its columns that are copied, all that are stored if there are none; `None` for a query.
    pub table: Option<(QualifiedName, Vec<String>)>,
    /// How rows are written; `None` if that is not understood.
    pub layout: Option<CopyLayout>,
}

/// What a statement names and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tables and views.
    pub relations: BTreeSet<QualifiedName>,
    /// Functions called.
    pub functions: BTreeSet<QualifiedName>,
    /// Operators used.
    pub operators: BTreeSet<String>,
    /// Fields selected, as `b` in `a.b` and `(x).b`: where there is no such column they call a function.
    pub fields: BTreeSet<Field>,
    /// Names that stand alone, which may be columns or whole rows; `*` for stars.
    pub names: BTreeSet<String>,
    /// The names by which FROM and others call what has columns.
    pub aliases: BTreeSet<Alias>,
    /// Something in FROM has no alias but a name that the server makes up.
    pub unnamed: bool,
    /// Types that it makes, which are called like functions.
    pub types: BTreeSet<String>,
    /// Names of all that it makes, which are those of types too.
    pub made: BTreeSet<String>,
    /// Names that columns of what it defines may have, besides those of the relations that it names.
    pub defines: BTreeSet<String>,
    /// Columns of what it defines may have any names, as those of functions have.
    pub defines_any: bool,
    /// It says how much time and memory running it took.
    pub measures: bool,
    /// An alias gives other names to the columns of what it stands for.
    pub renames: bool,
    /// INSERT, UPDATE, DELETE and MERGE anywhere inside.
    pub writes: Vec<Write>,
    /// Something inside is not understood; the text says what.
    pub opaque: Option<&'static str>,
}

/// A field that is selected from something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// The alias before the dot; `None` for a field of an expression.
    pub of: Option<String>,
    /// The field.
    pub name: String,
}

/// A name for something with columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// What goes by it.
    pub source: AliasSource,
}

/// What an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AliasSource {
    /// A relation with its own column names.
    Relation(QualifiedName),
    /// A subquery, a common table expression, a join, a relation whose columns are renamed: these
    /// columns it has for certain.
    Derived(BTreeSet<String>),
    /// A function: its row and all its columns come from its arguments; these columns it has for certain.
    Function(BTreeSet<String>),
}

/// One INSERT, UPDATE, DELETE or MERGE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The table written.
    pub target: QualifiedName,
    /// Where the values come from; `None` if that is not followed.
    pub source: Option<Source>,
}

/// Where written values come from, beside literals, parameters, defaults and functions of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Columns of the target that are read.
    pub columns: Vec<String>,
    /// Other values that are written.
    pub values: Vec<Written>,
}

/// A value that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// To this column of the target.
    pub to: Place,
    /// The value.
    pub value: Expr,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one of this name.
    Name(String),
    /// The one at this place, from 0.
    At(usize),
}
