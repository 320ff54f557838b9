//! The masking functions, one a file, and the way from a cell to its mask.
//!
//! A function sees a text, a number, a date or an address, never a wire format; what is read here from text and from
//! binary is the same value, so the masks are the same. Those that can be undone are asked to by [`Way::Reveal`].

/// Reads a choice of words.
macro_rules! choice {
    ($name:ident, $($word:literal => $variant:ident),+) => {
        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(()),
                }
            }
        }
    };
}

mod address;
mod blob;
mod boolean;
mod canary;
mod category;
mod company;
mod composite;
mod credit_card;
mod date_shift;
mod date_truncate;
mod email;
mod fixed;
mod fpe;
mod geo;
mod hash;
mod iban;
mod int_perm;
mod ip;
mod json;
mod lookup;
mod mac;
mod name;
mod national_id;
mod number;
mod partial;
mod phone;
mod postcode;
mod regex;
mod shape;
mod template;
mod text_entities;
mod token;
mod truncate;
mod url;
mod username;
mod uuid_perm;

use std::fmt;
use std::sync::Arc;

use veil_model::Format;

use crate::date::{self, Iso};
use crate::ff1::Way;
use crate::fixed::{read_hex, read_uuid, write_hex, write_uuid};
use crate::inet::{Hardware, Inet};
use crate::key::{Draws, FunctionKey};
use crate::kind::{Kind, Limit};
use crate::masker::Bound;
use crate::number::{Number, read_float, write_float};
use crate::point::{read_point, write_point};
use crate::strategy::Strategy;

pub use canary::canaries_met;
pub(crate) use catalogue::CATALOGUE;

mod catalogue;

/// The letters and digits that keyed texts are made of.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Candidates drawn before a value that every one of them equals becomes NULL.
const CANDIDATES_MAX: usize = 64;

/// Shown by `email`, `phone` and the like for a text that is not what they mask.
pub(crate) const LABEL: &str = "[REDACTED]";

/// What a function does to all cells of a column alike, or one by one.
pub(crate) enum Stands {
    Null,
    Fixed(Arc<crate::fixed::Fixed>),
    Computed,
    Unsupported,
}

/// How a mask is made of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// It is invented.
    Fake,
    /// The number is encrypted.
    Fpe,
}

choice!(Mode, "fake" => Fake, "fpe" => Fpe);

/// Where a value stands that is masked, and by what.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) key: &'a FunctionKey,
    pub(crate) kind: Kind,
    pub(crate) limit: Limit,
    pub(crate) way: Way,
    /// What it is of, where masks depend on that.
    pub(crate) subject: Option<&'a str>,
    /// The functions that this one is made of.
    pub(crate) inner: &'a [Arc<Bound>],
}

impl At<'_> {
    /// For functions that cannot be undone.
    fn masks(&self) -> Option<()> {
        (self.way == Way::Mask).then_some(())
    }
}

/// What becomes of a moment.
pub(crate) enum Moved {
    /// Another day, at the same time.
    Days(i64),
    /// Another moment, in UTC.
    To(i64),
}

/// A masking function with its parameters. What it has no mask for is `None`, which makes the cell NULL.
pub(crate) trait Mask: fmt::Debug + Send + Sync {
    /// Whether it is computed for each value, of the types that the catalogue says.
    fn stands(&self, kind: Kind, takes: bool) -> Stands {
        if takes && self.fits(kind) { Stands::Computed } else { Stands::Unsupported }
    }

    /// Whether every mask is one of `words`.
    fn makes_only(&self, _words: &[String]) -> bool {
        false
    }

    /// Whether it makes NULL of every value, whatever its type is.
    fn is_null(&self) -> bool {
        false
    }

    /// Whether an array of what it replaces has no elements.
    fn empties_arrays(&self) -> bool {
        false
    }

    /// Whether what stands at a path of a document is masked; all of it without.
    fn covers(&self, _: Option<&str>) -> bool {
        true
    }

    /// Whether elements of an array may be masked one by one.
    fn takes_arrays(&self) -> bool {
        true
    }

    /// How many masks there are for all values, if they are few.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Whether a type is wide enough for its masks.
    fn fits(&self, _kind: Kind) -> bool {
        true
    }

    /// The fields that are masked, one by each of the functions that this one is made of.
    fn fields(&self) -> &[String] {
        &[]
    }

    /// The functions that this one is made of.
    fn inner(&self) -> &[Strategy] {
        &[]
    }

    fn text(&self, _at: &At<'_>, _text: &str, _out: &mut Vec<u8>) -> Option<()> {
        None
    }

    fn number(&self, _at: &At<'_>, _number: &Number) -> Option<Number> {
        None
    }

    fn float(&self, _at: &At<'_>, _number: f64) -> Option<f64> {
        None
    }

    /// A moment, in microseconds since 2000-01-01, in UTC where a zone is known.
    fn moment(&self, _at: &At<'_>, _micros: i64) -> Option<Moved> {
        None
    }

    fn truth(&self, _at: &At<'_>, _truth: bool) -> Option<bool> {
        None
    }

    fn uuid(&self, _at: &At<'_>, _uuid: [u8; 16]) -> Option<[u8; 16]> {
        None
    }

    fn bytes(&self, _at: &At<'_>, _bytes: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn inet(&self, _at: &At<'_>, _inet: Inet) -> Option<Inet> {
        None
    }

    fn hardware(&self, _at: &At<'_>, _address: Hardware) -> Option<Hardware> {
        None
    }

    fn point(&self, _at: &At<'_>, _point: [f64; 2]) -> Option<[f64; 2]> {
        None
    }

    /// A document: that which is a text is masked as such.
    fn document(&self, at: &At<'_>, document: &str, out: &mut Vec<u8>) -> Option<()> {
        let serde_json::Value::String(text) = serde_json::from_str(document).ok()? else { return None };
        let mut masked = Vec::new();
        self.text(at, &text, &mut masked)?;
        serde_json::to_writer(out, std::str::from_utf8(&masked).ok()?).ok()
    }
}

/// Masks one cell, or reveals it.
pub(crate) fn cell(
    mask: &dyn Mask,
    at: &At<'_>,
    format: Format,
    cell: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    match at.kind {
        Kind::Text(_) => mask.text(at, std::str::from_utf8(cell).ok()?, out),
        Kind::Padded(_) => mask.text(at, std::str::from_utf8(cell).ok()?.trim_end_matches(' '), out),
        Kind::Char => single(mask, at, format, cell, out),
        Kind::Json => mask.document(at, std::str::from_utf8(cell).ok()?, out),
        Kind::Jsonb => {
            let document = match format {
                Format::Text => cell,
                Format::Binary => {
                    out.push(1);
                    cell.strip_prefix(&[1])?
                }
            };
            mask.document(at, std::str::from_utf8(document).ok()?, out)
        }
        Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Ranged(_) | Kind::Numeric(_) => {
            mask.number(at, &Number::read(at.kind, format, cell)?)?.write(at.kind, format, out)
        }
        Kind::Float4 | Kind::Float8 => {
            let masked = mask.float(at, read_float(at.kind, format, cell)?)?;
            write_float(at.kind, format, masked + 0.0, out)
        }
        Kind::Uuid => uuid(mask, at, format, cell, out),
        Kind::Bytea => bytea(mask, at, format, cell, out),
        Kind::Date | Kind::Timestamp | Kind::TimestampTz => moment(mask, at, format, cell, out),
        Kind::Inet | Kind::Cidr => {
            mask.inet(at, Inet::read(format, cell)?)?.write(at.kind, format, out);
            Some(())
        }
        Kind::Mac(bytes) => {
            mask.hardware(at, Hardware::read(bytes, format, cell)?)?.write(format, out);
            Some(())
        }
        Kind::Point => write_point(mask.point(at, read_point(format, cell)?)?, format, out),
        Kind::Bool => boolean(mask, at, format, cell, out),
    }
}

fn boolean(mask: &dyn Mask, at: &At<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (no, yes) = match format {
        Format::Text => (b'f', b't'),
        Format::Binary => (0, 1),
    };
    let truth = match *cell {
        [byte] if byte == no => false,
        [byte] if byte == yes => true,
        _ => return None,
    };
    out.push(if mask.truth(at, truth)? { yes } else { no });
    Some(())
}

fn uuid(mask: &dyn Mask, at: &At<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match format {
        Format::Text => write_uuid(&mask.uuid(at, read_uuid(cell)?)?, out),
        Format::Binary => out.extend(mask.uuid(at, cell.try_into().ok()?)?),
    }
    Some(())
}

/// The text form is `\x` and hexadecimal digits; the escape form is not read.
fn bytea(mask: &dyn Mask, at: &At<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match format {
        Format::Text => {
            let masked = mask.bytes(at, &read_hex(cell.strip_prefix(b"\\x")?)?)?;
            out.extend(b"\\x");
            write_hex(&masked, out);
        }
        Format::Binary => out.extend(mask.bytes(at, cell)?),
    }
    Some(())
}

fn moment(mask: &dyn Mask, at: &At<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if format == Format::Text {
        let iso = Iso::parse(std::str::from_utf8(cell).ok()?)?;
        return if iso.shape.suits(at.kind) { written_moment(mask, at, &iso, out) } else { None };
    }
    let micros = date::read_binary(at.kind, cell)?;
    let masked = match mask.moment(at, micros)? {
        Moved::Days(days) => micros.checked_add(days.checked_mul(date::DAY_MICROS)?)?,
        Moved::To(micros) => micros,
    };
    date::write_binary(at.kind, masked, out)
}

/// Masks a moment in text: its time and zone stay as they are written where only the day moves.
pub(crate) fn written_moment(mask: &dyn Mask, at: &At<'_>, iso: &Iso<'_>, out: &mut Vec<u8>) -> Option<()> {
    match mask.moment(at, iso.micros)? {
        Moved::Days(days) => {
            date::write_date(iso.day + days, out)?;
            out.extend(iso.tail.as_bytes());
            Some(())
        }
        Moved::To(micros) => date::write(iso.shape.kind(), Format::Text, micros, out),
    }
}

/// `"char"`: one byte, which text writes as `\ooo` from 128 on and leaves out when it is 0. Such a byte stands
/// for the Latin-1 character, as it belongs to no text in UTF-8.
fn single(mask: &dyn Mask, at: &At<'_>, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let octal = |byte: u8| char::from(byte).to_digit(8);
    let byte = match (format, cell) {
        (Format::Text, []) => 0,
        (Format::Text, &[b'\\', a, b, c]) => u8::try_from(octal(a)? * 64 + octal(b)? * 8 + octal(c)?).ok()?,
        (_, &[byte]) => byte,
        _ => return None,
    };
    let mut buffer = [0; 4];
    let text: &str = if byte == 0 { "" } else { char::from(byte).encode_utf8(&mut buffer) };
    let start = out.len();
    mask.text(at, text, out)?;
    if format == Format::Binary && out.len() == start {
        out.push(0);
    }
    Some(())
}

/// Appends the label for a text that is not what a function masks; there is nothing to reveal in it.
fn redacted(at: &At<'_>, out: &mut Vec<u8>) -> Option<()> {
    at.masks()?;
    out.extend(at.limit.cut(LABEL).as_bytes());
    Some(())
}

/// Keeps what was appended since `start` if the column has room for it, and puts the label there otherwise.
fn fitted(at: &At<'_>, start: usize, out: &mut Vec<u8>) -> Option<()> {
    if at.limit.fits(std::str::from_utf8(out.get(start..)?).ok()?) {
        return Some(());
    }
    out.truncate(start);
    redacted(at, out)
}

/// Appends so many keyed letters and digits.
pub(crate) fn base32(draws: &mut Draws, length: usize, out: &mut Vec<u8>) {
    out.extend((0..length).map(|_| draws.pick(BASE32.as_slice())));
}

fn lower(text: &str) -> impl Iterator<Item = char> + Clone {
    text.chars().flat_map(char::to_lowercase)
}

/// Draws until what is written is another text than `text`, aside from case.
fn other_than(
    text: &str,
    out: &mut Vec<u8>,
    mut candidate: impl FnMut(&mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    let start = out.len();
    for _ in 0..CANDIDATES_MAX {
        candidate(out)?;
        let drawn = std::str::from_utf8(out.get(start..)?).ok()?;
        let same = match drawn.is_ascii() && text.is_ascii() {
            true => drawn.eq_ignore_ascii_case(text),
            false => lower(drawn).eq(lower(text)),
        };
        if !same {
            return Some(());
        }
        out.truncate(start);
    }
    None
}

/// Whether a text is the label, perhaps cut.
fn is_label(at: &At<'_>, text: &str) -> bool {
    !text.is_empty() && at.limit.cut(LABEL) == text
}
