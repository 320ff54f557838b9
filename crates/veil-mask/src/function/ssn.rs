//! `ssn`: US social security numbers of the areas 900 to 999, which are never issued.
//!
//! The groups 01 to 49 keep clear of the taxpayer numbers (ITIN) that share these areas. 49 million values: in a
//! large table some numbers meet.

use super::{CANDIDATES_MAX, redacted};
use crate::digits::Digits;
use crate::key::FunctionKey;
use crate::kind::Limit;
use crate::number::Number;

/// The greatest number written.
pub(crate) const NUMBER_MAX: u64 = 999_499_999;

const DIGITS: usize = 9;

/// Keeps dashes and blanks; a text that has not nine digits, or has anything else, becomes the label.
pub(crate) fn text(key: &FunctionKey, text: &str, limit: Limit, out: &mut Vec<u8>) -> Option<()> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b' '));
    match Digits::of(text).filter(|digits| plain && digits.len() == DIGITS) {
        Some(digits) => Digits::of_number(mask(key, &digits)?, DIGITS).refill(text, out),
        None => redacted(limit, out),
    }
    Some(())
}

/// A number column loses the zeros before a number; they count. What has more than nine digits becomes 0.
pub(crate) fn number(key: &FunctionKey, number: &Number) -> Option<u64> {
    match number.digits(DIGITS).filter(|digits| digits.len() == DIGITS) {
        Some(digits) => mask(key, &digits),
        None => Some(0),
    }
}

fn mask(key: &FunctionKey, digits: &Digits) -> Option<u64> {
    let mut draws = key.draws(digits.as_bytes());
    let mut candidates = (0..CANDIDATES_MAX).map(|_| {
        let (area, group, serial) = (900 + draws.below(100), 1 + draws.below(49), 1 + draws.below(9999));
        (area * 100 + group) * 10_000 + serial
    });
    candidates.find(|&candidate| digits.number() != Some(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;

    fn key() -> FunctionKey {
        FunctionKey::derive(&RootKey::from_bytes([7; 32]), "ssn")
    }

    fn mask(text: &str) -> String {
        let mut out = Vec::new();
        super::text(&key(), text, Limit::NONE, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn separators_stay_and_the_number_is_the_same() {
        let masked = mask("078051120");
        let (area, group, serial) = (&masked[..3], &masked[3..5], &masked[5..]);
        assert_eq!(mask("078-05-1120"), format!("{area}-{group}-{serial}"));
        assert_eq!(mask(" 078 05 1120"), format!(" {area} {group} {serial}"));
        assert_eq!(number(&key(), &Number::Int(78_051_120)), masked.parse().ok());
    }

    #[test]
    fn other_values_are_redacted() {
        for text in ["", "n/a", "078-05-112", "078-05-11200", "SSN 078-05-1120", "078.05.1120"] {
            assert_eq!(mask(text), "[REDACTED]", "{text}");
        }
        assert_eq!(number(&key(), &Number::Int(1_000_000_000)), Some(0));
        assert_eq!(number(&key(), &Number::Int(-1)), Some(0));
    }
}
