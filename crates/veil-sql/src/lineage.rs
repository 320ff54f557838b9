//! What the columns of a statement's result are made of, by the names in its text.
//!
//! Names are not resolved: a name stands for everything in the statement that goes by it, whatever the scope. So no
//! rule of scoping, `search_path` or temporary table has to be known, and what follows from it is only ever too strict.

use std::collections::BTreeSet;

use veil_model::PgType;

use crate::question::Question;
use crate::statement::{Place, QualifiedName};

/// A value, by what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A column of something, perhaps of what goes by this name.
    Column {
        /// The name before the dot.
        of: Option<String>,
        /// The column's.
        name: String,
    },
    /// All columns of what goes by this name, or of everything.
    Whole(Option<String>),
    /// It is one of these values as they are, by what these others say.
    Chosen {
        /// The values.
        among: Vec<Self>,
        /// The others.
        by: Vec<Self>,
    },
    /// Whether this is NULL.
    Nullness(Box<Self>),
    /// It is computed from all these: from nothing at all where there are none.
    From(Vec<Self>),
    /// A sum, a mean or a spread of this over the rows of a group.
    Aggregate(Box<Self>),
    /// A literal or parameter.
    Literal,
    /// Whatever the windows that the statement defines by name depend on.
    Windows,
    /// What is not followed.
    Unknown,
}

impl Expr {
    /// Takes sums for what is computed from each row.
    pub(crate) fn ungroup(&mut self) {
        match self {
            Self::Aggregate(inner) => *self = Self::From(vec![std::mem::replace(inner, Self::Unknown)]),
            Self::From(parts) => parts.iter_mut().for_each(Self::ungroup),
            Self::Chosen { among, by } => among.iter_mut().chain(by).for_each(Self::ungroup),
            Self::Nullness(inner) => inner.ungroup(),
            Self::Column { .. } | Self::Whole(_) | Self::Literal | Self::Windows | Self::Unknown => {}
        }
    }

    /// Whether it is made of no column.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Column { .. } | Self::Whole(_) | Self::Windows | Self::Unknown => false,
            Self::Literal => true,
            Self::Nullness(inner) | Self::Aggregate(inner) => inner.is_constant(),
            Self::From(parts) => parts.iter().all(Self::is_constant),
            Self::Chosen { among, by } => among.iter().chain(by).all(Self::is_constant),
        }
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Any number of columns, which keep their names.
    Star,
    /// Any number of columns, which are the fields of this value.
    Fields(Expr),
    /// A value.
    Value(Expr),
}

/// A literal or parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    /// It stands at this byte of the text.
    Literal(usize),
    /// The one of this number, from 1.
    Parameter(u32),
}

/// A literal in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Where it ends.
    pub end: usize,
    /// What it says.
    pub value: Box<str>,
    /// It stands in quotes.
    pub quoted: bool,
}

/// A literal or parameter that meets a column as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// Where it stands.
    pub at: Spot,
    /// What is written there; `None` for a parameter, and if it is not understood.
    pub literal: Option<Literal>,
    /// The type to which it is cast, or which the elements are that it is cast to.
    pub cast: Option<PgType>,
    /// It is an array of values that meet the column.
    pub list: bool,
    /// What it meets.
    pub meets: Meets,
}

impl Meeting {
    /// Whether it is a literal.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        matches!(self.at, Spot::Literal(_))
    }
}

/// How a literal or parameter meets a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meets {
    /// They are compared.
    Compared {
        /// The column.
        column: Expr,
        /// By `=`: NULL in its place finds nothing, like a value that no row has.
        equal: bool,
    },
    /// It is written to the column.
    Stored(Stored),
}

/// A column that is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The table.
    pub target: QualifiedName,
    /// The column; `None` if it may be any.
    pub place: Option<Place>,
    /// It goes over a value that was there.
    pub replaces: bool,
}

/// What is written to a column, other than literals, parameters and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The column.
    pub to: Stored,
    /// The value.
    pub value: Expr,
}

/// What is known of where values come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The columns of the result, once for each query of a set operation.
    pub arms: Vec<Vec<Output>>,
    /// Values that queries inside call something; `None` for a name that the server makes up.
    pub named: Vec<(Option<String>, Expr)>,
    /// What windows that have names depend on.
    pub windows: Vec<Expr>,
    /// What conditions, joins, orders and groups ask about, in whatever part of the statement.
    pub asked: Vec<Question<Vec<Expr>>>,
    /// Values that any query in the statement computes, whether or not they are shown: computing them may fail, or take long.
    pub computed: Vec<Question<Vec<Expr>>>,
    /// Literals and parameters that are compared with columns or written to them.
    pub meetings: Vec<Meeting>,
    /// What else is written to columns: what is computed or read, but not NULL and defaults.
    pub stores: Vec<Store>,
    /// Columns that become NULL, whatever was there.
    pub nulls: Vec<Stored>,
    /// Columns of a row that was to be inserted which are read otherwise than to write them to the same column.
    pub proposed: Vec<Stored>,
    /// Columns that are assigned to where rows are already, whatever to.
    pub replaced: Vec<Stored>,
    /// Parameters that stand elsewhere too than where they meet columns or are asked whether they are NULL.
    pub elsewhere: BTreeSet<u32>,
    /// Types to which parameters are cast before they are asked whether they are NULL.
    pub tested: BTreeSet<(u32, PgType)>,
    /// In each group, at least so many values of these columns are not NULL.
    pub counted: Vec<(String, u64)>,
    /// SELECTs, those inside too.
    pub selects: usize,
    /// Rows are sorted, grouped, joined or put into windows.
    pub keeps_rows: bool,
}

impl Lineage {
    /// What its parameters meet is not told.
    pub(crate) fn lose_parameters(&mut self) {
        let numbers = self.meetings.iter().filter_map(|meeting| match meeting.at {
            Spot::Parameter(number) => Some(number),
            Spot::Literal(_) => None,
        });
        self.elsewhere.extend(numbers);
    }
}
