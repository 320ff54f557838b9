//! Where a value comes from: a column of a relation, by number as the server says it and by name as
//! people write it in rules.

use std::fmt;

/// A column as a PostgreSQL row description names it: relation OID and attribute number.
///
/// `attnum` 0 is not a column (an expression, or a whole row) and never makes an `Attribute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attribute {
    /// OID of the table, view or other relation.
    pub relation: u32,
    /// Attribute number, from 1; negative for system columns.
    pub attnum: i16,
}

/// A column by its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnName {
    /// Schema, as `public`.
    pub schema: String,
    /// Table or view.
    pub table: String,
    /// Column.
    pub column: String,
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.schema, self.table, self.column)
    }
}
