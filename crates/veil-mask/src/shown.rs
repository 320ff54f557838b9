//! Masks that were shown, so that they are known when somebody writes them back.
//!
//! Who reads a row, changes one column and writes all of them would store masks over values. What the key does not undo has to be
//! remembered for that: not the masks, but hashes of them, as many as there is room for, the newest.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use veil_model::Format;

use crate::array;
use crate::ff1::Way;
use crate::function::{self, At, Mask, Moved};
use crate::inet::{Hardware, Inet};
use crate::kind::Kind;
use crate::masker::{Bound, ColumnMask, Plan};
use crate::number::Number;
use crate::translate::Given;

/// The newest masks that were shown, by their hashes.
pub struct Shown(Box<[AtomicU64]>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Shown {
    /// Room for so many.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self((0..room.max(1)).map(|_| AtomicU64::new(0)).collect())
    }

    fn slot(&self, hash: u64) -> Option<&AtomicU64> {
        let room = u64::try_from(self.0.len()).unwrap_or(1);
        self.0.get(usize::try_from(hash % room).unwrap_or(0))
    }

    fn note(&self, hash: u64) {
        if let Some(slot) = self.slot(hash) {
            slot.store(hash, Ordering::Relaxed);
        }
    }

    fn holds(&self, hash: u64) -> bool {
        self.slot(hash).is_some_and(|slot| slot.load(Ordering::Relaxed) == hash)
    }
}

impl ColumnMask {
    /// Whether a value of the column is what a mask is that was shown; `None` stands for NULL.
    #[must_use]
    pub fn was_shown(&self, given: Given, format: Format, value: Option<&[u8]>) -> bool {
        let Some(value) = value else { return matches!(self.plan, Plan::Null | Plan::Unsupported) };
        let found = std::cell::Cell::new(false);
        let look = |cell: &[u8], _: &mut Vec<u8>| {
            found.set(found.get() || self.plan.was_shown(given, format, cell));
            Some(())
        };
        match self.element {
            Some(element) => drop(array::mask(format, element, value, &mut Vec::new(), look)),
            None => drop(look(value, &mut Vec::new())),
        }
        found.get()
    }
}

impl Plan {
    fn was_shown(&self, given: Given, format: Format, cell: &[u8]) -> bool {
        match self {
            Self::Null | Self::Unsupported | Self::Row(_) => false,
            Self::Fixed(fixed) => {
                let mut mask = Vec::new();
                fixed.write(format, &mut mask);
                mask == cell
            }
            Self::Keyed(bound, own) => {
                // A number says the same in every width.
                let stated = given.kind.and_then(Kind::of).filter(|kind| kind.takes() == own.takes());
                let kind = if format == Format::Binary { stated.unwrap_or(*own) } else { *own };
                let Some((shown, seed)) = bound.shown() else { return false };
                hash(bound, *seed, kind, format, cell).is_some_and(|hash| shown.holds(hash))
            }
        }
    }
}

/// Notes a mask that is going to be shown.
pub(crate) fn note(bound: &Bound, kind: Kind, format: Format, mask: &[u8]) {
    if let Some((shown, seed)) = bound.shown()
        && let Some(hash) = hash(bound, *seed, kind, format, mask)
    {
        shown.note(hash);
    }
}

/// The hash of a value, whatever its format is.
fn hash(bound: &Bound, seed: u64, kind: Kind, format: Format, cell: &[u8]) -> Option<u64> {
    let reader = Reader { seed, found: AtomicU64::new(0) };
    let at = At { key: bound.key(), kind, limit: kind.limit(), way: Way::Mask, subject: None, inner: &[] };
    let _ = function::cell(&reader, &at, format, cell, &mut Vec::new());
    Some(reader.found.into_inner()).filter(|hash| *hash != 0)
}

/// Reads a value, as a function would that masks it.
#[derive(Debug)]
struct Reader {
    seed: u64,
    found: AtomicU64,
}

impl Reader {
    fn take<T>(&self, value: impl Hash) -> Option<T> {
        let mut hasher = DefaultHasher::new();
        (self.seed, value).hash(&mut hasher);
        self.found.store(hasher.finish().max(1), Ordering::Relaxed);
        None
    }
}

impl Mask for Reader {
    fn text(&self, _: &At<'_>, text: &str, _: &mut Vec<u8>) -> Option<()> {
        self.take(text)
    }

    fn number(&self, _: &At<'_>, number: &Number) -> Option<Number> {
        let (mut digits, mut scale) = number.scaled()?;
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        self.take((digits, scale))
    }

    fn float(&self, _: &At<'_>, number: f64) -> Option<f64> {
        self.take(number.to_bits())
    }

    fn moment(&self, _: &At<'_>, micros: i64) -> Option<Moved> {
        self.take(micros)
    }

    fn uuid(&self, _: &At<'_>, uuid: [u8; 16]) -> Option<[u8; 16]> {
        self.take(uuid)
    }

    fn bytes(&self, _: &At<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        self.take(bytes)
    }

    fn inet(&self, _: &At<'_>, inet: Inet) -> Option<Inet> {
        self.take((inet.address, inet.bits))
    }

    fn hardware(&self, _: &At<'_>, address: Hardware) -> Option<Hardware> {
        self.take((address.bytes, address.address))
    }

    fn point(&self, _: &At<'_>, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        self.take((x.to_bits(), y.to_bits()))
    }

    fn document(&self, _: &At<'_>, document: &str, _: &mut Vec<u8>) -> Option<()> {
        let value: serde_json::Value = serde_json::from_str(document).ok()?;
        self.take(value.to_string())
    }
}
