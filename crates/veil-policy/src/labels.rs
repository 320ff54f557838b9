//! A policy laid over a catalog for one user: which column is masked by which rule, and which relations show
//! nothing sensitive at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use veil_mask::Scan;
use veil_model::find::Find;
use veil_model::{Attribute, ColumnName, PgType};
use veil_sql::catalog::Column;
use veil_sql::{Catalog, Place, QualifiedName, Relation, RelationKind, Statement, system};

use crate::judge::{self, Untraced};
pub use crate::label::Label;
use crate::lineage::{Columns, Flow};
use crate::masked::{MaskedColumn, Unmasked};
use crate::rule::Policy;
use crate::translate::Translation;
use crate::verdicts::{Judged, Verdict, Verdicts};
use crate::who::Rights;

/// What happens to a column of a relation in a result.
#[derive(Clone)]
pub enum Fate {
    /// Shown.
    Pass,
    /// Masked.
    Mask(Label),
    /// NULL: what it holds is not known.
    Close,
}

/// What is known of a relation named in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing in it is labelled.
    Clean,
    /// Something in it is labelled, or it cannot be told.
    Guarded,
    /// No relation of this name is known.
    Missing,
}

/// Labels of one catalog for one user.
pub struct Labels {
    catalog: Arc<Catalog>,
    policy: Arc<Policy>,
    database: String,
    rights: Rights,
    columns: HashMap<Attribute, Label>,
    unmasked: Unmasked,
    /// Columns of views over what is labelled that hold nothing of it.
    shown: HashSet<Attribute>,
    clean: HashMap<u32, bool>,
    /// Finds what is personal in columns on which there is no rule.
    scan: Option<Arc<dyn Find>>,
    /// Columns that a rule shows, where the others are looked into.
    vouched: HashSet<Attribute>,
    /// No rule masks anything.
    masks_nothing: bool,
    /// Some column's values can be named by their masks.
    translates: bool,
    verdicts: Verdicts<Statement, ()>,
}

/// The rule on columns on which there is none.
pub(crate) const UNCLASSIFIED: &str = "unclassified";

/// Views over views deeper than this are closed.
const VIEW_DEPTH_MAX: usize = 32;

impl Labels {
    /// Lays `policy` over `catalog` for sessions with these rights in `database`.
    #[must_use]
    pub fn new(policy: Arc<Policy>, catalog: Arc<Catalog>, database: &str, rights: &Rights) -> Self {
        let rights = policy.settled(rights, Some(&|role| catalog.is_member(&rights.user, role)));
        let (mut columns, mut unmasked) = (HashMap::new(), Unmasked::default());
        let scan = policy.scan(Some(database), &rights).cloned();
        let masks_nothing = policy.masks_nothing(Some(database), &rights);
        let mut vouched = HashSet::new();
        for (oid, relation) in catalog.relations().filter(|(_, relation)| !relation.system()) {
            for column in &relation.columns {
                let name = ColumnName {
                    schema: relation.schema.clone(),
                    table: relation.name.clone(),
                    column: column.name.clone(),
                };
                let attribute = Attribute { relation: oid, attnum: column.attnum };
                if scan.is_some() && policy.shows(database, &rights, &name) {
                    vouched.insert(attribute);
                }
                if let Some(masking) = policy.mask(database, &rights, &name) {
                    columns.insert(attribute, Label::new(masking, Some(column.kind)).of(column));
                } else if let Some(rule) = policy.unmasks(database, &rights, &name) {
                    unmasked.add(&relation.name, &column.name, rule);
                }
            }
        }
        let shown = |relation: &Relation, column: &Column| {
            let name = ColumnName {
                schema: relation.schema.clone(),
                table: relation.name.clone(),
                column: column.name.clone(),
            };
            policy.shows(database, &rights, &name)
        };
        while inherit(&catalog, &mut columns) | refer(&catalog, &mut columns, shown) {}
        let translates = columns.values().any(|label| label.translates().is_some());
        let mut labels = Self {
            catalog,
            policy,
            database: database.to_owned(),
            rights,
            columns,
            unmasked,
            shown: HashSet::new(),
            clean: HashMap::new(),
            scan,
            vouched,
            masks_nothing,
            translates,
            verdicts: Verdicts::default(),
        };
        let catalog = Arc::clone(&labels.catalog);
        for (oid, relation) in catalog.relations() {
            labels.settle(oid, relation, 0);
        }
        let mut followed = HashSet::new();
        for (oid, relation) in catalog.relations() {
            labels.follow_view(oid, relation, &mut followed, 0);
        }
        labels
    }

    /// The columns that a statement with this text may show because a rule shows them to this user only.
    #[must_use]
    pub fn unmasked(&self, statement: &Statement, text: &str) -> Vec<MaskedColumn> {
        self.unmasked.named(statement.facts.relations.iter().map(|name| name.name.as_str()), text)
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

    /// How a statement runs, what its questions cost, and what its masks stand for, remembered.
    ///
    /// # Errors
    /// The refusal, for the client.
    pub fn verdict(&self, statement: &Arc<Statement>) -> Verdict {
        let verdict = self.verdicts.of(statement, (), || {
            let run = judge::judge(statement, self)?;
            let masks = Translation::of(statement, self)?.map(Arc::new);
            Ok(Judged { cost: judge::cost(statement, self), masks, ..Judged::run(run) })
        });
        if self.policy.observes() { Ok(Judged::observed(verdict)) } else { verdict }
    }

    /// Whether no rule masks anything, so that nothing has to be judged.
    pub(crate) const fn masks_nothing(&self) -> bool {
        self.masks_nothing
    }

    /// What looks into texts that no rule is on.
    #[must_use]
    pub fn scan(&self) -> Option<Scan> {
        self.scan.as_ref().map(Scan::of_texts)
    }

    /// What looks into the cells of a column that is shown, or of what is computed, by its type if that is known.
    pub(crate) fn scan_of(&self, attribute: Option<Attribute>, ty: Option<PgType>) -> Option<Scan> {
        let finder = self.scan.as_ref()?;
        let known = |attribute: &Attribute| {
            let system = self.catalog.relation(attribute.relation).is_some_and(Relation::system);
            system || self.vouched.contains(attribute)
        };
        match ty {
            _ if attribute.as_ref().is_some_and(known) => None,
            Some(ty) => Scan::column(finder, ty),
            None => Some(Scan::of_unknown(finder)),
        }
    }

    /// Whether some column's values can be named by their masks.
    pub(crate) const fn translates(&self) -> bool {
        self.translates
    }

    /// What a name in a statement may stand for: clean only if every relation of that name is.
    #[must_use]
    pub fn standing(&self, name: &QualifiedName) -> Standing {
        let mut found = false;
        for (oid, _) in self.catalog.named(name.schema.as_deref(), &name.name) {
            found = true;
            if !self.is_clean(oid) {
                return Standing::Guarded;
            }
        }
        if found { Standing::Clean } else { Standing::Missing }
    }

    /// Whether a schema holds something that is not clean.
    #[must_use]
    pub fn holds_guarded(&self, schema: Option<&str>) -> bool {
        let mut inside =
            self.catalog.relations().filter(|(_, relation)| Some(relation.schema.as_str()) == schema);
        inside.any(|(oid, _)| !self.is_clean(oid))
    }

    /// What happens to a column that a row description names.
    #[must_use]
    pub fn fate(&self, attribute: Attribute) -> Fate {
        if self.masks_nothing {
            return Fate::Pass;
        }
        if let Some(label) = self.columns.get(&attribute) {
            return Fate::Mask(label.clone());
        }
        let Some(relation) = self.catalog.relation(attribute.relation) else { return Fate::Close };
        let column = relation.columns.iter().find(|column| column.attnum == attribute.attnum);
        if relation.system()
            && column
                .is_some_and(|column| system::secret_column(&relation.name) == Some(column.name.as_str()))
        {
            return Fate::Close;
        }
        if self.is_clean(attribute.relation) {
            // A column that came after the catalog was read may be one that a rule names.
            let known = column.is_some() || attribute.attnum < 0 || relation.system();
            return if known { Fate::Pass } else { Fate::Close };
        }
        // What is left has labels on other columns, or is not known.
        match (relation.kind, column) {
            (RelationKind::Table, _) if relation.system() => Fate::Close,
            (RelationKind::Table, Some(column)) if column.generated => Fate::Close,
            (RelationKind::Table, None) if attribute.attnum > 0 => Fate::Close,
            (RelationKind::Table, _) => Fate::Pass,
            (RelationKind::View, _) if self.shown.contains(&attribute) => Fate::Pass,
            (RelationKind::View | RelationKind::Sequence, _) => Fate::Close,
        }
    }

    /// Whether `column` of a table may be copied inside the database: a stored column without a label.
    #[must_use]
    pub fn is_plain_column(&self, relation: u32, column: &str) -> bool {
        let table = self.catalog.relation(relation).filter(|r| r.kind == RelationKind::Table);
        table.and_then(|table| table.columns.iter().find(|c| c.name == column)).is_some_and(|column| {
            !column.generated && !self.columns.contains_key(&Attribute { relation, attnum: column.attnum })
        })
    }

    /// Whether a rule would be on a column of a relation of this name.
    pub(crate) fn would_mask(&self, relation: &QualifiedName, column: &str) -> bool {
        let (database, rights, table) = (self.database.as_str(), &self.rights, relation.name.as_str());
        let Some(schema) = &relation.schema else {
            return self.policy.may_mask(database, rights, table, column);
        };
        let (schema, table, column) = (schema.clone(), table.to_owned(), column.to_owned());
        self.policy.mask(database, rights, &ColumnName { schema, table, column }).is_some()
    }

    /// Whether a rule would be on some column of a relation of this name, whatever its columns are.
    pub(crate) fn would_mask_some(&self, relation: &QualifiedName) -> bool {
        self.policy.may_mask_some(&self.database, &self.rights, &relation.name)
    }

    /// The label of a table's column.
    pub(crate) fn at(&self, relation: u32, place: &Place) -> Option<&Label> {
        let table = self.catalog.relation(relation).filter(|r| r.kind == RelationKind::Table)?;
        let column = match place {
            Place::Name(name) => table.columns.iter().find(|column| column.name == *name)?,
            // Columns that were dropped have no place.
            Place::At(at) => *table.columns_in_order().get(*at)?,
        };
        self.columns.get(&Attribute { relation, attnum: column.attnum })
    }

    /// Whether other cells are masked by what stands in a column of a relation, or in any of them.
    pub(crate) fn decides(&self, oid: u32, place: Option<&Place>) -> bool {
        let Some(relation) = self.catalog.relation(oid) else { return false };
        if relation.kind == RelationKind::View {
            return !self.clean.get(&oid).copied().unwrap_or(false)
                && self.columns.values().any(|label| label.looks_at().next().is_some());
        }
        let label = |column: &Column| self.columns.get(&Attribute { relation: oid, attnum: column.attnum });
        let read: HashSet<&str> =
            relation.columns.iter().filter_map(label).flat_map(Label::looks_at).collect();
        match place {
            Some(Place::Name(name)) => read.contains(name.as_str()),
            Some(Place::At(at)) => {
                relation.columns_in_order().get(*at).is_some_and(|column| read.contains(column.name.as_str()))
            }
            None => !read.is_empty(),
        }
    }

    /// What happens to a column of a relation, or to all of them, and what the relation is.
    pub(crate) fn fates(&self, oid: u32, place: Option<&Place>) -> Vec<(Fate, RelationKind)> {
        let Some(relation) = self.catalog.relation(oid) else { return Vec::new() };
        let columns: Vec<&Column> = match place {
            Some(Place::Name(name)) => {
                relation.columns.iter().filter(|column| column.name == *name).collect()
            }
            // Columns that were dropped have no place.
            Some(Place::At(at)) => relation.columns_in_order().get(*at).copied().into_iter().collect(),
            None => relation.columns.iter().collect(),
        };
        let fate = |column: &Column| self.fate(Attribute { relation: oid, attnum: column.attnum });
        columns.into_iter().map(|column| (fate(column), relation.kind)).collect()
    }

    /// The labelled columns, for reports.
    pub fn labelled(&self) -> impl Iterator<Item = (ColumnName, &Label)> {
        self.columns.iter().filter_map(|(attribute, label)| {
            let relation = self.catalog.relation(attribute.relation)?;
            let column = relation.columns.iter().find(|column| column.attnum == attribute.attnum)?;
            let (schema, table) = (relation.schema.clone(), relation.name.clone());
            Some((ColumnName { schema, table, column: column.name.clone() }, label))
        })
    }

    /// Columns whose function has no masks of their types, so that they are NULL.
    pub fn unsuited(&self) -> impl Iterator<Item = (ColumnName, &Label)> {
        self.labelled()
            .filter(|(_, label)| label.kind.is_some_and(|kind| !label.masker.column(kind).supported()))
    }

    pub(crate) fn is_clean(&self, oid: u32) -> bool {
        self.clean.get(&oid).copied().unwrap_or(false)
    }

    /// Finds out, once for each relation, whether it is clean.
    fn settle(&mut self, oid: u32, relation: &Relation, depth: usize) -> bool {
        if let Some(known) = self.clean.get(&oid) {
            return *known;
        }
        // Until it is known, which also ends a view that reads itself.
        self.clean.insert(oid, false);
        let clean = if relation.system() {
            system::harmless(&relation.schema, &relation.name)
        } else if self.has_label(oid, &relation.columns) {
            false
        } else {
            match relation.kind {
                RelationKind::Table | RelationKind::Sequence => true,
                RelationKind::View => self.settle_view(relation, depth),
            }
        };
        self.clean.insert(oid, clean);
        clean
    }

    fn settle_view(&mut self, view: &Relation, depth: usize) -> bool {
        let (Some(definition), true) = (&view.definition, depth < VIEW_DEPTH_MAX) else { return false };
        let catalog = Arc::clone(&self.catalog);
        for name in &definition.facts.relations {
            for (oid, relation) in catalog.named(name.schema.as_deref(), &name.name) {
                self.settle(oid, relation, depth + 1);
            }
        }
        judge::judge_view(definition, self) == Untraced::Show
    }

    /// Labels the columns of a view over what is labelled, once those of the views below it are.
    fn follow_view(&mut self, oid: u32, view: &Relation, followed: &mut HashSet<u32>, depth: usize) {
        let Some(definition) = &view.definition else { return };
        if self.is_clean(oid) || depth > VIEW_DEPTH_MAX || !followed.insert(oid) {
            return;
        }
        let catalog = Arc::clone(&self.catalog);
        for name in &definition.facts.relations {
            for (below, relation) in catalog.named(name.schema.as_deref(), &name.name) {
                self.follow_view(below, relation, followed, depth + 1);
            }
        }
        let flows: Vec<(Attribute, Flow)> = match judge::judge_view(definition, self) {
            Untraced::Close => return,
            // All that it names is clean; a rule is on a column of its own.
            Untraced::Show => attributes(oid, view).map(|(attribute, _)| (attribute, Flow::Clean)).collect(),
            Untraced::Follow => {
                let Some(columns) = Columns::of_view(definition, self) else { return };
                let flow = |attribute: Attribute, name| match usize::try_from(attribute.attnum - 1) {
                    Ok(at) => columns.flow(at, view.columns.len(), Some(name)),
                    Err(_) => Flow::Closed,
                };
                attributes(oid, view).map(|(attribute, name)| (attribute, flow(attribute, name))).collect()
            }
        };
        for (attribute, flow) in flows {
            match flow {
                Flow::Clean => drop(self.shown.insert(attribute)),
                // Which rows these are is not followed.
                Flow::Verbatim(label) => {
                    let label = Label { cases: None, ..label };
                    self.columns.entry(attribute).or_insert(label);
                }
                Flow::Closed => {}
            }
        }
    }

    fn has_label(&self, relation: u32, columns: &[Column]) -> bool {
        columns.iter().any(|c| self.columns.contains_key(&Attribute { relation, attnum: c.attnum }))
    }
}

fn attributes(oid: u32, relation: &Relation) -> impl Iterator<Item = (Attribute, &str)> {
    let attribute = move |column: &Column| Attribute { relation: oid, attnum: column.attnum };
    relation.columns.iter().map(move |column| (attribute(column), column.name.as_str()))
}

/// Labels columns that refer to labelled ones, so that joins still join, unless a rule shows them. Says whether there were any.
fn refer(
    catalog: &Catalog,
    columns: &mut HashMap<Attribute, Label>,
    shown: impl Fn(&Relation, &Column) -> bool,
) -> bool {
    let mut found = Vec::new();
    for (oid, relation) in catalog.relations() {
        for (own, other, at) in &relation.references {
            let attribute = Attribute { relation: oid, attnum: *own };
            let referred = columns.get(&Attribute { relation: *other, attnum: *at });
            let column = relation.columns.iter().find(|column| column.attnum == *own);
            let taken = columns.get(&attribute).is_some_and(|own| !own.is_of_the_rest());
            if let (Some(label), Some(column), false) = (referred, column, taken)
                && !label.is_of_the_rest()
                && !shown(relation, column)
            {
                let kind = Some(column.kind);
                found.push((attribute, Label { kind, cases: None, ..label.clone() }));
            }
        }
    }
    let any = !found.is_empty();
    columns.extend(found);
    any
}

/// Labels a column of a table also where its partitions, children and parents have it, by name. Says whether there were any.
fn inherit(catalog: &Catalog, columns: &mut HashMap<Attribute, Label>) -> bool {
    let mut any = false;
    loop {
        let mut found = Vec::new();
        for (child_oid, child) in catalog.relations() {
            for (parent_oid, parent) in child.parents.iter().filter_map(|p| Some((*p, catalog.relation(*p)?)))
            {
                for (a, b) in same_names(child, parent) {
                    let child = Attribute { relation: child_oid, attnum: a };
                    let parent = Attribute { relation: parent_oid, attnum: b };
                    match (columns.get(&child), columns.get(&parent)) {
                        (Some(label), None) => found.push((parent, label.clone())),
                        (None, Some(label)) => found.push((child, label.clone())),
                        _ => {}
                    }
                }
            }
        }
        if found.is_empty() {
            return any;
        }
        any = true;
        columns.extend(found);
    }
}

fn same_names<'a>(child: &'a Relation, parent: &'a Relation) -> impl Iterator<Item = (i16, i16)> + 'a {
    child.columns.iter().filter_map(|column| {
        let twin = parent.columns.iter().find(|twin| twin.name == column.name)?;
        Some((column.attnum, twin.attnum))
    })
}
