//! What a PostgreSQL statement does, as far as its text and the catalog can prove it.
//!
//! Decision: the text is parsed by PostgreSQL's own grammar, and only a closed list of node kinds is
//! understood; anything else makes the statement opaque. This is the coarse analysis: it collects what a
//! statement names (relations, functions, operators) and where what it writes comes from. It does not
//! resolve names or follow columns; where a column of a result comes from is the server's word.

pub mod analyse;
pub mod catalog;
pub mod functions;
pub mod lineage;
pub mod mysql;
pub mod statement;
pub mod system;

pub use analyse::{Analyser, SyntaxError};

pub use catalog::{Catalog, Relation, RelationKind};
pub use statement::{Alias, AliasSource, Facts, Field, Kind, QualifiedName, Source, Statement, Write};
