//! What a MySQL or MariaDB statement does, as far as its text and the catalog can prove it.
//!
//! Decision: the text is cut into tokens here, by the server's own rules for quotes, comments and the session's
//! `sql_mode`, and only the tokens are given to a parser of grammar (sqlparser). So there is one opinion on where a
//! string or a comment ends. Comments that the server runs are written out before the text is sent. Statements that
//! are not queries or changes of rows are told apart by their first words; of those, only listed forms are understood.

pub mod analyse;
mod asked;
pub mod catalog;
mod define;
mod facts;
pub mod functions;
mod head;
mod known;
pub mod lexer;
mod lower;
mod met;
mod places;
pub mod query;
pub mod statement;
pub mod system;
mod write;

pub use analyse::Analysis;
pub use catalog::{Catalog, Table, TableKind};
pub use lexer::Mode;
pub use query::Query;
pub use statement::{Definition, Facts, Function, Kind, Named, Show, Source, Statement, TableName, Write};

#[cfg(test)]
mod tests;
