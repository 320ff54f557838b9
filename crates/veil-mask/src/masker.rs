//! A strategy bound to a key, and what it does to the cells of one column.

use std::sync::Arc;

use veil_model::{Format, PgType};

use crate::array;
use crate::ff1::Way;
use crate::fixed::Fixed;
use crate::function::{self, At, Mask, Stands};
use crate::key::{FunctionKey, RootKey};
use crate::kind::Kind;
use crate::row;
use crate::shown::{self, Shown};
use crate::strategy::{Param, Strategy, Tag};
use crate::unmaskable;

/// Which way a cell is turned, and what it is of.
pub(crate) type Turn<'a> = (Way, Option<&'a str>);

/// Keyed characters of a text that no value is.
const NO_VALUE: usize = 20;

/// A strategy bound to a key.
#[derive(Clone)]
pub struct Masker {
    bound: Arc<Bound>,
    /// The only texts that may stand for others: the words of an enumeration.
    words: Option<Arc<[String]>>,
    /// The fields of a composite type.
    fields: Option<Arc<[(String, PgType)]>>,
}

/// A function, its key, and the functions that it is made of.
pub(crate) struct Bound {
    strategy: Strategy,
    key: FunctionKey,
    inner: Vec<Arc<Self>>,
    /// Where its masks are remembered, and where their hashes start.
    shown: Option<(Arc<Shown>, u64)>,
}

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The cell is NULL; nothing was appended.
    Null,
    /// The masked cell was appended.
    Written,
}

/// What to do with the cells of one column of one result.
#[derive(Clone)]
pub struct ColumnMask {
    pub(crate) plan: Plan,
    /// The element's OID, if the column holds arrays whose elements the plan masks.
    pub(crate) element: Option<u32>,
}

#[derive(Clone)]
pub(crate) enum Plan {
    Null,
    Unsupported,
    Fixed(Arc<Fixed>),
    Keyed(Arc<Bound>, Kind),
    /// Of each field.
    Row(Arc<[ColumnMask]>),
}

impl Bound {
    fn new(root: &RootKey, strategy: &Strategy, scope: &str) -> Self {
        let key = FunctionKey::derive(root, strategy.name(), scope);
        let inner = strategy.mask().inner().iter();
        let inner = inner.map(|inner| Arc::new(Self::new(root, inner, scope))).collect();
        Self { strategy: strategy.clone(), key, inner, shown: None }
    }

    fn stands(&self, kind: Kind) -> Stands {
        let takes = self.strategy.function().takes.contains(&kind.takes());
        self.strategy.mask().stands(kind, takes)
    }

    fn cell(
        &self,
        kind: Kind,
        (way, subject): (Way, Option<&str>),
        format: Format,
        cell: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if way == Way::Reveal && !self.is_reversible() {
            return None;
        }
        let at = At { key: &self.key, kind, limit: kind.limit(), way, subject, inner: &self.inner };
        function::cell(self.mask(), &at, format, cell, out)
    }

    pub(crate) fn mask(&self) -> &dyn Mask {
        self.strategy.mask()
    }

    pub(crate) const fn key(&self) -> &FunctionKey {
        &self.key
    }

    pub(crate) const fn shown(&self) -> Option<&(Arc<Shown>, u64)> {
        self.shown.as_ref()
    }

    fn is_reversible(&self) -> bool {
        self.strategy.is(Tag::Reversible)
    }

    /// Appends a text that no value is.
    pub(crate) fn write_no_value(&self, out: &mut Vec<u8>) {
        out.extend(b"ironveil-no-value-");
        function::base32(&mut self.key.draws(b"no value"), NO_VALUE, out);
    }

    /// Masks a value inside another, in text; `None` makes it NULL.
    pub(crate) fn value(&self, kind: Kind, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self.stands(kind) {
            Stands::Null | Stands::Unsupported => None,
            Stands::Fixed(fixed) => {
                fixed.write(Format::Text, out);
                Some(())
            }
            Stands::Computed => self.cell(kind, (Way::Mask, None), Format::Text, text.as_bytes(), out),
        }
    }
}

impl Masker {
    /// Derives the keys of the strategy's function, the same ones for all columns.
    #[must_use]
    pub fn new(key: &RootKey, strategy: &Strategy) -> Self {
        Self::scoped(key, strategy, "")
    }

    /// Derives keys of their own for each scope: values in different scopes have different masks.
    #[must_use]
    pub fn scoped(key: &RootKey, strategy: &Strategy, scope: &str) -> Self {
        Self { bound: Arc::new(Bound::new(key, strategy, scope)), words: None, fields: None }
    }

    /// The same, which remembers the masks that are shown if the key does not undo them.
    #[must_use]
    pub fn remembering(key: &RootKey, strategy: &Strategy, scope: &str, shown: &Arc<Shown>) -> Self {
        let mut bound = Bound::new(key, strategy, scope);
        let seed = u64::from_le_bytes(bound.key.draws(b"shown").bytes());
        bound.shown = (!bound.is_reversible()).then(|| (Arc::clone(shown), seed));
        Self { bound: Arc::new(bound), words: None, fields: None }
    }

    /// The same for a column whose values are `words`.
    #[must_use]
    pub fn among(&self, words: &Arc<[String]>) -> Self {
        Self { bound: Arc::clone(&self.bound), words: Some(Arc::clone(words)), fields: None }
    }

    /// The same for a column of a composite type with these fields.
    #[must_use]
    pub fn of_fields(&self, fields: &Arc<[(String, PgType)]>) -> Self {
        Self { fields: Some(Arc::clone(fields)), ..self.clone() }
    }

    /// What the strategy does to a composite type: `None` if it has no such fields, or no masks of theirs.
    fn row(&self, fields: &[(String, PgType)]) -> Option<Plan> {
        let names = self.bound.mask().fields();
        if names.is_empty() || !names.iter().all(|name| fields.iter().any(|(field, _)| field == name)) {
            return None;
        }
        let one = |(field, ty): &(String, PgType)| {
            let Some(at) = names.iter().position(|name| name == field) else {
                return Some(ColumnMask::null());
            };
            let bound = Arc::clone(self.bound.inner.get(at)?);
            Some(Self { bound, words: None, fields: None }.column(*ty)).filter(ColumnMask::supported)
        };
        Some(Plan::Row(fields.iter().map(one).collect::<Option<_>>()?))
    }

    pub(crate) fn is_null(&self) -> bool {
        self.bound.mask().is_null()
    }

    pub(crate) const fn has_words(&self) -> bool {
        self.words.is_some()
    }

    fn stands(&self, kind: Kind) -> Stands {
        let stands = self.bound.stands(kind);
        let fits = self.words.as_ref().is_none_or(|words| match &stands {
            Stands::Null | Stands::Unsupported => true,
            Stands::Fixed(fixed) => fixed.is_text_among(words),
            Stands::Computed => self.bound.mask().makes_only(words),
        });
        if fits { stands } else { Stands::Unsupported }
    }

    /// The strategy.
    #[must_use]
    pub fn strategy(&self) -> &Strategy {
        &self.bound.strategy
    }

    /// How many masks there are for all values, if they are few.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        self.bound.mask().room()
    }

    /// Whether a mask stands for one value, so that how often it comes says how often that does.
    #[must_use]
    pub fn counts_values(&self) -> bool {
        !self.bound.strategy.is(Tag::Lossy) && self.subject().is_none()
    }

    /// The column that says what a cell is of, if masks depend on that.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self.bound.strategy.params().get("by") {
            Some(Param::Text(column)) => Some(column.as_str()).filter(|column| !column.is_empty()),
            _ => None,
        }
    }

    /// What the strategy does to a column of type `ty`.
    #[must_use]
    pub fn column(&self, ty: PgType) -> ColumnMask {
        if let Some(fields) = self.fields.as_ref().filter(|_| !self.is_null()) {
            return ColumnMask { plan: self.row(fields).unwrap_or(Plan::Unsupported), element: None };
        }
        let element = ty.element();
        if element.is_some() && !self.bound.mask().takes_arrays() {
            return ColumnMask { plan: Plan::Unsupported, element: None };
        }
        let kind = Kind::of(element.unwrap_or(ty));
        let element = element.map(|element| element.oid);
        let plan = match kind.map(|kind| (kind, self.stands(kind))) {
            // Whatever the type is.
            None if self.bound.mask().is_null() => Plan::Null,
            None => Plan::Unsupported,
            Some((_, Stands::Null)) => Plan::Null,
            Some((_, Stands::Unsupported)) => Plan::Unsupported,
            Some((_, Stands::Fixed(fixed))) => match element {
                Some(oid) if self.bound.mask().empties_arrays() => {
                    return ColumnMask {
                        plan: Plan::Fixed(Arc::new(Fixed::empty_array(oid))),
                        element: None,
                    };
                }
                _ => Plan::Fixed(fixed),
            },
            Some((kind, Stands::Computed)) => Plan::Keyed(Arc::clone(&self.bound), kind),
        };
        let element = element.filter(|_| !matches!(plan, Plan::Null | Plan::Unsupported));
        ColumnMask { plan, element }
    }

    /// What the strategy does to cells of `kind`.
    pub(crate) fn of_kind(&self, kind: Kind) -> ColumnMask {
        let plan = match self.stands(kind) {
            Stands::Null => Plan::Null,
            Stands::Unsupported => Plan::Unsupported,
            Stands::Fixed(fixed) => Plan::Fixed(fixed),
            Stands::Computed => Plan::Keyed(Arc::clone(&self.bound), kind),
        };
        ColumnMask { plan, element: None }
    }
}

impl ColumnMask {
    /// Makes every cell NULL.
    #[must_use]
    pub const fn null() -> Self {
        Self { plan: Plan::Null, element: None }
    }

    /// False if the strategy does not fit the type, so that every cell becomes NULL.
    #[must_use]
    pub fn supported(&self) -> bool {
        !matches!(self.plan, Plan::Unsupported)
    }

    /// Whether the key finds values from their masks.
    #[must_use]
    pub fn is_reversible(&self) -> bool {
        matches!(&self.plan, Plan::Keyed(bound, _) if bound.is_reversible())
    }

    /// Masks one cell that is not NULL, appending the new cell to `out`.
    ///
    /// A cell that cannot be read, or has no mask of its type, becomes NULL and leaves `out` as it was.
    pub fn mask(&self, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        self.mask_of(None, format, cell, out)
    }

    /// The same, with what the cell is of.
    pub fn mask_of(&self, subject: Option<&str>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        self.turn((Way::Mask, subject), format, cell, out)
    }

    /// Finds the value of which a cell is the mask, appending it to `out`. `Null` says that there is none: the function cannot be
    /// undone, or this is no mask of it.
    pub fn reveal(&self, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        self.turn((Way::Reveal, None), format, cell, out)
    }

    fn turn(&self, way: Turn<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        let start = out.len();
        let turned = match self.element {
            _ if matches!(self.plan, Plan::Null | Plan::Unsupported) => None,
            None => self.plan.turn(way, format, cell, out),
            Some(oid) => {
                array::mask(format, oid, cell, out, |cell, out| self.plan.turn(way, format, cell, out))
            }
        };
        if turned.is_some() {
            return Cell::Written;
        }
        if way.0 == Way::Mask && !matches!(self.plan, Plan::Null) {
            unmaskable::note();
        }
        out.truncate(start);
        Cell::Null
    }
}

impl Plan {
    /// The type of the cells that a function is computed for.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Keyed(_, kind) => Some(*kind),
            Self::Null | Self::Unsupported | Self::Fixed(_) | Self::Row(_) => None,
        }
    }

    pub(crate) fn turn(&self, way: Turn<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Null | Self::Unsupported => None,
            Self::Fixed(fixed) if way.0 == Way::Mask => {
                fixed.write(format, out);
                Some(())
            }
            Self::Row(fields) if way.0 == Way::Mask => row::mask(format, fields, cell, out),
            Self::Fixed(_) | Self::Row(_) => None,
            Self::Keyed(bound, kind) => {
                let start = out.len();
                bound.cell(*kind, way, format, cell, out)?;
                if way.0 == Way::Mask {
                    shown::note(bound, *kind, format, out.get(start..).unwrap_or_default());
                }
                Some(())
            }
        }
    }
}
