//! Dates and timestamps as PostgreSQL writes them: ISO 8601 text (`DateStyle` ISO), and days or microseconds since
//! 2000-01-01 in binary.
//!
//! The proleptic Gregorian years 1 to 9999 are understood. Years before them (` BC`) and after them, infinities and
//! the other date styles are not.

use std::io::Write;

use veil_model::Format;

pub(crate) use veil_model::calendar::{DAY_MAX, DAY_MIN, date_of, day_of};

use crate::kind::Kind;

pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// What a written moment states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Date,
    Timestamp,
    TimestampTz,
}

impl Shape {
    /// Whether a cell of `kind` is written like this. Texts may hold any of them.
    pub(crate) fn suits(self, kind: Kind) -> bool {
        match kind {
            Kind::Date => self == Self::Date,
            Kind::Timestamp => self == Self::Timestamp,
            Kind::TimestampTz => self == Self::TimestampTz,
            kind => kind.is_text(),
        }
    }
}

impl Shape {
    /// The type whose values are written like this.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Date => Kind::Date,
            Self::Timestamp => Kind::Timestamp,
            Self::TimestampTz => Kind::TimestampTz,
        }
    }
}

/// A moment in ISO text.
pub(crate) struct Iso<'a> {
    pub(crate) shape: Shape,
    /// The date written, in days since 2000-01-01.
    pub(crate) day: i64,
    /// Microseconds since 2000-01-01 00:00 in UTC, or without a zone.
    pub(crate) micros: i64,
    /// The text after the date.
    pub(crate) tail: &'a str,
}

impl<'a> Iso<'a> {
    /// Reads `2024-02-29`, `2024-02-29 13:14:15.5` and `2024-02-29T13:14:15+05:30`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut scan = Scan(text);
        let year = scan.number(4)?;
        scan.byte(|byte| byte == b'-')?;
        let month = scan.number(2)?;
        scan.byte(|byte| byte == b'-')?;
        let day = day_of(year, month, scan.number(2)?)?;
        let (tail, mut micros) = (scan.0, day * DAY_MICROS);
        if tail.is_empty() {
            return Some(Self { shape: Shape::Date, day, micros, tail });
        }
        scan.byte(|byte| byte == b' ' || byte == b'T')?;
        micros += scan.time()?;
        if scan.0.is_empty() {
            return Some(Self { shape: Shape::Timestamp, day, micros, tail });
        }
        micros -= scan.zone()?;
        scan.0.is_empty().then_some(Self { shape: Shape::TimestampTz, day, micros, tail })
    }
}

/// Reads the binary form: microseconds since 2000-01-01 00:00.
pub(crate) fn read_binary(kind: Kind, cell: &[u8]) -> Option<i64> {
    match kind {
        Kind::Date => i64::from(i32::from_be_bytes(cell.try_into().ok()?)).checked_mul(DAY_MICROS),
        Kind::Timestamp | Kind::TimestampTz => Some(i64::from_be_bytes(cell.try_into().ok()?)),
        _ => None,
    }
}

/// Writes the binary form.
pub(crate) fn write_binary(kind: Kind, micros: i64, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Date => out.extend(i32::try_from(micros.div_euclid(DAY_MICROS)).ok()?.to_be_bytes()),
        Kind::Timestamp | Kind::TimestampTz => out.extend(micros.to_be_bytes()),
        _ => return None,
    }
    Some(())
}

/// Writes a moment of `kind` in either format; text with a zone is in UTC.
pub(crate) fn write(kind: Kind, format: Format, micros: i64, out: &mut Vec<u8>) -> Option<()> {
    if format == Format::Binary {
        return write_binary(kind, micros, out);
    }
    write_date(micros.div_euclid(DAY_MICROS), out)?;
    if kind == Kind::Date {
        return Some(());
    }
    let time = micros.rem_euclid(DAY_MICROS);
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    write!(out, " {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60).ok()?;
    if fraction != 0 {
        write!(out, ".{fraction:06}").ok()?;
    }
    if kind == Kind::TimestampTz {
        out.extend(b"+00");
    }
    Some(())
}

/// Writes the date of a day since 2000-01-01; `None` outside the years 1 to 9999.
pub(crate) fn write_date(day: i64, out: &mut Vec<u8>) -> Option<()> {
    let (year, month, day) = date_of(day)?;
    write!(out, "{year:04}-{month:02}-{day:02}").ok()
}

/// The text not yet read.
struct Scan<'a>(&'a str);

impl Scan<'_> {
    fn byte(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let byte = self.0.bytes().next().filter(|&byte| wanted(byte))?;
        self.0 = self.0.get(1..)?;
        Some(byte)
    }

    fn number(&mut self, digits: u32) -> Option<i64> {
        (0..digits).try_fold(0, |number, _| {
            Some(number * 10 + i64::from(self.byte(|byte| byte.is_ascii_digit())? - b'0'))
        })
    }

    /// Two digits below `bound`.
    fn pair(&mut self, bound: i64) -> Option<i64> {
        self.number(2).filter(|&number| number < bound)
    }

    /// `13:14:15.123456`, in microseconds; finer digits are passed over.
    fn time(&mut self) -> Option<i64> {
        let hours = self.pair(24)?;
        self.byte(|byte| byte == b':')?;
        let minutes = self.pair(60)?;
        self.byte(|byte| byte == b':')?;
        let mut micros = ((hours * 60 + minutes) * 60 + self.pair(60)?) * 1_000_000;
        if self.byte(|byte| byte == b'.').is_none() {
            return Some(micros);
        }
        let mut unit = 100_000;
        micros += unit * self.number(1)?;
        for _ in 1..9 {
            let Some(digit) = self.number(1) else { break };
            unit /= 10;
            micros += unit * digit;
        }
        Some(micros)
    }

    /// `Z`, `+02`, `-03:30` or `+00:19:32`, in microseconds east of UTC.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.byte(|byte| matches!(byte, b'Z' | b'+' | b'-'))? {
            b'Z' => return Some(0),
            b'+' => 1,
            _ => -1,
        };
        let mut seconds = self.pair(24)? * 3600;
        for unit in [60, 1] {
            if self.byte(|byte| byte == b':').is_none() {
                break;
            }
            seconds += unit * self.pair(60)?;
        }
        Some(sign * seconds * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind, micros: i64) -> String {
        let mut out = Vec::new();
        write(kind, Format::Text, micros, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_day_has_its_date() {
        for (text, day) in [
            ("2000-01-01", 0),
            ("1999-12-31", -1),
            ("1970-01-01", -10_957),
            ("2024-02-29", 8825),
            ("0001-01-01", DAY_MIN),
            ("9999-12-31", DAY_MAX),
        ] {
            assert_eq!(Iso::parse(text).unwrap().day, day, "{text}");
            assert_eq!(written(Kind::Date, day * DAY_MICROS), text);
        }
        for day in (DAY_MIN..=DAY_MAX).step_by(89) {
            let (year, month, date) = date_of(day).unwrap();
            assert_eq!(day_of(year, month, date), Some(day));
        }
    }

    #[test]
    fn moments_count_from_utc() {
        for (text, shape, micros) in [
            ("2000-01-01 00:00:01", Shape::Timestamp, 1_000_000),
            ("2000-01-01T00:00:00.000001", Shape::Timestamp, 1),
            ("2000-01-01 02:00:00.5+02", Shape::TimestampTz, 500_000),
            ("1999-12-31 20:30:00-03:30", Shape::TimestampTz, 0),
            ("2000-01-01 00:19:32+00:19:32", Shape::TimestampTz, 0),
            ("2000-01-01T00:00:00.123456789Z", Shape::TimestampTz, 123_456),
        ] {
            let iso = Iso::parse(text).unwrap();
            assert_eq!((iso.shape, iso.micros), (shape, micros), "{text}");
        }
        assert_eq!(written(Kind::Timestamp, -1), "1999-12-31 23:59:59.999999");
        assert_eq!(written(Kind::TimestampTz, 0), "2000-01-01 00:00:00+00");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "infinity",
            "-infinity",
            "2023-02-29",
            "2023-13-01",
            "2023-00-01",
            "2023-01-00",
            "0000-01-01",
            "10000-01-01",
            "0044-03-15 BC",
            "01/02/2024",
            "2024-01-01 ",
            "2024-01-01 24:00:00",
            "2024-1-1",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00+",
            "2024-01-01 00:00:00 BC",
            "2024-01-01é",
        ] {
            assert!(Iso::parse(text).is_none(), "{text}");
        }
    }
}
