//! Columns of a result, and what becomes of them where they go by their places.

use veil_sql::mysql::Table;

use super::Flow;

/// A column of a result.
#[derive(Clone)]
pub(in crate::mysql) struct Output<'a> {
    pub(in crate::mysql) flow: Flow,
    /// The column of a table that it is, without a query between.
    pub(in crate::mysql) base: Option<(&'a Table, String)>,
    /// Names of what closed it, for people.
    pub(in crate::mysql) because: Vec<String>,
    pub(in crate::mysql) name: Option<String>,
    /// Its place is no longer sure if a table without labels gets other columns.
    pub(in crate::mysql) moves: bool,
    /// It is written out.
    pub(super) constant: bool,
}

impl Output<'_> {
    /// What stands in one place of a query and of those that follow from it: they are cut to its type.
    pub(super) fn recur(self, next: Self) -> Self {
        let fits = self.flow.is_clean() == next.flow.is_clean();
        let joined = self.beside(next, false);
        if fits { joined } else { Self { flow: Flow::Closed, ..joined } }
    }

    /// What stands in one place of two queries; where clients may be guessing, other columns do not stand beside labelled ones.
    pub(super) fn beside(self, other: Self, guesses: bool) -> Self {
        let made_up = |output: &Self| output.flow.is_clean() && !output.constant;
        let mixed = guesses
            && (made_up(&self) != made_up(&other))
            && !(self.flow.is_clean() && other.flow.is_clean());
        let constant = self.constant && other.constant;
        let flow = if mixed { Flow::Closed } else { self.flow.or(other.flow) };
        Self { moves: self.moves && other.moves, constant, ..Self::of(flow, self.name) }
    }

    pub(super) const fn of(flow: Flow, name: Option<String>) -> Self {
        Self { flow, base: None, because: Vec::new(), name, moves: false, constant: false }
    }
}

/// Columns that go by their places: if these are not sure, any may hold what one of them does.
pub(super) fn placed(columns: Vec<Output<'_>>) -> Vec<Output<'_>> {
    let sure = columns.iter().all(|column| !column.moves || column.flow.is_clean());
    let close = |column| Output { flow: Flow::Closed, base: None, ..column };
    if sure { columns } else { columns.into_iter().map(close).collect() }
}

/// The columns by other names, if such are given.
pub(super) fn renamed<'a>(columns: Vec<Output<'a>>, names: &[String]) -> Option<Vec<Output<'a>>> {
    if names.is_empty() {
        return Some(columns);
    }
    let named = placed(columns).into_iter().zip(names);
    let named: Vec<_> = named.map(|(column, name)| Output { name: Some(name.clone()), ..column }).collect();
    (named.len() == names.len()).then_some(named)
}

pub(super) fn same_flows(a: &[Output<'_>], b: &[Output<'_>]) -> bool {
    a.iter().zip(b).all(|(a, b)| match (&a.flow, &b.flow) {
        (Flow::Clean, Flow::Clean) | (Flow::Closed, Flow::Closed) => true,
        (Flow::Verbatim { label: a, .. }, Flow::Verbatim { label: b, .. }) => a.rule == b.rule,
        _ => false,
    })
}
