//! What the names in a statement may stand for.

use veil_model::{Attribute, PgType};
use veil_sql::{AliasSource, QualifiedName};

use super::{Flow, RETURNED, Tracer, perhaps_same};
use crate::labels::{Fate, Standing};

impl<'a> Tracer<'a> {
    /// The relations that a name before a dot stands for; `None` if it may be something else.
    pub(super) fn relations(&self, of: &str) -> Option<Vec<&'a QualifiedName>> {
        if self.facts.unnamed || RETURNED.contains(&of) {
            return None;
        }
        let sources = self.facts.aliases.iter().filter(|alias| perhaps_same(&alias.name, of));
        let relations: Option<Vec<_>> = sources
            .map(|alias| match &alias.source {
                AliasSource::Relation(name) => Some(name),
                AliasSource::Derived(_) | AliasSource::Function(_) => None,
            })
            .collect();
        relations.filter(|relations| !relations.is_empty())
    }

    /// Whether a name may be one that the statement gives.
    pub(super) fn given(&self, of: Option<&str>, name: &str) -> bool {
        let traced = of.is_some_and(|of| self.relations(of).is_some());
        !traced && self.named.keys().any(|known| perhaps_same(known, name))
    }

    /// Whether every column that goes by a name, at least one, is labelled.
    pub(super) fn is_labelled(&self, of: Option<&str>, name: &str) -> bool {
        let relations = of.and_then(|of| self.relations(of));
        let relations = relations.unwrap_or_else(|| self.facts.relations.iter().collect());
        let columns = relations.into_iter().filter_map(|relation| {
            let flow = self.in_relations(std::iter::once(relation), name)?;
            let mut known = self.labels.catalog().named(relation.schema.as_deref(), &relation.name);
            Some(matches!(flow, Flow::Verbatim(_)) && known.next().is_some() && known.next().is_none())
        });
        let columns: Vec<bool> = columns.collect();
        !columns.is_empty() && columns.into_iter().all(|labelled| labelled)
    }

    /// Whether all labelled columns that go by a name are of one type.
    pub(super) fn is_of_kind(&self, of: Option<&str>, name: &str, kind: Option<PgType>) -> bool {
        let relations = of.and_then(|of| self.relations(of));
        let relations = relations.unwrap_or_else(|| self.facts.relations.iter().collect());
        relations.into_iter().all(|relation| match self.in_relations(std::iter::once(relation), name) {
            Some(Flow::Verbatim(label)) => label.kind == kind,
            Some(Flow::Clean | Flow::Closed) | None => true,
        })
    }

    /// What columns of this name hold in any of these relations; `None` if there are none.
    pub(super) fn in_relations<'n>(
        &self,
        names: impl Iterator<Item = &'n QualifiedName>,
        column: &str,
    ) -> Option<Flow> {
        let mut found = None;
        for name in names {
            for (oid, relation) in self.labels.catalog().named(name.schema.as_deref(), &name.name) {
                for column in relation.columns.iter().filter(|known| perhaps_same(&known.name, column)) {
                    let flow = self.stored(Attribute { relation: oid, attnum: column.attnum });
                    found = Some(found.map_or_else(|| flow.clone(), |known: Flow| known.or(flow.clone())));
                }
            }
        }
        found
    }

    pub(super) fn stored(&self, attribute: Attribute) -> Flow {
        match self.labels.fate(attribute) {
            Fate::Pass => Flow::Clean,
            Fate::Mask(label) => Flow::Verbatim(label),
            Fate::Close => Flow::Closed,
        }
    }

    /// Whether no column of a relation holds anything labelled.
    pub(super) fn is_clean(&self, name: &QualifiedName) -> bool {
        let mut relations = self.labels.catalog().named(name.schema.as_deref(), &name.name);
        relations.all(|(oid, relation)| {
            let mut columns = relation.columns.iter();
            let flow = |attnum| self.stored(Attribute { relation: oid, attnum });
            columns.all(|column| matches!(flow(column.attnum), Flow::Clean))
                && self.labels.standing(name) == Standing::Clean
        })
    }

    /// A whole row, or all rows.
    pub(super) fn whole(&self, of: Option<&str>) -> Flow {
        let Some(of) = of.filter(|of| !self.facts.unnamed && !RETURNED.contains(of)) else {
            return Flow::Closed;
        };
        let mut sources = self.facts.aliases.iter().filter(|alias| perhaps_same(&alias.name, of)).peekable();
        let known = sources.peek().is_some();
        let clean = sources.all(|alias| match &alias.source {
            AliasSource::Relation(name) => self.is_clean(name),
            AliasSource::Function(_) => matches!(self.named.get(of), Some(Flow::Clean)),
            AliasSource::Derived(_) => false,
        });
        if known && clean { Flow::Clean } else { Flow::Closed }
    }
}
