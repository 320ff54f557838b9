//! A value that stands in every cell of a column, written once per format: constants and the zeros of `redact`.

use veil_model::Format;

use crate::date::{self, Iso};
use crate::inet::{Hardware, Inet};
use crate::key::hex_pair;
use crate::kind::{Kind, Limit};
use crate::number::{Number, read_float, write_float};
use crate::numeric::Decimal;
use crate::point::{read_point, write_point};

/// One value in both wire formats.
pub(crate) struct Fixed {
    text: Vec<u8>,
    binary: Vec<u8>,
}

impl Fixed {
    /// Reads a value in the text form of `kind`; `None` if the type cannot hold it.
    pub(crate) fn parse(kind: Kind, value: &str) -> Option<Self> {
        match kind {
            Kind::Text(limit) | Kind::Padded(limit) => limit.fits(value).then(|| Self::same(value)),
            Kind::Char => Limit::CHAR.fits(value).then(|| {
                let binary = if value.is_empty() { vec![0] } else { value.into() };
                Self { text: value.into(), binary }
            }),
            Kind::Bool => match value {
                "true" | "t" => Some(Self { text: b"t".to_vec(), binary: vec![1] }),
                "false" | "f" => Some(Self { text: b"f".to_vec(), binary: vec![0] }),
                _ => None,
            },
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Ranged(_) => Self::int(kind, value),
            Kind::Float4 | Kind::Float8 => {
                let number = read_float(kind, Format::Text, value.as_bytes())?;
                Self::both(|format, out| write_float(kind, format, number, out))
            }
            Kind::Numeric(precision) => {
                let number = Decimal::parse(value).filter(|number| number.fits(precision))?;
                let mut binary = Vec::new();
                number.to_binary(&mut binary)?;
                Some(Self { text: number.to_text().into(), binary })
            }
            Kind::Date | Kind::Timestamp | Kind::TimestampTz => {
                let moment = Iso::parse(value).filter(|moment| moment.shape.suits(kind))?;
                Self::both(|format, out| date::write(kind, format, moment.micros, out))
            }
            Kind::Uuid => Self::uuid(value),
            Kind::Inet | Kind::Cidr => Self::inet(kind, value),
            Kind::Mac(bytes) => Self::hardware(bytes, value),
            Kind::Point => {
                let point = read_point(Format::Text, value.as_bytes())?;
                Self::both(|format, out| write_point(point, format, out))
            }
            Kind::Bytea => {
                let bytes = read_hex(value.strip_prefix("\\x")?.as_bytes())?;
                Some(Self { text: value.to_ascii_lowercase().into(), binary: bytes })
            }
            Kind::Json | Kind::Jsonb => {
                serde_json::from_str::<serde_json::Value>(value).ok()?;
                let mut binary = if kind == Kind::Jsonb { vec![1] } else { Vec::new() };
                binary.extend(value.as_bytes());
                Some(Self { text: value.into(), binary })
            }
        }
    }

    /// What `redact` shows in a column of `kind`.
    pub(crate) fn redacted(kind: Kind, label: &str) -> Option<Self> {
        match kind {
            Kind::Text(limit) | Kind::Padded(limit) => Self::parse(kind, limit.cut(label)),
            Kind::Char => Self::parse(kind, Limit::CHAR.cut(label)),
            Kind::Bool => Self::parse(kind, "false"),
            Kind::Int2
            | Kind::Int4
            | Kind::Int8
            | Kind::Ranged(_)
            | Kind::Float4
            | Kind::Float8
            | Kind::Numeric(_) => Self::parse(kind, "0"),
            Kind::Date => Self::parse(kind, "1970-01-01"),
            Kind::Timestamp => Self::parse(kind, "1970-01-01 00:00:00"),
            Kind::TimestampTz => Self::parse(kind, "1970-01-01 00:00:00+00"),
            Kind::Uuid => Self::parse(kind, "00000000-0000-0000-0000-000000000000"),
            Kind::Inet => Self::parse(kind, "0.0.0.0"),
            Kind::Cidr => Self::parse(kind, "0.0.0.0/0"),
            Kind::Mac(6) => Self::parse(kind, "00:00:00:00:00:00"),
            Kind::Mac(_) => Self::parse(kind, "00:00:00:00:00:00:00:00"),
            Kind::Point => Self::parse(kind, "(0,0)"),
            Kind::Bytea => Self::parse(kind, "\\x"),
            Kind::Json | Kind::Jsonb => Self::parse(kind, &serde_json::Value::from(label).to_string()),
        }
    }

    /// An array without elements (`array_send`: no dimensions, no NULL, the element's OID).
    pub(crate) fn empty_array(element: u32) -> Self {
        let mut binary = vec![0; 8];
        binary.extend(element.to_be_bytes());
        Self { text: b"{}".to_vec(), binary }
    }

    pub(crate) fn write(&self, format: Format, out: &mut Vec<u8>) {
        out.extend(match format {
            Format::Text => &self.text,
            Format::Binary => &self.binary,
        });
    }

    pub(crate) fn is_text_among(&self, words: &[String]) -> bool {
        words.iter().any(|word| word.as_bytes() == &*self.text)
    }

    fn same(value: &str) -> Self {
        Self { text: value.into(), binary: value.into() }
    }

    fn both(write: impl Fn(Format, &mut Vec<u8>) -> Option<()>) -> Option<Self> {
        let (mut text, mut binary) = (Vec::new(), Vec::new());
        write(Format::Text, &mut text)?;
        write(Format::Binary, &mut binary)?;
        Some(Self { text, binary })
    }

    /// Negative numbers too, which masks themselves never write.
    fn int(kind: Kind, value: &str) -> Option<Self> {
        let Number::Int(number) = Number::read(kind, Format::Text, value.as_bytes())? else { return None };
        let bytes = number.to_be_bytes();
        let width = match kind {
            Kind::Int2 => 2,
            Kind::Int4 => 4,
            _ => 8,
        };
        Some(Self { text: number.to_string().into(), binary: bytes.get(8 - width..)?.to_vec() })
    }

    fn uuid(value: &str) -> Option<Self> {
        let uuid = read_uuid(value.as_bytes())?;
        let mut text = Vec::new();
        write_uuid(&uuid, &mut text);
        Some(Self { text, binary: uuid.to_vec() })
    }

    fn inet(kind: Kind, value: &str) -> Option<Self> {
        let inet = Inet::parse(value)?;
        Self::both(|format, out| {
            inet.write(kind, format, out);
            Some(())
        })
    }

    fn hardware(bytes: u8, value: &str) -> Option<Self> {
        let address = Hardware::read(bytes, Format::Text, value.as_bytes())?;
        Self::both(|format, out| {
            address.write(format, out);
            Some(())
        })
    }
}

/// Reads pairs of hexadecimal digits.
pub(crate) fn read_hex(digits: &[u8]) -> Option<Vec<u8>> {
    digits.chunks(2).map(hex_pair).collect()
}

/// Appends lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied();
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten());
}

/// Reads `8-4-4-4-12` hexadecimal digits, as PostgreSQL writes a uuid.
pub(crate) fn read_uuid(text: &[u8]) -> Option<[u8; 16]> {
    // As PostgreSQL reads it: in braces or not, with a dash behind any four digits or none.
    let inner = match text {
        [b'{', inner @ .., b'}'] => inner,
        text => text,
    };
    let mut digits = Vec::with_capacity(32);
    for (at, &byte) in inner.iter().enumerate() {
        match byte {
            b'-' if at > 0 && digits.len() % 4 == 0 && inner.get(at - 1) != Some(&b'-') => {}
            byte if byte.is_ascii_hexdigit() => digits.push(byte),
            _ => return None,
        }
    }
    if inner.last() == Some(&b'-') {
        return None;
    }
    read_hex(&digits)?.try_into().ok()
}

/// Appends a uuid's text.
pub(crate) fn write_uuid(uuid: &[u8; 16], out: &mut Vec<u8>) {
    let mut rest = uuid.as_slice();
    for width in [4, 2, 2, 2, 6] {
        if rest.len() < uuid.len() {
            out.push(b'-');
        }
        let (group, after) = rest.split_at_checked(width).unwrap_or((rest, &[]));
        write_hex(group, out);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Precision;

    const VARCHAR_3: Kind = Kind::Text(Limit { chars: 3, bytes: usize::MAX });
    const NUMERIC_4_2: Kind = Kind::Numeric(Precision { integer_digits: 2, scale: 2 });

    #[test]
    fn values_are_written_in_both_formats() {
        let cases: &[(Kind, &str, &str, &[u8])] = &[
            (VARCHAR_3, "abc", "abc", b"abc"),
            (Kind::Char, "", "", &[0]),
            (Kind::Char, "x", "x", b"x"),
            (Kind::Bool, "true", "t", &[1]),
            (Kind::Int2, "-2", "-2", &[0xff, 0xfe]),
            (Kind::Int4, "258", "258", &[0, 0, 1, 2]),
            (Kind::Float8, "1.5", "1.5", &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
            (NUMERIC_4_2, "12.5", "12.5", &[0, 2, 0, 0, 0, 0, 0, 1, 0, 12, 0x13, 0x88]),
            (Kind::Date, "2000-01-02", "2000-01-02", &[0, 0, 0, 1]),
            (
                Kind::TimestampTz,
                "2000-01-01 01:00:01+01",
                "2000-01-01 00:00:01+00",
                &[0, 0, 0, 0, 0, 0x0f, 0x42, 0x40],
            ),
            (Kind::Inet, "10.0.0.0/8", "10.0.0.0/8", &[2, 8, 0, 4, 10, 0, 0, 0]),
            (Kind::Inet, "::1", "::1", &[3, 128, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            (Kind::Bytea, "\\xAB01", "\\xab01", &[0xab, 1]),
            (Kind::Json, "[1]", "[1]", b"[1]"),
            (Kind::Jsonb, "[1]", "[1]", b"\x01[1]"),
        ];
        for (kind, value, text, binary) in cases {
            let fixed = Fixed::parse(*kind, value).unwrap();
            assert_eq!(
                (fixed.text.as_slice(), fixed.binary.as_slice()),
                (text.as_bytes(), *binary),
                "{value}"
            );
        }
    }

    #[test]
    fn values_that_the_type_cannot_hold_are_refused() {
        for (kind, value) in [
            (VARCHAR_3, "abcd"),
            (Kind::Char, "ż"),
            (Kind::Bool, "yes"),
            (Kind::Int2, "40000"),
            (Kind::Float4, "1e99"),
            (NUMERIC_4_2, "123"),
            (NUMERIC_4_2, "1.234"),
            (Kind::Date, "2000-01-02 00:00:00"),
            (Kind::Timestamp, "2000-01-02"),
            (Kind::Uuid, "00000000-00000000000000000000000-"),
            (Kind::Inet, "10.0.0.0/33"),
            (Kind::Bytea, "\\xa"),
            (Kind::Bytea, "abc"),
            (Kind::Json, "abc"),
        ] {
            assert!(Fixed::parse(kind, value).is_none(), "{kind:?} {value}");
        }
    }

    #[test]
    fn uuids_round_trip() {
        let text = "123e4567-e89b-12d3-a456-426614174000";
        let fixed = Fixed::parse(Kind::Uuid, &text.to_uppercase()).unwrap();
        assert_eq!(fixed.text, text.as_bytes());
        for other in
            [text.to_owned(), text.replace('-', ""), format!("{{{text}}}"), text.replacen('-', "", 2)]
        {
            assert_eq!(read_uuid(other.as_bytes()).unwrap().as_slice(), fixed.binary, "{other}");
        }
        for other in
            ["", "-", "{}", "123e4567-e89b-12d3-a456-42661417400", "12-3e4567e89b12d3a456426614174000"]
        {
            assert_eq!(read_uuid(other.as_bytes()), None, "{other}");
        }
    }
}
