//! Rules on a MySQL server, where database and schema are one: names of columns have no case, those of databases and tables as the server has it.

use std::sync::Arc;

use veil_model::ColumnName;

use super::{Armed, Masking, Policy, Rule, Scope, first_for_all, shown_by, shows_all};
use crate::glob::Case;
use crate::who::{Principal, Rights};

impl Policy {
    /// What is to be done about sessions of `principal`, where a statement may name any database.
    #[must_use]
    pub fn scope_mysql(&self, principal: &Principal) -> Scope {
        self.scope_where(principal, |_| true, |rule| rule.database.is_any())
    }

    /// The rule that shows a column for which there is another that masks it for others.
    pub(crate) fn unmasks_mysql(
        &self,
        rights: &Rights,
        column: &ColumnName,
        folds: bool,
    ) -> Option<Arc<str>> {
        let case = if folds { Case::Folded } else { Case::Kept };
        let others =
            || self.rules.iter().any(|armed| armed.masker.is_some() && is_on(&armed.rule, column, case));
        shown_by(&self.deciding_mysql(rights, column, folds)).filter(|_| others())
    }

    /// The rule that masks a column of a MySQL server. Database and schema are one there; names of columns
    /// have no case, those of databases and tables as the server has it.
    #[must_use]
    pub fn mask_mysql(&self, rights: &Rights, column: &ColumnName, folds: bool) -> Option<Masking> {
        let deciding = self.deciding_mysql(rights, column, folds);
        let lower = |name: &String| if folds { name.to_lowercase() } else { name.clone() };
        let named = ColumnName {
            schema: lower(&column.schema),
            table: lower(&column.table),
            column: column.column.to_lowercase(),
        };
        self.masking(&deciding, &named.schema, &named)
    }

    /// Whether a rule says that a column of a MySQL server is shown.
    #[must_use]
    pub fn shows_mysql(&self, rights: &Rights, column: &ColumnName, folds: bool) -> bool {
        shows_all(&self.deciding_mysql(rights, column, folds))
    }

    fn deciding_mysql<'a>(&'a self, rights: &'a Rights, column: &ColumnName, folds: bool) -> Vec<&'a Armed> {
        let case = if folds { Case::Folded } else { Case::Kept };
        first_for_all(self.in_force(rights).filter(|armed| is_on(&armed.rule, column, case)))
    }
}

/// Whether a rule is for a column of a MySQL server.
fn is_on(rule: &Rule, column: &ColumnName, case: Case) -> bool {
    rule.column.fits(&column.column, Case::Folded)
        && rule.table.fits(&column.table, case)
        && rule.database.fits(&column.schema, case)
        && rule.schema.fits(&column.schema, case)
}
