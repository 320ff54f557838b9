//! Why a statement runs as it does, for people.

use std::collections::HashSet;
use std::fmt;

use veil_sql::Statement;
use veil_sql::lineage::{Expr, Meets, Output, Spot};

use crate::judge::{Refusal, Run, Untraced, judge};
use crate::labels::Labels;
use crate::lineage::{Columns, Flow};

/// What becomes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// It does not run.
    Refused(Refusal),
    /// It runs, and all of its result is shown.
    Shown,
    /// It runs, and these are the columns of its result.
    Columns(Vec<Outcome>),
    /// It runs; what the server does not trace to a column of a table is NULL.
    Closed,
}

/// What becomes of a column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is shown.
    Shown,
    /// It is masked by the rule of this name.
    Masked(String),
    /// It is NULL, because it is computed from these, or from what is not known.
    Null(Vec<String>),
    /// As many columns as the server makes of a star; each is shown or masked by itself.
    Star,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown => f.write_str("shown"),
            Self::Masked(rule) => write!(f, "masked by {rule}"),
            Self::Null(because) if because.is_empty() => f.write_str("NULL: not known"),
            Self::Null(because) => write!(f, "NULL: made from {}", because.join(", ")),
            Self::Star => f.write_str("*"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal { message, hint, .. }) => write!(f, "{message}. {hint}"),
            Self::Shown => f.write_str("runs; all columns are shown"),
            Self::Closed => f.write_str("runs; what cannot be followed to columns of tables is NULL"),
            Self::Columns(columns) if columns.is_empty() => f.write_str("runs; no columns"),
            Self::Columns(columns) => {
                f.write_str("runs; columns: ")?;
                for (at, column) in columns.iter().enumerate() {
                    write!(f, "{}{column}", if at > 0 { " | " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

/// What becomes of a statement, by its text.
///
/// What is said of a column that is one of a table may be too strict: in a result, the server says where it comes from.
#[must_use]
pub fn explain(statement: &Statement, labels: &Labels) -> Explanation {
    match judge(statement, labels) {
        Err(refusal) => Explanation::Refused(refusal),
        Ok(Run { untraced: Untraced::Show, .. }) => Explanation::Shown,
        Ok(Run { untraced: Untraced::Close, .. }) => Explanation::Closed,
        Ok(Run { untraced: Untraced::Follow, .. }) => {
            Columns::new(statement, labels).map_or(Explanation::Closed, |columns| columns.explained())
        }
    }
}

/// A literal or parameter that meets a masked column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Where it stands.
    pub at: Spot,
    /// Whether it is compared with the column, or written to it.
    pub how: How,
    /// The rule that masks the column.
    pub rule: String,
    /// It is taken for a mask.
    pub mask: bool,
}

/// How a literal or parameter meets a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They are compared.
    Compared,
    /// It is written to the column.
    Stored,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Spot::Literal(at) => write!(f, "the literal at byte {at}")?,
            Spot::Parameter(number) => write!(f, "parameter {number}")?,
        }
        let how = match self.how {
            How::Compared => "is compared with",
            How::Stored => "is written to",
        };
        write!(f, " {how} a column that {} masks", self.rule)?;
        f.write_str(if self.mask { ", and is taken for a mask" } else { "" })
    }
}

/// The literals and parameters of a statement that meet masked columns as they are.
#[must_use]
pub fn meetings(statement: &Statement, labels: &Labels) -> Vec<Met> {
    let Some(columns) = Columns::new(statement, labels) else { return Vec::new() };
    let translated = columns.translated();
    let met = columns.meetings().iter().filter_map(|meeting| {
        let rule = columns.met(&meeting.meets)?.rule.to_string();
        let how = match meeting.meets {
            Meets::Compared { .. } => How::Compared,
            Meets::Stored(_) => How::Stored,
        };
        Some(Met { at: meeting.at, how, rule, mask: translated.contains_key(&meeting.at) })
    });
    met.collect()
}

impl Flow {
    fn outcome(&self, because: Vec<String>) -> Outcome {
        match self {
            Self::Clean => Outcome::Shown,
            Self::Verbatim(label) => Outcome::Masked(label.rule.to_string()),
            Self::Closed => Outcome::Null(because),
        }
    }
}

impl Columns<'_> {
    fn explained(&self) -> Explanation {
        if let Some(flows) = self.all() {
            let at_place = |at| self.arms().iter().filter_map(move |arm| arm.get(at));
            let because = |at| at_place(at).flat_map(|output| self.because(output)).collect();
            let columns = flows.iter().enumerate().map(|(at, flow)| flow.outcome(because(at)));
            return Explanation::Columns(columns.collect());
        }
        let [arm] = self.arms() else { return Explanation::Closed };
        let columns = arm.iter().map(|output| match output {
            Output::Value(value) => self.value(value).outcome(self.because(output)),
            Output::Star | Output::Fields(_) => Outcome::Star,
        });
        Explanation::Columns(columns.collect())
    }

    /// The names that hold something labelled, or are not known, among those that a column is made of.
    fn because(&self, output: &Output) -> Vec<String> {
        let (Output::Value(value) | Output::Fields(value)) = output else { return Vec::new() };
        let mut names = Vec::new();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            match value {
                Expr::Column { of, name } if !matches!(self.value(value), Flow::Clean) => {
                    names.push(of.as_ref().map_or_else(|| name.clone(), |of| format!("{of}.{name}")));
                }
                Expr::Whole(of) if !matches!(self.value(value), Flow::Clean) => {
                    names.push(of.as_ref().map_or_else(|| "*".to_owned(), |of| format!("{of}.*")));
                }
                Expr::Nullness(inner) | Expr::Aggregate(inner)
                    if !matches!(self.value(value), Flow::Clean) =>
                {
                    stack.push(inner);
                }
                Expr::From(parts) => stack.extend(parts.iter().rev()),
                Expr::Chosen { among, by } => stack.extend(among.iter().chain(by).rev()),
                Expr::Column { .. }
                | Expr::Whole(_)
                | Expr::Nullness(_)
                | Expr::Aggregate(_)
                | Expr::Literal
                | Expr::Windows
                | Expr::Unknown => {}
            }
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}
