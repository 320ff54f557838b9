//! What a PostgreSQL statement does, as far as its text and the catalog can prove it.
//!
//! Decision: the text is parsed by PostgreSQL's own grammar, and only a closed list of node kinds is
//! understood; anything else makes the statement opaque. Collected is what a statement names (relations, functions,
//! operators), where what it writes comes from, and what its result columns are made of (`lineage`). Names are not
//! resolved; which column of a table a result column is, is the server's word.

pub mod analyse;
pub mod catalog;
pub mod effect;
pub mod functions;
mod like;
pub mod lineage;
pub mod mysql;
pub mod normal;
pub mod question;
pub mod statement;
pub mod system;

pub use analyse::{Analyser, SyntaxError};

pub use catalog::{Catalog, Relation, RelationKind};
pub use statement::{
    Alias, AliasSource, CopyOut, Facts, Field, Kind, Place, QualifiedName, Source, Statement, Write, Written,
};
