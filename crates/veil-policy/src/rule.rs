//! The ordered list of rules: the first that matches a column and a user decides.

mod mysql;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use veil_detect::{Care, Entity, Finder};
use veil_mask::{Masker, RootKey, Shown, Strategy};
use veil_model::ColumnName;
use veil_model::find::Find;

use crate::beside::{Cases, When};
use crate::glob::Glob;
use crate::protection::{Predicates, ProtectionMode, Writes};
use crate::who::{Day, Facts, Holds, InForce, Principal, Rights, Who};

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
    /// Line in the file; 0 if it stands in none.
    pub line: usize,
    /// Database, by its name on the server.
    pub database: Glob,
    /// Schema.
    pub schema: Glob,
    /// Table or view.
    pub table: Glob,
    /// Column.
    pub column: Glob,
    /// Whom it is for.
    pub who: Who,
    /// The last day on which it holds.
    pub until: Option<Day>,
    /// What kind of data it is for: those of one class have masks of their own.
    pub class: String,
    /// Where equal values have equal masks.
    pub scope: KeyScope,
    /// Sums and means over groups of at least so many rows are shown.
    pub min_group: Option<u64>,
    /// Rows that it is for.
    pub when: Option<When>,
    /// How values are taken that clients write; as the protection says if it does not.
    pub writes: Option<Writes>,
    /// What it does.
    pub action: Action,
}

/// Where equal values have equal masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyScope {
    /// Everywhere.
    #[default]
    Global,
    /// In one database.
    Database,
    /// In one column.
    Column,
}

impl Rule {
    /// One for all columns and users.
    #[must_use]
    pub fn new(name: String, action: Action) -> Self {
        Self {
            name,
            line: 0,
            database: Glob::any(),
            schema: Glob::any(),
            table: Glob::any(),
            column: Glob::any(),
            who: Who::default(),
            until: None,
            class: String::new(),
            scope: KeyScope::Global,
            min_group: None,
            when: None,
            writes: None,
            action,
        }
    }

    /// Whether it holds for a session.
    fn holds(&self, facts: Facts<'_>) -> Holds {
        let over = match (self.until, facts.now) {
            (Some(until), Some(now)) if until.is_over(now) => return Holds::No,
            (Some(_), None) => Holds::Perhaps,
            (None, _) | (Some(_), Some(_)) => Holds::Yes,
        };
        self.who.holds(facts).min(over)
    }

    /// Whether a rule that comes behind this one is never reached.
    #[must_use]
    pub fn hides(&self, other: &Self) -> bool {
        self.until.is_none()
            && self.when.is_none()
            && (self.who == Who::default() || self.who == other.who)
            && self.database.covers(&other.database)
            && self.schema.covers(&other.schema)
            && self.table.covers(&other.table)
            && self.column.covers(&other.column)
    }

    fn covers_everything(&self) -> bool {
        self.schema.is_any() && self.table.is_any() && self.column.is_any() && self.when.is_none()
    }

    /// What its masks' keys depend on besides its function.
    fn key_scope(&self, database: &str, column: &ColumnName) -> String {
        let ColumnName { schema, table, column } = column;
        let class = &self.class;
        match self.scope {
            KeyScope::Global if !self.has_own_coins() => class.clone(),
            KeyScope::Database if !self.has_own_coins() => format!("{class}\0{database}"),
            KeyScope::Global | KeyScope::Database | KeyScope::Column => {
                format!("{class}\0{database}\0{schema}\0{table}\0{column}")
            }
        }
    }

    /// Two columns with one coin would show where it has not answered.
    fn has_own_coins(&self) -> bool {
        matches!(&self.action, Action::Mask(strategy) if strategy.name() == "boolean")
    }
}

/// A rule with its masking function under the key.
struct Armed {
    rule: Rule,
    name: Arc<str>,
    /// With the keys of its class.
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
    /// How values are taken that clients write.
    pub writes: Writes,
    /// Rules that are for some rows only.
    pub cases: Option<Arc<Cases>>,
}

impl Masking {
    /// Whether it masks the column in rows of every kind.
    #[must_use]
    pub fn masks_all_rows(&self) -> bool {
        self.cases.as_ref().is_none_or(|cases| cases.otherwise.is_some())
    }
}

/// Masks that are remembered after they were shown.
const SHOWN_MAX: usize = 1 << 18;

/// How many policies there have been.
static POLICIES: AtomicU64 = AtomicU64::new(0);

/// The rules, ready for use.
pub struct Policy {
    /// Its own.
    number: u64,
    rules: Vec<Armed>,
    key: RootKey,
    shown: Arc<Shown>,
    trusted: Vec<String>,
    mode: ProtectionMode,
    /// Finds what is personal in columns on which there is no rule.
    scan: Option<Arc<dyn Find>>,
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
        Self::with_shown(rules, trusted, key, Arc::new(Shown::new(SHOWN_MAX)))
    }

    /// The same, which knows the masks that another policy has shown.
    #[must_use]
    pub fn after(before: &Self, rules: Vec<Rule>, trusted: Vec<String>, key: &RootKey) -> Self {
        Self::with_shown(rules, trusted, key, Arc::clone(&before.shown))
    }

    fn with_shown(rules: Vec<Rule>, trusted: Vec<String>, key: &RootKey, shown: Arc<Shown>) -> Self {
        let arm = |rule: Rule| Armed {
            name: rule.name.as_str().into(),
            masker: match &rule.action {
                Action::Mask(strategy) => {
                    Some(Arc::new(Masker::remembering(key, strategy, &rule.class, &shown)))
                }
                Action::Unmask(_) => None,
            },
            rule,
        };
        Self {
            number: POLICIES.fetch_add(1, Ordering::Relaxed),
            rules: rules.into_iter().map(arm).collect(),
            key: key.clone(),
            shown,
            trusted,
            mode: ProtectionMode::default(),
            scan: None,
        }
    }

    /// The same policy in another mode.
    #[must_use]
    pub fn with_mode(self, mode: ProtectionMode) -> Self {
        Self { mode, ..self }
    }

    /// The same policy, which looks into columns on which there is no rule.
    #[must_use]
    pub fn scanning(self) -> Self {
        let finder = Finder::new(Entity::CERTAIN, Care::Likely);
        Self { scan: Some(Arc::new(finder)), ..self }
    }

    /// Whether clients may ask questions about masked columns.
    #[must_use]
    pub const fn predicates(&self) -> Predicates {
        self.mode.predicates
    }

    /// Whether nothing is changed, and what would be is said.
    #[must_use]
    pub const fn observes(&self) -> bool {
        self.mode.observes
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
        self.scan.is_some() || self.rules.iter().any(|armed| armed.masker.is_some())
    }

    /// What is to be done about sessions of `principal` in `database`, whatever time it is.
    #[must_use]
    pub fn scope(&self, database: &str, principal: &Principal) -> Scope {
        self.scope_where(principal, |rule| rule.database.matches(database), |_| true)
    }

    fn scope_where(
        &self,
        principal: &Principal,
        concerns: impl Fn(&Rule) -> bool,
        covers: impl Fn(&Rule) -> bool,
    ) -> Scope {
        let facts = Facts { principal, now: None, member: None };
        for armed in self.rules.iter().filter(|armed| concerns(&armed.rule)) {
            match (&armed.masker, armed.rule.holds(facts)) {
                (_, Holds::No) => {}
                (Some(_), Holds::Perhaps | Holds::Yes) => return Scope::Guarded,
                (None, Holds::Yes) if armed.rule.covers_everything() && covers(&armed.rule) => {
                    return Scope::Exempt;
                }
                (None, Holds::Perhaps | Holds::Yes) => {}
            }
        }
        if self.scan.is_some() { Scope::Guarded } else { Scope::Unprotected }
    }

    /// Which rules are for sessions of `principal` at a time.
    #[must_use]
    pub fn rights(&self, principal: &Principal, now: SystemTime) -> Rights {
        let facts = Facts { principal, now: Some(now), member: None };
        let in_force = |armed: &Armed| {
            InForce::new(&armed.rule.who, armed.rule.holds(facts), facts, armed.masker.is_some())
        };
        let rules: Arc<[InForce]> = self.rules.iter().map(in_force).collect();
        let by_role = rules.iter().any(|in_force| matches!(in_force, InForce::ByRole { .. }));
        let user = if by_role { principal.upstream.as_str().into() } else { "".into() };
        Rights { policy: self.number, user, rules }
    }

    /// Whether rights change with time.
    #[must_use]
    pub fn rights_may_change(&self) -> bool {
        self.rules.iter().any(|armed| armed.rule.until.is_some() || armed.rule.who.may_change())
    }

    /// The same, with what is known of roles; where that is nothing, rules mask and do not unmask.
    #[must_use]
    pub fn settled(&self, rights: &Rights, member: Option<&dyn Fn(&str) -> bool>) -> Rights {
        let settled = |(armed, in_force): (&Armed, &InForce)| match (in_force, member) {
            (InForce::ByRole { one, none }, Some(member)) => {
                let has = |roles: &[String]| roles.iter().any(|role| member(role));
                if (one.is_empty() || has(one)) && !has(none) { InForce::Yes } else { InForce::No }
            }
            (InForce::ByRole { .. }, None) if armed.masker.is_some() => InForce::Yes,
            (InForce::ByRole { .. }, None) => InForce::No,
            (known, _) => known.clone(),
        };
        let rules = self.rules.iter().zip(rights.rules.iter()).map(settled).collect();
        Rights { policy: rights.policy, user: Arc::clone(&rights.user), rules }
    }

    /// What finds personal data in columns on which there is no rule, in `database` if there is but one, unless a rule shows everything.
    pub(crate) fn scan(&self, database: Option<&str>, rights: &Rights) -> Option<&Arc<dyn Find>> {
        let covers = |rule: &Rule| match database {
            Some(database) => rule.database.matches(database),
            None => rule.database.is_any(),
        };
        let exempt =
            |armed: &Armed| armed.masker.is_none() && armed.rule.covers_everything() && covers(&armed.rule);
        self.scan.as_ref().filter(|_| !self.in_force(rights).any(exempt))
    }

    /// Whether no rule masks anything for a session with these rights, in `database` if there is but one.
    pub(crate) fn masks_nothing(&self, database: Option<&str>, rights: &Rights) -> bool {
        let here = |rule: &Rule| database.is_none_or(|database| rule.database.matches(database));
        !self.in_force(rights).any(|armed| armed.masker.is_some() && here(&armed.rule))
    }

    /// Whether users vouch for a function, by its name with or without schema.
    #[must_use]
    pub fn trusts(&self, schema: Option<&str>, name: &str) -> bool {
        let full = schema.map(|schema| format!("{schema}.{name}"));
        self.trusted.iter().any(|trusted| trusted == name || Some(trusted) == full.as_ref())
    }

    /// What masks `column` for a session with these rights.
    #[must_use]
    pub fn mask(&self, database: &str, rights: &Rights, column: &ColumnName) -> Option<Masking> {
        self.masking(&self.deciding(database, rights, column), database, column)
    }

    /// Whether a rule says that a column is shown.
    #[must_use]
    pub fn shows(&self, database: &str, rights: &Rights, column: &ColumnName) -> bool {
        shows_all(&self.deciding(database, rights, column))
    }

    /// The rule that shows a column for which there is another that masks it for others.
    pub(crate) fn unmasks(&self, database: &str, rights: &Rights, column: &ColumnName) -> Option<Arc<str>> {
        let others = || {
            let fits = |rule: &Rule| {
                rule.database.matches(database)
                    && rule.column.matches(&column.column)
                    && rule.table.matches(&column.table)
                    && rule.schema.matches(&column.schema)
            };
            self.rules.iter().any(|armed| armed.masker.is_some() && fits(&armed.rule))
        };
        shown_by(&self.deciding(database, rights, column)).filter(|_| others())
    }

    /// The rules on a column, up to the first that is for all rows.
    fn deciding<'a>(&'a self, database: &str, rights: &'a Rights, column: &ColumnName) -> Vec<&'a Armed> {
        first_for_all(self.in_force(rights).filter(|armed| {
            armed.rule.database.matches(database)
                && armed.rule.column.matches(&column.column)
                && armed.rule.table.matches(&column.table)
                && armed.rule.schema.matches(&column.schema)
        }))
    }

    /// Whether a column may be masked, of a table whose schema is not known.
    #[must_use]
    pub fn may_mask(&self, database: &str, rights: &Rights, table: &str, column: &str) -> bool {
        let mut rules = self.in_force(rights).filter(|armed| {
            let rule = &armed.rule;
            rule.database.matches(database) && rule.column.matches(column) && rule.table.matches(table)
        });
        let decides = |armed: &&Armed| {
            armed.masker.is_some() || (armed.rule.schema.is_any() && armed.rule.when.is_none())
        };
        rules.find(decides).is_some_and(|armed| armed.masker.is_some())
    }

    /// Whether some column of a table may be masked, whatever its columns are.
    #[must_use]
    pub fn may_mask_some(&self, database: &str, rights: &Rights, table: &str) -> bool {
        self.in_force(rights).any(|armed| {
            let rule = &armed.rule;
            armed.masker.is_some() && rule.database.matches(database) && rule.table.matches(table)
        })
    }

    fn in_force<'a>(&'a self, rights: &'a Rights) -> impl Iterator<Item = &'a Armed> {
        let rules = self.rules.iter().zip(rights.rules.iter());
        rules.filter(|(_, in_force)| **in_force == InForce::Yes).map(|(armed, _)| armed)
    }

    /// What these rules do together: the first that masks counts where it cannot be told which is for a row.
    fn masking(&self, deciding: &[&Armed], database: &str, column: &ColumnName) -> Option<Masking> {
        let masker = |armed: &Armed| self.masker(armed, database, column);
        let first = deciding.iter().find(|armed| armed.masker.is_some())?;
        let each = deciding.iter().filter_map(|armed| Some((armed.rule.when.clone()?, masker(armed))));
        let each: Vec<_> = each.collect();
        let last = deciding.last().filter(|armed| armed.rule.when.is_none());
        let otherwise = last.and_then(|armed| masker(armed));
        let cases = (!each.is_empty()).then(|| Arc::new(Cases { each, otherwise }));
        let writes = first.rule.writes.unwrap_or(self.mode.writes);
        let (rule, min_group) = (Arc::clone(&first.name), first.rule.min_group);
        Some(Masking { rule, masker: masker(first)?, min_group, writes, cases })
    }

    fn masker(&self, armed: &Armed, database: &str, column: &ColumnName) -> Option<Arc<Masker>> {
        let (Action::Mask(strategy), Some(masker)) = (&armed.rule.action, &armed.masker) else { return None };
        Some(match armed.rule.scope {
            KeyScope::Global if !armed.rule.has_own_coins() => Arc::clone(masker),
            KeyScope::Global | KeyScope::Database | KeyScope::Column => {
                let scope = armed.rule.key_scope(database, column);
                Arc::new(Masker::remembering(&self.key, strategy, &scope, &self.shown))
            }
        })
    }
}

/// Rules up to the first that is for all rows.
fn first_for_all<'a>(rules: impl Iterator<Item = &'a Armed>) -> Vec<&'a Armed> {
    let mut found = Vec::new();
    for armed in rules {
        found.push(armed);
        if armed.rule.when.is_none() {
            break;
        }
    }
    found
}

/// The rule by which a column is shown, if it is by one.
fn shown_by(deciding: &[&Armed]) -> Option<Arc<str>> {
    let first = deciding.first().filter(|_| shows_all(deciding))?;
    Some(Arc::clone(&first.name))
}

/// Whether rules say that a column is shown, whatever the row is.
fn shows_all(deciding: &[&Armed]) -> bool {
    let mut rules = deciding.iter();
    rules.all(|armed| armed.masker.is_none()) && deciding.last().is_some_and(|last| last.rule.when.is_none())
}
