//! From the masks that clients give to the values that they stand for.
//!
//! Whoever is shown masks works with masks: what he compares with a column, or writes to it, is taken for one. So a record is found by the
//! value that was shown, and a guess at a real value cannot be tried.

use std::cell::Cell as Flag;

use veil_model::pgtype::Format;
use veil_model::{PgType, pgtype::oid};

use crate::array;
use crate::ff1::Way;
use crate::kind::Kind;
use crate::masker::{Cell, ColumnMask, Plan};
use crate::number::{Number, read_float, write_float};

/// What a mask is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// To be equal to: what is no mask may become NULL.
    Equal,
    /// To be compared with otherwise: what is no mask has to stay a value, which equals nothing.
    Unequal,
    /// To be stored.
    Stored,
}

/// How a mask is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// What for.
    pub used: Use,
    /// Its type, or that of the array's elements, if it is stated.
    pub kind: Option<PgType>,
    /// It is an array of masks.
    pub list: bool,
}

/// A value is no mask, and nothing can stand for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMask;

impl ColumnMask {
    /// Whether the values that clients give are taken for masks.
    #[must_use]
    pub fn translates(&self) -> bool {
        let kind = self.plan.kind().filter(|_| self.element.is_none() && self.is_reversible());
        kind.is_some_and(|kind| {
            matches!(
                kind,
                Kind::Text(_)
                    | Kind::Padded(_)
                    | Kind::Int2
                    | Kind::Int4
                    | Kind::Int8
                    | Kind::Ranged(_)
                    | Kind::Numeric(_)
                    | Kind::Uuid
                    | Kind::Inet
                    | Kind::Cidr
                    | Kind::Mac(_)
                    | Kind::Bytea
            )
        })
    }

    /// Whether masks are exact numbers.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.plan.kind().is_some_and(|kind| kind.number_max().is_some())
    }

    /// Whether masks are texts.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.plan.kind().is_some_and(Kind::is_text)
    }

    /// Appends the value of which `cell` is the mask, or one that equals no other.
    ///
    /// # Errors
    /// It is no mask, and no value can be found that equals none.
    pub fn translate(
        &self,
        given: Given,
        format: Format,
        cell: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Cell, NoMask> {
        let start = out.len();
        let failed = Flag::new(false);
        let one = |cell: &[u8], out: &mut Vec<u8>| match self.plan.value(given, format, cell, out) {
            Ok(found) => found,
            Err(NoMask) => {
                failed.set(true);
                None
            }
        };
        let written = if given.list {
            // A list that cannot be read is none of masks.
            let element = element_of(format, cell, given.kind).ok_or(NoMask)?;
            Some(array::mask(format, element, cell, out, one).ok_or(NoMask)?)
        } else {
            one(cell, out)
        };
        match written {
            _ if failed.get() => {
                out.truncate(start);
                Err(NoMask)
            }
            Some(()) => Ok(Cell::Written),
            None => {
                out.truncate(start);
                Ok(Cell::Null)
            }
        }
    }
}

/// The type of an array's elements: as stated, or as the binary form has it.
fn element_of(format: Format, array: &[u8], stated: Option<PgType>) -> Option<u32> {
    match (stated, format) {
        (Some(kind), _) => Some(kind.oid),
        (None, Format::Text) => Some(oid::TEXT),
        (None, Format::Binary) => Some(u32::from_be_bytes(*array.get(8..)?.first_chunk()?)),
    }
}

impl Plan {
    /// `None` is NULL.
    fn value(
        &self,
        given: Given,
        format: Format,
        cell: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<()>, NoMask> {
        let start = out.len();
        if self.reveal_as(given.kind, format, cell, out).is_some() {
            return Ok(Some(()));
        }
        out.truncate(start);
        match (given.used, self.kind(), self) {
            (Use::Equal | Use::Unequal, Some(Kind::Text(_) | Kind::Padded(_)), Self::Keyed(bound, _)) => {
                bound.write_no_value(out);
                Ok(Some(()))
            }
            (Use::Equal, ..) => Ok(None),
            (Use::Unequal | Use::Stored, ..) => Err(NoMask),
        }
    }

    /// Reveals a value that is given in another type.
    fn reveal_as(&self, given: Option<PgType>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let own = self.kind()?;
        let given = given.map_or(Some(own), Kind::of)?;
        let start = out.len();
        match (format, given.number_max(), own.number_max()) {
            // What digits say does not depend on the width.
            (Format::Binary, Some(_), Some(_)) if given != own => {
                let (mut mask, mut value) = (Vec::new(), Vec::new());
                Number::read(given, format, cell)?.write(given, Format::Text, &mut mask)?;
                self.turn((Way::Reveal, None), Format::Text, &mask, &mut value)?;
                Number::read(given, Format::Text, &value)?.write(given, format, out)
            }
            (Format::Binary, Some(_), Some(_)) => self.turn((Way::Reveal, None), format, cell, out),
            (Format::Text, Some(_), Some(_)) => {
                let text = plain_number(std::str::from_utf8(cell).ok()?);
                self.turn((Way::Reveal, None), format, text.as_bytes(), out)
            }
            // What some drivers make of every number.
            (Format::Binary, None, Some(_)) if matches!(given, Kind::Float4 | Kind::Float8) => {
                let (text, mut value) = (read_float(given, format, cell)?.to_string(), Vec::new());
                self.turn((Way::Reveal, None), Format::Text, text.as_bytes(), &mut value)?;
                write_float(given, format, std::str::from_utf8(&value).ok()?.parse().ok()?, out)
            }
            _ if given.takes() != own.takes() => None,
            _ => {
                self.turn((Way::Reveal, None), format, cell, out)?;
                // A text that the function would write otherwise is another text.
                let mut again = Vec::new();
                let value = out.get(start..)?;
                let same = !own.is_text()
                    || self
                        .turn((Way::Mask, None), format, value, &mut again)
                        .is_some_and(|()| again == padless(own, cell));
                same.then_some(())
            }
        }
    }
}

/// A number without blanks, a plus sign, and zeros behind the point.
fn plain_number(text: &str) -> &str {
    let text = text.trim_ascii();
    let text = text.strip_prefix('+').unwrap_or(text);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// A text without the blanks that its type does not count.
fn padless(kind: Kind, cell: &[u8]) -> &[u8] {
    if matches!(kind, Kind::Padded(_)) { cell.trim_ascii_end() } else { cell }
}
