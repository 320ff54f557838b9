//! PostgreSQL's `numeric`: its plain decimal text and its binary form in digits of base 10000
//! (`numeric_send`, src/backend/utils/adt/numeric.c).
//!
//! A number keeps its significant digits and an exponent, never the zeros that a large weight stands for, so that
//! ten bytes of input cannot become a hundred thousand. NaN and the infinities are not read.

use crate::kind::Precision;

const NEGATIVE: u16 = 0x4000;

/// `0.d1d2d3… × 10^exponent`, without zeros at either end of the digits; no digits is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
    /// Digits shown after the point.
    scale: u16,
}

impl Decimal {
    /// Reads `-12.50`; exponents are not written by PostgreSQL and not read.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if whole.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = digits.into_iter().map(|byte| byte - b'0').collect();
        let scale = u16::try_from(fraction.len()).ok()?;
        Some(Self { negative, digits, exponent: i32::try_from(whole.len()).ok()?, scale }.normalised())
    }

    /// Reads the binary form.
    pub(crate) fn from_binary(cell: &[u8]) -> Option<Self> {
        let (header, groups) = cell.split_first_chunk::<8>()?;
        let &[n1, n2, w1, w2, s1, s2, d1, d2] = header;
        let sign = u16::from_be_bytes([s1, s2]);
        if groups.len() != 2 * usize::from(u16::from_be_bytes([n1, n2])) || (sign != 0 && sign != NEGATIVE) {
            return None;
        }
        let mut digits = Vec::with_capacity(2 * groups.len());
        for group in groups.chunks_exact(2) {
            let group = u16::from_be_bytes(group.try_into().ok()?);
            if group > 9999 {
                return None;
            }
            for unit in [1000, 100, 10, 1] {
                digits.push(u8::try_from(group / unit % 10).ok()?);
            }
        }
        let exponent = (i32::from(i16::from_be_bytes([w1, w2])) + 1) * 4;
        let scale = u16::from_be_bytes([d1, d2]);
        Some(Self { negative: sign == NEGATIVE, digits, exponent, scale }.normalised())
    }

    /// The number times a power of ten that makes it whole, which is that of the digits it shows after the point.
    pub(crate) fn scaled(&self) -> Option<(i128, u16)> {
        if self.digits.is_empty() {
            return Some((0, self.scale));
        }
        let shown = i32::from(self.scale) + self.exponent;
        let zeros = usize::try_from(shown).ok()?.checked_sub(self.digits.len())?;
        if zeros > 38 {
            return None;
        }
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros));
        let number =
            digits.into_iter().try_fold(0i128, |n, digit| n.checked_mul(10)?.checked_add(digit.into()))?;
        Some((if self.negative { -number } else { number }, self.scale))
    }

    /// A number from what `scaled` gives.
    pub(crate) fn of_scaled(number: i128, scale: u16) -> Self {
        let digits: Vec<u8> = number.unsigned_abs().to_string().bytes().map(|byte| byte - b'0').collect();
        let exponent = i32::try_from(digits.len()).unwrap_or_default() - i32::from(scale);
        Self { negative: number < 0, digits, exponent, scale }.normalised()
    }

    fn normalised(mut self) -> Self {
        let leading = self.digits.iter().take_while(|&&digit| digit == 0).count();
        self.digits.drain(..leading);
        let kept = self.digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
        self.digits.truncate(kept);
        if self.digits.is_empty() {
            return Self { negative: false, exponent: 0, ..self };
        }
        self.exponent -= i32::try_from(leading).unwrap_or(i32::MAX);
        self
    }

    /// The parts that tell unequal numbers apart: sign, exponent, digits.
    pub(crate) fn identity(&self) -> (bool, i32, &[u8]) {
        (self.negative, self.exponent, &self.digits)
    }

    /// The number if it is whole, not negative and below 2^64.
    pub(crate) fn whole(&self) -> Option<u64> {
        let zeros = usize::try_from(self.exponent).ok()?.checked_sub(self.digits.len())?;
        if self.negative || zeros > 20 {
            return None;
        }
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros));
        digits.into_iter().try_fold(0u64, |n, digit| n.checked_mul(10)?.checked_add(u64::from(digit)))
    }

    /// The digits before the point, if they are below 2^64.
    pub(crate) fn integer_part(&self) -> Option<u64> {
        let count = usize::try_from(self.exponent.max(0)).ok()?;
        let digits = self.digits.iter().copied().chain(std::iter::repeat(0)).take(count);
        digits.into_iter().try_fold(0u64, |n, digit| n.checked_mul(10)?.checked_add(u64::from(digit)))
    }

    pub(crate) fn fits(&self, precision: Precision) -> bool {
        let integer_digits = u32::try_from(self.exponent).unwrap_or(0);
        integer_digits <= precision.integer_digits && u32::from(self.scale) <= precision.scale
    }

    /// The number as the server prints it, without superfluous zeros before the point.
    pub(crate) fn to_text(&self) -> String {
        let digit = |at: i32| {
            let digit = usize::try_from(at).ok().and_then(|at| self.digits.get(at));
            char::from(b'0' + digit.copied().unwrap_or(0))
        };
        let mut text = String::from(if self.negative { "-" } else { "" });
        if self.exponent <= 0 {
            text.push('0');
        }
        text.extend((0..self.exponent).map(digit));
        if self.scale > 0 {
            text.push('.');
            text.extend((0..i32::from(self.scale)).map(|at| digit(self.exponent + at)));
        }
        text
    }

    /// Writes the binary form; `None` if the number is beyond it.
    pub(crate) fn to_binary(&self, out: &mut Vec<u8>) -> Option<()> {
        // Groups before the point, and the zeros that complete the first of them.
        let groups = (self.exponent + 3).div_euclid(4);
        let padding = usize::try_from(groups * 4 - self.exponent).ok()?;
        let mut digits = vec![0; padding];
        digits.extend(&self.digits);
        digits.resize(digits.len().next_multiple_of(4), 0);
        let zero = self.digits.is_empty();
        let groups_written = if zero { 0 } else { digits.len() / 4 };
        let weight = if zero { 0 } else { i16::try_from(groups - 1).ok()? };
        out.extend(u16::try_from(groups_written).ok()?.to_be_bytes());
        out.extend(weight.to_be_bytes());
        out.extend(if self.negative { NEGATIVE } else { 0 }.to_be_bytes());
        out.extend(self.scale.to_be_bytes());
        for group in digits.chunks_exact(4).take(groups_written) {
            let value = group.iter().fold(0u16, |value, &digit| value * 10 + u16::from(digit));
            out.extend(value.to_be_bytes());
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Decimal::parse(text).unwrap().to_binary(&mut out).unwrap();
        out
    }

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_are_written_as_the_server_sends_them() {
        for (text, expected) in [
            ("0", words(&[0, 0, 0, 0])),
            ("0.00", words(&[0, 0, 0, 2])),
            ("1", words(&[1, 0, 0, 0, 1])),
            ("-1", words(&[1, 0, NEGATIVE, 0, 1])),
            ("12345.678", words(&[3, 1, 0, 3, 1, 2345, 6780])),
            ("10000", words(&[1, 1, 0, 0, 1])),
            ("0.0001", words(&[1, 0xffff, 0, 4, 1])),
            ("0.00001", words(&[1, 0xfffe, 0, 5, 1000])),
            ("100000000", words(&[1, 2, 0, 0, 1])),
        ] {
            assert_eq!(binary(text), expected, "{text}");
            assert_eq!(Decimal::from_binary(&expected), Decimal::parse(text), "{text}");
        }
    }

    #[test]
    fn malformed_numbers_are_refused() {
        for text in ["", "-", ".", ".5", "1e5", "NaN", "1.2.3", "+1", " 1", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for cell in [
            &[][..],
            &[0, 1, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 0xc0, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10],
        ] {
            assert_eq!(Decimal::from_binary(cell), None);
        }
    }

    #[test]
    fn text_is_the_servers() {
        for (text, printed) in
            [("007", "7"), ("-0", "0"), ("-0.00", "0.00"), ("-0.050", "-0.050"), ("100", "100")]
        {
            assert_eq!(Decimal::parse(text).unwrap().to_text(), printed);
        }
    }

    #[test]
    fn whole_numbers_are_recognised() {
        for (text, whole) in [
            ("0.00", Some(0)),
            ("12.00", Some(12)),
            ("12.5", None),
            ("-12", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().whole(), whole, "{text}");
        }
        assert_eq!(Decimal::from_binary(&words(&[1, 0x7fff, 0, 0, 1])).unwrap().whole(), None);
    }

    proptest! {
        #[test]
        fn both_forms_agree(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?") {
            prop_assert_eq!(Decimal::from_binary(&binary(&text)), Decimal::parse(&text));
        }

        #[test]
        fn text_survives(text in "(-?[1-9][0-9]{0,9}|0)(\\.[0-9]{1,9})?") {
            prop_assert_eq!(Decimal::parse(&text).unwrap().to_text(), text);
        }

        #[test]
        fn integers_survive(number: u64) {
            prop_assert_eq!(Decimal::of_scaled(number.into(), 0).whole(), Some(number));
        }
    }
}
