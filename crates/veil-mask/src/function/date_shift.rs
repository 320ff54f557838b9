//! `date_shift`: moves a date by keyed days, never zero.
//!
//! The shift depends on the calendar date, in UTC where a zone is known: equal dates stay equal and a timestamp
//! keeps its time of day and its zone as written. Intervals between dates do not survive. Dates stay within the
//! years 1 to 9999; what is outside them, infinities and text that is not ISO become NULL.

use veil_model::Format;

use crate::date::{self, DAY_MAX, DAY_MICROS, DAY_MIN, Iso};
use crate::key::FunctionKey;
use crate::kind::Kind;

/// Masks a text that holds a date or a timestamp.
pub(crate) fn text(key: &FunctionKey, days: u32, text: &str, out: &mut Vec<u8>) -> Option<()> {
    write(key, days, &Iso::parse(text)?, out)
}

/// Masks a cell of a date or timestamp type.
pub(crate) fn moment(
    key: &FunctionKey,
    days: u32,
    kind: Kind,
    format: Format,
    cell: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    if format == Format::Text {
        let iso = Iso::parse(std::str::from_utf8(cell).ok()?)?;
        return if iso.shape.suits(kind) { write(key, days, &iso, out) } else { None };
    }
    let micros = date::read_binary(kind, cell)?;
    let shift = shift(key, days, micros.div_euclid(DAY_MICROS))?;
    date::write_binary(kind, micros + shift * DAY_MICROS, out)
}

/// Writes another date before the same rest of the text.
fn write(key: &FunctionKey, days: u32, iso: &Iso<'_>, out: &mut Vec<u8>) -> Option<()> {
    let shift = shift(key, days, iso.micros.div_euclid(DAY_MICROS))?;
    date::write_date(iso.day + shift, out)?;
    out.extend(iso.tail.as_bytes());
    Some(())
}

/// The days by which a date moves: away from the end of the calendar if it would leave it.
fn shift(key: &FunctionKey, days: u32, day: i64) -> Option<i64> {
    let calendar = DAY_MIN..=DAY_MAX;
    if !calendar.contains(&day) {
        return None;
    }
    let drawn = key.draws(&day.to_be_bytes()).below(2 * u64::from(days));
    let centred = i64::try_from(drawn).ok()? - i64::from(days);
    let shift = if centred >= 0 { centred + 1 } else { centred };
    Some(if calendar.contains(&(day + shift)) { shift } else { -shift })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;

    fn key() -> FunctionKey {
        FunctionKey::derive(&RootKey::from_bytes([7; 32]), "date_shift")
    }

    fn mask(text: &str) -> Option<String> {
        let mut out = Vec::new();
        super::text(&key(), 30, text, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn shifts_are_bounded_and_never_zero() {
        for days in [1, 2, 3650] {
            for day in (0..2000).chain([DAY_MIN, DAY_MAX]) {
                let shift = shift(&key(), days, day).unwrap();
                assert!(shift != 0 && shift.unsigned_abs() <= u64::from(days));
                assert!((DAY_MIN..=DAY_MAX).contains(&(day + shift)));
            }
        }
        assert_eq!(shift(&key(), 1, DAY_MIN - 1), None);
    }

    #[test]
    fn a_timestamp_moves_with_its_date() {
        let date = mask("2024-05-17").unwrap();
        assert_eq!(mask("2024-05-17 23:59:59.5").unwrap(), format!("{date} 23:59:59.5"));
        assert_eq!(mask("2024-05-17T10:00:00+02").unwrap(), format!("{date}T10:00:00+02"));
    }

    #[test]
    fn other_texts_become_null() {
        for text in ["", "infinity", "-infinity", "0044-03-15 BC", "17.05.2024", "10000-01-01"] {
            assert_eq!(mask(text), None, "{text}");
        }
    }
}
