//! A strategy bound to a key, and what it does to the cells of one column.

use std::sync::Arc;

use veil_model::{Format, PgType};

use crate::array;
use crate::fixed::Fixed;
use crate::function::Call;
use crate::key::{FunctionKey, RootKey};
use crate::kind::Kind;
use crate::strategy::Strategy;

/// A strategy bound to a key.
pub struct Masker(Arc<Bound>);

/// A call and the key of its function.
struct Bound {
    call: Call,
    key: FunctionKey,
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
    plan: Plan,
    /// The element's OID, if the column holds arrays whose elements the plan masks.
    element: Option<u32>,
}

#[derive(Clone)]
enum Plan {
    Null,
    Unsupported,
    Fixed(Arc<Fixed>),
    Keyed(Arc<Bound>, Kind),
}

impl Masker {
    /// Derives the key of the strategy's function.
    #[must_use]
    pub fn new(key: &RootKey, strategy: &Strategy) -> Self {
        let key = FunctionKey::derive(key, strategy.name());
        Self(Arc::new(Bound { call: strategy.call.clone(), key }))
    }

    /// What the strategy does to a column of type `ty`.
    #[must_use]
    pub fn column(&self, ty: PgType) -> ColumnMask {
        if self.0.call == Call::Null {
            return ColumnMask::null();
        }
        let element = ty.element();
        let Some(kind) = Kind::of(element.unwrap_or(ty)) else {
            return ColumnMask { plan: Plan::Unsupported, element: None };
        };
        let element = element.map(|element| element.oid);
        if let (Call::Redact(_), Some(oid)) = (&self.0.call, element) {
            return ColumnMask { plan: Plan::Fixed(Arc::new(Fixed::empty_array(oid))), element: None };
        }
        ColumnMask { plan: self.plan(kind), element }
    }

    pub(crate) fn call(&self) -> &Call {
        &self.0.call
    }

    /// What the strategy does to cells of `kind`.
    pub(crate) fn of_kind(&self, kind: Kind) -> ColumnMask {
        ColumnMask { plan: self.plan(kind), element: None }
    }

    fn plan(&self, kind: Kind) -> Plan {
        let fixed = match &self.0.call {
            Call::Redact(label) => Fixed::redacted(kind, label),
            Call::Constant(value) => Fixed::parse(kind, value),
            call if call.suits(kind) => return Plan::Keyed(Arc::clone(&self.0), kind),
            _ => None,
        };
        fixed.map_or(Plan::Unsupported, |fixed| Plan::Fixed(Arc::new(fixed)))
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

    /// Masks one cell that is not NULL, appending the new cell to `out`.
    ///
    /// A cell that cannot be read, or has no mask of its type, becomes NULL and leaves `out` as it was.
    pub fn mask(&self, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Cell {
        let start = out.len();
        let masked = match self.element {
            _ if matches!(self.plan, Plan::Null | Plan::Unsupported) => None,
            None => self.plan.mask(format, cell, out),
            Some(oid) => array::mask(format, oid, cell, out, |cell, out| self.plan.mask(format, cell, out)),
        };
        if masked.is_some() {
            return Cell::Written;
        }
        out.truncate(start);
        Cell::Null
    }
}

impl Plan {
    fn mask(&self, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Null | Self::Unsupported => None,
            Self::Fixed(fixed) => {
                fixed.write(format, out);
                Some(())
            }
            Self::Keyed(bound, kind) => bound.call.mask(&bound.key, *kind, format, cell, out),
        }
    }
}
