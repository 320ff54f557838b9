//! `credit_card`: card numbers that begin with 99 and pass the Luhn check, so that forms and validators take them.
//!
//! ISO/IEC 7812 leaves the first digit 9 to national bodies, and national schemes do issue below it (9051, 9112, 9704,
//! 9792, 9860). None is known to use 99, but no prefix is reserved for invented numbers.

use super::{CANDIDATES_MAX, redacted};
use crate::digits::Digits;
use crate::key::{Draws, FunctionKey};
use crate::kind::Limit;
use crate::number::Number;

/// The least number of twelve digits that the type of a number column must hold.
pub(crate) const NUMBER_MIN: u64 = 999_999_999_999;

const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Digits that may be kept at the end.
const LAST: usize = 4;

/// Keeps dashes and blanks; a text without 12 to 19 digits, or with anything else, becomes the label.
pub(crate) fn text(
    key: &FunctionKey,
    keep_last4: bool,
    text: &str,
    limit: Limit,
    out: &mut Vec<u8>,
) -> Option<()> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b' '));
    match Digits::of(text).filter(|digits| plain && DIGITS.contains(&digits.len())) {
        Some(digits) => mask(key, keep_last4, &digits, |_| true)?.refill(text, out),
        None => redacted(limit, out),
    }
    Some(())
}

/// What is not a card number, or has no mask up to `max`, becomes 0.
pub(crate) fn number(key: &FunctionKey, keep_last4: bool, number: &Number, max: u64) -> Option<u64> {
    let Some(digits) = number.digits(0).filter(|digits| DIGITS.contains(&digits.len())) else {
        return Some(0);
    };
    let fits = |masked: &Digits| masked.number().is_some_and(|number| number <= max);
    let masked = mask(key, keep_last4, &digits, fits);
    masked.map_or(Some(0), |masked| masked.number())
}

fn mask(
    key: &FunctionKey,
    keep_last4: bool,
    digits: &Digits,
    fits: impl Fn(&Digits) -> bool,
) -> Option<Digits> {
    let last = digits.as_bytes().get(digits.len().checked_sub(LAST)?..)?;
    let kept = if keep_last4 { last } else { &[] };
    let mut draws = key.draws(digits.as_bytes());
    let mut candidates = (0..CANDIDATES_MAX).filter_map(|_| candidate(&mut draws, digits.len(), kept));
    candidates.find(|candidate| candidate.as_bytes() != digits.as_bytes() && fits(candidate))
}

/// Two nines, keyed digits, the digit that satisfies the check, and the digits kept.
fn candidate(draws: &mut Draws, length: usize, kept: &[u8]) -> Option<Digits> {
    let mut head = Digits::new();
    head.push(9)?;
    head.push(9)?;
    for _ in 0..length.checked_sub(kept.len() + 3)? {
        head.push(u8::try_from(draws.below(10)).ok()?)?;
    }
    // Doubling permutes the digits, so exactly one of ten satisfies the check wherever it stands.
    (0..10).find_map(|check| {
        let mut digits = head;
        digits.push(check)?;
        kept.iter().try_for_each(|byte| digits.push(byte - b'0'))?;
        luhn(digits.as_bytes()).then_some(digits)
    })
}

/// The check of ISO/IEC 7812-1, annex B.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RootKey;

    fn key() -> FunctionKey {
        FunctionKey::derive(&RootKey::from_bytes([7; 32]), "credit_card")
    }

    fn mask(keep_last4: bool, text: &str) -> String {
        let mut out = Vec::new();
        super::text(&key(), keep_last4, text, Limit::NONE, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_check_knows_test_numbers() {
        assert!(luhn(b"4111111111111111") && luhn(b"378282246310005") && luhn(b"30569309025904"));
        assert!(!luhn(b"4111111111111112") && !luhn(b"4111111111111101"));
    }

    #[test]
    fn numbers_keep_length_and_separators() {
        for length in 12..=19 {
            let masked = mask(false, &"4".repeat(length));
            assert!(
                masked.len() == length && masked.starts_with("99") && luhn(masked.as_bytes()),
                "{masked}"
            );
            let masked = mask(true, &"4".repeat(length));
            assert!(
                masked.ends_with("4444") && masked.starts_with("99") && luhn(masked.as_bytes()),
                "{masked}"
            );
        }
        assert_eq!(
            mask(false, "4111-1111 11111111").replace(['-', ' '], ""),
            mask(false, "4111111111111111")
        );
    }

    #[test]
    fn number_columns_hold_the_same_mask() {
        let masked = number(&key(), false, &Number::Int(4_111_111_111_111_111), u64::MAX);
        assert_eq!(masked, mask(false, "4111111111111111").parse().ok());
        assert_eq!(number(&key(), false, &Number::Int(4_111_111_111_111_111), 10), Some(0));
        assert_eq!(number(&key(), false, &Number::Int(411), u64::MAX), Some(0));
    }

    #[test]
    fn other_texts_are_redacted() {
        for text in
            ["", "n/a", "41111111111", "41111111111111111111", "x4111111111111111", "4111.1111.1111.1111"]
        {
            assert_eq!(mask(true, text), "[REDACTED]", "{text}");
        }
    }
}
