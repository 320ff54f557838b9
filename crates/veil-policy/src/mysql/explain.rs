//! Why a statement runs as it does, for people.

use veil_sql::mysql::Statement;

use super::judge;
use super::labels::Labels;
use super::lineage::{Flow, Output, Outputs, explained};
use crate::explain::{Explanation, Outcome};
use crate::judge::Untraced;

/// What becomes of a statement in a session whose database is `database`, by its text.
#[must_use]
pub fn explain(statement: &Statement, labels: &Labels, database: Option<&str>) -> Explanation {
    let run = match judge(statement, labels, database) {
        Err(refusal) => return Explanation::Refused(refusal),
        Ok(run) => run,
    };
    match (run.untraced, &statement.result) {
        (Untraced::Show, _) => Explanation::Shown,
        (Untraced::Follow, Some(query)) => match explained(query, labels, database) {
            Some(Outputs::Each { columns, .. }) => {
                Explanation::Columns(columns.iter().map(outcome).collect())
            }
            Some(Outputs::Merged(_)) => Explanation::Columns(vec![Outcome::Star]),
            None => Explanation::Closed,
        },
        (Untraced::Follow, None) | (Untraced::Close, _) => Explanation::Closed,
    }
}

fn outcome(column: &Output<'_>) -> Outcome {
    match &column.flow {
        Flow::Clean => Outcome::Shown,
        Flow::Verbatim { label, .. } => Outcome::Masked(label.rule.to_string()),
        Flow::Closed => Outcome::Null(column.because.clone()),
    }
}
