//! `fpe`: encrypts a text or number so that it keeps its length and looks, by FF1 of NIST SP 800-38G.
//!
//! With the alphabet `auto`, digits become digits, capitals capitals and small letters small letters, by a permutation of the numbers that
//! the text's symbols make up; with another one, the text's symbols are the numeral string that the standard encrypts. Marks
//! stay as they are. What could be found by trying (fewer than a million values) is refused.

use super::{At, Mask, is_label, redacted, shape};
use crate::kind::Kind;
use crate::number::Number;
use crate::permutation::SMALL;

#[derive(Debug)]
pub(crate) struct Fpe {
    pub(crate) alphabet: Alphabet,
    /// Symbols that are shown at each end.
    pub(crate) keep_first: usize,
    pub(crate) keep_last: usize,
    pub(crate) allow_small_domain: bool,
}

/// The symbols that are encrypted.
#[derive(Debug)]
pub(crate) enum Alphabet {
    /// Each among its like.
    Classes,
    /// These, in order.
    Symbols(Vec<char>),
}

impl std::str::FromStr for Alphabet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let symbols = match text {
            "auto" => return Ok(Self::Classes),
            "digits" => "0123456789",
            "hex" => "0123456789abcdef",
            "lower" => "abcdefghijklmnopqrstuvwxyz",
            "upper" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "alnum" => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            other => other,
        };
        let symbols: Vec<char> = symbols.chars().collect();
        let distinct =
            symbols.iter().enumerate().all(|(at, c)| !symbols.iter().take(at).any(|other| other == c));
        (symbols.len() > 1 && distinct).then_some(Self::Symbols(symbols)).ok_or(())
    }
}

impl Mask for Fpe {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self.turned(at, text) {
            Some(turned) if !is_label(at, text) => out.extend(turned),
            _ => redacted(at, out)?,
        }
        Some(())
    }

    /// A number keeps its digits' number and its sign. One with digits after the point has no mask.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let (number, 0) = number.scaled()? else { return None };
        let digits = number.unsigned_abs().to_string();
        let all = 10u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
        let max = u128::from(at.kind.number_max()?);
        let turned = if all - 1 > max && self.keep_first == 0 && self.keep_last == 0 {
            // The type does not hold all numbers of so many digits.
            let (least, size) = (all / 10, (max + 1).checked_sub(all / 10)?);
            let place = number.unsigned_abs().checked_sub(least)?;
            at.key.permutation().number(at.way, b"fpe|max", size, place)? + least
        } else {
            let kept = (self.keep_first, self.keep_last);
            let turned = shape::permuted(at.key, (at.way, b""), &digits, kept, self.allow_small_domain)?;
            String::from_utf8(turned).ok()?.parse().ok()?
        };
        let turned = i128::try_from(turned).ok()?;
        Number::of_scaled(at.kind, if number < 0 { -turned } else { turned }, 0)
    }

    fn fits(&self, kind: Kind) -> bool {
        self.allow_small_domain || kind.number_max().is_none_or(|max| u128::from(max) >= 10 * SMALL)
    }
}

impl Fpe {
    fn turned(&self, at: &At<'_>, text: &str) -> Option<Vec<u8>> {
        let kept = (self.keep_first, self.keep_last);
        let Alphabet::Symbols(symbols) = &self.alphabet else {
            let may_be_few = self.allow_small_domain;
            return shape::is_plain(text)
                .then(|| shape::permuted(at.key, (at.way, b""), text, kept, may_be_few))
                .flatten();
        };
        let place = |c: char| symbols.iter().position(|symbol| *symbol == c);
        // What is no symbol must not tell anything.
        let mark = |c: char| c.is_ascii_punctuation() || c == ' ';
        if text.chars().any(|c| place(c).is_none() && !mark(c)) {
            return None;
        }
        let all: Vec<u8> =
            text.chars().filter_map(place).filter_map(|place| u8::try_from(place).ok()).collect();
        let mut string = all.get(kept.0..all.len().checked_sub(kept.1)?)?.to_vec();
        let radix = u32::try_from(symbols.len()).ok()?;
        let size = u128::from(radix).saturating_pow(u32::try_from(string.len()).ok()?);
        if size >= SMALL {
            at.key.permutation().numerals(at.way, radix, b"", &mut string)?;
        } else if self.allow_small_domain && size > 1 {
            let number = string.iter().fold(0, |n, numeral| n * u128::from(radix) + u128::from(*numeral));
            let mut number = at.key.permutation().number(at.way, b"fpe", size, number)?;
            for numeral in string.iter_mut().rev() {
                *numeral = u8::try_from(number % u128::from(radix)).ok()?;
                number /= u128::from(radix);
            }
        } else {
            return None;
        }
        let head = all.iter().take(kept.0);
        let mut turned = head.chain(&string).chain(all.iter().skip(kept.0 + string.len()));
        let mut next = |c: char| match place(c) {
            Some(_) => turned.next().and_then(|place| symbols.get(usize::from(*place))).copied(),
            None => Some(c),
        };
        text.chars().map(&mut next).collect::<Option<String>>().map(String::into_bytes)
    }
}
