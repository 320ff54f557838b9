//! A policy laid over a catalog for one user.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use veil_mask::{ColumnMask, Scan};
use veil_model::find::Find;
use veil_model::{ColumnName, MySqlType};
use veil_sql::mysql::catalog::is_system;
use veil_sql::mysql::{Catalog, Facts, Kind, Statement, Table, TableKind, TableName, system};
use veil_sql::{Place, QualifiedName};

use super::judge;
use super::lineage::{self, Flow, perhaps_same};
use super::translate::translation;
use crate::labels::{Fate, Label, Standing};
use crate::masked::{MaskedColumn, Unmasked};
use crate::rule::Policy;
use crate::verdicts::{Judged, Verdict, Verdicts};
use crate::who::Rights;

/// Views over views deeper than this are closed.
const VIEW_DEPTH_MAX: usize = 32;

/// Labels of one catalog for one user.
pub struct Labels {
    catalog: Arc<Catalog>,
    policy: Arc<Policy>,
    rights: Rights,
    tables: HashMap<(String, String), TableLabels>,
    /// What the columns of views that are not clean hold, in order.
    views: HashMap<(String, String), Vec<Flow>>,
    unmasked: Unmasked,
    /// Finds what is personal in columns on which there is no rule.
    scan: Option<Arc<dyn Find>>,
    /// No rule masks anything.
    masks_nothing: bool,
    /// Some column's values can be named by their masks.
    translates: bool,
    /// The server counts up a column that is labelled.
    counts: bool,
    verdicts: Verdicts<Statement, Option<Arc<str>>>,
}

#[derive(Clone, Default)]
struct TableLabels {
    clean: bool,
    /// By the column's name in lower case.
    columns: HashMap<String, Label>,
    /// Those that a rule shows, where the others are looked into.
    vouched: HashSet<String>,
}

impl Labels {
    /// Lays `policy` over `catalog` for sessions with these rights.
    #[must_use]
    pub fn new(policy: Arc<Policy>, catalog: Arc<Catalog>, rights: &Rights) -> Self {
        let roles = catalog.roles();
        let has = |role: &str| roles.is_some_and(|roles| roles.contains(role));
        let rights = policy.settled(rights, roles.is_some().then_some(&has as &dyn Fn(&str) -> bool));
        let scan = policy.scan(None, &rights).cloned();
        let mut labels = Self {
            catalog: Arc::clone(&catalog),
            masks_nothing: policy.masks_nothing(None, &rights),
            policy,
            rights,
            scan,
            tables: HashMap::new(),
            views: HashMap::new(),
            unmasked: Unmasked::default(),
            translates: false,
            counts: false,
            verdicts: Verdicts::default(),
        };
        for table in catalog.tables() {
            let columns = table.columns.iter().filter_map(|column| {
                let label = labels.rule(&table.database, &table.name, &column.name)?;
                Some((column.name.to_lowercase(), label.among(column.words().as_ref())))
            });
            let columns = columns.collect();
            let vouched = labels.vouched(table);
            labels.tables.insert(key(table), TableLabels { clean: false, columns, vouched });
            labels.note_unmasked(table);
        }
        while labels.refer() {}
        for table in catalog.tables() {
            labels.settle(table, 0);
        }
        labels.follow_views();
        let translates = |table: &Table| {
            let known = labels.tables.get(&key(table));
            table.columns.iter().any(|column| {
                let label = known.and_then(|known| known.columns.get(&column.name.to_lowercase()));
                let mask = label.and_then(|label| label.masker.declared(&column.column_type));
                mask.is_some_and(|mask| mask.translates())
            })
        };
        labels.translates = catalog.tables().any(translates);
        let counts = |table: &Table| {
            let mut counted = table.columns.iter().filter(|column| column.counted);
            counted.any(|column| !labels.flow(table, &column.name).is_clean())
        };
        labels.counts = catalog.tables().any(counts);
        labels
    }

    /// The columns that a rule shows, where the others are looked into.
    fn vouched(&self, table: &Table) -> HashSet<String> {
        let names = table.columns.iter().filter(|_| self.scan.is_some()).map(|column| ColumnName {
            schema: table.database.clone(),
            table: table.name.clone(),
            column: column.name.clone(),
        });
        let shown = names.filter(|name| self.policy.shows_mysql(&self.rights, name, self.catalog.folds()));
        shown.map(|name| name.column.to_lowercase()).collect()
    }

    /// Whether no rule masks anything, so that nothing has to be judged.
    pub(super) const fn masks_nothing(&self) -> bool {
        self.masks_nothing
    }

    /// What looks into texts that no rule is on.
    #[must_use]
    pub fn scan(&self) -> Option<Scan> {
        self.scan.as_ref().map(Scan::of_texts)
    }

    /// What looks into the cells of a type that are shown.
    pub(super) fn scan_of(&self, ty: &MySqlType<'_>) -> Option<Scan> {
        Scan::mysql_column(self.scan.as_ref()?, ty)
    }

    /// Whether a rule says that a column is shown.
    pub(super) fn vouches(&self, database: &str, table: &str, column: &str) -> bool {
        let known = self.catalog.table(database, table).and_then(|table| self.tables.get(&key(table)));
        self.scan.is_some() && known.is_some_and(|known| known.vouched.contains(&column.to_lowercase()))
    }

    fn note_unmasked(&mut self, table: &Table) {
        for column in &table.columns {
            let name = ColumnName {
                schema: table.database.clone(),
                table: table.name.clone(),
                column: column.name.clone(),
            };
            if let Some(rule) = self.policy.unmasks_mysql(&self.rights, &name, self.catalog.folds()) {
                self.unmasked.add(&table.name, &column.name, rule);
            }
        }
    }

    /// The columns that a statement with this text may show because a rule shows them to this user only.
    #[must_use]
    pub fn unmasked(&self, statement: &Statement, text: &str) -> Vec<MaskedColumn> {
        self.unmasked.named(statement.facts.tables.iter().map(|name| name.name.as_str()), text)
    }

    /// Whether some column's values can be named by their masks.
    pub(super) const fn translates(&self) -> bool {
        self.translates
    }

    /// Labels columns that refer to labelled ones, so that joins still join, unless a rule shows them. Says whether there were any.
    fn refer(&mut self) -> bool {
        let catalog = Arc::clone(&self.catalog);
        let mut any = false;
        for [[database, table, column], [other_database, other_table, other]] in catalog.references() {
            let (Some(own), column) = (catalog.table(database, table), column.to_lowercase()) else {
                continue;
            };
            let referred = catalog.table(other_database, other_table).map(key);
            let referred =
                referred.and_then(|key| self.tables.get(&key)?.columns.get(&other.to_lowercase()).cloned());
            // It may be one that the account cannot see.
            let Some(label) = referred.or_else(|| self.rule(other_database, other_table, other)) else {
                continue;
            };
            let label = Label { cases: None, ..label };
            let name = ColumnName { schema: database.clone(), table: table.clone(), column: column.clone() };
            if self.policy.shows_mysql(&self.rights, &name, catalog.folds()) {
                continue;
            }
            match self.tables.entry(key(own)).or_default().columns.entry(column) {
                _ if label.is_of_the_rest() => {}
                Entry::Vacant(free) => {
                    free.insert(label);
                    any = true;
                }
                Entry::Occupied(mut taken) if taken.get().is_of_the_rest() => {
                    taken.insert(label);
                    any = true;
                }
                Entry::Occupied(_) => {}
            }
        }
        any
    }

    /// Follows the columns of views to the tables below them; views over views come after those.
    fn follow_views(&mut self) {
        let catalog = Arc::clone(&self.catalog);
        let mut open: Vec<(&Table, &Statement)> = catalog
            .tables()
            .filter(|table| !self.is_clean(table))
            .filter_map(|table| Some((table, table.definition.as_deref()?)))
            .collect();
        for _ in 0..VIEW_DEPTH_MAX {
            let waits: HashSet<_> = open.iter().map(|(view, _)| key(view)).collect();
            let (ready, later) = open.into_iter().partition::<Vec<_>, _>(|(view, statement)| {
                !statement.facts.tables.iter().any(|name| {
                    let database = name.database.as_deref().unwrap_or(&view.database);
                    catalog.table(database, &name.name).is_some_and(|table| waits.contains(&key(table)))
                })
            });
            if ready.is_empty() {
                return;
            }
            for (view, statement) in ready {
                let flows = statement.result.as_ref().filter(|_| statement.facts.opaque.is_none());
                let flows = flows.and_then(|query| lineage::flows_of_view(query, self, Some(&view.database)));
                if let Some(flows) = flows.filter(|flows| flows.len() == view.columns.len()) {
                    self.views.insert(key(view), flows);
                }
            }
            open = later;
        }
    }

    /// How a statement of a session runs whose database is `database`, remembered.
    ///
    /// # Errors
    /// The refusal, for the client.
    pub fn verdict(&self, statement: &Arc<Statement>, database: Option<&Arc<str>>) -> Verdict {
        let here = database.map(AsRef::as_ref);
        let judge = || {
            let run = judge::judge(statement, self, here)?;
            let masks = translation(statement, self, here)?.map(Arc::new);
            Ok(Judged { cost: judge::cost(statement, self, here), masks, ..Judged::run(run) })
        };
        let verdict = self.verdicts.of(statement, database.cloned(), judge);
        if self.policy.observes() { Ok(Judged::observed(verdict)) } else { verdict }
    }

    /// The catalog below.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The rights that it was laid for.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The policy above.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The rule for a column, whether or not the catalog has it.
    #[must_use]
    pub fn rule(&self, database: &str, table: &str, column: &str) -> Option<Label> {
        let name =
            ColumnName { schema: database.to_owned(), table: table.to_owned(), column: column.to_owned() };
        let masking = self.policy.mask_mysql(&self.rights, &name, self.catalog.folds())?;
        Some(Label::new(masking, None))
    }

    /// Columns of tables whose function has no masks of their types, so that they are NULL.
    pub fn unsuited(&self) -> impl Iterator<Item = (ColumnName, &Label)> {
        let tables = self.catalog.tables().filter(|table| table.kind.keeps_rows());
        tables.flat_map(move |table| {
            let labels = self.tables.get(&key(table));
            table.columns.iter().filter_map(move |column| {
                let label = labels?.columns.get(&column.name.to_lowercase())?;
                let (schema, name) = (table.database.clone(), table.name.clone());
                let of = ColumnName { schema, table: name, column: column.name.clone() };
                (!label.masker.suits(&column.column_type)).then_some((of, label))
            })
        })
    }

    /// Whether other cells are masked by what stands in a column, or in any column of its table.
    pub(super) fn decides(
        &self,
        target: &QualifiedName,
        place: Option<&Place>,
        database: Option<&str>,
    ) -> bool {
        let database = target.schema.as_deref().or(database);
        let Some(table) = database.and_then(|database| self.catalog.table(database, &target.name)) else {
            return false;
        };
        let looks =
            |labels: &TableLabels| labels.columns.values().any(|label| label.looks_at().next().is_some());
        if !table.kind.keeps_rows() {
            return !self.is_clean(table) && self.tables.values().any(looks);
        }
        let Some(known) = self.tables.get(&key(table)).filter(|labels| looks(labels)) else { return false };
        let mut read = known.columns.values().flat_map(Label::looks_at);
        match place {
            Some(Place::Name(name)) if name != "*" => read.any(|read| perhaps_same(read, name)),
            Some(Place::At(at)) => {
                let mut visible = table.columns.iter().filter(|column| !column.invisible);
                visible.nth(*at).is_some_and(|column| read.any(|read| perhaps_same(read, &column.name)))
            }
            Some(Place::Name(_)) | None => true,
        }
    }

    /// What masks the number that a statement has counted a column up to; `None` if it is no secret.
    #[must_use]
    pub fn counter(&self, statement: &Statement, database: Option<&str>) -> Option<ColumnMask> {
        if statement.kind == Kind::Call {
            return self.counts.then(ColumnMask::null);
        }
        if !statement.facts.inserts || matches!(statement.kind, Kind::Prepare { .. }) {
            return None;
        }
        let mut targets = statement.facts.writes.iter().map(|write| &write.target);
        targets.find_map(|target| {
            let table = self.catalog.table(target.database.as_deref().or(database)?, &target.name)?;
            if !table.kind.keeps_rows() {
                return (self.counts && !self.is_clean(table)).then(ColumnMask::null);
            }
            let counted = table.columns.iter().find(|column| column.counted)?;
            match self.flow(table, &counted.name) {
                Flow::Clean => None,
                Flow::Verbatim { label, .. } if label.cases.is_none() => {
                    Some(label.masker.declared(&counted.column_type).unwrap_or(ColumnMask::null()))
                }
                Flow::Verbatim { .. } | Flow::Closed => Some(ColumnMask::null()),
            }
        })
    }

    /// Whether the server counts up a column that is labelled.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.counts
    }

    /// What a name in a statement stands for. `database` is the session's.
    #[must_use]
    pub fn standing(&self, name: &TableName, facts: &Facts, database: Option<&str>) -> Standing {
        let expression = name.database.is_none() && facts.expressions.contains(&name.name.to_lowercase());
        let Some(database) = name.database.as_deref().or(database) else {
            return if expression { Standing::Clean } else { Standing::Missing };
        };
        if is_system(database) {
            let harmless = system::harmless(&database.to_lowercase(), &name.name.to_lowercase());
            return if harmless { Standing::Clean } else { Standing::Guarded };
        }
        match self.catalog.table(database, &name.name) {
            Some(table) if self.is_clean(table) => Standing::Clean,
            Some(_) => Standing::Guarded,
            // Where there is no such table, the name can only be that of a common table expression.
            None if expression => Standing::Clean,
            None => Standing::Missing,
        }
    }

    /// What happens to a column of a table.
    #[must_use]
    pub fn fate(&self, table: &Table, column: &str) -> Fate {
        match self.flow(table, column) {
            Flow::Clean => Fate::Pass,
            Flow::Verbatim { label, .. } => Fate::Mask(label),
            Flow::Closed => Fate::Close,
        }
    }

    /// What a column of a table holds.
    pub(super) fn flow(&self, table: &Table, column: &str) -> Flow {
        let known = self.tables.get(&key(table));
        let found = table.column(column);
        let declared = found.map_or("", |found| found.data_type.as_str());
        let masked = |label| Flow::Verbatim { label, declared: declared.to_owned() };
        if let Some(label) = known.and_then(|known| known.columns.get(&column.to_lowercase())) {
            return masked(label.clone());
        }
        // A column that came after the catalog was read may be one that a rule names.
        let Some(found) = found else {
            return self.rule(&table.database, &table.name, column).map_or(Flow::Closed, masked);
        };
        match table.kind {
            _ if self.is_clean(table) => Flow::Clean,
            TableKind::Base | TableKind::Temporary if !found.generated => Flow::Clean,
            TableKind::View => {
                let at = table.columns.iter().position(|column| column.name == found.name);
                let flows = self.views.get(&key(table));
                at.and_then(|at| flows?.get(at)).cloned().unwrap_or(Flow::Closed)
            }
            // What is left is computed from columns with labels, or not known.
            TableKind::Base | TableKind::Temporary | TableKind::Other => Flow::Closed,
        }
    }

    /// What a column definition has to say against a column that the statement's text clears.
    #[must_use]
    pub fn objection(&self, database: &str, table: &str, column: &str) -> Fate {
        let by_name = || self.rule(database, table, column).map_or(Fate::Pass, Fate::Mask);
        match self.catalog.table(database, table) {
            // A derived table's column may go by the name of a table below it.
            Some(known) if known.kind.keeps_rows() && self.is_clean(known) => by_name(),
            // A column that it does not have has a name of the statement's own.
            Some(known) if known.column(column).is_some() => self.fate(known, column),
            _ => by_name(),
        }
    }

    /// Whether a column may be copied inside the database: stored, and without a label.
    #[must_use]
    pub fn is_plain_column(&self, table: &Table, column: &str) -> bool {
        table.kind.keeps_rows()
            && table.column(column).is_some_and(|column| !column.generated && !column.computed_default)
            && matches!(self.fate(table, column), Fate::Pass)
    }

    /// Whether nothing in a table is labelled.
    #[must_use]
    pub fn is_clean(&self, table: &Table) -> bool {
        self.tables.get(&key(table)).is_some_and(|labels| labels.clean)
    }

    /// Finds out, once for each table, whether it is clean.
    fn settle(&mut self, table: &Table, depth: usize) {
        let known = self.tables.entry(key(table)).or_default();
        if known.clean || depth > VIEW_DEPTH_MAX {
            return;
        }
        let labelled = !known.columns.is_empty();
        let clean = match (table.kind, &table.definition) {
            _ if labelled || table.columns.is_empty() => false,
            (TableKind::Base | TableKind::Temporary, _) => true,
            (TableKind::View, Some(statement)) => self.view_is_clean(table, &statement.facts, depth),
            (TableKind::View, None) | (TableKind::Other, _) => false,
        };
        if let Some(known) = self.tables.get_mut(&key(table)) {
            known.clean = clean;
        }
    }

    fn view_is_clean(&mut self, view: &Table, facts: &Facts, depth: usize) -> bool {
        let catalog = Arc::clone(&self.catalog);
        for name in &facts.tables {
            let database = name.database.as_deref().unwrap_or(&view.database);
            if let Some(table) = catalog.table(database, &name.name) {
                self.settle(table, depth + 1);
            }
        }
        judge::shows_nothing(facts, self, &view.database)
    }
}

fn key(table: &Table) -> (String, String) {
    (table.database.clone(), table.name.clone())
}
