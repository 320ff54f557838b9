//! Queries, as far as the values of their results depend on them: what is selected, from where. Conditions, order and
//! grouping are left out, which choose among rows.

use super::statement::{Function, TableName};

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Common table expressions, in order.
    pub with: Vec<With>,
    /// They may name themselves.
    pub recursive: bool,
    /// What is selected.
    pub body: Body,
}

/// A common table expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct With {
    /// Its name.
    pub name: String,
    /// Names of its columns, if they were written.
    pub columns: Vec<String>,
    /// What it shows.
    pub query: Query,
}

/// What a query selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// One SELECT.
    Select(Select),
    /// Rows of each of these.
    Sets(Vec<Self>),
    /// Rows that were written.
    Values(Vec<Vec<Expr>>),
    /// A query in parentheses.
    Query(Box<Query>),
}

/// A SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// What it reads, in order.
    pub from: Vec<From>,
    /// Columns of the same name are merged (USING, NATURAL): a star shows them once.
    pub merged: bool,
    /// What is selected, in order.
    pub items: Vec<Item>,
    /// What windows that have names are made by.
    pub windows: Vec<Expr>,
    /// In each group, at least so many values of these columns are not NULL.
    pub counted: Vec<(String, u64)>,
}

/// One source of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// The rows.
    pub rows: Rows,
    /// Its name in the statement, if it is another.
    pub alias: Option<String>,
    /// Names of its columns, if they are others.
    pub columns: Vec<String>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A table, a view, or a common table expression.
    Table(TableName),
    /// A query.
    Query {
        /// It.
        query: Box<Query>,
        /// It sees what stands before it.
        lateral: bool,
    },
    /// What is not followed.
    Other,
}

/// What is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `*`, `table.*` or `database.table.*`: all columns of all tables, or of one.
    Star(Vec<String>),
    /// A value.
    Value {
        /// It.
        expr: Expr,
        /// Its name, if it has one that can be used.
        name: Option<String>,
    },
}

impl Expr {
    /// Whether it is written out.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        match self {
            Self::Literal => true,
            Self::Chosen { among, .. } => among.iter().all(Self::is_literal),
            _ => false,
        }
    }
}

/// A value, by what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A column, perhaps with table and database before it.
    Column(Vec<String>),
    /// A bare name in a window, which may be that of a selected column.
    Named(String),
    /// What a column holds where nothing is written.
    Default(Vec<String>),
    /// What the windows that have names are made by.
    Windows,
    /// Whether this is NULL.
    Nullness(Box<Self>),
    /// A sum, a mean or a spread of this over the rows of a group.
    Aggregate(Box<Self>),
    /// A literal or parameter.
    Literal,
    /// Nothing: settings, counts of rows.
    Free,
    /// It is one of these values as they are, by what these others say.
    Chosen {
        /// The values.
        among: Vec<Self>,
        /// The others.
        by: Vec<Self>,
    },
    /// It is computed from all these.
    From(Vec<Self>),
    /// What this function makes of nothing; its arguments stand beside it.
    Call(Function),
    /// The only column of this query.
    Query(Box<Query>),
    /// What is not followed.
    Unknown,
}
