//! Cells of the number types: reading what masks need of them, and writing a masked whole number.

use std::io::Write;

use veil_model::Format;

use crate::digits::Digits;
use crate::key::Prf;
use crate::kind::Kind;
use crate::numeric::Decimal;

/// The greatest `integer`.
pub(crate) const INT_MAX: u64 = 0x7fff_ffff;

/// An exact number.
pub(crate) enum Number {
    Int(i64),
    Decimal(Decimal),
}

impl Number {
    pub(crate) fn read(kind: Kind, format: Format, cell: &[u8]) -> Option<Self> {
        if let Kind::Numeric(_) = kind {
            return match format {
                Format::Text => Decimal::parse(std::str::from_utf8(cell).ok()?),
                Format::Binary => Decimal::from_binary(cell),
            }
            .map(Self::Decimal);
        }
        let number = match format {
            Format::Text => std::str::from_utf8(cell).ok()?.parse().ok()?,
            Format::Binary => match kind {
                Kind::Int2 => i16::from_be_bytes(cell.try_into().ok()?).into(),
                Kind::Int4 => i32::from_be_bytes(cell.try_into().ok()?).into(),
                Kind::Int8 => i64::from_be_bytes(cell.try_into().ok()?),
                _ => return None,
            },
        };
        let fits = match kind {
            Kind::Int2 => i16::try_from(number).is_ok(),
            Kind::Int4 => i32::try_from(number).is_ok(),
            Kind::Ranged(_) => true,
            _ => kind == Kind::Int8,
        };
        fits.then_some(Self::Int(number))
    }

    /// The number if it is whole and not negative.
    pub(crate) fn whole(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            Self::Decimal(decimal) => decimal.whole(),
        }
    }

    /// The decimal digits of a whole number.
    pub(crate) fn digits(&self, width: usize) -> Option<Digits> {
        self.whole().map(|number| Digits::of_number(number, width))
    }

    /// Feeds the number, alike in every type that holds it.
    pub(crate) fn feed(&self, prf: Prf) -> Prf {
        let fed = |negative, exponent: i32| prf.bytes(&[u8::from(negative)]).bytes(&exponent.to_be_bytes());
        match self {
            Self::Int(0) => fed(false, 0),
            Self::Int(number) => {
                let digits = Digits::of_number(number.unsigned_abs(), 0);
                let exponent = i32::try_from(digits.len()).unwrap_or_default();
                digits
                    .without_last_zeros()
                    .iter()
                    .fold(fed(*number < 0, exponent), |prf, digit| prf.bytes(&[digit - b'0']))
            }
            Self::Decimal(decimal) => {
                let (negative, exponent, digits) = decimal.identity();
                fed(negative, exponent).bytes(digits)
            }
        }
    }

    /// Whether it is about as great as an `integer` holds, whatever its type is.
    pub(crate) fn is_small(&self) -> bool {
        match self {
            Self::Int(number) => number.unsigned_abs() <= INT_MAX,
            Self::Decimal(decimal) => decimal.integer_part().is_some_and(|part| part <= INT_MAX),
        }
    }

    /// A number of the type, if it holds it.
    pub(crate) fn of(kind: Kind, number: u64) -> Option<Self> {
        Self::of_scaled(kind, number.into(), 0)
    }

    /// The number times a power of ten that makes it whole, which is how many digits it shows after the point.
    pub(crate) fn scaled(&self) -> Option<(i128, u16)> {
        match self {
            Self::Int(number) => Some(((*number).into(), 0)),
            Self::Decimal(decimal) => decimal.scaled(),
        }
    }

    /// What `scaled` gives, as a number of the type, if it holds it.
    pub(crate) fn of_scaled(kind: Kind, number: i128, scale: u16) -> Option<Self> {
        if let Kind::Numeric(precision) = kind {
            let decimal = Decimal::of_scaled(number, scale);
            return decimal.fits(precision).then_some(Self::Decimal(decimal));
        }
        let max = i128::from(kind.number_max()?);
        (scale == 0 && (-max..=max).contains(&number)).then_some(Self::Int(number.try_into().ok()?))
    }

    /// Writes the number as a cell of `kind`.
    pub(crate) fn write(&self, kind: Kind, format: Format, out: &mut Vec<u8>) -> Option<()> {
        match (self, format, kind) {
            (Self::Int(number), Format::Text, _) => write!(out, "{number}").ok()?,
            (Self::Decimal(decimal), Format::Text, _) => out.extend(decimal.to_text().as_bytes()),
            (Self::Decimal(decimal), Format::Binary, _) => decimal.to_binary(out)?,
            (Self::Int(number), Format::Binary, Kind::Int2) => {
                out.extend(i16::try_from(*number).ok()?.to_be_bytes());
            }
            (Self::Int(number), Format::Binary, Kind::Int4) => {
                out.extend(i32::try_from(*number).ok()?.to_be_bytes());
            }
            (Self::Int(number), Format::Binary, Kind::Int8) => out.extend(number.to_be_bytes()),
            (Self::Int(_), Format::Binary, _) => return None,
        }
        Some(())
    }
}

/// Reads a finite `float4` or `float8`; NaN and the infinities are not read.
pub(crate) fn read_float(kind: Kind, format: Format, cell: &[u8]) -> Option<f64> {
    let number = match (format, kind) {
        (Format::Text, Kind::Float4) => std::str::from_utf8(cell).ok()?.parse::<f32>().ok()?.into(),
        (Format::Text, Kind::Float8) => std::str::from_utf8(cell).ok()?.parse().ok()?,
        (Format::Binary, Kind::Float4) => f32::from_be_bytes(cell.try_into().ok()?).into(),
        (Format::Binary, Kind::Float8) => f64::from_be_bytes(cell.try_into().ok()?),
        _ => return None,
    };
    // Adding zero turns -0 into 0, which equals it.
    Some(number + 0.0).filter(|number: &f64| number.is_finite())
}

/// Writes a float in the shortest form that reads back the same.
pub(crate) fn write_float(kind: Kind, format: Format, number: f64, out: &mut Vec<u8>) -> Option<()> {
    #[allow(clippy::cast_possible_truncation, reason = "the nearest float4 is meant")]
    let single = number as f32;
    match (format, kind) {
        (Format::Text, Kind::Float4) => write!(out, "{single}").ok()?,
        (Format::Text, Kind::Float8) => write!(out, "{number}").ok()?,
        (Format::Binary, Kind::Float4) => out.extend(single.to_be_bytes()),
        (Format::Binary, Kind::Float8) => out.extend(number.to_be_bytes()),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_to_their_type() {
        let whole =
            |kind, text: &str| Number::read(kind, Format::Text, text.as_bytes()).and_then(|n| n.whole());
        assert_eq!(whole(Kind::Int2, "32767"), Some(32767));
        assert_eq!(whole(Kind::Int2, "32768"), None);
        assert_eq!(whole(Kind::Int4, "-1"), None);
        assert_eq!(whole(Kind::Int8, "9223372036854775807"), Some(9_223_372_036_854_775_807));
        assert!(Number::read(Kind::Int4, Format::Binary, &[0; 8]).is_none());
        assert!(Number::of(Kind::Int2, 40_000).is_none());
        assert!(Number::Int(40_000).write(Kind::Int2, Format::Binary, &mut Vec::new()).is_none());
    }

    #[test]
    fn floats_are_finite_and_zero_has_one_sign() {
        let read = |text: &str| read_float(Kind::Float8, Format::Text, text.as_bytes());
        assert_eq!(read("-0").map(f64::to_bits), Some(0));
        assert_eq!(read("1e+20"), Some(1e20));
        assert_eq!(read("NaN"), None);
        assert_eq!(read("-Infinity"), None);
        let single = read_float(Kind::Float4, Format::Text, b"0.1");
        assert_eq!(single, read_float(Kind::Float4, Format::Binary, &0.1f32.to_be_bytes()));
    }
}
