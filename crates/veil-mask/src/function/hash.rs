//! `hash`: a keyed digest of the value's own type.
//!
//! Collisions: a text of the default 32 digits has 128 bits; a number has no more than its type's range, so an
//! `int2` column with more than some hundred values will see two of them meet.

use veil_model::Format;

use super::CANDIDATES_MAX;
use crate::fixed::{read_hex, read_uuid, write_hex, write_uuid};
use crate::key::FunctionKey;
use crate::kind::{Kind, Limit};
use crate::number::{Number, read_float, write_float};

/// Below 10^15 a number survives the trip through a float8 and a spreadsheet.
const NUMERIC_MAX: u64 = 999_999_999_999_999;

/// Bytes of a digest in a `bytea` column.
const BYTEA_BYTES: usize = 32;

/// Whole numbers below these bounds are exact.
const FLOAT4_BOUND: u64 = 1 << 24;
const FLOAT8_BOUND: u64 = 1 << 53;

/// `length` hexadecimal digits, fewer if the column is shorter.
pub(crate) fn text(
    key: &FunctionKey,
    length: usize,
    text: &str,
    limit: Limit,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut draws = key.draws(text.as_bytes());
    let start = out.len();
    for _ in 0..CANDIDATES_MAX {
        write_hex(&draws.bytes::<32>(), out);
        out.truncate(start + length.min(limit.ascii()));
        if out.get(start..)? != text.as_bytes() {
            return Some(());
        }
        out.truncate(start);
    }
    None
}

/// A number that is not negative, of the type's range or below 10^15 for `numeric`.
pub(crate) fn number(key: &FunctionKey, kind: Kind, number: &Number) -> Option<u64> {
    let max = match kind {
        Kind::Numeric(_) => kind.number_max()?.min(NUMERIC_MAX),
        _ => kind.number_max()?,
    };
    let mut draws = number.feed(key.prf()).draws();
    let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.below(max + 1));
    candidates.find(|&candidate| number.whole() != Some(candidate))
}

/// A whole number that the float holds exactly.
#[allow(clippy::cast_precision_loss, reason = "below 2^53")]
pub(crate) fn float(
    key: &FunctionKey,
    kind: Kind,
    format: Format,
    cell: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let number = read_float(kind, format, cell)?;
    let bound = if kind == Kind::Float4 { FLOAT4_BOUND } else { FLOAT8_BOUND };
    let mut draws = key.draws(&number.to_be_bytes());
    let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.below(bound) as f64);
    let masked = candidates.find(|candidate| candidate.to_bits() != number.to_bits())?;
    write_float(kind, format, masked, out)
}

/// A uuid of version 8, which RFC 9562 leaves to applications: masked ids can be told from real ones.
pub(crate) fn uuid(key: &FunctionKey, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let uuid: [u8; 16] = match format {
        Format::Text => read_uuid(cell)?,
        Format::Binary => cell.try_into().ok()?,
    };
    let mut draws = key.draws(&uuid);
    let mut candidates = (0..CANDIDATES_MAX).map(|_| {
        let mut candidate = draws.bytes::<16>();
        candidate[6] = candidate[6] & 0x0f | 0x80;
        candidate[8] = candidate[8] & 0x3f | 0x80;
        candidate
    });
    let masked = candidates.find(|candidate| *candidate != uuid)?;
    match format {
        Format::Text => write_uuid(&masked, out),
        Format::Binary => out.extend(masked),
    }
    Some(())
}

/// 32 bytes. The text form is `\x` and hexadecimal digits; the escape form is not read.
pub(crate) fn bytea(key: &FunctionKey, format: Format, cell: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let decoded;
    let bytes = match format {
        Format::Binary => cell,
        Format::Text => {
            decoded = read_hex(cell.strip_prefix(b"\\x")?)?;
            &decoded
        }
    };
    let mut draws = key.draws(bytes);
    let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.bytes::<BYTEA_BYTES>());
    let masked = candidates.find(|candidate| candidate != bytes)?;
    match format {
        Format::Text => {
            out.extend(b"\\x");
            write_hex(&masked, out);
        }
        Format::Binary => out.extend(masked),
    }
    Some(())
}
