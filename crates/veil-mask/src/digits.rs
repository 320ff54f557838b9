//! The decimal digits of a number that people write with separators: phone numbers, card numbers and the like.

/// More digits than any number of this kind has.
const DIGITS_MAX: usize = 32;

/// A short row of ASCII digits on the stack.
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    bytes: [u8; DIGITS_MAX],
    len: usize,
}

impl Digits {
    pub(crate) const fn new() -> Self {
        Self { bytes: [b'0'; DIGITS_MAX], len: 0 }
    }

    /// The digits of `text`, whatever stands between them; `None` if there are more than 32.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut digits = Self::new();
        for byte in text.bytes().filter(u8::is_ascii_digit) {
            digits.push(byte - b'0')?;
        }
        Some(digits)
    }

    /// `number` in decimal, with zeros before it up to `width` digits.
    pub(crate) fn of_number(number: u64, width: usize) -> Self {
        let mut digits = Self::new();
        let length = usize::try_from(number.checked_ilog10().unwrap_or(0)).unwrap_or(0) + 1;
        digits.len = length.max(width).min(DIGITS_MAX);
        let mut rest = number;
        for byte in digits.bytes.iter_mut().take(digits.len).rev() {
            *byte = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        digits
    }

    /// Appends a digit from 0 to 9; `None` when full.
    pub(crate) fn push(&mut self, digit: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = b'0' + digit;
        self.len += 1;
        Some(())
    }

    /// The digits in ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The digits up to the last that is not zero, in ASCII.
    pub(crate) fn without_last_zeros(&self) -> &[u8] {
        let digits = self.as_bytes();
        let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        digits.get(..kept).unwrap_or_default()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The number that the digits write, if it fits.
    pub(crate) fn number(&self) -> Option<u64> {
        self.as_bytes()
            .iter()
            .try_fold(0u64, |number, byte| number.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
    }

    /// Writes `template` with these digits in the places of its own, which must be as many.
    pub(crate) fn refill(&self, template: &str, out: &mut Vec<u8>) {
        let mut digits = self.as_bytes().iter().copied();
        let refilled =
            template.bytes().map(|byte| if byte.is_ascii_digit() { digits.next() } else { Some(byte) });
        out.extend(refilled.flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_keep_their_places() {
        let digits = Digits::of("(212) 555-0199").unwrap();
        assert_eq!(digits.as_bytes(), b"2125550199");
        assert_eq!(digits.number(), Some(2_125_550_199));
        let mut out = Vec::new();
        Digits::of_number(42, 10).refill("(212) 555-0199", &mut out);
        assert_eq!(out, b"(000) 000-0042");
        assert!(Digits::of(&"1".repeat(33)).is_none());
        assert_eq!(Digits::of_number(0, 0).as_bytes(), b"0");
    }
}
