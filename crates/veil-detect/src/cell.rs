//! One pass over a value that tells what may be in it, so that most recognisers need not look.

/// Letters and digits that are kept apart from the marks between them.
const COMPACT_MAX: usize = 48;

/// A value, and what one pass over its bytes has counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) text: &'a str,
    pub(crate) digits: usize,
    pub(crate) upper: usize,
    pub(crate) lower: usize,
    /// Bytes outside of ASCII.
    pub(crate) wide: usize,
    pub(crate) spaces: usize,
    /// Other marks of ASCII.
    pub(crate) marks: usize,
    compact: [u8; COMPACT_MAX],
    compact_length: usize,
}

impl<'a> Cell<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut cell = Self {
            text,
            digits: 0,
            upper: 0,
            lower: 0,
            wide: 0,
            spaces: 0,
            marks: 0,
            compact: [0; COMPACT_MAX],
            compact_length: 0,
        };
        for &byte in text.as_bytes() {
            let count = match byte {
                b'0'..=b'9' => &mut cell.digits,
                b'A'..=b'Z' => &mut cell.upper,
                b'a'..=b'z' => &mut cell.lower,
                b' ' => &mut cell.spaces,
                0x80.. => &mut cell.wide,
                _ => &mut cell.marks,
            };
            *count += 1;
            if byte.is_ascii_alphanumeric() {
                if let Some(place) = cell.compact.get_mut(cell.compact_length) {
                    *place = byte.to_ascii_uppercase();
                }
                cell.compact_length += 1;
            }
        }
        cell
    }

    pub(crate) const fn length(&self) -> usize {
        self.text.len()
    }

    /// Its letters and digits, in capitals; empty if there are too many, or others than those of ASCII.
    pub(crate) fn compact(&self) -> &[u8] {
        if self.wide > 0 {
            return &[];
        }
        self.compact.get(..self.compact_length).unwrap_or_default()
    }

    pub(crate) const fn letters(&self) -> usize {
        self.upper + self.lower
    }

    /// Whether there is nothing but digits.
    pub(crate) const fn is_digits(&self) -> bool {
        self.digits == self.text.len() && self.digits > 0
    }

    /// Whether it is written like one of these: `9` is a digit, `A` a letter, `X` either, anything else itself.
    pub(crate) fn is_like(&self, layouts: &[&str]) -> bool {
        layouts.iter().any(|layout| is_like(self.text, layout))
    }
}

/// Whether a text is written like `layout`.
pub(crate) fn is_like(text: &str, layout: &str) -> bool {
    text.len() == layout.len()
        && text.bytes().zip(layout.bytes()).all(|(byte, like)| match like {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'X' => byte.is_ascii_alphanumeric(),
            mark => byte == mark,
        })
}
