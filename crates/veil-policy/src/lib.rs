//! From what people write to what is done with each cell: configuration, rules, labels on columns, verdicts on
//! statements, plans for results.
//!
//! Decision: a policy is immutable. Labels are a policy laid over one catalog for one principal; verdicts and
//! plans are computed from labels alone, so that a statement is never judged by halves of two policies.

pub mod beside;
pub mod config;
mod copy;
pub mod expect;
pub mod explain;
pub mod glob;
pub mod judge;
mod label;
pub mod labels;
mod lineage;
mod masked;
pub mod mysql;
pub mod plan;
pub mod protection;
pub mod question;
pub mod rule;
pub mod translate;
mod verdicts;
pub mod who;
mod yaml;

pub use config::Config;
pub use copy::CopyPlan;
pub use judge::{Refusal, Run, Untraced, judge};
pub use labels::{Fate, Label, Labels};
pub use masked::MaskedColumn;
pub use plan::Plan;
pub use protection::{Predicates, ProtectionMode, Writes};
pub use rule::{Action, Policy, Rule};
pub use translate::Translation;
pub use verdicts::{Judged, Verdict, Would};
