//! Tests that stand in a policy: what becomes of a column, a value or a statement for somebody.

use std::time::SystemTime;

use veil_mask::Cell;
use veil_model::{ColumnName, Format, PgType};

use crate::explain::{Explanation, Outcome};
use crate::rule::Policy;
use crate::who::{Principal, Rights};

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Line in the file.
    pub line: usize,
    /// For whom.
    pub principal: Principal,
    /// Who has these roles; if it is not said, what the catalog says.
    pub roles: Option<Vec<String>>,
    /// When; now if it is not said.
    pub at: Option<SystemTime>,
    /// The database, as clients name it.
    pub database: String,
    /// Of what, and what is expected of it.
    pub expected: Expected,
}

/// What is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A column is masked by a rule or function of this name, or `shown`.
    Column {
        /// Perhaps its schema, its table and its name.
        column: Vec<String>,
        /// What masks it.
        by: String,
    },
    /// A text in a column has this mask.
    Value {
        /// Perhaps its schema, its table and its name.
        column: Vec<String>,
        /// The text.
        value: String,
        /// The column's type.
        oid: u32,
        /// Its mask.
        mask: String,
    },
    /// A statement is refused.
    Refused {
        /// Its text.
        sql: String,
    },
    /// The columns of a statement's result are `shown`, `masked`, `null`, or masked by rules of these names.
    Columns {
        /// Its text.
        sql: String,
        /// Each, in order.
        columns: Vec<String>,
    },
}

impl Test {
    /// Which rules are for whom it is about.
    #[must_use]
    pub fn rights(&self, policy: &Policy, now: SystemTime) -> Rights {
        let rights = policy.rights(&self.principal, self.at.unwrap_or(now));
        match &self.roles {
            Some(roles) => policy.settled(&rights, Some(&|role| roles.iter().any(|own| own == role))),
            None => rights,
        }
    }

    /// What is wrong with what a policy does to a column or value; nothing for statements, which need a catalog.
    ///
    /// # Errors
    /// What was expected, and what is.
    pub fn check(&self, policy: &Policy, database: &str, mysql: bool, now: SystemTime) -> Result<(), String> {
        let (parts, value) = match &self.expected {
            Expected::Column { column, .. } => (column, None),
            Expected::Value { column, value, oid, mask } => (column, Some((value, *oid, mask))),
            Expected::Refused { .. } | Expected::Columns { .. } => return Ok(()),
        };
        let default = if mysql { database } else { "public" };
        let (schema, table, column) = match parts.as_slice() {
            [table, column] => (default, table, column),
            [schema, table, column] => (schema.as_str(), table, column),
            _ => return Err("a column is written TABLE.COLUMN or SCHEMA.TABLE.COLUMN".to_owned()),
        };
        let name = ColumnName { schema: schema.to_owned(), table: table.clone(), column: column.clone() };
        let rights = policy.settled(&self.rights(policy, now), None);
        let masking = if mysql {
            policy.mask_mysql(&rights, &name, true)
        } else {
            policy.mask(database, &rights, &name)
        };
        let (rule, function) = masking
            .as_ref()
            .map_or(("shown", "shown"), |masking| (&*masking.rule, masking.masker.strategy().name()));
        let place = parts.join(".");
        match (&self.expected, value) {
            (Expected::Column { by, .. }, _) if by == rule || by == function => Ok(()),
            (Expected::Column { by, .. }, _) if rule == "shown" => {
                Err(format!("{place} is shown to {}, and not masked by {by}", self.principal.user))
            }
            (Expected::Column { by, .. }, _) => {
                Err(format!("{place} is masked by rule {rule} ({function}), and not {by}"))
            }
            (_, Some((value, oid, expected))) => {
                let mut out = Vec::new();
                let ty = PgType { oid, modifier: -1 };
                let cell = masking
                    .map(|masking| masking.masker.column(ty).mask(Format::Text, value.as_bytes(), &mut out));
                match cell {
                    Some(Cell::Written) if out == expected.as_bytes() => Ok(()),
                    Some(Cell::Null) if expected == "NULL" => Ok(()),
                    Some(Cell::Null) => Err(format!("the value has no mask in {place}")),
                    Some(Cell::Written) => Err(format!("the value has another mask in {place}")),
                    None => Err(format!("{place} is shown to {}", self.principal.user)),
                }
            }
            (_, None) => Ok(()),
        }
    }

    /// The statement, if it is one that is tested.
    #[must_use]
    pub fn sql(&self) -> Option<&str> {
        match &self.expected {
            Expected::Refused { sql } | Expected::Columns { sql, .. } => Some(sql),
            Expected::Column { .. } | Expected::Value { .. } => None,
        }
    }

    /// What is wrong with what becomes of the statement.
    ///
    /// # Errors
    /// What was expected, and what is.
    pub fn check_statement(&self, explained: &Explanation) -> Result<(), String> {
        let wanted = match &self.expected {
            Expected::Refused { .. } => None,
            Expected::Columns { columns, .. } => Some(columns),
            Expected::Column { .. } | Expected::Value { .. } => return Ok(()),
        };
        let fits = |(wanted, outcome): (&String, &Outcome)| match outcome {
            Outcome::Shown => wanted == "shown",
            Outcome::Masked(rule) => wanted == "masked" || wanted == rule,
            Outcome::Null(_) => wanted == "null",
            Outcome::Star => wanted == "*",
        };
        let same = match (wanted, explained) {
            (None, Explanation::Refused(_)) => true,
            (Some(wanted), Explanation::Shown) => wanted.iter().all(|wanted| wanted == "shown"),
            (Some(wanted), Explanation::Columns(columns)) => {
                wanted.len() == columns.len() && wanted.iter().zip(columns).all(fits)
            }
            _ => false,
        };
        if same { Ok(()) } else { Err(explained.to_string()) }
    }
}
