//! What the other columns of a row decide: whether a rule is for it, and what a mask is of.

use std::sync::Arc;

use veil_mask::{Masker, Other};
use veil_model::Format;

/// Rows for which a rule holds, by another column of the same table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// The column.
    pub column: String,
    /// Its values.
    pub values: Vec<String>,
    /// It holds for the rows that have other values.
    pub not: bool,
}

impl When {
    /// Whether it holds for a row; `None` if that cannot be told.
    fn holds(&self, value: Option<&str>) -> Option<bool> {
        let value = value?;
        Some(self.values.iter().any(|own| own == value) != self.not)
    }
}

/// What is done to the cells of some rows; without a function they are shown.
pub type Done = Option<Arc<Masker>>;

/// Rules that are for some rows only, in order, and what is done to the others.
#[derive(Clone)]
pub struct Cases {
    pub(crate) each: Vec<(When, Done)>,
    pub(crate) otherwise: Done,
}

impl Cases {
    /// The same with other functions.
    pub(crate) fn map(&self, other: impl Fn(&Masker) -> Arc<Masker>) -> Self {
        let done = |done: &Done| done.as_deref().map(&other);
        Self {
            each: self.each.iter().map(|(when, each)| (when.clone(), done(each))).collect(),
            otherwise: done(&self.otherwise),
        }
    }
}

/// The place of a column in a result, and how its cells are read.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) other: Other,
    pub(crate) format: Format,
}

impl Place {
    fn text(&self, cell: impl Fn(usize) -> Option<Vec<u8>>) -> Option<String> {
        cell(self.at).and_then(|cell| self.other.text(self.format, &cell))
    }
}

/// What is done to one column's cells, by the other cells of their rows. `M` is a function for cells of the column's type.
pub(crate) struct Beside<M> {
    each: Vec<(Place, When, Option<By<M>>)>,
    otherwise: Option<By<M>>,
    /// What is done where it cannot be told.
    untold: By<M>,
}

/// A function, and where it finds what a cell is of.
struct By<M> {
    function: M,
    subject: Option<Place>,
}

impl<M> By<M> {
    fn fit(&self, cell: impl Fn(usize) -> Option<Vec<u8>>) -> Fit<'_, M> {
        Fit::Mask(&self.function, self.subject.and_then(|place| place.text(cell)))
    }
}

/// What is done to a cell.
pub(crate) enum Fit<'a, M> {
    /// It is shown.
    Show,
    /// It is masked as one that is of this.
    Mask(&'a M, Option<String>),
}

impl<M> Beside<M> {
    /// `place` finds columns of the same row; `None` if a column's cells depend on nothing else.
    pub(crate) fn new(
        masker: &Masker,
        cases: Option<&Cases>,
        function: impl Fn(&Masker) -> M,
        place: impl Fn(&str) -> Option<Place>,
    ) -> Option<Self> {
        if cases.is_none() && masker.subject().is_none() {
            return None;
        }
        let by =
            |masker: &Masker| By { function: function(masker), subject: masker.subject().and_then(&place) };
        let done = |done: &Done| done.as_deref().map(by);
        let each = cases.iter().flat_map(|cases| &cases.each);
        let placed: Option<Vec<_>> =
            each.map(|(when, then)| Some((place(&when.column)?, when.clone(), done(then)))).collect();
        let (each, otherwise) = match (placed, cases) {
            (Some(each), Some(cases)) => (each, done(&cases.otherwise)),
            _ => (Vec::new(), Some(by(masker))),
        };
        Some(Self { each, otherwise, untold: by(masker) })
    }

    /// What is done in a row, whose other cells are these.
    pub(crate) fn fit(&self, cell: impl Fn(usize) -> Option<Vec<u8>>) -> Fit<'_, M> {
        for (place, when, then) in &self.each {
            match when.holds(place.text(&cell).as_deref()) {
                None => return self.untold.fit(&cell),
                Some(true) => return then.as_ref().map_or(Fit::Show, |by| by.fit(&cell)),
                Some(false) => {}
            }
        }
        self.otherwise.as_ref().map_or(Fit::Show, |by| by.fit(&cell))
    }
}
