//! The ordered list of rules: the first that matches a column and a user decides.

use std::sync::Arc;

use veil_mask::{Masker, RootKey, Strategy};
use veil_model::ColumnName;

use crate::glob::{Case, Glob};

/// What happens to a column that a rule matches.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Its values are masked.
    Mask(Strategy),
    /// Its values are shown, for this reason.
    Unmask(String),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The reason shown everywhere.
    pub name: String,
    /// Database, by its name on the server.
    pub database: Glob,
    /// Schema.
    pub schema: Glob,
    /// Table or view.
    pub table: Glob,
    /// Column.
    pub column: Glob,
    /// Users that it is for; all if empty.
    pub users: Vec<String>,
    /// Sums and means over groups of at least so many rows are shown.
    pub min_group: Option<u64>,
    /// What it does.
    pub action: Action,
}

impl Rule {
    fn concerns(&self, database: &str, user: &str) -> bool {
        self.database.matches(database) && self.is_for(user)
    }

    fn is_for(&self, user: &str) -> bool {
        self.users.is_empty() || self.users.iter().any(|u| u == user)
    }

    fn covers_everything(&self) -> bool {
        self.schema.is_any() && self.table.is_any() && self.column.is_any()
    }
}

/// A rule with its masking function under the key.
struct Armed {
    rule: Rule,
    name: Arc<str>,
    masker: Option<Arc<Masker>>,
}

/// What a rule does to a column.
#[derive(Clone)]
pub struct Masking {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Its function.
    pub masker: Arc<Masker>,
    /// Sums and means over groups of at least so many rows are shown.
    pub min_group: Option<u64>,
}

impl Armed {
    fn masking(&self) -> Option<Masking> {
        let (rule, masker) = (Arc::clone(&self.name), self.masker.clone()?);
        Some(Masking { rule, masker, min_group: self.rule.min_group })
    }
}

/// Whether clients may ask questions about masked columns: conditions, joins and orders over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Predicates {
    /// They may, and learn which rows answer.
    Allow,
    /// They may ask so many in an hour, of constants only; it is logged.
    #[default]
    Audit,
    /// Such statements are refused.
    Deny,
}

/// What clients may do with masked columns besides to look at them; each mode of the configuration stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectionMode {
    /// Whether they may ask questions about them.
    pub predicates: Predicates,
    /// How many in an hour, where they are counted.
    pub budget: u32,
    /// Functions that are not known may run together with masked columns, and what they return is NULL.
    pub unknown_functions: bool,
}

impl Default for ProtectionMode {
    fn default() -> Self {
        Self { predicates: Predicates::default(), budget: 100, unknown_functions: false }
    }
}

/// The rules, ready for use.
pub struct Policy {
    rules: Vec<Armed>,
    trusted: Vec<String>,
    mode: ProtectionMode,
}

/// What a policy has to say about one user in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// No rule masks anything there.
    Unprotected,
    /// A rule shows this user everything.
    Exempt,
    /// Statements are analysed.
    Guarded,
}

impl Policy {
    /// Binds `rules` to the key. `trusted` are functions that the users vouch for.
    #[must_use]
    pub fn new(rules: Vec<Rule>, trusted: Vec<String>, key: &RootKey) -> Self {
        let arm = |rule: Rule| Armed {
            name: rule.name.as_str().into(),
            masker: match &rule.action {
                Action::Mask(strategy) => Some(Arc::new(Masker::new(key, strategy))),
                Action::Unmask(_) => None,
            },
            rule,
        };
        Self { rules: rules.into_iter().map(arm).collect(), trusted, mode: ProtectionMode::default() }
    }

    /// The same policy in another mode.
    #[must_use]
    pub fn with_mode(self, mode: ProtectionMode) -> Self {
        Self { mode, ..self }
    }

    /// Whether clients may ask questions about masked columns.
    #[must_use]
    pub const fn predicates(&self) -> Predicates {
        self.mode.predicates
    }

    /// Whether functions that are not known may run together with masked columns.
    #[must_use]
    pub const fn unknown_functions(&self) -> bool {
        self.mode.unknown_functions
    }

    /// How many questions a user may ask in an hour, where they are counted.
    #[must_use]
    pub const fn budget(&self) -> u32 {
        self.mode.budget
    }

    /// Whether anything is masked at all, for anybody.
    #[must_use]
    pub fn masks_anything(&self) -> bool {
        self.rules.iter().any(|armed| armed.masker.is_some())
    }

    /// What is to be done about sessions of `user` in `database`.
    #[must_use]
    pub fn scope(&self, database: &str, user: &str) -> Scope {
        for armed in self.rules.iter().filter(|armed| armed.rule.concerns(database, user)) {
            match armed.masker {
                Some(_) => return Scope::Guarded,
                None if armed.rule.covers_everything() => return Scope::Exempt,
                None => {}
            }
        }
        Scope::Unprotected
    }

    /// Whether users vouch for a function, by its name with or without schema.
    #[must_use]
    pub fn trusts(&self, schema: Option<&str>, name: &str) -> bool {
        let full = schema.map(|schema| format!("{schema}.{name}"));
        self.trusted.iter().any(|trusted| trusted == name || Some(trusted) == full.as_ref())
    }

    /// What masks `column` for `user`.
    #[must_use]
    pub fn mask(&self, database: &str, user: &str, column: &ColumnName) -> Option<Masking> {
        let first = self.rules.iter().find(|armed| {
            armed.rule.concerns(database, user)
                && armed.rule.column.matches(&column.column)
                && armed.rule.table.matches(&column.table)
                && armed.rule.schema.matches(&column.schema)
        })?;
        first.masking()
    }

    /// Whether a column may be masked for `user`, of a table whose schema is not known.
    #[must_use]
    pub fn may_mask(&self, database: &str, user: &str, table: &str, column: &str) -> bool {
        let mut rules = self.rules.iter().filter(|armed| {
            let rule = &armed.rule;
            rule.concerns(database, user) && rule.column.matches(column) && rule.table.matches(table)
        });
        rules
            .find(|armed| armed.masker.is_some() || armed.rule.schema.is_any())
            .is_some_and(|armed| armed.masker.is_some())
    }

    /// What is to be done about sessions of `user` on a MySQL server, in which a statement may name any database.
    #[must_use]
    pub fn scope_mysql(&self, user: &str) -> Scope {
        for armed in self.rules.iter().filter(|armed| armed.rule.is_for(user)) {
            match armed.masker {
                Some(_) => return Scope::Guarded,
                None if armed.rule.covers_everything() && armed.rule.database.is_any() => {
                    return Scope::Exempt;
                }
                None => {}
            }
        }
        Scope::Unprotected
    }

    /// The rule that masks a column of a MySQL server for `user`. Database and schema are one there; names of columns
    /// have no case, those of databases and tables as the server has it.
    #[must_use]
    pub fn mask_mysql(&self, user: &str, column: &ColumnName, folds: bool) -> Option<Masking> {
        let case = if folds { Case::Folded } else { Case::Kept };
        let first = self.rules.iter().find(|armed| {
            let rule = &armed.rule;
            rule.is_for(user)
                && rule.column.fits(&column.column, Case::Folded)
                && rule.table.fits(&column.table, case)
                && rule.database.fits(&column.schema, case)
                && rule.schema.fits(&column.schema, case)
        })?;
        first.masking()
    }
}
