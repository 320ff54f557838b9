//! The nouns that every other crate speaks of. No behaviour beyond construction, no dependency on
//! sockets, clocks or files.
//!
//! Decision: a secret that is passed around is `Sensitive`, which cannot be printed, so that a log line that
//! would leak it does not compile. Cells are never copied out of the buffers in which they came.

pub mod calendar;
pub mod charset;
pub mod check;
pub mod column;
pub mod copy;
pub mod find;
pub mod mysqltype;
pub mod pgtype;
pub mod sensitive;

pub use charset::Charset;
pub use column::{Attribute, ColumnName};
pub use copy::CopyLayout;
pub use mysqltype::MySqlType;
pub use pgtype::{Format, PgType};
pub use sensitive::Sensitive;
