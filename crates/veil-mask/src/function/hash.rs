//! `hash`: a keyed digest of the value's own type.
//!
//! Collisions: a text of the default 32 digits has 128 bits. The masks of numbers up to 2^31 - 1 lie there too, so that a number has one mask
//! in `integer`, `bigint`, `numeric` and documents: of some ten thousand, two may meet; of some hundred in a narrower type. For keys there is `int_perm`.

use super::{At, BASE32, CANDIDATES_MAX, Mask};
use crate::fixed::write_hex;
use crate::kind::{Kind, Limit};
use crate::number::{INT_MAX, Number};

/// Below 10^15 a number survives the trip through a float8 and a spreadsheet.
const NUMBER_MAX: u64 = 999_999_999_999_999;

/// Bytes of a digest in a `bytea` column.
const BYTES: usize = 32;

/// Whole numbers below these bounds are exact.
const FLOAT4_BOUND: u64 = 1 << 24;
const FLOAT8_BOUND: u64 = 1 << 53;

/// So many digits in this alphabet.
#[derive(Debug)]
pub(crate) struct Hash {
    pub(crate) length: usize,
    pub(crate) encoding: Encoding,
}

/// The digits of a text digest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Encoding {
    Hex,
    Base32,
}

choice!(Encoding, "hex" => Hex, "base32" => Base32);

impl Mask for Hash {
    fn fits(&self, kind: Kind) -> bool {
        kind.number_max().is_none_or(|max| max >= 9)
    }

    /// So many digits, fewer if the column is shorter.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        self.digest(at, text, at.limit, out)
    }

    /// A number that is not negative, of the type's range.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let max = at.kind.number_max()?.min(if number.is_small() { INT_MAX } else { NUMBER_MAX });
        let mut draws = number.feed(at.key.prf()).draws();
        let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.below(max + 1));
        Number::of(at.kind, candidates.find(|&candidate| number.whole() != Some(candidate))?)
    }

    /// A whole number that the float holds exactly.
    #[allow(clippy::cast_precision_loss, reason = "below 2^53")]
    fn float(&self, at: &At<'_>, number: f64) -> Option<f64> {
        let bound = if at.kind == Kind::Float4 { FLOAT4_BOUND } else { FLOAT8_BOUND };
        let mut draws = at.key.draws(&number.to_be_bytes());
        let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.below(bound) as f64);
        candidates.find(|candidate| candidate.to_bits() != number.to_bits())
    }

    /// A uuid of version 8, which RFC 9562 leaves to applications: masked ids can be told from real ones.
    fn uuid(&self, at: &At<'_>, uuid: [u8; 16]) -> Option<[u8; 16]> {
        let mut draws = at.key.draws(&uuid);
        let mut candidates = (0..CANDIDATES_MAX).map(|_| {
            let mut candidate = draws.bytes::<16>();
            candidate[6] = candidate[6] & 0x0f | 0x80;
            candidate[8] = candidate[8] & 0x3f | 0x80;
            candidate
        });
        candidates.find(|candidate| *candidate != uuid)
    }

    fn bytes(&self, at: &At<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut draws = at.key.draws(bytes);
        let mut candidates = (0..CANDIDATES_MAX).map(|_| draws.bytes::<BYTES>());
        candidates.find(|candidate| candidate != bytes).map(Vec::from)
    }

    /// Any document. Without blanks and with its keys sorted, so that equal documents hash alike.
    fn document(&self, at: &At<'_>, document: &str, out: &mut Vec<u8>) -> Option<()> {
        let text = match serde_json::from_str(document).ok()? {
            serde_json::Value::String(text) => text,
            mut other => {
                other.sort_all_objects();
                other.to_string()
            }
        };
        out.push(b'"');
        self.digest(at, &text, Limit::NONE, out)?;
        out.push(b'"');
        Some(())
    }
}

impl Hash {
    fn digest(&self, at: &At<'_>, text: &str, limit: Limit, out: &mut Vec<u8>) -> Option<()> {
        let mut draws = at.key.draws(text.as_bytes());
        let start = out.len();
        for _ in 0..CANDIDATES_MAX {
            let drawn = draws.bytes::<64>();
            match self.encoding {
                Encoding::Hex => write_hex(drawn.get(..32)?, out),
                Encoding::Base32 => {
                    out.extend(drawn.iter().filter_map(|byte| BASE32.get(usize::from(byte & 31))));
                }
            }
            out.truncate(start + self.length.min(limit.ascii()));
            if out.get(start..)? != text.as_bytes() {
                return Some(());
            }
            out.truncate(start);
        }
        None
    }
}
