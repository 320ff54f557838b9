//! What puts one value in the place of all: `null`, `default`, `redact`, `secret`, `constant`.

use std::sync::Arc;

use super::{Mask, Stands};
use crate::fixed::Fixed;
use crate::kind::Kind;

/// NULL for every value.
#[derive(Debug)]
pub(crate) struct Null;

impl Mask for Null {
    fn stands(&self, _kind: Kind, _takes: bool) -> Stands {
        Stands::Null
    }

    fn is_null(&self) -> bool {
        true
    }
}

/// The zero of the type, or this text.
#[derive(Debug)]
pub(crate) struct Redact(pub(crate) String);

impl Mask for Redact {
    fn stands(&self, kind: Kind, _takes: bool) -> Stands {
        fixed(Fixed::redacted(kind, &self.0))
    }

    fn empties_arrays(&self) -> bool {
        true
    }
}

/// This value, where the type holds it.
#[derive(Debug)]
pub(crate) struct Constant(pub(crate) String);

impl Mask for Constant {
    fn stands(&self, kind: Kind, _takes: bool) -> Stands {
        fixed(Fixed::parse(kind, &self.0))
    }
}

fn fixed(value: Option<Fixed>) -> Stands {
    value.map_or(Stands::Unsupported, |value| Stands::Fixed(Arc::new(value)))
}
