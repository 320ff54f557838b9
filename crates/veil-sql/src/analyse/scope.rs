//! Which names mean common table expressions at a place in a statement, as the server resolves them.

use std::collections::BTreeSet;
use std::rc::Rc;

use pg_raw_parse::{Node, nodes};

use super::{column_names, last_name};
use crate::statement::QualifiedName;

/// The names in force; inner ones hide nothing that matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope(Option<Rc<Level>>);

#[derive(Debug)]
struct Level {
    name: String,
    /// Columns that it has for certain.
    columns: BTreeSet<String>,
    outer: Scope,
}

impl Scope {
    /// If `name` is that of a common table expression: the columns that it has for certain.
    pub(super) fn columns(&self, name: &QualifiedName) -> Option<&BTreeSet<String>> {
        let mut scope = self;
        while let (None, Some(level)) = (&name.schema, &scope.0) {
            if level.name == name.name {
                return Some(&level.columns);
            }
            scope = &level.outer;
        }
        None
    }

    /// With all names of a WITH clause: the scope of the statement that has it.
    pub(super) fn with_all(&self, with: &nodes::WithClause) -> Self {
        with.ctes().iter().fold(self.clone(), |scope, cte| match Node::from(cte) {
            Node::CommonTableExpr(cte) => scope.and(cte),
            _ => scope,
        })
    }

    /// The queries of a WITH clause with their scopes: each sees those before it, or all if it is RECURSIVE.
    pub(super) fn queries<'a>(&self, with: &'a nodes::WithClause) -> Vec<(Node<'a>, Self)> {
        let mut scope = if with.recursive { self.with_all(with) } else { self.clone() };
        let mut queries = Vec::new();
        for cte in with.ctes().iter() {
            if let Node::CommonTableExpr(cte) = Node::from(cte) {
                queries.push((cte.ctequery(), scope.clone()));
                scope = scope.and(cte);
            }
        }
        queries
    }

    fn and(&self, cte: &nodes::CommonTableExpr) -> Self {
        let renamed = column_names(cte.aliascolnames());
        let columns = if renamed.is_empty() { output_columns(cte.ctequery()) } else { renamed };
        let name = cte.ctename().unwrap_or_default().to_owned();
        Self(Some(Rc::new(Level { name, columns, outer: self.clone() })))
    }
}

impl Drop for Level {
    /// One level after another: a chain of many is not dropped by recursion.
    fn drop(&mut self) {
        let mut next = self.outer.0.take();
        while let Some(level) = next {
            next = match Rc::try_unwrap(level) {
                Ok(mut level) => level.outer.0.take(),
                Err(_) => None,
            };
        }
    }
}

/// Columns that a query has for certain, by the names that its text gives them. The first arm of a set operation
/// names those of all.
pub(super) fn output_columns(query: Node<'_>) -> BTreeSet<String> {
    let Node::SelectStmt(mut select) = query else { return BTreeSet::new() };
    while let Some(first) = select.larg() {
        select = first;
    }
    let name = |target: &nodes::ResTarget| match (target.name(), target.val()) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Node::ColumnRef(column)) => last_name(column.fields()),
        _ => None,
    };
    select.target_list().iter().filter_map(name).collect()
}
