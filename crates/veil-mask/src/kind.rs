//! The cell types that masks understand, with what a type modifier allows.

use veil_model::PgType;
use veil_model::pgtype::oid;

use crate::strategy::Takes;

/// The type of a cell, array elements included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text(Limit),
    /// `bpchar`: blank-padded, so trailing blanks mean nothing.
    Padded(Limit),
    /// `"char"`: one byte.
    Char,
    Bool,
    Int2,
    Int4,
    Int8,
    /// An integer of MySQL that PostgreSQL does not have, by its greatest value.
    Ranged(u64),
    Float4,
    Float8,
    Numeric(Precision),
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Inet,
    Cidr,
    /// An address of so many bytes.
    Mac(u8),
    Point,
    Bytea,
    Json,
    Jsonb,
}

impl Kind {
    pub(crate) fn of(ty: PgType) -> Option<Self> {
        let chars = ty.chars_max().unwrap_or(usize::MAX);
        Some(match ty.oid {
            oid::TEXT | oid::VARCHAR => Self::Text(Limit { chars, bytes: usize::MAX }),
            // `name` counts bytes.
            oid::NAME => Self::Text(Limit { chars, bytes: chars }),
            oid::BPCHAR => Self::Padded(Limit { chars, bytes: usize::MAX }),
            oid::CHAR => Self::Char,
            oid::BOOL => Self::Bool,
            oid::INT2 => Self::Int2,
            oid::INT4 => Self::Int4,
            oid::INT8 => Self::Int8,
            oid::FLOAT4 => Self::Float4,
            oid::FLOAT8 => Self::Float8,
            oid::NUMERIC => Self::Numeric(Precision::of(ty.modifier)),
            oid::DATE => Self::Date,
            oid::TIMESTAMP => Self::Timestamp,
            oid::TIMESTAMPTZ => Self::TimestampTz,
            oid::UUID => Self::Uuid,
            oid::INET => Self::Inet,
            oid::CIDR => Self::Cidr,
            oid::MACADDR => Self::Mac(6),
            oid::MACADDR8 => Self::Mac(8),
            oid::POINT => Self::Point,
            oid::BYTEA => Self::Bytea,
            oid::JSON => Self::Json,
            oid::JSONB => Self::Jsonb,
            _ => return None,
        })
    }

    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Text(_) | Self::Padded(_) | Self::Char)
    }

    /// Whether it is a number, exact or not.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self.takes(), Takes::Number | Takes::Float)
    }

    /// What the catalogue of functions calls the type.
    pub(crate) const fn takes(self) -> Takes {
        match self {
            Self::Text(_) | Self::Padded(_) | Self::Char => Takes::Text,
            Self::Bool => Takes::Bool,
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Ranged(_) | Self::Numeric(_) => Takes::Number,
            Self::Float4 | Self::Float8 => Takes::Float,
            Self::Date | Self::Timestamp | Self::TimestampTz => Takes::Date,
            Self::Uuid => Takes::Uuid,
            Self::Inet | Self::Cidr => Takes::Inet,
            Self::Mac(_) => Takes::Mac,
            Self::Point => Takes::Point,
            Self::Bytea => Takes::Bytes,
            Self::Json | Self::Jsonb => Takes::Json,
        }
    }

    /// How long texts of the type may be.
    pub(crate) const fn limit(self) -> Limit {
        match self {
            Self::Text(limit) | Self::Padded(limit) => limit,
            Self::Char => Limit::CHAR,
            _ => Limit::NONE,
        }
    }

    /// The greatest whole number that the type holds and masks use; `None` if the type is not an exact number.
    pub(crate) fn number_max(self) -> Option<u64> {
        match self {
            Self::Int2 => u64::try_from(i16::MAX).ok(),
            Self::Int4 => u64::try_from(i32::MAX).ok(),
            Self::Int8 => u64::try_from(i64::MAX).ok(),
            Self::Ranged(max) => Some(max),
            // 10^19 - 1 is the last row of nines in 64 bits.
            Self::Numeric(precision) => {
                10u64.checked_pow(precision.integer_digits.min(19)).map(|max| max - 1)
            }
            _ => None,
        }
    }
}

/// How long a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) chars: usize,
    pub(crate) bytes: usize,
}

impl Limit {
    pub(crate) const NONE: Self = Self { chars: usize::MAX, bytes: usize::MAX };
    pub(crate) const CHAR: Self = Self { chars: 1, bytes: 1 };

    /// The longest beginning of `text` that fits.
    pub(crate) fn cut(self, text: &str) -> &str {
        if text.len() <= self.ascii() {
            return text;
        }
        let end = text
            .char_indices()
            .enumerate()
            .find(|&(count, (at, c))| count >= self.chars || at + c.len_utf8() > self.bytes)
            .map_or(text.len(), |(_, (at, _))| at);
        text.get(..end).unwrap_or_default()
    }

    pub(crate) fn fits(self, text: &str) -> bool {
        self.cut(text).len() == text.len()
    }

    /// Characters that surely fit when each is one byte long.
    pub(crate) fn ascii(self) -> usize {
        self.chars.min(self.bytes)
    }
}

/// What `numeric(p, s)` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precision {
    /// Digits before the point.
    pub(crate) integer_digits: u32,
    /// Digits after the point.
    pub(crate) scale: u32,
}

impl Precision {
    /// Reads `((p << 16) | (s & 0x7ff)) + 4`. A negative scale (rounding to thousands) leaves room for zero only.
    fn of(modifier: i32) -> Self {
        let Ok(packed) = u32::try_from(modifier.saturating_sub(4)) else {
            return Self { integer_digits: 131_072, scale: 16_383 };
        };
        let (precision, scale) = (packed >> 16, packed & 0x7ff);
        if scale >= 1024 {
            return Self { integer_digits: 0, scale: 0 };
        }
        Self { integer_digits: precision.saturating_sub(scale), scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_characters_and_bytes() {
        let limit = |chars, bytes| Limit { chars, bytes };
        for (limit, text, cut) in [
            (Limit::NONE, "żółw", "żółw"),
            (limit(2, 99), "żółw", "żó"),
            (limit(9, 3), "żółw", "ż"),
            (limit(4, 99), "żółw", "żółw"),
            (Limit::CHAR, "ż", ""),
            (limit(0, 0), "a", ""),
        ] {
            assert_eq!(limit.cut(text), cut);
        }
    }

    #[test]
    fn numeric_modifiers_bound_the_number() {
        let max = |modifier| Kind::of(PgType { oid: oid::NUMERIC, modifier }).and_then(Kind::number_max);
        assert_eq!(max(-1), Some(10u64.pow(19) - 1));
        assert_eq!(max((12 << 16 | 2) + 4), Some(10u64.pow(10) - 1));
        assert_eq!(max((2 << 16 | 2) + 4), Some(0));
        assert_eq!(max((2 << 16 | 0x7fd) + 4), Some(0));
    }
}
