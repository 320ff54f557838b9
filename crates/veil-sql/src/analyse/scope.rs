//! Which names mean common table expressions at a place in a statement, as the server resolves them.

use std::rc::Rc;

use pg_raw_parse::{Node, nodes};

/// The names in force; inner ones hide nothing that matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope(Option<Rc<Level>>);

#[derive(Debug)]
struct Level {
    name: String,
    outer: Scope,
}

impl Scope {
    /// Whether `name` is that of a common table expression.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut scope = self;
        while let Some(level) = &scope.0 {
            if level.name == name {
                return true;
            }
            scope = &level.outer;
        }
        false
    }

    /// With all names of a WITH clause: the scope of the statement that has it.
    pub(super) fn with_all(&self, with: &nodes::WithClause) -> Self {
        names(with).fold(self.clone(), |scope, name| scope.and(name))
    }

    /// The queries of a WITH clause with their scopes: each sees those before it, or all if it is RECURSIVE.
    pub(super) fn queries<'a>(&self, with: &'a nodes::WithClause) -> Vec<(Node<'a>, Self)> {
        let mut scope = if with.recursive { self.with_all(with) } else { self.clone() };
        let mut queries = Vec::new();
        for cte in with.ctes().iter() {
            if let Node::CommonTableExpr(cte) = Node::from(cte) {
                queries.push((cte.ctequery(), scope.clone()));
                scope = scope.and(cte.ctename().unwrap_or_default().to_owned());
            }
        }
        queries
    }

    fn and(&self, name: String) -> Self {
        Self(Some(Rc::new(Level { name, outer: self.clone() })))
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

fn names(with: &nodes::WithClause) -> impl Iterator<Item = String> + '_ {
    with.ctes().iter().filter_map(|cte| match Node::from(cte) {
        Node::CommonTableExpr(cte) => cte.ctename().map(str::to_owned),
        _ => None,
    })
}
