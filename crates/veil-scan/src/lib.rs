//! Looks for personal data in a database: reads what its catalog says of tables and columns, takes some rows of each, and has the detector tell what they are.
//!
//! Decision: a scan is a guest. It reads in transactions that cannot write, with a timeout for each statement and for each lock, a few pages of a large table and never a
//! sorted one; what cannot be read is told of and left. Values stay in memory until they are told, and leave it as patterns only.

mod hidden;
mod rules;
mod sample;
mod scan;
mod session;
mod tables;

pub use rules::rule;
pub use scan::{ColumnFinding, Options, Progress, Report, TableReport, scan};
pub use session::{Error, Session};
pub use tables::{TableKind, TableName};
