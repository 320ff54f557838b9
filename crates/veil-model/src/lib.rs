//! The nouns that every other crate speaks of. No behaviour beyond construction, no dependency on
//! sockets, clocks or files.
//!
//! Decision: what may hold a person's data is `Sensitive`, which cannot be printed, so that a log line
//! that would leak does not compile.

pub mod column;
pub mod pgtype;
pub mod sensitive;

pub use column::{Attribute, ColumnName};
pub use pgtype::{Format, PgType};
pub use sensitive::Sensitive;
