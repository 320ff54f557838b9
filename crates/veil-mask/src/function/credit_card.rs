//! `credit_card`: card numbers that pass the Luhn check, so that forms and validators take them.
//!
//! Invented ones begin with 99 unless they keep their issuer. ISO/IEC 7812 leaves the first digit 9 to national bodies, and national schemes do
//! issue below it (9051, 9112, 9704, 9792, 9860). None is known to use 99, but no prefix is reserved for invented numbers. Encrypted ones, and
//! those that keep their issuer, may be somebody's.

use veil_model::check::luhn;

use super::{At, CANDIDATES_MAX, Mask, Mode, is_label, redacted, shape};
use crate::digits::Digits;
use crate::ff1::Way;
use crate::key::Draws;
use crate::kind::Kind;
use crate::number::Number;

/// The least number of twelve digits that the type of a number column must hold.
const NUMBER_MIN: u64 = 999_999_999_999;

const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Digits that may be kept at the end.
const LAST: usize = 4;

#[derive(Debug)]
pub(crate) struct CreditCard {
    pub(crate) mode: Mode,
    /// Digits that are kept at the beginning.
    pub(crate) keep_bin: usize,
    pub(crate) keep_last4: bool,
}

impl Mask for CreditCard {
    fn fits(&self, kind: Kind) -> bool {
        kind.number_max().is_none_or(|max| max >= NUMBER_MIN)
    }

    /// Keeps dashes and blanks; a text without 12 to 19 digits, or with anything else, becomes the label.
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b' '));
        let digits = Digits::of(text).filter(|digits| plain && DIGITS.contains(&digits.len()));
        match digits.and_then(|digits| self.turned(at, &digits, |_| true)) {
            Some(turned) if !is_label(at, text) => turned.refill(text, out),
            _ => redacted(at, out)?,
        }
        Some(())
    }

    /// What is not a card number, or has no mask of the type, becomes 0.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let max = at.kind.number_max()?;
        let fits = |masked: &Digits| masked.number().is_some_and(|number| number <= max);
        let digits = number.digits(0).filter(|digits| DIGITS.contains(&digits.len()));
        match digits.and_then(|digits| self.turned(at, &digits, fits)?.number()) {
            Some(turned) => Number::of(at.kind, turned),
            None if at.way == Way::Mask => Number::of(at.kind, 0),
            None => None,
        }
    }
}

impl CreditCard {
    fn turned(&self, at: &At<'_>, digits: &Digits, fits: impl Fn(&Digits) -> bool) -> Option<Digits> {
        let last = if self.keep_last4 { LAST } else { 0 };
        if self.mode == Mode::Fpe {
            return encrypted(at, digits, self.keep_bin, last).filter(fits);
        }
        if at.way == Way::Reveal {
            return None;
        }
        let bytes = digits.as_bytes();
        let first = if self.keep_bin == 0 { b"99" } else { bytes.get(..self.keep_bin)? };
        let last = bytes.get(bytes.len().checked_sub(last)?..)?;
        let mut draws = at.key.draws(bytes);
        let mut candidates = (0..CANDIDATES_MAX).filter_map(|_| {
            let drawn = bytes.len().checked_sub(first.len() + last.len() + 1)?;
            let head = with_drawn(&mut draws, first, drawn)?;
            with_check(&head, last)
        });
        candidates.find(|candidate| candidate.as_bytes() != bytes && fits(candidate))
    }
}

/// Permutes all digits but one, which makes the check hold; so only numbers that pass it are encrypted.
fn encrypted(at: &At<'_>, digits: &Digits, first: usize, last: usize) -> Option<Digits> {
    let bytes = digits.as_bytes();
    let check = bytes.len().checked_sub(last + 1)?;
    let (head, tail) = (bytes.get(..check)?, bytes.get(check + 1..)?);
    if !luhn(bytes) {
        return None;
    }
    let tweak = [tail, b"card"].concat();
    let turned =
        shape::permuted(at.key, (at.way, &tweak), std::str::from_utf8(head).ok()?, (first, 0), false)?;
    with_check(&Digits::of(std::str::from_utf8(&turned).ok()?)?, tail)
}

/// These digits and so many keyed ones.
fn with_drawn(draws: &mut Draws, first: &[u8], drawn: usize) -> Option<Digits> {
    let mut head = Digits::new();
    first.iter().try_for_each(|byte| head.push(byte - b'0'))?;
    (0..drawn).try_for_each(|_| head.push(u8::try_from(draws.below(10)).ok()?))?;
    Some(head)
}

/// With the digit between that satisfies the check: doubling permutes the digits, so exactly one of ten does wherever it stands.
fn with_check(head: &Digits, last: &[u8]) -> Option<Digits> {
    (0..10).find_map(|check| {
        let mut digits = *head;
        digits.push(check)?;
        last.iter().try_for_each(|byte| digits.push(byte - b'0'))?;
        luhn(digits.as_bytes()).then_some(digits)
    })
}
