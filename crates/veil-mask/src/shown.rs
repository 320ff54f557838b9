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
use crate::number::{Number, read_float, write_float};
use crate::numeric::Decimal;
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
                let (mut mask, mut text) = (Vec::new(), Vec::new());
                fixed.write(format, &mut mask);
                fixed.write(Format::Text, &mut text);
                let stated = given.kind.map_or(Some(Kind::Int8), Kind::of).filter(|kind| kind.is_number());
                let same = |kind| Some(Exact::read(kind, format, cell)? == Exact::text(&text)?);
                mask == cell || stated.and_then(same).unwrap_or(false)
            }
            Self::Keyed(bound, own) => {
                // A number says the same in every type.
                let alike = |kind: &Kind| kind.takes() == own.takes() || kind.is_number() && own.is_number();
                let stated = given.kind.and_then(Kind::of).filter(alike).unwrap_or(*own);
                let kind = if format == Format::Binary || own.is_number() { stated } else { *own };
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

/// A number as whole digits and a power of ten, whatever its type is.
#[derive(PartialEq, Eq, Hash)]
struct Exact(i128, u16);

impl Exact {
    fn read(kind: Kind, format: Format, cell: &[u8]) -> Option<Self> {
        match (kind, format) {
            // Written with a point or not.
            (_, Format::Text) => Self::text(cell),
            (Kind::Float4 | Kind::Float8, _) => {
                let mut text = Vec::new();
                write_float(kind, Format::Text, read_float(kind, format, cell)?, &mut text)?;
                Self::text(&text)
            }
            _ => Self::of(Number::read(kind, format, cell)?.scaled()?),
        }
    }

    fn text(cell: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(cell).ok()?;
        let plain = Decimal::parse(text);
        let written =
            || Decimal::parse(&text.parse::<f64>().ok().filter(|float| float.is_finite())?.to_string());
        Self::of(plain.or_else(written)?.scaled()?)
    }

    fn of((mut digits, mut scale): (i128, u16)) -> Option<Self> {
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = (digits / 10, scale - 1);
        }
        Some(Self(digits, scale))
    }
}

/// The hash of a value, whatever its format is.
fn hash(bound: &Bound, seed: u64, kind: Kind, format: Format, cell: &[u8]) -> Option<u64> {
    if kind.is_number() {
        return Some(hashed(seed, Exact::read(kind, format, cell)?));
    }
    let reader = Reader { seed, found: AtomicU64::new(0) };
    let at = At { key: bound.key(), kind, limit: kind.limit(), way: Way::Mask, subject: None, inner: &[] };
    let _ = function::cell(&reader, &at, format, cell, &mut Vec::new());
    Some(reader.found.into_inner()).filter(|hash| *hash != 0)
}

fn hashed(seed: u64, value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, value).hash(&mut hasher);
    hasher.finish().max(1)
}

/// Reads a value, as a function would that masks it.
#[derive(Debug)]
struct Reader {
    seed: u64,
    found: AtomicU64,
}

impl Reader {
    fn take<T>(&self, value: impl Hash) -> Option<T> {
        self.found.store(hashed(self.seed, value), Ordering::Relaxed);
        None
    }
}

impl Mask for Reader {
    fn text(&self, _: &At<'_>, text: &str, _: &mut Vec<u8>) -> Option<()> {
        self.take(text)
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
        let mut value: serde_json::Value = serde_json::from_str(document).ok()?;
        value.sort_all_objects();
        self.take(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use veil_model::PgType;
    use veil_model::pgtype::oid;

    use super::*;
    use crate::translate::Use;
    use crate::{Masker, RootKey, Strategy};

    /// The type that is stated, and how a number is written.
    type Form = (Option<u32>, Format, fn(f64) -> Vec<u8>);

    #[test]
    fn a_number_is_known_in_every_type() {
        let of = |name: &str, oid| {
            let strategy = Strategy::parse(name, &BTreeMap::new()).unwrap();
            let shown = Arc::new(Shown::new(64));
            let masker = Masker::remembering(&RootKey::from_bytes([7; 32]), &strategy, "", &shown);
            masker.column(PgType { oid, modifier: -1 })
        };
        let forms: [Form; 5] = [
            (None, Format::Text, |number| number.to_string().into()),
            (None, Format::Text, |number| format!("{number:.2}").into()),
            (Some(oid::INT4), Format::Binary, |number| (number as i32).to_be_bytes().into()),
            (Some(oid::INT8), Format::Binary, |number| (number as i64).to_be_bytes().into()),
            (Some(oid::FLOAT8), Format::Binary, |number| number.to_be_bytes().into()),
        ];
        for (function, kind) in
            [("redact", oid::INT8), ("redact", oid::FLOAT8), ("number", oid::INT4), ("hash", oid::FLOAT4)]
        {
            let column = of(function, kind);
            let mut mask = Vec::new();
            column.mask(Format::Text, b"1000", &mut mask);
            let mask: f64 = std::str::from_utf8(&mask).unwrap().parse().unwrap();
            for (stated, format, write) in forms {
                let given = Given {
                    used: Use::Stored,
                    kind: stated.map(|oid| PgType { oid, modifier: -1 }),
                    list: false,
                };
                let known = |number: f64| column.was_shown(given, format, Some(&write(number)));
                assert!(known(mask), "{function} {kind} {stated:?}");
                assert!(!known(mask + 1.0), "{function} {kind} {stated:?}");
            }
        }
    }
}
