//! Labels, verdicts and plans for MySQL and MariaDB: the same seam as for PostgreSQL, over another catalog.
//!
//! Decision: what a column definition says of a column's origin can be made up by naming a derived table like another,
//! so it never clears. It may label what the text did not show; and a column that is one of a table is shown
//! only where the definition says the same. What is computed goes by the text alone (`lineage`).

mod asked;
mod explain;
pub mod judge;
pub mod labels;
mod lineage;
pub mod plan;
mod translate;

pub use explain::explain;
pub use judge::judge;
pub use labels::Labels;
pub use plan::{Context, Plan};

#[cfg(test)]
mod tests;
